//! How much change of a time is too much, by id. Pure data; who reads the file, and how long anybody
//! measures, is not known here.

use super::glob::Glob;

/// How times of the ids that match are judged in interleaved rounds.
#[derive(Clone, Debug, PartialEq)]
pub struct TimeRule {
    /// The ids.
    pub id: Glob,
    /// The change that passes, a fraction of the base: 0.005 is 0.5 %.
    pub margin: f64,
    /// The change that passes whatever its fraction, in nanoseconds per operation.
    pub floor_ns: f64,
}

impl Default for TimeRule {
    /// For what nobody knows anything of: the widest margin of the kinds we know, input and output.
    fn default() -> Self {
        Self { id: Glob::any(), margin: 0.025, floor_ns: 1.0 }
    }
}

impl TimeRule {
    /// # Errors
    /// In one sentence, for a margin that is not above 0 and below 1 and for a floor below 0.
    pub fn new(id: Glob, margin: f64, floor_ns: f64) -> Result<Self, String> {
        if !margin.is_finite() || margin <= 0.0 || margin >= 1.0 {
            let why = "write a fraction above 0 and below 1: without a margin nothing is unchanged";
            return Err(format!("margin = {margin} for {id}: {why}"));
        }
        if !floor_ns.is_finite() || floor_ns < 0.0 {
            return Err(format!("floor_ns = {floor_ns} for {id}: write 0 or more"));
        }
        Ok(Self { id, margin, floor_ns })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_makes_no_sense_is_refused() {
        let rule = |margin, floor_ns| TimeRule::new(Glob::any(), margin, floor_ns);
        assert_eq!(rule(0.025, 1.0), Ok(TimeRule::default()));
        for (margin, floor_ns, complaint) in [
            (0.0, 1.0, "margin = 0 for *"),
            (1.0, 1.0, "margin = 1 for *"),
            (f64::NAN, 1.0, "margin = NaN for *"),
            (0.005, -1.0, "floor_ns = -1 for *"),
            (0.005, f64::INFINITY, "floor_ns = inf for *"),
        ] {
            let error = rule(margin, floor_ns).expect_err(complaint);
            assert!(error.starts_with(complaint), "{error}");
        }
    }
}
