//! Whether two pieces of a series have the same mean.

use statrs::function::beta::beta_reg;

/// A mean, the squared spread around it, and how many values there are.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Piece {
    mean: f64,
    /// Divided by `n`, not by `n - 1`.
    variance: f64,
    count: f64,
}

/// The means of two pieces that follow each other.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Means {
    left: Piece,
    right: Piece,
}

impl Piece {
    /// Deviations are taken from the first value: the mean of equal values is then that value to
    /// the last bit, and their variance zero.
    ///
    /// # Panics
    /// Without values.
    fn of(values: &[f64]) -> Self {
        let (first, count) = (values[0], values.len() as f64);
        let offset = values.iter().map(|x| x - first).sum::<f64>() / count;
        let square = |x: &f64| (x - first - offset) * (x - first - offset);
        let variance = values.iter().map(square).sum::<f64>() / count;
        Self { mean: first + offset, variance, count }
    }
}

impl Means {
    /// # Panics
    /// When a piece has no values.
    pub(super) fn of(left: &[f64], right: &[f64]) -> Self {
        Self { left: Piece::of(left), right: Piece::of(right) }
    }

    pub(super) fn before(self) -> f64 {
        self.left.mean
    }

    pub(super) fn after(self) -> f64 {
        self.right.mean
    }

    /// The two-sided probability of Student's t-test with the spread of both pieces pooled:
    /// `t = (l - r) / √(v (1/n + 1/m))` with `v = ((n-1) v_l + (m-1) v_r) / (n + m - 2)`, and
    /// `p = I(ν / (ν + t²); ν/2, 1/2)`, the regularised incomplete beta function, `ν = n + m - 2`.
    ///
    /// As in Otava, `v_l` and `v_r` are divided by `n` and `m`, where the textbook divides by one
    /// less: short pieces look a little steadier than they are.
    ///
    /// Two values, one on each side, show no spread: 1. Pieces without any spread are certainly
    /// the same, 1, or certainly not, 0. What overflows is not told apart: 1.
    pub(super) fn p_value(self) -> f64 {
        let (l, r) = (self.left, self.right);
        let freedom = l.count + r.count - 2.0;
        if freedom <= 0.0 || l.mean == r.mean {
            return 1.0;
        }
        let pooled = ((l.count - 1.0) * l.variance + (r.count - 1.0) * r.variance) / freedom;
        let squared_error = pooled * (1.0 / l.count + 1.0 / r.count);
        let difference = l.mean - r.mean;
        // ν / (ν + t²) with both sides multiplied by the squared error, which may be zero.
        let unexplained = freedom * squared_error;
        let share = unexplained / (unexplained + difference * difference);
        if share.is_finite() { beta_reg(freedom / 2.0, 0.5, share) } else { 1.0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn p(left: &[f64], right: &[f64]) -> f64 {
        Means::of(left, right).p_value()
    }

    #[test]
    fn the_same_probabilities_as_scipy() {
        // python: from scipy.stats import ttest_ind_from_stats as t; from numpy import mean, std
        //     t(mean(l), std(l), len(l), mean(r), std(r), len(r)).pvalue
        let steady = [1.00, 1.02, 1.05, 0.95, 0.98];
        let lower = [0.80, 0.82, 0.85, 0.79, 0.77];
        for (l, r, expected) in [
            (&steady[..], &lower[..], 8.867907052957251e-06),
            (&[1.0, 2.0][..], &[4.0][..], 0.15292825159926016),
            (&[3.1, 4.1, 5.9, 2.6][..], &[5.3, 5.8, 9.7, 9.3, 2.3, 8.4][..], 0.07747935868781043),
        ] {
            let found = p(l, r);
            assert!((found - expected).abs() <= 1e-9 * expected, "{found} {expected}");
            assert_eq!(found, p(r, l));
        }
    }

    #[test]
    fn pieces_without_spread_are_the_same_or_not() {
        assert_eq!(p(&[0.1; 7], &[0.1; 5]), 1.0);
        assert_eq!(p(&[0.1; 7], &[0.2; 5]), 0.0);
        assert_eq!(p(&[1.0], &[2.0]), 1.0);
        assert_eq!(p(&[1e300, -1e300], &[1e300; 3]), 1.0);
    }
}
