//! critcmp 0.1 with `-t 10`.

use super::{assert_times, mean, verdict};
use crate::judge::verdict::Verdict;

/// The change that critcmp does not show when it is called as it mostly is.
const THRESHOLD: f64 = 0.10;

/// A change where the larger of the two means is more than a tenth above the smaller. critcmp lists
/// what differs and judges nothing; who gates by it takes the list for the verdict.
///
/// # Panics
/// With fewer than two times on a side, or when one is not finite or not above zero.
pub fn critcmp(base: &[f64], head: &[f64]) -> Verdict {
    assert_times(base);
    assert_times(head);
    let (base, head) = (mean(base), mean(head));
    verdict(base.max(head) / base.min(head) - 1.0 > THRESHOLD, head - base)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tenth_of_the_mean_is_the_line() {
        assert_eq!(critcmp(&[90.0, 110.0], &[108.0, 111.0]), Verdict::Unchanged);
        assert_eq!(critcmp(&[90.0, 110.0], &[110.0, 111.0]), Verdict::Regressed);
        assert_eq!(critcmp(&[110.0, 111.0], &[90.0, 110.0]), Verdict::Improved);
    }
}
