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
pub(in crate::judge) struct SplitMix64(u64);

impl SplitMix64 {
    pub(in crate::judge) const fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(in crate::judge) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Fills `drawn` with samples, with replacement. The bias of the multiplication is below
    /// `samples.len() / 2^64`.
    pub(in crate::judge) fn draw(&mut self, samples: &[f64], drawn: &mut [f64]) {
        for slot in drawn {
            let index = (u128::from(self.next()) * samples.len() as u128) >> 64;
            *slot = samples[index as usize];
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const X: [f64; 10] = [3.1, 4.1, 5.9, 2.6, 5.3, 5.8, 9.7, 9.3, 2.3, 8.4];

    fn mean(samples: &[f64]) -> f64 {
        samples.iter().sum::<f64>() / samples.len() as f64
    }

    fn near(interval: Interval, low: f64, high: f64, by: f64) {
        assert!((interval.low - low).abs() <= by, "{interval:?}");
        assert!((interval.high - high).abs() <= by, "{interval:?}");
    }

    #[test]
    fn the_same_intervals_as_scipy() {
        // python: scipy.stats.bootstrap((x,), numpy.median, n_resamples=200000,
        //     method='percentile', confidence_level=.95, rng=1); the same with numpy.mean
        near(bootstrap_interval(&X, median, 0.95, 20_000, 1), 3.1, 8.4, 1e-9);
        near(bootstrap_interval(&X, mean, 0.95, 200_000, 1), 4.09, 7.27, 0.011);
        // base = range(100, 111); numpy.median(head) / numpy.median(base) of both resampled
        let base: Vec<f64> = (100..=110).map(f64::from).collect();
        let head = [120.0, 122.0, 119.0, 125.0, 130.0, 128.0, 121.0, 124.0, 127.0, 126.0, 123.0];
        let ratio = median_ratio_interval(&base, &head, 0.95, 20_000, 1).expect("a ratio");
        near(ratio, 1.138_888_888, 1.225_490_196, 0.005);
    }

    #[test]
    fn the_seed_decides() {
        let of = |seed| bootstrap_interval(&X, mean, 0.9, 100, seed);
        assert_eq!(of(7), of(7));
        assert_ne!(of(7), of(8));
    }

    #[test]
    fn equal_samples_have_no_width_and_zero_has_no_ratio() {
        near(bootstrap_interval(&[4.0; 5], median, 0.95, 50, 1), 4.0, 4.0, 0.0);
        let ratio = median_ratio_interval(&[2.0; 5], &[3.0; 5], 0.95, 50, 1).expect("a ratio");
        near(ratio, 1.5, 1.5, 0.0);
        assert_eq!(median_ratio_interval(&[0.0; 5], &[3.0; 5], 0.95, 50, 1), None);
    }

    #[test]
    fn the_generator_is_the_published_one() {
        let mut random = SplitMix64(1_234_567);
        let expected = [6_457_827_717_110_365_317, 3_203_168_211_198_807_973];
        assert_eq!([random.next(), random.next()], expected);
    }

    /// Both sides from the same distribution: the interval holds 1 nearly as often as it says.
    #[test]
    fn the_interval_holds_the_truth_as_often_as_it_says() {
        let mut random = SplitMix64(3);
        let mut sample = || -> Vec<f64> {
            (0..25).map(|_| 1.0 + (random.next() >> 11) as f64 / (1_u64 << 53) as f64).collect()
        };
        let held = (0..400).filter(|&seed| {
            let interval = median_ratio_interval(&sample(), &sample(), 0.95, 200, seed);
            interval.is_some_and(|i| i.low <= 1.0 && 1.0 <= i.high)
        });
        // 380 are due; five standard deviations of a binomial are 22.
        let held = held.count();
        assert!((358..=400).contains(&held), "{held} of 400");
    }
}
