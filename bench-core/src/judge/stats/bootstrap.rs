//! Intervals by resampling (Efron 1979). Seeded: the same samples give the same interval.

use super::{Interval, assert_confidence, assert_samples, median, quantile};

/// The percentile bootstrap interval of any statistic: draw as many samples as there are, with
/// replacement, `resamples` times; take the quantiles of what the statistic says.
///
/// Equal samples, one sample included, give an interval of width zero: it says nothing about what
/// was not sampled, so do not ask with fewer than a handful. Too narrow by a few percent of
/// coverage below about 20 samples.
///
/// # Panics
/// Without samples, when one or the statistic of a resample is not finite, when `confidence` is
/// not within 0 and 1, or without resamples.
pub fn bootstrap_interval(
    samples: &[f64],
    statistic: impl Fn(&[f64]) -> f64,
    confidence: f64,
    resamples: u32,
    seed: u64,
) -> Interval {
    assert_samples(samples);
    let mut random = SplitMix64(seed);
    let mut drawn = vec![0.0; samples.len()];
    let estimates = (0..resamples).map(|_| {
        random.draw(samples, &mut drawn);
        statistic(&drawn)
    });
    percentiles(&estimates.collect::<Vec<f64>>(), confidence)
}

/// The percentile bootstrap interval of `median(head) / median(base)`, both resampled
/// independently: for samples that have nothing to do with each other.
///
/// `None` where the median of base is zero, or of too many resamples of it: there is no ratio.
///
/// # Panics
/// Without samples on a side, when one is not finite or is negative, when `confidence` is not
/// within 0 and 1, or without resamples.
pub fn median_ratio_interval(
    base: &[f64],
    head: &[f64],
    confidence: f64,
    resamples: u32,
    seed: u64,
) -> Option<Interval> {
    assert_samples(base);
    assert_samples(head);
    assert!(base.iter().chain(head).all(|&x| x >= 0.0), "a sample is negative");
    let mut random = SplitMix64(seed);
    let (mut from, mut to) = (vec![0.0; base.len()], vec![0.0; head.len()]);
    let ratios = (0..resamples).map(|_| {
        random.draw(base, &mut from);
        random.draw(head, &mut to);
        let ratio = median(&to) / median(&from);
        ratio.is_finite().then_some(ratio)
    });
    // One resample without a ratio makes all of them a selection.
    let ratios: Vec<f64> = ratios.collect::<Option<_>>()?;
    Some(percentiles(&ratios, confidence))
}

fn percentiles(estimates: &[f64], confidence: f64) -> Interval {
    assert_confidence(confidence);
    let tail = (1.0 - confidence) / 2.0;
    let (low, high) = (quantile(estimates, tail), quantile(estimates, 1.0 - tail));
    Interval { low, high, confidence }
}

/// The generator of Steele, Lea and Flood (2014). Its own few lines, because the numbers of a
/// library may change with its version, and then intervals of old records would change too.
struct SplitMix64(u64);

impl SplitMix64 {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Fills `drawn` with samples, with replacement. The bias of the multiplication is below
    /// `samples.len() / 2^64`.
    fn draw(&mut self, samples: &[f64], drawn: &mut [f64]) {
        for slot in drawn {
            let index = (u128::from(self.next()) * samples.len() as u128) >> 64;
            *slot = samples[index as usize];
        }
    }
}
