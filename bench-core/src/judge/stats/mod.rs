//! Pure functions over samples, each with formula, source and degenerate case.
//!
//! Samples are finite and there is at least one; anything else is a bug of the caller and panics.
//! No function knows a unit or a threshold.

mod bootstrap;
mod point;
mod ranks;
mod strata;

pub(super) use bootstrap::SplitMix64;
pub use bootstrap::{bootstrap_interval, median_ratio_interval};
pub use point::{MAD_TO_SIGMA, geometric_mean, mad, mad_sigma, median, quantile};
pub use ranks::{quantile_interval, quantile_ranks};
pub use strata::{mean_of_means, mean_of_means_interval};

/// Where a value lies, and how sure that is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Interval {
    /// The lower end, included.
    pub low: f64,
    /// The upper end, included.
    pub high: f64,
    /// The share of repetitions in which such an interval holds the true value: 0.95.
    pub confidence: f64,
}

/// The precondition of every function here.
fn assert_samples(samples: &[f64]) {
    assert!(!samples.is_empty(), "no samples");
    assert!(samples.iter().all(|x| x.is_finite()), "a sample is not finite");
}

fn assert_confidence(confidence: f64) {
    assert!(confidence > 0.0 && confidence < 1.0, "confidence {confidence} is not within 0 and 1");
}

fn sorted(samples: &[f64]) -> Vec<f64> {
    let mut sorted = samples.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    sorted
}
