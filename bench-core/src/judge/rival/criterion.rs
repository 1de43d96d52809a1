//! criterion.rs 0.8 with its defaults.

use super::{assert_times, mean, variance, verdict};
use crate::judge::stats::{SplitMix64, quantile};
use crate::judge::verdict::Verdict;

const SIGNIFICANT: f64 = 0.05;
const NOISE: f64 = 0.01;
const CONFIDENCE: f64 = 0.95;

/// What criterion prints when it compares: "improved" or "regressed" where its test finds the means
/// different (`p < 0.05`) and the whole interval of the change of the mean lies beyond 1 % on one
/// side; otherwise "no change detected" or "within noise threshold".
///
/// The test is Welch's `t` against its distribution when both sides are drawn from the samples of
/// both; the interval is the bootstrap of `mean(head) / mean(base) - 1`, in which some resamples of the
/// base meet the same resample of the head (`src/analysis/compare.rs`, `src/stats`). criterion takes
/// 100,000 resamples and another seed each time; a thousand move `p` near 0.05 by 0.014.
///
/// # Panics
/// With fewer than two times on a side, when one is not finite or not above zero, or without
/// resamples.
pub fn criterion(base: &[f64], head: &[f64], resamples: usize, seed: u64) -> Verdict {
    assert_times(base);
    assert_times(head);
    assert!(resamples > 0, "no resamples");
    let mut random = SplitMix64::new(seed);
    let different = p_value(base, head, resamples, &mut random) < SIGNIFICANT;
    let (low, high) = change(base, head, resamples, &mut random);
    verdict(different && (low > NOISE || high < -NOISE), low)
}

/// Twice the smaller share of resampled `t` that is below or not below the observed one.
fn p_value(base: &[f64], head: &[f64], resamples: usize, random: &mut SplitMix64) -> f64 {
    let observed = welch(head, base);
    let both = [head, base].concat();
    let mut drawn = vec![0.0; both.len()];
    let (mut below, mut all) = (0_usize, 0_usize);
    for _ in 0..resamples {
        random.draw(&both, &mut drawn);
        let (head, base) = drawn.split_at(head.len());
        let t = welch(head, base);
        if t.is_finite() {
            all += 1;
            below += usize::from(t < observed);
        }
    }
    // Where no resample scatters, all times are equal: criterion would divide 0 by 0.
    if all == 0 { 1.0 } else { 2.0 * below.min(all - below) as f64 / all as f64 }
}

fn welch(a: &[f64], b: &[f64]) -> f64 {
    let (of_a, of_b) = (mean(a), mean(b));
    let error = variance(a, of_a) / a.len() as f64 + variance(b, of_b) / b.len() as f64;
    (of_a - of_b) / error.sqrt()
}

/// The interval of `mean(head) / mean(base) - 1`.
fn change(base: &[f64], head: &[f64], resamples: usize, random: &mut SplitMix64) -> (f64, f64) {
    let chunks = (resamples as f64).sqrt().ceil() as usize;
    let (mut from, mut to) = (vec![0.0; base.len()], vec![0.0; head.len()]);
    let mut changes = Vec::with_capacity(resamples);
    for index in 0..resamples {
        if index % resamples.div_ceil(chunks) == 0 {
            random.draw(head, &mut to);
        }
        random.draw(base, &mut from);
        changes.push(mean(&to) / mean(&from) - 1.0);
    }
    let tail = (1.0 - CONFIDENCE) / 2.0;
    (quantile(&changes, tail), quantile(&changes, 1.0 - tail))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn times(centre: f64, step: u32) -> Vec<f64> {
        (0..100).map(|i| centre + f64::from(i * step % 101) / 10.0).collect()
    }

    #[test]
    fn says_what_criterion_says() {
        let base = times(1_000.0, 37);
        for (head, expected) in [
            (times(1_000.0, 43), Verdict::Unchanged),
            // Certain, and within the noise threshold of 1 %.
            (times(1_006.0, 43), Verdict::Unchanged),
            (times(1_030.0, 43), Verdict::Regressed),
            (times(970.0, 43), Verdict::Improved),
        ] {
            assert_eq!(criterion(&base, &head, 1_000, 7), expected, "{}", head[0]);
        }
    }

    /// The test has about the probability of Welch's:
    /// `scipy.stats.ttest_ind(h, b, equal_var=False).pvalue` of scipy 1.17. Of 20,000 resamples the
    /// share scatters by 0.002; the rest is that drawing with replacement is another test.
    #[test]
    fn the_probability_is_about_that_of_welch() {
        let (base, head) = (times(1_000.0, 37), times(1_000.7, 43));
        let p = p_value(&base, &head, 20_000, &mut SplitMix64::new(3));
        assert!((p - 0.091_351_157_419_315_64).abs() < 0.02, "{p}");
    }

    #[test]
    fn equal_times_are_no_change() {
        assert_eq!(criterion(&[5.0; 10], &[5.0; 10], 200, 1), Verdict::Unchanged);
    }

    #[test]
    #[should_panic(expected = "a time is not above zero")]
    fn what_is_no_time_is_not_judged() {
        let _ = criterion(&[1.0, 2.0], &[1.0, f64::NAN], 10, 1);
    }
}
