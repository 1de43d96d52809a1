//! What goes wrong on a link: jitter, loss, reordering.

use std::sync::Arc;
use std::time::Duration;

/// How the delay of one packet differs from the link's.
#[derive(Clone, Debug, PartialEq)]
pub enum Jitter {
    /// Not at all.
    None,
    /// At random around the delay. A delay below zero counts as zero, and packets stay in order:
    /// one that would overtake arrives together with the one before it.
    Random {
        /// How often which difference occurs.
        distribution: Distribution,
        /// The probability that a packet has the difference of the one before it, in [0, 1); this
        /// is the correlation of neighbours. The distribution stays what was asked for, which that
        /// of netem's correlation does not (a DAR(1) process: Jacobs and Lewis 1978).
        correlation: f64,
    },
    /// These are added to the delay, packet by packet, and begin anew when they end.
    Trace(Arc<[Duration]>),
}

/// How often which difference from the delay occurs.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Distribution {
    /// All between minus and plus `spread` equally often.
    Uniform {
        /// The largest difference.
        spread: Duration,
    },
    /// Normal. Drawn as a sum of twelve uniforms, which is exact to the bit on every machine and
    /// ends at six standard deviations.
    Normal {
        /// The standard deviation.
        deviation: Duration,
    },
}

/// Which packets never arrive.
#[derive(Clone, Debug, PartialEq)]
pub enum Loss {
    /// None is lost.
    None,
    /// Each for itself with this probability.
    Bernoulli(f64),
    /// In bursts: a two-state Markov chain that moves before each packet (Gilbert 1960, Elliott
    /// 1963). It begins in the good state.
    GilbertElliott {
        /// The probability to go from good to bad.
        p: f64,
        /// The probability to go from bad to good; a bad spell lasts 1/r packets.
        r: f64,
        /// The loss in the good state.
        loss_good: f64,
        /// The loss in the bad state.
        loss_bad: f64,
    },
    /// Exactly the packets of these numbers; the first packet is number 0. Ascending.
    Script(Arc<[u64]>),
}

/// Which packets are overtaken by those behind them.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Reorder {
    /// The probability that a packet is held back.
    pub probability: f64,
    /// How much later than others it arrives.
    pub late: Duration,
}

impl Reorder {
    /// Packets stay in order.
    pub const NONE: Self = Self { probability: 0.0, late: Duration::ZERO };
}

impl Jitter {
    /// Uniform and without correlation.
    pub const fn uniform(spread: Duration) -> Self {
        Self::Random { distribution: Distribution::Uniform { spread }, correlation: 0.0 }
    }

    /// Normal and without correlation.
    pub const fn normal(deviation: Duration) -> Self {
        Self::Random { distribution: Distribution::Normal { deviation }, correlation: 0.0 }
    }

    /// How far from the delay it reaches, in nanoseconds; of a normal one, three deviations.
    pub fn reach_ns(&self) -> f64 {
        let ns = |time: &Duration| time.as_nanos() as f64;
        match self {
            Self::None => 0.0,
            Self::Random { distribution: Distribution::Uniform { spread }, .. } => ns(spread),
            Self::Random { distribution: Distribution::Normal { deviation }, .. } => {
                3.0 * ns(deviation)
            }
            Self::Trace(added) => added.iter().map(ns).fold(0.0, f64::max),
        }
    }
}

impl Loss {
    /// Gilbert's chain as it is mostly asked for: all is lost in the bad state, nothing in the good.
    pub const fn bursts(p: f64, r: f64) -> Self {
        Self::GilbertElliott { p, r, loss_good: 0.0, loss_bad: 1.0 }
    }

    /// Which part of many packets is lost; `None` of a script, which ends.
    pub fn mean(&self) -> Option<f64> {
        match *self {
            Self::None => Some(0.0),
            Self::Bernoulli(probability) => Some(probability),
            // A chain that never moves stays where it began.
            Self::GilbertElliott { p: 0.0, loss_good, .. } => Some(loss_good),
            Self::GilbertElliott { p, r, loss_good, loss_bad } => {
                Some((r * loss_good + p * loss_bad) / (p + r))
            }
            Self::Script(_) => None,
        }
    }

    /// How many packets are lost in a row, where the good state loses none and the bad state all.
    pub fn mean_burst(&self) -> Option<f64> {
        match *self {
            Self::Bernoulli(probability) if probability < 1.0 => Some(1.0 / (1.0 - probability)),
            Self::GilbertElliott { r, loss_good, loss_bad, .. }
                if r > 0.0 && loss_good == 0.0 && loss_bad == 1.0 =>
            {
                Some(1.0 / r)
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_means_of_a_chain_are_those_of_its_stationary_state() {
        let bursts = Loss::bursts(0.0025, 0.25);
        let mean = bursts.mean().expect("has one");
        assert!((mean - 0.0025 / 0.2525).abs() < 1e-12, "{mean}");
        assert_eq!(bursts.mean_burst(), Some(4.0));
        let stuck = Loss::GilbertElliott { p: 0.0, r: 0.0, loss_good: 0.125, loss_bad: 1.0 };
        assert_eq!((stuck.mean(), stuck.mean_burst()), (Some(0.125), None));
        assert_eq!(Loss::Script(Arc::new([3])).mean(), None);
    }

    #[test]
    fn jitter_knows_how_far_it_reaches() {
        let ms = Duration::from_millis;
        assert_eq!(Jitter::uniform(ms(2)).reach_ns(), 2e6);
        assert_eq!(Jitter::normal(ms(2)).reach_ns(), 6e6);
        let trace = Jitter::Trace(Arc::new([ms(1), ms(3)]));
        assert_eq!(trace.reach_ns(), 3e6);
        assert_eq!(Jitter::Trace(Arc::new([])).reach_ns(), 0.0);
    }
}
