//! What others would say to the same rounds. No verdict of ours comes from here; the report of a
//! soak shows them beside ours.
//!
//! - [`criterion`](mod@criterion): the test of criterion.rs, with its defaults.
//! - [`critcmp`](mod@critcmp): means that differ by more than a tenth.
//! - [`paired`]: the t-test of pairs, at the end of the rounds or looked at after each.
//!
//! All take times per operation or their log-ratios, and say `Unchanged` where they see no change:
//! that is how they are read, though none of them has evidence for it.

pub mod critcmp;
pub mod criterion;
pub mod paired;

pub use critcmp::critcmp;
pub use criterion::criterion;
pub use paired::{paired_at_end, paired_while_looking};

use super::verdict::Verdict;

/// The verdict on a change of a time that is significant or not.
fn verdict(significant: bool, change: f64) -> Verdict {
    match significant {
        true if change > 0.0 => Verdict::Regressed,
        true if change < 0.0 => Verdict::Improved,
        _ => Verdict::Unchanged,
    }
}

fn assert_times(times: &[f64]) {
    assert!(times.len() > 1, "fewer than two times");
    assert!(times.iter().all(|t| t.is_finite() && *t > 0.0), "a time is not above zero");
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

/// With `n - 1`, around the mean.
fn variance(values: &[f64], mean: f64) -> f64 {
    values.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / (values.len() - 1) as f64
}
