//! How fast the processor is between rounds: a fixed piece of arithmetic, timed.
//!
//! It runs before and after a round and never inside of a slice, so that it knows nothing of either
//! side. What it tells is a clock that was lowered for heat and a neighbour on the same core.

use std::hint::black_box;
use std::time::Instant;

use crate::process::pinned;

/// Steps of a multiplication and an addition that wait for each other: some 70 µs at 3 GHz.
const STEPS: u32 = 50_000;
/// The fastest of so many counts, since one interrupt is no burst.
const PIECES: u32 = 5;

/// Nanoseconds that the arithmetic takes on one of these processors, or on any where none is named;
/// `None` where we may not run there.
pub(crate) fn probe(cpus: &[usize]) -> Option<u64> {
    pinned(cpus, || Ok((0..PIECES).map(|_| piece()).min())).ok().flatten()
}

fn piece() -> u64 {
    let began = Instant::now();
    let mut state = black_box(1_u64);
    for _ in 0..STEPS {
        // The generator of Knuth's MMIX: each step needs the one before.
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    }
    black_box(state);
    began.elapsed().as_nanos() as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_takes_time_and_an_unknown_processor_is_no_error() {
        assert!(probe(&[]).is_some_and(|ns| ns > 0));
        assert_eq!(probe(&[1_000]), None);
    }
}
