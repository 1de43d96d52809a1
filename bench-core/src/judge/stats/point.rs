//! Functions from samples to one number: centre, spread, quantiles.

use super::{assert_samples, sorted};

/// What the median absolute deviation is multiplied with to estimate the standard deviation of a
/// normal distribution: `1 / Φ⁻¹(3/4)`.
pub const MAD_TO_SIGMA: f64 = 1.4826;

/// The middle value; of an even number the mean of the two in the middle.
///
/// One sample is its own median.
///
/// # Panics
/// Without samples, or when one is not finite.
pub fn median(samples: &[f64]) -> f64 {
    quantile(samples, 0.5)
}

/// The median absolute deviation, `median(|xᵢ - median(x)|)`: a spread that up to half of the
/// samples may be wild without moving it far (Hampel 1974).
///
/// Zero where more than half of the samples are equal, one sample included.
///
/// # Panics
/// Without samples, or when one is not finite.
pub fn mad(samples: &[f64]) -> f64 {
    let centre = median(samples);
    let deviations: Vec<f64> = samples.iter().map(|x| (x - centre).abs()).collect();
    median(&deviations)
}

/// [`mad`] times [`MAD_TO_SIGMA`]: comparable with a standard deviation where samples are normal.
///
/// # Panics
/// Without samples, or when one is not finite.
pub fn mad_sigma(samples: &[f64]) -> f64 {
    mad(samples) * MAD_TO_SIGMA
}

/// The `q` quantile with linear interpolation: the sorted sample at `h = (n - 1) q`, counted from
/// 0, between its neighbours where `h` is not whole. Type 7 of Hyndman and Fan (1996), the default
/// of numpy and R.
///
/// `q = 0` is the smallest sample, `q = 1` the largest; one sample is every quantile of itself.
///
/// # Panics
/// Without samples, when one is not finite, or when `q` is outside of 0 to 1.
pub fn quantile(samples: &[f64], q: f64) -> f64 {
    assert_samples(samples);
    assert!((0.0..=1.0).contains(&q), "quantile {q} is outside of 0 to 1");
    let sorted = sorted(samples);
    let h = (sorted.len() - 1) as f64 * q;
    let below = sorted[h.floor() as usize];
    let above = sorted[h.ceil() as usize];
    let between = h - h.floor();
    // Not below + between * (above - below): the difference of two large samples may overflow.
    if between == 0.0 { below } else { below * (1.0 - between) + above * between }
}

/// The mean of ratios: `exp(mean(ln xᵢ))`. Twice as slow and twice as fast cancel out, which they
/// do not in the arithmetic mean (Fleming and Wallace 1986).
///
/// One value is its own mean.
///
/// # Panics
/// Without values, or when one is not finite or not above zero.
pub fn geometric_mean(values: &[f64]) -> f64 {
    assert_samples(values);
    assert!(values.iter().all(|&x| x > 0.0), "a value is not above zero");
    (values.iter().map(|x| x.ln()).sum::<f64>() / values.len() as f64).exp()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn close(a: f64, b: f64) -> bool {
        (a - b).abs() <= 1e-12 * a.abs().max(b.abs()).max(1.0)
    }

    const X: [f64; 10] = [3.1, 4.1, 5.9, 2.6, 5.3, 5.8, 9.7, 9.3, 2.3, 8.4];

    #[test]
    fn numbers_by_hand() {
        assert_eq!(median(&[7.0]), 7.0);
        assert_eq!(median(&[3.0, 1.0, 2.0]), 2.0);
        assert_eq!(median(&[4.0, 1.0, 3.0, 2.0]), 2.5);
        assert_eq!(mad(&[1.0, 1.0, 2.0, 2.0, 4.0, 6.0, 9.0]), 1.0);
        assert_eq!(mad(&[5.0]), 0.0);
        assert_eq!(mad(&[5.0, 5.0, 5.0, 100.0]), 0.0);
        assert_eq!(mad_sigma(&[1.0, 3.0]), 1.4826);
        assert_eq!(quantile(&[10.0, 20.0, 30.0], 0.25), 15.0);
        assert!(close(geometric_mean(&[0.5, 2.0]), 1.0));
        assert!(close(geometric_mean(&[1.0, 10.0, 100.0]), 10.0));
        assert!(close(geometric_mean(&[3.0]), 3.0));
    }

    #[test]
    fn the_same_numbers_as_numpy_and_scipy() {
        // python: x = [3.1, 4.1, 5.9, 2.6, 5.3, 5.8, 9.7, 9.3, 2.3, 8.4]
        // [numpy.percentile(x, 100 * q) for q in (0, .01, .1, .25, .5, .9, .99, 1)]
        let quantiles = [
            (0.0, 2.3),
            (0.01, 2.327),
            (0.1, 2.5700000000000003),
            (0.25, 3.35),
            (0.5, 5.55),
            (0.9, 9.34),
            (0.99, 9.664),
            (1.0, 9.7),
        ];
        // numpy.median(x), scipy.stats.median_abs_deviation(x), scipy.stats.gmean(x)
        let (expected_median, expected_mad, expected_mean) = (5.55, 2.65, 5.033773357594786);
        for (q, expected) in quantiles {
            assert!(close(quantile(&X, q), expected), "{q}: {}", quantile(&X, q));
        }
        assert!(close(median(&X), expected_median));
        assert!(close(mad(&X), expected_mad));
        assert!(close(geometric_mean(&X), expected_mean));
    }

    proptest! {
        #[test]
        fn quantiles_grow_and_stay_within_the_samples(
            samples in proptest::collection::vec(-1e300..1e300, 1..40),
            (a, b) in (0.0..=1.0, 0.0..=1.0),
        ) {
            let (low, high): (f64, f64) = if a < b { (a, b) } else { (b, a) };
            let smallest = samples.iter().copied().fold(f64::INFINITY, f64::min);
            let largest = samples.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            let (at_low, at_high) = (quantile(&samples, low), quantile(&samples, high));
            let slack = 1e-12 * smallest.abs().max(largest.abs());
            prop_assert!(smallest - slack <= at_low && at_low <= at_high + slack);
            prop_assert!(at_high <= largest + slack);
        }
    }

    #[test]
    #[should_panic(expected = "no samples")]
    fn no_samples_have_no_median() {
        median(&[]);
    }

    #[test]
    #[should_panic(expected = "not finite")]
    fn what_is_not_finite_has_no_median() {
        median(&[1.0, f64::NAN]);
    }

    #[test]
    #[should_panic(expected = "not above zero")]
    fn zero_has_no_geometric_mean() {
        geometric_mean(&[1.0, 0.0]);
    }
}
