//! The shapes of two samples on one axis: how often which value occurred, on each side. Pure.

use bench_core::judge::stats::quantile;

/// Fewer samples on a side have no shape; the table tells them all the same.
const SAMPLES_MIN: usize = 8;
/// More bars than a reader can tell apart, and fewer than show two modes.
const BINS: (usize, usize) = (8, 60);
/// Values this many interquartile ranges outside the quartiles are Tukey's "far out"; an axis that
/// reaches them squeezes all else into a line.
const FAR: f64 = 3.0;
/// What tables tell of a distribution.
pub(crate) const QUANTILES: [(f64, &str); 7] = [
    (0.0, "lowest"),
    (0.05, "5 %"),
    (0.25, "25 %"),
    (0.5, "median"),
    (0.75, "75 %"),
    (0.95, "95 %"),
    (1.0, "highest"),
];

/// Two histograms over the same bins.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Shapes {
    /// One more than there are bins, ascending.
    pub(crate) edges: Vec<f64>,
    /// The share of the samples in each bin, in percent, of the base and of the head.
    pub(crate) shares: [Vec<f64>; 2],
    /// How many samples lie outside the bins.
    pub(crate) outside: [usize; 2],
}

/// The shapes of both sides; `None` where one has fewer than eight samples.
///
/// The width of a bin is that of Freedman and Diaconis, `2 IQR / n^(1/3)`, of both sides together
/// (Zeitschrift für Wahrscheinlichkeitstheorie 57, 1981); where the quartiles are equal, an eighth
/// of the range. Far-out values by Tukey's fences get no bin and are counted.
pub(crate) fn shapes(base: &[f64], head: &[f64]) -> Option<Shapes> {
    if base.len().min(head.len()) < SAMPLES_MIN {
        return None;
    }
    let both: Vec<f64> = base.iter().chain(head).copied().collect();
    let (q1, q3) = (quantile(&both, 0.25), quantile(&both, 0.75));
    let range = q3 - q1;
    let near =
        |value: &&f64| range <= 0.0 || (q1 - FAR * range..=q3 + FAR * range).contains(*value);
    let (low, high) =
        both.iter().filter(near).fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| {
            (low.min(*value), high.max(*value))
        });
    // All values alike are one bar with some room around it.
    let pad = if high > low { 0.0 } else { low.abs().max(1.0) * 0.01 };
    let (low, high) = (low - pad, high + pad);
    let width = 2.0 * range / (both.len() as f64).cbrt();
    let wanted = if width > 0.0 { ((high - low) / width).ceil() as usize } else { 0 };
    let bins = wanted.clamp(BINS.0, BINS.1);
    let edges: Vec<f64> =
        (0..=bins).map(|edge| low + (high - low) * edge as f64 / bins as f64).collect();
    let (base, outside_base) = fill(base, low, high, bins);
    let (head, outside_head) = fill(head, low, high, bins);
    Some(Shapes { edges, shares: [base, head], outside: [outside_base, outside_head] })
}

fn fill(samples: &[f64], low: f64, high: f64, bins: usize) -> (Vec<f64>, usize) {
    let mut counts = vec![0_usize; bins];
    let mut outside = 0;
    for sample in samples {
        if (low..=high).contains(sample) {
            let bin = ((sample - low) / (high - low) * bins as f64) as usize;
            counts[bin.min(bins - 1)] += 1;
        } else {
            outside += 1;
        }
    }
    let share = |count: usize| count as f64 * 100.0 / samples.len() as f64;
    (counts.into_iter().map(share).collect(), outside)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_sides_share_bins_and_lose_no_sample() {
        let base: Vec<f64> = (0..100).map(|n| 100.0 + f64::from(n)).collect();
        let head: Vec<f64> = base.iter().map(|value| value * 1.1).chain([9_000.0]).collect();
        let shapes = shapes(&base, &head).expect("enough");
        // 201 values, quartiles 130 and 183: 2 * 53 / 5.86 = 18 wide, over 118.
        assert_eq!(shapes.edges.len(), 8 + 1);
        assert_eq!((shapes.edges[0], shapes.edges[8]), (100.0, 199.0 * 1.1));
        assert_eq!(shapes.outside, [0, 1]);
        let sums = shapes.shares.map(|shares| shares.iter().sum::<f64>());
        assert!((sums[0] - 100.0).abs() < 1e-9 && (sums[1] - 10_000.0 / 101.0).abs() < 1e-9);
    }

    #[test]
    fn values_that_are_all_alike_are_one_bar() {
        let shapes = shapes(&[5.0; 10], &[5.0; 10]).expect("enough");
        for shares in shapes.shares {
            assert_eq!(shares.iter().filter(|share| **share > 0.0).count(), 1);
        }
        assert!(shapes.edges[0] < 5.0 && shapes.edges.iter().all(|edge| edge.is_finite()));
    }

    #[test]
    fn equal_quartiles_do_not_make_a_million_bins() {
        let mut base = vec![5.0; 100];
        base.extend([6.0, 1e9]);
        let shapes = shapes(&base, &base).expect("enough");
        assert_eq!(shapes.edges.len(), 9);
    }

    #[test]
    fn few_samples_have_no_shape() {
        assert_eq!(shapes(&[1.0; 7], &[1.0; 100]), None);
    }
}
