//! How far a count has moved before, by its own history.

use super::stats::quantile;

/// How many values a history must have; older ones are not looked at.
pub const HISTORY: usize = 30;

/// How many spreads above the third quartile a step must lie to be out of the ordinary.
const SPREADS: f64 = 3.0;

/// The relative change that this series has shown to be ordinary: a limit, as 0.002 for 0.2 %.
///
/// Of the last 30 values `x`, oldest first, the 29 steps are `|xᵢ₊₁ - xᵢ| / xᵢ`; with `Q1` and `Q3`
/// their quartiles (numpy's default, [`quantile`]) the fence is `Q3 + 3 (Q3 - Q1)`. It is what
/// rustc-perf calls a significance threshold (`docs/comparison-analysis.md`), which in turn is
/// Tukey's outer fence (*Exploratory Data Analysis*, 1977).
///
/// A series that stood still has the fence 0, one step up or down included: a single change is an
/// outlier and does not widen it. Every value counts as a step of its own, so a series in which
/// more than a quarter of the steps are large is one that has no business in a gate, and its fence
/// says so by being wide.
///
/// `None` with fewer than 30 values, and where one of the last 30 is not a number above zero: a step
/// from nothing has no relative size.
///
/// ```
/// use bench_core::judge::fence::fence;
/// let restless: Vec<f64> = (0..30).map(|n| if n % 2 == 0 { 1000.0 } else { 1010.0 }).collect();
/// assert!(fence(&restless).is_some_and(|fence| fence > 0.0099));
/// assert_eq!(fence(&restless[1..]), None);
/// ```
pub fn fence(history: &[f64]) -> Option<f64> {
    let recent = history.get(history.len().checked_sub(HISTORY)?..)?;
    if !recent.iter().all(|value| value.is_finite() && *value > 0.0) {
        return None;
    }
    let steps: Vec<f64> =
        recent.windows(2).map(|pair| (pair[1] - pair[0]).abs() / pair[0]).collect();
    let (low, high) = (quantile(&steps, 0.25), quantile(&steps, 0.75));
    Some(high + SPREADS * (high - low))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn close(found: Option<f64>, expected: f64) -> bool {
        found.is_some_and(|found| (found - expected).abs() <= 1e-12)
    }

    #[test]
    fn a_history_worked_out_by_hand() {
        // 100, 110, 99, 108.9, …: every step is a tenth. Both quartiles are 0.1, no spread.
        let mut value = 100.0;
        let even: Vec<f64> = (0..30)
            .map(|n| std::mem::replace(&mut value, if n % 2 == 0 { 110.0 } else { 99.0 }))
            .collect();
        assert_eq!(even[..4], [100.0, 110.0, 99.0, 110.0]);
        // From 99 to 110 is a ninth: 14 steps of 1/9, 15 of 1/10, of which one is the first.
        assert!(close(fence(&even), 1.0 / 9.0 + 3.0 * (1.0 / 9.0 - 0.1)));
    }

    #[test]
    fn a_history_worked_out_by_numpy() {
        // python3 -c 'import numpy as np; x=np.array([...],float); d=np.abs(np.diff(x))/x[:-1];
        //             q1,q3=np.quantile(d,[.25,.75]); print(q3+3*(q3-q1))'   (numpy 2.4.6)
        let history = [
            1000, 1001, 1000, 1003, 1000, 1000, 1002, 999, 1000, 1004, 1000, 1001, 1001, 1000, 998,
            1000, 1003, 1000, 1000, 1005, 1000, 1001, 1000, 1002, 1000, 1000, 1006, 1000, 1001,
            1000,
        ];
        let history = history.map(f64::from);
        assert!(close(fence(&history), 0.009002997002997004));
        let longer = [[5.0].as_slice(), &history].concat();
        assert_eq!(fence(&longer), fence(&history), "older values are not looked at");
    }

    #[test]
    fn a_series_that_stood_still_has_no_fence_and_one_step_does_not_make_one() {
        assert_eq!(fence(&[7.0; 30]), Some(0.0));
        let mut stepped = [1e5; 30];
        stepped[29] = 2e5;
        assert_eq!(fence(&stepped), Some(0.0));
    }

    #[test]
    fn too_short_and_impossible_histories_have_none() {
        assert_eq!(fence(&[]), None);
        assert_eq!(fence(&[1.0; 29]), None);
        for bad in [0.0, -1.0, f64::NAN, f64::INFINITY] {
            let mut history = [1.0; 30];
            history[3] = bad;
            assert_eq!(fence(&history), None, "{bad}");
        }
        let mut old = [1.0; 31];
        old[0] = 0.0;
        assert_eq!(fence(&old), Some(0.0));
    }
}
