//! Intervals of quantiles that assume nothing about the distribution.

use super::{Interval, assert_confidence, assert_samples, sorted};

/// Terms of the binomial below this share of the largest are left out; all of them together are
/// far below the resolution of `f64`.
const NEGLIGIBLE: f64 = 1e-25;

/// The interval of the `q` quantile between two samples: order statistics by
/// [`quantile_ranks`].
///
/// `None` where the samples are too few for this confidence: fewer than 6 for the median at 95 %,
/// fewer than 299 for the 99th percentile.
///
/// # Panics
/// Without samples, when one is not finite, or when `q` or `confidence` is not within 0 and 1.
pub fn quantile_interval(samples: &[f64], q: f64, confidence: f64) -> Option<Interval> {
    assert_samples(samples);
    let (low, high) = quantile_ranks(samples.len() as u64, q, confidence)?;
    let sorted = sorted(samples);
    let at = |rank: u64| sorted[rank as usize - 1];
    Some(Interval { low: at(low), high: at(high), confidence })
}

/// Between which two of `n` sorted samples, counted from 1, the `q` quantile lies.
///
/// How many of `n` independent samples fall below the true quantile is binomial, `B(n, q)`, so it
/// lies between the samples of rank `l` and `u` with probability `P(l <= B < u)`, whatever the
/// distribution (David and Nagaraja, Order Statistics, 7.1). Half of the error goes to each side;
/// where the smallest or the largest sample is not far enough out for that, the other side
/// gets what is left. `None` where even all samples do not reach the confidence.
///
/// # Panics
/// When `n` is 0, or when `q` or `confidence` is not within 0 and 1.
pub fn quantile_ranks(n: u64, q: f64, confidence: f64) -> Option<(u64, u64)> {
    assert!(n > 0, "no samples");
    assert!(q > 0.0 && q < 1.0, "quantile {q} is not within 0 and 1");
    assert_confidence(confidence);
    let error = 1.0 - confidence;
    let below_all = q.powf(n as f64);
    let above_all = (1.0 - q).powf(n as f64);
    let (left, right) = if below_all > error / 2.0 {
        (error - below_all, below_all)
    } else if above_all > error / 2.0 {
        (above_all, error - above_all)
    } else {
        (error / 2.0, error / 2.0)
    };
    // Even the outermost samples are on the wrong side of the quantile too often.
    if left < above_all || right < below_all {
        return None;
    }
    let binomial = Binomial::new(n, q);
    let low = binomial.last_with_at_most(left) + 1;
    let high = n - binomial.mirrored().last_with_at_most(right);
    Some((low, high.max(low)))
}

/// The probabilities of `B(n, q)` around its mode.
struct Binomial {
    n: u64,
    /// The successes that the first entry of `shares` is for.
    first: u64,
    shares: Vec<f64>,
}

impl Binomial {
    /// From the mode outwards by the ratio of neighbours,
    /// `P(k + 1) / P(k) = (n - k) / (k + 1) · q / (1 - q)`, and then scaled to a sum of 1: no
    /// factorial, no gamma function, and only about `√n` terms.
    fn new(n: u64, q: f64) -> Self {
        let odds = q / (1.0 - q);
        let mode = (((n + 1) as f64 * q) as u64).min(n);
        let up = (mode..n).scan(1.0, |share, k| {
            *share *= (n - k) as f64 / (k + 1) as f64 * odds;
            (*share > NEGLIGIBLE).then_some(*share)
        });
        let down = (1..=mode).rev().scan(1.0, |share, k| {
            *share *= k as f64 / (n - k + 1) as f64 / odds;
            (*share > NEGLIGIBLE).then_some(*share)
        });
        let mut shares: Vec<f64> = down.collect();
        let first = mode - shares.len() as u64;
        shares.reverse();
        shares.push(1.0);
        shares.extend(up);
        let sum: f64 = shares.iter().sum();
        shares.iter_mut().for_each(|share| *share /= sum);
        Self { n, first, shares }
    }

    /// `B(n, 1 - q)`.
    fn mirrored(mut self) -> Self {
        self.first = self.n + 1 - self.first - self.shares.len() as u64;
        self.shares.reverse();
        self
    }

    /// The largest `k` with `P(B <= k) <= bound`. A bound that is met to within rounding is met.
    fn last_with_at_most(&self, bound: f64) -> u64 {
        let mut cumulated = 0.0;
        let within = self.shares.iter().take_while(|share| {
            cumulated += **share;
            cumulated <= bound * (1.0 + 1e-9)
        });
        (self.first + within.count() as u64).saturating_sub(1)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn ranks_by_hand() {
        // All six on one side of the median: 2 / 2^6 = 0.03125 <= 0.05. Of five: 0.0625.
        assert_eq!(quantile_ranks(6, 0.5, 0.95), Some((1, 6)));
        assert_eq!(quantile_ranks(5, 0.5, 0.95), None);
        // 0.99^299 = 0.0495 <= 0.05 < 0.99^298 = 0.0500...
        assert!(quantile_ranks(299, 0.99, 0.95).is_some());
        assert_eq!(quantile_ranks(298, 0.99, 0.95), None);
        assert_eq!(quantile_ranks(1, 0.5, 0.95), None);
    }

    #[test]
    fn the_same_ranks_as_scipy() {
        // python: B = scipy.stats.binom(n, q); a = 1 - confidence
        // l: the largest with B.cdf(l - 1) <= a / 2; u: the smallest with B.sf(u - 1) <= a / 2
        for (n, q, confidence, ranks) in [
            (10, 0.5, 0.95, (2, 9)),
            (20, 0.5, 0.95, (6, 15)),
            (21, 0.5, 0.99, (5, 17)),
            (100, 0.5, 0.95, (40, 61)),
            (100, 0.9, 0.95, (84, 96)),
            (368, 0.99, 0.95, (360, 368)),
            (1_000, 0.99, 0.95, (983, 997)),
            (10_000, 0.999, 0.95, (9_983, 9_997)),
            (1_000_000, 0.5, 0.95, (499_020, 500_981)),
            (1_000_000, 0.999, 0.99, (998_918, 999_081)),
            // One-sided: u is the last, l the largest with B.cdf(l - 1) <= 0.05 - 0.99^299.
            (299, 0.99, 0.95, (289, 299)),
        ] {
            assert_eq!(quantile_ranks(n, q, confidence), Some(ranks), "{n} {q} {confidence}");
        }
    }

    #[test]
    fn the_interval_lies_between_the_samples_of_those_ranks() {
        let samples: Vec<f64> = (1..=20).rev().map(f64::from).collect();
        let interval = Interval { low: 6.0, high: 15.0, confidence: 0.95 };
        assert_eq!(quantile_interval(&samples, 0.5, 0.95), Some(interval));
        assert_eq!(quantile_interval(&samples, 0.99, 0.95), None);
        let equal = quantile_interval(&[3.0; 10], 0.5, 0.95).expect("enough");
        assert_eq!((equal.low, equal.high), (3.0, 3.0));
    }

    /// `P(l <= B < u)` term by term, as the definition has it. Beyond 200 the first term vanishes.
    fn coverage(n: u64, q: f64, (l, u): (u64, u64)) -> f64 {
        let mut share = (1.0 - q).powf(n as f64);
        let mut covered = 0.0;
        for k in 0..u {
            covered += if k >= l { share } else { 0.0 };
            share *= (n - k) as f64 / (k + 1) as f64 * q / (1.0 - q);
        }
        covered
    }

    proptest! {
        #[test]
        fn ranks_reach_the_confidence_and_mirror(
            n in 1_u64..200, q in 0.05..0.95, confidence in 0.5..0.999,
        ) {
            let all = 1.0 - f64::powf(q, n as f64) - f64::powf(1.0 - q, n as f64);
            let ranks = quantile_ranks(n, q, confidence);
            match ranks {
                Some((l, u)) => {
                    prop_assert!(1 <= l && l <= u && u <= n);
                    prop_assert!(coverage(n, q, (l, u)) >= confidence - 1e-8);
                }
                None => prop_assert!(all < confidence + 1e-8),
            }
            let mirrored = quantile_ranks(n, 1.0 - q, confidence);
            prop_assert_eq!(mirrored, ranks.map(|(l, u)| (n + 1 - u, n + 1 - l)));
        }
    }

    #[test]
    #[should_panic(expected = "quantile 1 is not within")]
    fn the_largest_value_there_is_has_no_interval() {
        quantile_ranks(10, 1.0, 0.95);
    }
}
