//! Reports as rows of our own record.

use std::collections::BTreeMap;

use bench_core::judge::matrix::CELL;
use bench_core::record::{Data, Metric, Row};
use bench_storage::files::job::Kind;

use super::run::Report;

/// What each kind of operation is called at the end of an id.
const KINDS: [(&str, Kind); 3] =
    [("read", Kind::Read), ("write", Kind::Write), ("sync", Kind::Sync)];

/// The rows of a job: `files/job/LABEL/read` has the wall time of its reads and their latencies,
/// `files/job/LABEL` the processor time of all its operations. A job that failed, or did nothing, is
/// one row that says so; one that was interrupted has the dimension `interrupted`.
pub fn rows(report: &Report) -> Vec<Row> {
    let id = format!("files/job/{}", report.options.label());
    let total = report.total();
    let books = KINDS.map(|(name, kind)| (name, total.meter.book(kind)));
    let blocks: u64 = books[..2].iter().map(|(_, book)| book.operations()).sum();
    let why = match &report.failure {
        Some(failed) => Some(failed.why.as_str()),
        None if blocks == 0 => Some("nothing was read or written"),
        None => None,
    };
    if let Some(why) = why {
        return vec![Row::failed(&id, Metric::WallTime, "ns", why)];
    }
    let elapsed_ns = total.meter.elapsed_ns() as f64;
    let mut rows = vec![samples(&id, Metric::CpuTime, report.cpu_ns as f64, blocks)];
    for (name, book) in books {
        let operations = book.operations();
        if operations == 0 {
            continue;
        }
        let id = format!("{id}/{name}");
        if name != "sync" {
            rows.push(samples(&id, Metric::WallTime, elapsed_ns, operations));
        }
        let latency = Data::from_histogram(&book.totals);
        rows.push(Row::measured(&id, Metric::Latency, "ns", latency));
    }
    let named = report.dimensions.iter().map(|(name, value)| ((*name).to_owned(), value.clone()));
    let mut dimensions: BTreeMap<_, _> = named.collect();
    dimensions.insert(CELL.to_owned(), id);
    if total.meter.interrupted {
        dimensions.insert("interrupted".to_owned(), "true".to_owned());
    }
    for row in &mut rows {
        row.dimensions.clone_from(&dimensions);
    }
    rows
}

fn samples(id: &str, metric: Metric, value: f64, iterations: u64) -> Row {
    let data = Data::Samples { values: vec![value], iterations: vec![iterations] };
    Row::measured(id, metric, "ns", data)
}
