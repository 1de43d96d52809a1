//! Rows out of the files that other tools write. Nothing is made up: a file that holds an estimate
//! and no samples gives one value, and the row's dimension `source` says which; no such row gates.

pub(crate) mod critcmp;
pub(crate) mod criterion;
pub(crate) mod fio;
pub(crate) mod github_action_benchmark;
pub(crate) mod gobench;
pub(crate) mod gungraun;
pub(crate) mod k6;

use bench_core::record::{Data, Metric, Row};
use jiff::Timestamp;
use serde_json::{Map, Value};

/// The dimension by which an imported row says where it comes from.
pub(crate) const SOURCE: &str = "source";

/// What one run of another tool left behind. What the file does not say is `None`.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Imported {
    /// When the run started or, where only that is said, ended.
    pub(crate) at: Option<Timestamp>,
    /// The git commit that was measured.
    pub(crate) commit: Option<String>,
    /// All that is said of the machine, as one text: equal where the machines may be the same.
    pub(crate) machine: Option<String>,
    /// What else is worth keeping, such as the commit's message.
    pub(crate) notes: Map<String, Value>,
    pub(crate) rows: Vec<Row>,
    /// Values that no row can hold, each with the reason.
    pub(crate) left_out: Vec<String>,
}

impl Imported {
    /// Adds a row of these values, or says why there is none: a record holds what is finite and
    /// not negative.
    pub(crate) fn push(&mut self, mut row: Row, source: &str) {
        row.gates = false;
        row.dimensions.insert(SOURCE.to_owned(), source.to_owned());
        match row.check() {
            Ok(()) => self.rows.push(row),
            Err(error) => self.left_out.push(error.to_string()),
        }
    }
}

/// A row of one value that another tool worked out.
pub(crate) fn estimate(id: &str, (metric, unit): (Metric, &str), value: f64) -> Row {
    let data = Data::Samples { values: vec![value], iterations: vec![1] };
    Row::measured(id, metric, unit, data)
}

/// A metric that only the tool's own word describes.
pub(crate) fn other(name: &str) -> Metric {
    Metric::Other(name.to_owned())
}

/// Which metric a value of this unit is of, its unit here, and the factor between the two. Units
/// that nobody here knows stay as they are and name the metric.
pub(crate) fn by_unit(unit: &str) -> (Metric, &str, f64) {
    let time = |factor| (Metric::WallTime, "ns", factor);
    let per = unit.strip_suffix("/iter").or_else(|| unit.strip_suffix("/op")).unwrap_or(unit);
    match (per, unit) {
        ("ns", _) => time(1.0),
        ("us" | "µs" | "μs", _) => time(1e3),
        ("ms", _) => time(1e6),
        ("s", _) => time(1e9),
        (_, "B/op") => (Metric::AllocatedBytes, "bytes", 1.0),
        (_, "allocs/op") => (Metric::Allocations, "1", 1.0),
        (_, "MB/s") => (other("throughput"), unit, 1.0),
        (_, "") => (other("value"), "1", 1.0),
        _ => (other(unit), unit, 1.0),
    }
}

/// The text as JSON of this shape, or where it stops making sense.
pub(crate) fn json<'a, T: serde::Deserialize<'a>>(text: &'a str) -> Result<T, String> {
    serde_json::from_str(text).map_err(|error| match error.classify() {
        serde_json::error::Category::Eof => format!("it is cut short: {error}"),
        _ => error.to_string(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_that_are_known_become_ours_and_others_stay() {
        assert_eq!(by_unit("ns/iter"), (Metric::WallTime, "ns", 1.0));
        assert_eq!(by_unit("µs/op"), (Metric::WallTime, "ns", 1e3));
        assert_eq!(by_unit("ms"), (Metric::WallTime, "ns", 1e6));
        assert_eq!(by_unit("B/op"), (Metric::AllocatedBytes, "bytes", 1.0));
        assert_eq!(by_unit("allocs/op"), (Metric::Allocations, "1", 1.0));
        assert_eq!(by_unit("iter/sec"), (other("iter/sec"), "iter/sec", 1.0));
        assert_eq!(by_unit(""), (other("value"), "1", 1.0));
    }

    #[test]
    fn what_no_record_can_hold_is_left_out_and_said() {
        let mut imported = Imported::default();
        for value in [1.0, -1.0, f64::NAN] {
            imported.push(estimate("a", (Metric::Instructions, "1"), value), "x");
        }
        assert_eq!(imported.rows.len(), 1);
        assert!(!imported.rows[0].gates);
        assert_eq!(imported.left_out.len(), 2);
        assert!(imported.left_out[0].contains("'a'"), "{:?}", imported.left_out);
    }
}
