//! By how much the delay of each packet differs, by its number.

use std::sync::Arc;
use std::time::Duration;

use bench_core::fixture::Stream;

use crate::link::{Distribution, Jitter};

/// A jitter at work. It is asked for every packet once, in order.
#[derive(Clone, Debug)]
pub(super) enum JitterProcess {
    None,
    Random {
        distribution: Distribution,
        correlation: f64,
        last_ns: i64,
        draws: Stream,
        keep: Stream,
    },
    Trace(Arc<[Duration]>),
}

impl JitterProcess {
    pub(super) fn new(jitter: &Jitter, stream: Stream) -> Self {
        match jitter {
            Jitter::None => Self::None,
            &Jitter::Random { distribution, correlation } => {
                let (draws, keep) = (stream.purpose(0), stream.purpose(1));
                Self::Random { distribution, correlation, last_ns: 0, draws, keep }
            }
            Jitter::Trace(added) => Self::Trace(Arc::clone(added)),
        }
    }

    pub(super) fn is_none(&self) -> bool {
        matches!(self, Self::None)
    }

    /// The difference from the delay, in nanoseconds.
    pub(super) fn next(&mut self, number: u64) -> i64 {
        match self {
            Self::None => 0,
            Self::Random { distribution, correlation, last_ns, draws, keep } => {
                let fresh = number == 0 || keep.unit(number) >= *correlation;
                if fresh {
                    *last_ns = draw(*distribution, *draws, number);
                }
                *last_ns
            }
            Self::Trace(added) => added[(number % added.len() as u64) as usize].as_nanos() as i64,
        }
    }
}

fn draw(distribution: Distribution, stream: Stream, number: u64) -> i64 {
    match distribution {
        Distribution::Uniform { spread } => {
            let scaled = (stream.unit(number) * 2.0 - 1.0) * spread.as_nanos() as f64;
            scaled as i64
        }
        Distribution::Normal { deviation } => {
            (normal(stream, number) * deviation.as_nanos() as f64) as i64
        }
    }
}

/// Normal with mean 0 and deviation 1: a uniform has the variance 1/12, so twelve have 1. Four
/// 16-bit parts of three words are the twelve; a sum of integers is the same in any order.
fn normal(stream: Stream, number: u64) -> f64 {
    let parts =
        |word: u64| (word & 0xffff) + (word >> 16 & 0xffff) + (word >> 32 & 0xffff) + (word >> 48);
    let sum: u64 = (0..3).map(|word| parts(stream.word(number.wrapping_mul(3) + word))).sum();
    // Each part is in the middle of its step: 12 halves are 6.
    (sum as f64 + 6.0) / 65_536.0 - 6.0
}
