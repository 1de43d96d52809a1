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
    let left = if below_all > error / 2.0 { error - below_all } else { error / 2.0 };
    let right = if above_all > error / 2.0 { error - above_all } else { error / 2.0 };
    // The first sample is above the quantile, or the last one below, too often.
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
