//! The t-test of pairs, as it is done without thinking of when one stops.

use statrs::function::beta::beta_reg;

use super::verdict;
use crate::judge::verdict::Verdict;

const SIGNIFICANT: f64 = 0.05;
/// Nobody looks at fewer.
const ROUNDS_MIN: usize = 5;

/// The t-test after the last round, once.
///
/// # Panics
/// When a round is not finite.
pub fn paired_at_end(log_ratios: &[f64]) -> Verdict {
    let mut so_far = SoFar::default();
    log_ratios.iter().for_each(|&x| so_far.push(x));
    so_far.verdict()
}

/// The t-test after each round from the fifth on, stopped as soon as it is significant. Wrong as
/// often as one cares to look: with 100 looks about every third time, not every twentieth
/// (Armitage, McPherson and Rowe 1969).
///
/// # Panics
/// When a round is not finite.
pub fn paired_while_looking(log_ratios: &[f64]) -> Verdict {
    let mut so_far = SoFar::default();
    let looks = log_ratios.iter().map(|&x| {
        so_far.push(x);
        so_far.verdict()
    });
    let seen = looks.skip(ROUNDS_MIN - 1).find(|verdict| *verdict != Verdict::Unchanged);
    seen.unwrap_or(Verdict::Unchanged)
}

/// Mean and sum of squares, taken up round by round (Welford 1962).
#[derive(Clone, Copy, Debug, Default)]
struct SoFar {
    count: f64,
    mean: f64,
    squares: f64,
}

impl SoFar {
    fn push(&mut self, x: f64) {
        assert!(x.is_finite(), "a round is not finite");
        self.count += 1.0;
        let off = x - self.mean;
        self.mean += off / self.count;
        self.squares += off * (x - self.mean);
    }

    fn verdict(self) -> Verdict {
        verdict(self.p_value() < SIGNIFICANT, self.mean)
    }

    /// Two-sided: `t = mean / √(variance / n)`, and `p = I(ν / (ν + t²); ν/2, 1/2)` with `ν = n - 1`.
    /// 1 for fewer than two rounds, and where all are zero.
    fn p_value(self) -> f64 {
        let freedom = self.count - 1.0;
        if freedom < 1.0 || self.mean == 0.0 {
            return 1.0;
        }
        let squared_error = self.squares / freedom / self.count;
        // ν / (ν + t²), both sides multiplied by the squared error, which may be zero.
        let unexplained = freedom * squared_error;
        beta_reg(freedom / 2.0, 0.5, unexplained / self.mean.mul_add(self.mean, unexplained))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn p(rounds: &[f64]) -> f64 {
        let mut so_far = SoFar::default();
        rounds.iter().for_each(|&x| so_far.push(x));
        so_far.p_value()
    }

    /// `scipy.stats.ttest_1samp(x, 0).pvalue` of scipy 1.17.
    #[test]
    fn as_the_reference_says() {
        let few = [0.012, -0.004, 0.021, 0.008, 0.015];
        let many: Vec<f64> = (0..60).map(|i| f64::from(i * 37 % 101) / 1_000.0 - 0.045).collect();
        for (rounds, expected) in
            [(&few[..], 0.067_562_366_798_658_6), (&many, 0.238_730_476_780_271_62)]
        {
            assert!((p(rounds) - expected).abs() < 1e-12, "{}", p(rounds));
        }
    }

    #[test]
    fn who_looks_after_each_round_stops_at_what_passes() {
        let mut rounds = vec![0.010, 0.011, 0.009, 0.010, 0.012, 0.008];
        rounds.extend([-0.010; 6]);
        assert_eq!(paired_while_looking(&rounds), Verdict::Regressed);
        assert_eq!(paired_at_end(&rounds), Verdict::Unchanged);
    }

    #[test]
    fn rounds_that_show_nothing() {
        assert_eq!(paired_at_end(&[]), Verdict::Unchanged);
        assert_eq!(paired_at_end(&[0.5]), Verdict::Unchanged);
        assert_eq!(paired_while_looking(&[0.0; 30]), Verdict::Unchanged);
        assert_eq!(paired_at_end(&[-0.25; 3]), Verdict::Improved);
    }
}
