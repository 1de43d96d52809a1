//! How much change is too much: limits by metric and id. Pure data; who reads the file is not
//! known here.

use std::fmt;

use serde::Deserialize;

use super::band::Bands;
use super::glob::Glob;
use super::target::Target;
use crate::record::Metric;

/// A list of rules. Of those that match a row the *last* one holds, so that a file goes from the
/// general to the particular.
///
/// Without a matching rule instructions have [`Limit::INSTRUCTIONS`], every other count
/// [`Limit::NONE`] (any change counts), and a time has no limit, hence no verdict.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Policy {
    /// From the general to the particular.
    #[serde(default, rename = "rule")]
    pub rules: Vec<Rule>,
    /// What ids have to reach by themselves; all that match hold.
    #[serde(default, rename = "target")]
    pub targets: Vec<Target>,
    /// How far the throughput of a cell may be from that of an older build.
    #[serde(default, rename = "change")]
    pub bands: Option<Bands>,
}

/// A limit and the rows it is for.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(try_from = "Written")]
pub struct Rule {
    /// The metric.
    pub metric: Metric,
    /// The ids.
    pub id: Glob,
    /// What may pass.
    pub limit: Limit,
}

/// The change that passes: what exceeds *both* bounds does not, nor what exceeds the fence of the
/// id's own history where there is one.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Limit {
    /// A fraction of the base: 0.002 is 0.2 %.
    pub relative: f64,
    /// A floor in the unit of the row.
    pub absolute: f64,
}

/// The largest change that passes, and which of the bounds it came from.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Bound {
    /// In the unit of the row.
    pub change: f64,
    /// Whose word it is.
    pub by: BoundBy,
}

/// The three that a limit is the largest of.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum BoundBy {
    /// The absolute floor.
    Floor,
    /// The fraction of the base, as 0.002.
    Relative(f64),
    /// The fence of the id's own history, a fraction as well.
    Fence(f64),
}

/// A rule as it is written down, not yet known to make sense.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    metric: Metric,
    #[serde(default = "Glob::any")]
    id: Glob,
    relative: f64,
    absolute: f64,
}

impl Limit {
    /// For instructions, which repeat to the last digit on an unchanged tree: 0.2 %, and 49
    /// instructions, so that an operation of a few hundred may move a spill or two and 50 fail.
    pub const INSTRUCTIONS: Self = Self { relative: 0.002, absolute: 49.0 };
    /// Any change counts.
    pub const NONE: Self = Self { relative: 0.0, absolute: 0.0 };

    /// The largest change of `base` that passes: the largest of floor, fraction of the base and
    /// fence, a fraction too ([`fence`](super::fence::fence)). Of equals the first named.
    pub fn bound(self, base: f64, fence: Option<f64>) -> Bound {
        let mut bound = Bound { change: self.absolute, by: BoundBy::Floor };
        let fence = fence.map(|fence| (fence, BoundBy::Fence(fence)));
        let relative = (self.relative, BoundBy::Relative(self.relative));
        for (fraction, by) in [Some(relative), fence].into_iter().flatten() {
            let change = fraction * base.abs();
            if change > bound.change {
                bound = Bound { change, by };
            }
        }
        bound
    }
}

impl fmt::Display for BoundBy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // To the sixth digit, so that 0.07 is 7 and not 7.000000000000001.
        let percent = |fraction: f64| (fraction * 1e8).round() / 1e6;
        match self {
            Self::Floor => f.write_str("the absolute floor"),
            Self::Relative(fraction) => write!(f, "the relative limit of {} %", percent(*fraction)),
            Self::Fence(fraction) => {
                write!(f, "the fence of its own history, {} %", percent(*fraction))
            }
        }
    }
}

impl Policy {
    /// The limit of this metric of this id; `None` for a metric that is no count and has no rule.
    pub fn limit(&self, metric: &Metric, id: &str) -> Option<Limit> {
        let rule = self.rules.iter().rev().find(|r| r.metric == *metric && r.id.matches(id));
        rule.map(|rule| rule.limit).or_else(|| match metric {
            Metric::Instructions => Some(Limit::INSTRUCTIONS),
            count if count.may_gate() => Some(Limit::NONE),
            _ => None,
        })
    }
}

impl TryFrom<Written> for Rule {
    type Error = String;

    fn try_from(written: Written) -> Result<Self, String> {
        let Written { metric, id, relative, absolute } = written;
        if let Metric::Other(name) = &metric {
            return Err(format!("'{name}' is no metric of this version; see the glossary"));
        }
        for (name, bound) in [("relative", relative), ("absolute", absolute)] {
            if !bound.is_finite() || bound < 0.0 {
                return Err(format!("{name} = {bound} for {metric} of {id}: write 0 or more"));
            }
        }
        Ok(Self { metric, id, limit: Limit { relative, absolute } })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(json: &str) -> Result<Policy, serde_json::Error> {
        serde_json::from_str(json)
    }

    #[test]
    fn the_last_matching_rule_holds() {
        let policy = parse(
            r#"{"rule": [
                {"metric": "instructions", "relative": 0.01, "absolute": 10},
                {"metric": "instructions", "id": "grpc/*", "relative": 0.02, "absolute": 20},
                {"metric": "allocations", "id": "*", "relative": 0.03, "absolute": 30}
            ]}"#,
        )
        .expect("valid");
        let relative = |metric, id| policy.limit(&metric, id).map(|limit| limit.relative);
        assert_eq!(relative(Metric::Instructions, "grpc/read"), Some(0.02));
        assert_eq!(relative(Metric::Instructions, "storage/read"), Some(0.01));
        assert_eq!(relative(Metric::Allocations, "grpc/read"), Some(0.03));
    }

    #[test]
    fn without_a_rule_counts_are_strict_and_times_have_no_limit() {
        let policy = parse("{}").expect("valid");
        assert_eq!(policy.limit(&Metric::Instructions, "a"), Some(Limit::INSTRUCTIONS));
        assert_eq!(policy.limit(&Metric::Syscalls, "a"), Some(Limit::NONE));
        assert_eq!(policy.limit(&Metric::WallTime, "a"), None);
    }

    #[test]
    fn the_largest_bound_decides_and_has_a_name() {
        let cases = [
            (Limit::INSTRUCTIONS, 1_000.0, None, 49.0, "the absolute floor"),
            (Limit::INSTRUCTIONS, 1e6, None, 2_000.0, "the relative limit of 0.2 %"),
            (Limit::INSTRUCTIONS, 1e6, Some(0.001), 2_000.0, "the relative limit of 0.2 %"),
            (Limit::INSTRUCTIONS, 1e6, Some(0.07), 70_000.0, "the fence of its own history, 7 %"),
            (Limit::INSTRUCTIONS, 100.0, Some(0.07), 49.0, "the absolute floor"),
            (Limit::NONE, 1_000.0, Some(0.0), 0.0, "the absolute floor"),
            (Limit::NONE, 0.0, None, 0.0, "the absolute floor"),
        ];
        for (limit, base, fence, change, by) in cases {
            let bound = limit.bound(base, fence);
            assert!((bound.change - change).abs() < 1e-6, "{bound:?}");
            assert_eq!(bound.by.to_string(), by);
        }
    }

    #[test]
    fn fifty_instructions_or_three_thousandths_are_beyond_the_limit_of_every_size() {
        let mut base = 1_u64;
        while base < 1 << 40 {
            let passes = Limit::INSTRUCTIONS.bound(base as f64, None).change;
            let change = 50.max((base * 3).div_ceil(1_000));
            assert!(change as f64 > passes, "{change} of {base}");
            assert!(passes >= 49.0 && passes >= base as f64 / 500.0, "{base}");
            base += 1 + base / 7;
        }
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        for (json, complaint) in [
            (r#"{"rule": [{"metric": "instruction", "relative": 0, "absolute": 0}]}"#, "no metric"),
            (r#"{"rule": [{"metric": "errors", "relative": -1, "absolute": 0}]}"#, "relative = -1"),
            (r#"{"rule": [{"metric": "errors", "relative": 0}]}"#, "absolute"),
            (
                r#"{"rule": [{"metric": "errors", "id": "", "relative": 0, "absolute": 0}]}"#,
                "empty",
            ),
            (
                r#"{"rule": [{"metric": "errors", "ids": "a", "relative": 0, "absolute": 0}]}"#,
                "ids",
            ),
            (r#"{"rules": []}"#, "rules"),
        ] {
            let error = parse(json).expect_err(json).to_string();
            assert!(error.contains(complaint), "{error}");
        }
    }
}
