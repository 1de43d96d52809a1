//! How much change of a time is too much, and how long to look for it, by id. Pure data; who reads
//! the file is not known here.

use serde::Deserialize;

use super::glob::Glob;

/// How times of the ids that match are compared in interleaved rounds.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(try_from = "Written")]
pub struct TimeRule {
    /// The ids.
    pub id: Glob,
    /// The change that passes, a fraction of the base: 0.005 is 0.5 %.
    pub margin: f64,
    /// The change that passes whatever its fraction, in nanoseconds per operation.
    pub floor_ns: f64,
    /// Seconds after which an id without a verdict is left undecided.
    pub seconds: u64,
    /// How many CPUs the benches may use; all where nothing is said.
    pub cpus: Option<usize>,
}

/// A rule as it is written down, not yet known to make sense.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    #[serde(default = "Glob::any")]
    id: Glob,
    margin: f64,
    floor_ns: f64,
    seconds: u64,
    cpus: Option<usize>,
}

impl Default for TimeRule {
    /// For what nobody knows anything of: the widest margin of the kinds we know, input and output.
    fn default() -> Self {
        Self { id: Glob::any(), margin: 0.025, floor_ns: 1.0, seconds: 60, cpus: None }
    }
}

impl TimeRule {
    /// Of the rules that match `id` the last one; without one, the default.
    pub fn of(rules: &[Self], id: &str) -> Self {
        rules.iter().rev().find(|rule| rule.id.matches(id)).cloned().unwrap_or_default()
    }
}

impl TryFrom<Written> for TimeRule {
    type Error = String;

    fn try_from(written: Written) -> Result<Self, String> {
        let Written { id, margin, floor_ns, seconds, cpus } = written;
        if !margin.is_finite() || margin <= 0.0 || margin >= 1.0 {
            let why = "write a fraction above 0 and below 1: without a margin nothing is unchanged";
            return Err(format!("margin = {margin} for {id}: {why}"));
        }
        if !floor_ns.is_finite() || floor_ns < 0.0 {
            return Err(format!("floor_ns = {floor_ns} for {id}: write 0 or more"));
        }
        for (name, zero) in [("seconds", seconds == 0), ("cpus", cpus == Some(0))] {
            if zero {
                return Err(format!("{name} = 0 for {id}: write 1 or more"));
            }
        }
        Ok(Self { id, margin, floor_ns, seconds, cpus })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_matching_rule_holds_and_without_one_the_default() {
        let rules: Vec<TimeRule> = serde_json::from_str(
            r#"[{"margin": 0.005, "floor_ns": 1, "seconds": 60, "cpus": 1},
                {"id": "storage/*", "margin": 0.025, "floor_ns": 100, "seconds": 120}]"#,
        )
        .expect("sound");
        assert_eq!(TimeRule::of(&rules, "pool/cycle/4KiB").cpus, Some(1));
        assert_eq!(TimeRule::of(&rules, "storage/write/4KiB").seconds, 120);
        assert_eq!(TimeRule::of(&[], "storage/write/4KiB"), TimeRule::default());
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        let rule = |change: (&str, &str)| {
            let text = r#"{"margin": 0.005, "floor_ns": 1, "seconds": 60, "cpus": 1}"#;
            serde_json::from_str::<TimeRule>(&text.replace(change.0, change.1))
        };
        rule(("", "")).expect("sound");
        for (from, to, complaint) in [
            ("0.005", "0.0", "margin = 0 for *"),
            ("0.005", "1.5", "margin = 1.5 for *"),
            ("\"floor_ns\": 1", "\"floor_ns\": -1", "floor_ns = -1"),
            ("60", "0", "seconds = 0"),
            ("\"cpus\": 1", "\"cpus\": 0", "cpus = 0"),
            ("margin", "margins", "margins"),
        ] {
            let error = rule((from, to)).expect_err(to).to_string();
            assert!(error.contains(complaint), "{error}");
        }
    }
}
