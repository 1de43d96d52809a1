//! What `critcmp --export` writes, so that critcmp reads our comparisons: one file per side, named
//! on its command line. Point estimates only; the raw samples are in the record.

use std::path::Path;

use bench_core::judge::stats::{mad, median, quantile_interval};
use serde_json::{Map, Value, json};

use crate::render::disk;

/// Of the intervals that go with each estimate.
const CONFIDENCE: f64 = 0.95;
/// The 97.5 % quantile of the normal distribution, for the mean of many.
const NORMAL: f64 = 1.959_963_984_540_054;

/// One benchmark of a side.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Exported {
    pub(crate) id: String,
    /// Nanoseconds of one operation, one per round.
    pub(crate) times: Vec<f64>,
    /// Payload bytes of one operation.
    pub(crate) bytes: Option<u64>,
}

/// Writes the export of a side, which critcmp shows as a column called `name`.
///
/// # Errors
/// When the disk refuses.
pub(crate) fn write(path: &Path, name: &str, benchmarks: &[Exported]) -> anyhow::Result<()> {
    let text = serde_json::to_string_pretty(&export(name, benchmarks))?;
    disk::write(path, text.as_bytes())
}

fn export(name: &str, benchmarks: &[Exported]) -> Value {
    let some = benchmarks.iter().filter(|one| !one.times.is_empty());
    let one = |one: &Exported| (one.id.clone(), benchmark(name, one));
    json!({ "name": name, "benchmarks": some.map(one).collect::<Map<_, _>>() })
}

/// As critcmp 0.1.8 reads it; the names are criterion's.
fn benchmark(name: &str, one: &Exported) -> Value {
    let (group, value) = one.id.rsplit_once('/').unwrap_or((&one.id, ""));
    json!({
        "baseline": name,
        "fullname": format!("{name}/{}", one.id),
        "criterion_benchmark_v1": {
            "group_id": group,
            "function_id": null,
            "value_str": value,
            "throughput": one.bytes.map(|bytes| json!({ "Bytes": bytes })),
            "full_id": one.id,
            "directory_name": one.id,
        },
        "criterion_estimates_v1": estimates(&one.times),
    })
}

fn estimates(times: &[f64]) -> Value {
    let rounds = times.len() as f64;
    let mean = times.iter().sum::<f64>() / rounds;
    let squares: f64 = times.iter().map(|time| (time - mean).powi(2)).sum();
    // Of one round there is no spread.
    let deviation = (squares / (rounds - 1.0).max(1.0)).sqrt();
    let error = deviation / rounds.sqrt();
    let around = |value: f64, error: f64| {
        estimate(value, error, (value - NORMAL * error, value + NORMAL * error))
    };
    let middle = median(times);
    let ends =
        quantile_interval(times, 0.5, CONFIDENCE).map(|interval| (interval.low, interval.high));
    json!({
        "mean": around(mean, error),
        // Its error from the width of its interval; without one, nothing is known of it.
        "median": estimate(
            middle,
            ends.map_or(0.0, |(low, high)| (high - low) / (2.0 * NORMAL)),
            ends.unwrap_or((middle, middle)),
        ),
        "median_abs_dev": around(mad(times), 0.0),
        "slope": null,
        // Of a normal distribution.
        "std_dev": around(deviation, deviation / (2.0 * (rounds - 1.0).max(1.0)).sqrt()),
    })
}

fn estimate(value: f64, error: f64, (low, high): (f64, f64)) -> Value {
    json!({
        "confidence_interval": {
            "confidence_level": CONFIDENCE, "lower_bound": low, "upper_bound": high,
        },
        "point_estimate": value,
        "standard_error": error,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::import::critcmp;

    fn sample() -> Vec<Exported> {
        let (id, bytes) = ("pool/cycle/4KiB".to_owned(), Some(4096));
        let times = vec![10.0, 12.0, 11.0, 13.0, 14.0];
        let none = Exported { id: "a/b".to_owned(), times: Vec::new(), bytes: None };
        vec![Exported { id, times, bytes }, none]
    }

    #[test]
    fn what_is_written_is_what_our_own_import_reads() {
        let export = export("main", &sample());
        assert!(critcmp::is_export(&export));
        let rows = critcmp::rows(&export).expect("sound");
        assert_eq!(rows.len(), 1, "an id without a time is left out");
        assert_eq!(rows[0].per_operation(), [12.0]);
        assert_eq!(rows[0].dimensions["bytes"], "4096");
    }

    #[test]
    fn estimates_are_those_of_the_textbook() {
        let estimates = estimates(&[10.0, 12.0, 11.0, 13.0, 14.0]);
        let value = |name: &str| estimates[name]["point_estimate"].as_f64().expect("a number");
        assert_eq!((value("mean"), value("median"), value("median_abs_dev")), (12.0, 12.0, 1.0));
        // Squares 4, 0, 1, 1, 4 over four degrees of freedom.
        assert!((value("std_dev") - 2.5_f64.sqrt()).abs() < 1e-12);
        let mean = &estimates["mean"];
        let error = mean["standard_error"].as_f64().expect("a number");
        assert!((error - 0.5_f64.sqrt()).abs() < 1e-12);
        let low = mean["confidence_interval"]["lower_bound"].as_f64().expect("a number");
        assert!((low - (12.0 - 1.96 * 0.5_f64.sqrt())).abs() < 1e-4);
    }

    #[test]
    fn one_round_has_no_spread_and_is_finite() {
        let text = estimates(&[7.0]).to_string();
        assert!(!text.contains("null,\"standard_error\""), "{text}");
        assert_eq!(estimates(&[7.0])["std_dev"]["point_estimate"], 0.0);
    }
}
