//! The shift between two sides, and the interval of all shifts that are not refuted.

use super::scale::{Scaled, scaled};
use super::wealth::{Bet, Wealth, counted};
use crate::judge::stats::{Interval, median};

/// How exactly a logarithm of a ratio is found: a ten-millionth of a percent.
const TOLERANCE: f64 = 1e-9;
/// So many scales beyond the outermost round a round counts all it can, but for a thousandth.
const FAR: f64 = 100.0;

/// How the head differs from the base by the rounds so far.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Estimate {
    /// Rounds, those included that only tell the scale.
    pub rounds: usize,
    /// Head divided by base.
    pub ratio: f64,
    /// Every ratio that is not refuted. `None` while the rounds are too few to refute anything.
    pub interval: Option<Interval>,
}

/// The ratio by which the head differs, from `ln(head / base)` of each round in their order.
///
/// The estimate is the `shift` at which `Σψ((x - shift)/s) = 0`, each round by its own
/// [scale](super::scale); the median while there are no rounds but the first ones. The interval is
/// what no gambler has refuted ([`Wealth`]), half of `alpha` on each side; the estimate is always
/// in it. The probability that the truth is *ever* outside, at whatever round one looks, is at most
/// `alpha`. Some 60 passes over the rounds: about 6 ms for a thousand.
///
/// # Panics
/// Without rounds, when one is not finite, or when `alpha` is not within 0 and 1.
pub fn estimate(log_ratios: &[f64], alpha: f64) -> Estimate {
    assert!(!log_ratios.is_empty(), "no rounds");
    assert!(log_ratios.iter().all(|x| x.is_finite()), "a round is not finite");
    assert!(alpha > 0.0 && alpha < 1.0, "alpha {alpha} is not within 0 and 1");
    let rounds = scaled(log_ratios);
    let shift = if rounds.is_empty() { median(log_ratios) } else { centre(&rounds) };
    let confidence = 1.0 - alpha;
    let interval = not_refuted(&rounds, shift, (2.0 / alpha).ln()).map(|(low, high)| Interval {
        low: low.exp(),
        high: high.exp(),
        confidence,
    });
    Estimate { rounds: log_ratios.len(), ratio: shift.exp(), interval }
}

/// Where `Σψ` is zero.
fn centre(rounds: &[Scaled]) -> f64 {
    let (mut low, mut high) = (f64::INFINITY, f64::NEG_INFINITY);
    for round in rounds {
        (low, high) = (low.min(round.x), high.max(round.x));
    }
    while high - low > TOLERANCE {
        let middle = low.midpoint(high);
        let sum: f64 = rounds.iter().map(|&round| counted(round, middle)).sum();
        if sum == 0.0 {
            return middle;
        }
        if sum > 0.0 { low = middle } else { high = middle }
    }
    low.midpoint(high)
}

/// The lowest and the highest shift of which neither bet has reached `limit`. The ends found are
/// just outside.
fn not_refuted(rounds: &[Scaled], centre: f64, limit: f64) -> Option<(f64, f64)> {
    let low = rounds.iter().map(|r| FAR.mul_add(-r.scale, r.x)).reduce(f64::min)?;
    let high = rounds.iter().map(|r| FAR.mul_add(r.scale, r.x)).reduce(f64::max)?;
    let end = |mut refuted: f64, bet: Bet| {
        let is_refuted = |shift| Wealth::on(rounds, shift, bet).ln() >= limit;
        let mut held = centre;
        if !is_refuted(refuted) {
            return None;
        }
        while (refuted - held).abs() > TOLERANCE {
            let middle = refuted.midpoint(held);
            if is_refuted(middle) { refuted = middle } else { held = middle }
        }
        Some(refuted)
    };
    Some((end(low, Bet::Above)?, end(high, Bet::Below)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_rounds_have_a_median_and_no_interval() {
        let estimate = super::estimate(&[0.3, 0.0, 0.1], 0.01);
        assert!((estimate.ratio - 0.1_f64.exp()).abs() < 1e-12);
        assert_eq!((estimate.rounds, estimate.interval), (3, None));
    }

    /// Even if all went one way: the four of them together have at most
    /// `(1.1^n + 1.22^n + 1.45^n + 1.9^n) / 4` after `n` bets, and need 2,000 times their stake.
    #[test]
    fn too_few_rounds_refute_nothing() {
        let enough = |n: i32| {
            [1.1_f64, 1.22, 1.45, 1.9].iter().map(|b| b.powi(n)).sum::<f64>() / 4.0 >= 2_000.0
        };
        assert!(!enough(13) && enough(14));
        assert_eq!(estimate(&[0.2; 23], 0.001).interval, None);
        assert!(estimate(&[0.2; 25], 0.001).interval.is_some());
    }

    #[test]
    fn equal_rounds_are_as_certain_as_can_be() {
        let estimate = super::estimate(&[0.25; 60], 0.001);
        let interval = estimate.interval.expect("enough rounds");
        assert!((estimate.ratio.ln() - 0.25).abs() < 1e-8);
        assert!(interval.high.ln() - interval.low.ln() < 1e-6, "{interval:?}");
    }

    #[test]
    #[should_panic(expected = "a round is not finite")]
    fn what_is_no_number_is_not_estimated() {
        let _ = estimate(&[0.1, f64::NAN], 0.01);
    }

    #[test]
    #[should_panic(expected = "alpha 1 is not within 0 and 1")]
    fn an_error_is_a_probability() {
        let _ = estimate(&[0.1], 1.0);
    }
}
