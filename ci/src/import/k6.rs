//! Rows out of a summary of k6: of `handleSummary` (`values` and a `type` in each metric) or of
//! `--summary-export` (the values themselves, and no type). Both are described in k6's
//! documentation, "Custom summary" and "End of test".

use bench_core::record::{Metric, Row};
use serde_json::{Map, Value};

use super::{Imported, estimate, json, other};

/// The value of the dimension `source`.
const SOURCE: &str = "k6";
const NANOSECONDS: f64 = 1e6;
/// The trends that k6 itself makes are times in milliseconds; an export does not say so.
const TIMES: [&str; 8] = [
    "browser_",
    "group_duration",
    "grpc_req_duration",
    "http_req_",
    "iteration_duration",
    "ws_connecting",
    "ws_ping",
    "ws_session_duration",
];
const BYTES: [&str; 2] = ["data_received", "data_sent"];

/// The four kinds of metric that k6 has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Counter,
    Gauge,
    Rate,
    Trend,
}

/// The run in the text. An id is `k6/metric`, and each statistic of it is a row.
///
/// # Errors
/// What is wrong and in which metric; a summary without a metric.
pub(crate) fn read(text: &str) -> Result<Imported, String> {
    let file: Value = json(text)?;
    let metrics = file["metrics"].as_object().ok_or("it holds no metrics; k6 writes them")?;
    let mut imported = Imported::default();
    for (name, metric) in metrics {
        let told = |why: &str| format!("the metric '{name}' {why}");
        let values = metric.get("values").unwrap_or(metric);
        let values = values.as_object().ok_or_else(|| told("has no values"))?;
        let kind = kind(metric, values).ok_or_else(|| told("is of no kind that k6 has"))?;
        let time = kind == Kind::Trend
            && match metric["contains"].as_str() {
                Some(contains) => contains == "time",
                None => TIMES.iter().any(|start| name.starts_with(start)),
            };
        for (statistic, value) in values.iter().filter(|(name, _)| *name != "thresholds") {
            let value =
                value.as_f64().ok_or_else(|| told(&format!("has no number as {statistic}")))?;
            imported.push(row(name, kind, time, statistic, value), SOURCE);
        }
    }
    if imported.rows.is_empty() {
        return Err("it holds no metric".to_owned());
    }
    Ok(imported)
}

/// As k6 says it, otherwise by the statistics that only this kind has.
fn kind(metric: &Value, values: &Map<String, Value>) -> Option<Kind> {
    match metric["type"].as_str() {
        Some("counter") => return Some(Kind::Counter),
        Some("gauge") => return Some(Kind::Gauge),
        Some("rate") => return Some(Kind::Rate),
        Some("trend") => return Some(Kind::Trend),
        Some(_) => return None,
        None => {}
    }
    let has = |name| values.contains_key(name);
    if has("passes") && has("fails") {
        Some(Kind::Rate)
    } else if has("avg") || has("med") || values.keys().any(|name| name.starts_with("p(")) {
        Some(Kind::Trend)
    } else if has("count") {
        Some(Kind::Counter)
    } else {
        has("value").then_some(Kind::Gauge)
    }
}

fn row(name: &str, kind: Kind, time: bool, statistic: &str, value: f64) -> Row {
    let id = format!("k6/{name}");
    let bytes = BYTES.contains(&name);
    let (metric, unit, factor) = match (kind, statistic) {
        (Kind::Trend, "count") => (other("count"), "1", 1.0),
        (Kind::Trend, "med") if time => (Metric::WallTime, "ns", NANOSECONDS),
        (Kind::Trend, _) if time => (other(&format!("time_{statistic}")), "ns", NANOSECONDS),
        (Kind::Counter, "rate") => (other("rate"), if bytes { "bytes/s" } else { "1/s" }, 1.0),
        (Kind::Counter, "count") if bytes => (Metric::ThroughputBytes, "bytes", 1.0),
        // The share of what passed: `value` in an export, `rate` in a summary.
        (Kind::Rate, "value" | "rate") => (other("share"), "1", 1.0),
        _ => (other(statistic), "1", 1.0),
    };
    estimate(&id, (metric, unit), value * factor)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The two forms of one summary, made up after the examples in k6's documentation.
    const SUMMARY: &str = include_str!("../../tests/import/k6-summary.json");
    const EXPORT: &str = include_str!("../../tests/import/k6-export.json");

    fn value(imported: &Imported, id: &str, metric: &Metric) -> (f64, String) {
        let found = imported.rows.iter().find(|row| row.id == id && row.metric == *metric);
        let row = found.unwrap_or_else(|| panic!("no {metric} of {id}"));
        (row.per_operation()[0], row.unit.clone())
    }

    #[test]
    fn both_forms_become_the_same_rows() {
        let imported = read(SUMMARY).expect("sound");
        let ns = |value: f64| (value, "ns".to_owned());
        let one = |value: f64| (value, "1".to_owned());
        let duration = "k6/http_req_duration";
        assert_eq!(value(&imported, duration, &Metric::WallTime), ns(113_500_000.0));
        assert_eq!(value(&imported, duration, &other("time_p(95)")), ns(215_950_000.0));
        assert_eq!(value(&imported, "k6/http_reqs", &other("count")), one(180.0));
        assert_eq!(value(&imported, "k6/http_reqs", &other("rate")), (4.5, "1/s".to_owned()));
        assert_eq!(value(&imported, "k6/checks", &other("share")), one(0.75));
        assert_eq!(value(&imported, "k6/checks", &other("fails")), one(15.0));
        assert_eq!(value(&imported, "k6/vus", &other("max")), one(19.0));
        let bytes = value(&imported, "k6/data_received", &Metric::ThroughputBytes);
        assert_eq!(bytes, (1_300_000.0, "bytes".to_owned()));
        assert_eq!(value(&imported, "k6/queue_depth", &other("avg")), one(2.5));
        assert!(imported.rows.iter().all(|row| !row.gates));

        assert_eq!(read(EXPORT).expect("sound"), imported);
    }

    #[test]
    fn a_gauge_below_zero_is_left_out_and_said() {
        let imported =
            read(r#"{"metrics":{"drift":{"value":-3,"min":-5,"max":1}}}"#).expect("read");
        assert_eq!((imported.rows.len(), imported.left_out.len()), (1, 2));
        assert!(imported.left_out[0].contains("k6/drift"), "{:?}", imported.left_out);
    }

    #[test]
    fn a_summary_that_is_cut_short_or_foreign_says_where() {
        for cut in [20, SUMMARY.len() / 2, SUMMARY.trim().len() - 1] {
            assert!(read(&SUMMARY[..cut]).expect_err("cut").contains("cut short"));
        }
        for (foreign, told) in [
            ("[]", "no metrics"),
            (r#"{"type":"Point","data":{"value":1},"metric":"vus"}"#, "no metrics"),
            (r#"{"metrics":{}}"#, "no metric"),
            (r#"{"metrics":{"a":{"type":"heat","values":{"x":1}}}}"#, "'a' is of no kind"),
            (r#"{"metrics":{"a":{"avg":"fast"}}}"#, "'a' has no number as avg"),
            (r#"{"metrics":{"a":7}}"#, "'a' has no values"),
        ] {
            let error = read(foreign).expect_err(foreign);
            assert!(error.contains(told), "{error}");
        }
    }
}
