//! The store: one suite for every database, and what only a file of SQLite can do wrong.

mod conformance;
#[cfg(feature = "postgres")]
mod postgres;
mod silence;
mod sqlite;

use bench_core::record::{Data, Environment, Metric, Row, RunRecord};

/// An environment of which everything is known that comparing looks at.
fn environment() -> Environment {
    let text = |t: &str| Some(t.to_owned());
    Environment {
        host_id: text("h"),
        rustc: text("1.95.0"),
        target: text("x86_64-unknown-linux-gnu"),
        rustflags: text(""),
        profile: text("bench"),
        glibc: text("2.41"),
        valgrind: text("3.24.0"),
        glibc_tunables: text(""),
        cpu_features: vec!["avx2".to_owned()],
        git_commit: text("f00d"),
        git_dirty: Some(false),
        ..Environment::default()
    }
}

/// A record that started this many seconds after another day's start.
fn record(seconds: u32, rows: Vec<Row>) -> RunRecord {
    let started_at = format!("2026-11-20T09:{:02}:{:02}Z", seconds / 60, seconds % 60);
    RunRecord { started_at, rows, ..RunRecord::begin(environment()) }
}

fn count(id: &str, value: u64) -> Row {
    Row::measured(id, Metric::Instructions, "instructions", Data::Count { value })
}

fn times(id: &str, values: &[f64]) -> Row {
    let data = Data::Samples { values: values.to_vec(), iterations: vec![2; values.len()] };
    Row::measured(id, Metric::WallTime, "ns", data)
}

fn with(mut row: Row, name: &str, value: &str) -> Row {
    row.dimensions.insert(name.to_owned(), value.to_owned());
    row
}
