//! Rows out of `critcmp --export NAME`. Such a file holds point estimates and no samples: a row
//! gets one value, says so in its dimensions, and can have no interval.

use bench_core::record::{Data, Metric, Row};
use serde_json::Value;

/// The value of the dimension `source` on every row of an export.
pub(crate) const SOURCE: &str = "critcmp estimate";

/// Whether the JSON is an export and not a record.
pub(crate) fn is_export(json: &Value) -> bool {
    json["benchmarks"].is_object() && json.get("schema").is_none()
}

/// The rows of an export, in the order of their ids. Each value is the median that criterion
/// estimated, in nanoseconds per operation.
///
/// # Errors
/// The name of the first benchmark that lacks a median.
pub(crate) fn rows(json: &Value) -> Result<Vec<Row>, String> {
    let benchmarks = json["benchmarks"].as_object().ok_or("it holds no benchmarks")?;
    let mut rows = Vec::with_capacity(benchmarks.len());
    for (name, benchmark) in benchmarks {
        rows.push(row(name, benchmark)?);
    }
    rows.sort_by(|a, b| a.id.cmp(&b.id));
    Ok(rows)
}

fn row(name: &str, benchmark: &Value) -> Result<Row, String> {
    let about = &benchmark["criterion_benchmark_v1"];
    let id = about["full_id"].as_str().unwrap_or(name);
    let median = benchmark["criterion_estimates_v1"]["median"]["point_estimate"]
        .as_f64()
        .filter(|median| median.is_finite() && *median >= 0.0)
        .ok_or_else(|| format!("the benchmark '{id}' has no median"))?;
    let data = Data::Samples { values: vec![median], iterations: vec![1] };
    let mut row = Row::measured(id, Metric::WallTime, "ns", data);
    row.dimensions.insert(super::SOURCE.to_owned(), SOURCE.to_owned());
    if let Some(bytes) = about["throughput"]["Bytes"].as_u64() {
        row.dimensions.insert("bytes".to_owned(), bytes.to_string());
    }
    Ok(row)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn export(median: Value) -> Value {
        json!({"name": "main", "benchmarks": {"pool/cycle/4KiB": {
            "baseline": "main", "fullname": "main/pool/cycle/4KiB",
            "criterion_benchmark_v1": {"full_id": "pool/cycle/4KiB", "throughput": {"Bytes": 4096}},
            "criterion_estimates_v1": {"median": {"point_estimate": median}},
        }}})
    }

    #[test]
    fn an_export_becomes_rows_of_one_value() {
        let rows = rows(&export(json!(12.5))).expect("sound");
        assert_eq!(rows[0].data, Some(Data::Samples { values: vec![12.5], iterations: vec![1] }));
        assert_eq!(rows[0].dimensions["source"], SOURCE);
        assert_eq!(rows[0].dimensions["bytes"], "4096");
    }

    #[test]
    fn an_estimate_that_is_not_there_is_an_error_with_its_name() {
        let error = rows(&export(Value::Null)).expect_err("no median");
        assert_eq!(error, "the benchmark 'pool/cycle/4KiB' has no median");
    }

    #[test]
    fn exports_and_records_are_told_apart() {
        assert!(is_export(&export(json!(1))));
        assert!(!is_export(&json!({"schema": 1, "rows": []})));
        assert!(!is_export(&json!([])));
    }
}
