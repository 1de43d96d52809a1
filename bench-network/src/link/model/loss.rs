//! Which packets are lost, by their number.

use std::sync::Arc;

use bench_core::fixture::Stream;

use crate::link::Loss;

/// A loss at work. It is asked for every packet once, in order.
#[derive(Clone, Debug)]
pub(super) enum LossProcess {
    None,
    Bernoulli {
        probability: f64,
        draws: Stream,
    },
    GilbertElliott {
        p: f64,
        r: f64,
        losses: [f64; 2],
        bad: bool,
        moves: Stream,
        draws: Stream,
    },
    /// The script and the place in it of the next packet to lose.
    Script {
        packets: Arc<[u64]>,
        next: usize,
    },
}

impl LossProcess {
    pub(super) fn new(loss: &Loss, stream: Stream) -> Self {
        let (moves, draws) = (stream.purpose(0), stream.purpose(1));
        match loss {
            Loss::None => Self::None,
            Loss::Bernoulli(probability) => Self::Bernoulli { probability: *probability, draws },
            &Loss::GilbertElliott { p, r, loss_good, loss_bad } => {
                let losses = [loss_good, loss_bad];
                Self::GilbertElliott { p, r, losses, bad: false, moves, draws }
            }
            Loss::Script(packets) => Self::Script { packets: Arc::clone(packets), next: 0 },
        }
    }

    pub(super) fn is_none(&self) -> bool {
        matches!(self, Self::None)
    }

    /// Whether this packet is lost.
    pub(super) fn next(&mut self, number: u64) -> bool {
        match self {
            Self::None => false,
            Self::Bernoulli { probability, draws } => draws.unit(number) < *probability,
            Self::GilbertElliott { p, r, losses, bad, moves, draws } => {
                let leave = if *bad { *r } else { *p };
                *bad ^= moves.unit(number) < leave;
                draws.unit(number) < losses[usize::from(*bad)]
            }
            Self::Script { packets, next } => {
                let lost = packets.get(*next) == Some(&number);
                *next += usize::from(lost);
                lost
            }
        }
    }
}
