//! One number over several groups of samples that have nothing in common but their weight.

use statrs::distribution::{ContinuousCDF, StudentsT};

use super::{Interval, assert_confidence, assert_samples};

/// The mean of the groups' means, `(1/L) Σ mean(x_h)`: every group counts alike, however many
/// samples it has.
///
/// One group gives its mean, one sample itself.
///
/// # Panics
/// Without groups, when one has no samples, or when a sample is not finite.
pub fn mean_of_means(groups: &[Vec<f64>]) -> f64 {
    assert!(!groups.is_empty(), "no groups");
    groups.iter().map(|group| mean(group)).sum::<f64>() / groups.len() as f64
}

/// Where the [`mean_of_means`] lies. The groups are given and not sampled, so that only what
/// scatters within them counts: the stratified mean with equal weights and its variance
/// `v = Σ v_h / L²`, `v_h = s_h² / n_h` (Cochran, *Sampling Techniques*, 1977, 5.3 and 5.4), and
/// Student's t with the degrees of freedom of Satterthwaite (1946),
/// `ν = (Σ v_h)² / Σ (v_h² / (n_h - 1))`, which for two groups are those of Welch (1947).
///
/// `None` where a group has fewer than two samples, and so shows no scatter. Where none scatters
/// the interval has no width. It holds as often as it says where samples are independent and not
/// far from normal; logarithms of ratios of times are nearer to that than the ratios.
///
/// # Panics
/// As [`mean_of_means`], and when `confidence` is not within 0 and 1.
pub fn mean_of_means_interval(groups: &[Vec<f64>], confidence: f64) -> Option<Interval> {
    assert_confidence(confidence);
    let centre = mean_of_means(groups);
    if groups.iter().any(|group| group.len() < 2) {
        return None;
    }
    let errors: Vec<f64> = groups.iter().map(|group| squared_error(group)).collect();
    let sum: f64 = errors.iter().sum();
    if sum == 0.0 {
        return Some(Interval { low: centre, high: centre, confidence });
    }
    // In shares of the sum: the squares of tiny errors would underflow.
    let shares = errors.iter().zip(groups);
    let freedom =
        1.0 / shares.map(|(e, group)| (e / sum).powi(2) / (group.len() - 1) as f64).sum::<f64>();
    let half = t_quantile(freedom, 0.5 + confidence / 2.0) * sum.sqrt() / groups.len() as f64;
    Some(Interval { low: centre - half, high: centre + half, confidence })
}

fn mean(group: &[f64]) -> f64 {
    assert_samples(group);
    // From the first value on: the mean of equal values is then that value to the last bit.
    group[0] + group.iter().map(|x| x - group[0]).sum::<f64>() / group.len() as f64
}

/// `s² / n`, with `n - 1` below the sum of squares.
fn squared_error(group: &[f64]) -> f64 {
    let (mean, count) = (mean(group), group.len() as f64);
    group.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / (count - 1.0) / count
}

fn t_quantile(freedom: f64, p: f64) -> f64 {
    let t = StudentsT::new(0.0, 1.0, freedom).expect("there is at least one degree of freedom");
    t.inverse_cdf(p)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn close(a: f64, b: f64) {
        assert!((a - b).abs() <= 1e-9 * a.abs().max(b.abs()).max(1.0), "{a} {b}");
    }

    #[test]
    fn numbers_by_hand() {
        close(mean_of_means(&[vec![1.0, 3.0], vec![10.0]]), 6.0);
        // One group of two: mean 2, s²/n = 2/2 = 1, ν = 1, t(0.975, 1) = tan(0.475 π).
        let t = (0.475 * std::f64::consts::PI).tan();
        let interval = mean_of_means_interval(&[vec![1.0, 3.0]], 0.95).expect("two samples");
        close(interval.low, 2.0 - t);
        close(interval.high, 2.0 + t);
        // Two alike: v = (1 + 1) / 4, ν = 4 / (1 + 1) = 2, t(0.975, 2) = 0.95 / √(2 0.975 0.025).
        let two = [vec![1.0, 3.0], vec![5.0, 7.0]];
        let half = 0.95 / (2.0_f64 * 0.975 * 0.025).sqrt() * 0.5_f64.sqrt();
        let interval = mean_of_means_interval(&two, 0.95).expect("two samples each");
        close(interval.low, 4.0 - half);
        close(interval.high, 4.0 + half);
    }

    #[test]
    fn the_same_intervals_as_scipy() {
        for (groups, confidence, low, high) in REFERENCE {
            let groups: Vec<Vec<f64>> = groups.iter().map(|group| group.to_vec()).collect();
            let interval = mean_of_means_interval(&groups, confidence).expect("enough");
            close(interval.low, low);
            close(interval.high, high);
        }
    }

    #[test]
    fn what_does_not_scatter_has_no_width_and_what_cannot_has_no_interval() {
        let still = mean_of_means_interval(&[vec![0.1; 3], vec![0.3; 5]], 0.95).expect("enough");
        assert_eq!((still.low, still.high), (0.2, 0.2));
        assert_eq!(mean_of_means_interval(&[vec![1.0, 2.0], vec![1.0]], 0.95), None);
        // One group that scatters beside many that do not: its own degrees of freedom.
        let mut groups = vec![vec![0.0; 4]; 9];
        groups.push(vec![1.0, 3.0]);
        let interval = mean_of_means_interval(&groups, 0.95).expect("enough");
        close(interval.high, 0.2 + (0.475 * std::f64::consts::PI).tan() / 10.0);
    }

    #[test]
    #[should_panic(expected = "no groups")]
    fn no_groups_have_no_mean() {
        mean_of_means(&[]);
    }

    proptest! {
        #[test]
        fn the_interval_holds_the_mean_and_grows_with_confidence(
            groups in proptest::collection::vec(
                proptest::collection::vec(-10.0..10.0_f64, 2..8), 1..13,
            ),
        ) {
            let centre = mean_of_means(&groups);
            let narrow = mean_of_means_interval(&groups, 0.9).expect("enough");
            let wide = mean_of_means_interval(&groups, 0.99).expect("enough");
            prop_assert!(wide.low <= narrow.low && narrow.low <= centre);
            prop_assert!(centre <= narrow.high && narrow.high <= wide.high);
        }
    }

    type Case = (&'static [&'static [f64]], f64, f64, f64);

    // scipy 1.17: ttest_1samp(x, 0).confidence_interval(0.95); half of Welch's interval of x and
    // -y, ttest_ind(x, -y, equal_var=False).confidence_interval(0.99); and for three groups the
    // formula above with numpy.var(ddof=1) and scipy.stats.t.ppf.
    const REFERENCE: [Case; 3] = [
        (
            &[&[0.012, -0.004, 0.021, 0.008, 0.015]],
            0.95,
            -0.001_201_421_636_644_653,
            0.022_001_421_636_644_654,
        ),
        (
            &[&[3.1, 4.1, 5.9, 2.6], &[5.3, 5.8, 9.7, 9.3, 2.3, 8.4]],
            0.99,
            3.031_850_241_843_931,
            7.693_149_758_156_069,
        ),
        (
            &[
                &[0.10, 0.12, 0.08],
                &[-0.30, -0.25, -0.41, -0.33],
                &[0.02, 0.01],
                &[0.5, 0.7, 0.6, 0.55, 0.65],
            ],
            0.975,
            0.063_328_130_608_869_27,
            0.132_921_869_391_130_65,
        ),
    ];
}
