//! Reports as `fio --output-format=json` prints them, so that what was made for fio reads ours.
//!
//! Checked against fio 3.33, field by field. What differs in meaning: where one call of io_uring
//! hands over several operations, `slat_ns` ends where they stand in the queue, because that call may be
//! the one that waits; `usr_cpu` and `sys_cpu` divide an exact time by what the kernel says; `disk_util` is empty.

use bench_core::record::RunRecord;
use bench_storage::files::job::Kind;
use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::meter::{Book, LEVELS, Levels, Meter, Moments};
use super::options::Options;
use super::run::{LaneReport, Report};

/// As fio names them.
const PERCENTILES: [&str; 17] = [
    "1.000000",
    "5.000000",
    "10.000000",
    "20.000000",
    "30.000000",
    "40.000000",
    "50.000000",
    "60.000000",
    "70.000000",
    "80.000000",
    "90.000000",
    "95.000000",
    "99.000000",
    "99.500000",
    "99.900000",
    "99.950000",
    "99.990000",
];
/// What programs look for that know what versions wrote. The number is that of the fio whose form
/// this is.
const VERSION: &str = concat!("fio-3.33 (weighbridge ", env!("CARGO_PKG_VERSION"), ")");
/// EIO: a failure for which the system has no number.
const UNKNOWN_ERROR: i32 = 5;

/// The whole file. Threads of a job are one entry each, or one all together with
/// `group_reporting`; a job that failed is one with its error.
pub fn print(reports: &[Report], record: &RunRecord) -> String {
    let at: Timestamp = record.started_at.parse().unwrap_or_default();
    let mut jobs = Vec::new();
    let mut group = 0;
    for (number, report) in reports.iter().enumerate() {
        // As fio counts them: jobs that run together are one.
        group += usize::from(number > 0 && report.options.stonewall);
        let entries = match (report.options.group_reporting, &report.failure) {
            (false, None) => report.lanes.clone(),
            _ => vec![report.total()],
        };
        // Shared out by what each thread used, where an engine has threads of its own.
        let own: u64 = entries.iter().map(|lane| lane.used.cpu_ns).sum();
        let factor = if own == 0 { 1.0 } else { report.cpu_ns as f64 / own as f64 };
        jobs.extend(entries.iter().map(|lane| job(report, group, lane, factor)));
    }
    let file = json!({
        "fio version": VERSION,
        "timestamp": at.as_second(),
        "timestamp_ms": at.as_millisecond(),
        "time": at.strftime("%a %b %e %H:%M:%S %Y").to_string(),
        "jobs": jobs,
        "disk_util": [],
    });
    let mut text = serde_json::to_string_pretty(&file).expect("text keys and finite numbers");
    text.push('\n');
    text
}

fn job(report: &Report, group: usize, lane: &LaneReport, factor: f64) -> Value {
    let LaneReport { meter, used, .. } = lane;
    let error = report.failure.as_ref().map_or(0, |failed| failed.number.unwrap_or(UNKNOWN_ERROR));
    let elapsed_ns = meter.elapsed_ns();
    let share =
        |cpu_ns: f64| if elapsed_ns == 0 { 0.0 } else { 100.0 * cpu_ns / elapsed_ns as f64 };
    let (cpu_ns, user) = (used.cpu_ns as f64 * factor, used.user_share());
    let (ns, us, ms) = times(meter);
    json!({
        "jobname": name(&report.options),
        "groupid": group,
        "error": error,
        "eta": 0,
        "elapsed": elapsed_ns.div_ceil(1_000_000_000),
        "job options": options(&report.options),
        "read": direction(meter.book(Kind::Read), elapsed_ns),
        "write": direction(meter.book(Kind::Write), elapsed_ns),
        "trim": direction(Meter::new().book(Kind::Read), 0),
        "sync": {
            "total_ios": meter.book(Kind::Sync).operations(),
            "lat_ns": moments(&meter.book(Kind::Sync).total),
        },
        "job_runtime": milliseconds(elapsed_ns),
        "usr_cpu": share(cpu_ns * user),
        "sys_cpu": share(cpu_ns * (1.0 - user)),
        "ctx": used.switches,
        "majf": used.major_faults,
        "minf": used.minor_faults,
        "iodepth_level": levels(&meter.depths, ["1", "2", "4", "8", "16", "32", ">=64"], 0),
        "iodepth_submit": levels(&meter.submits, ["0", "4", "8", "16", "32", "64", ">=64"], 1),
        "iodepth_complete": levels(&meter.completes, ["0", "4", "8", "16", "32", "64", ">=64"], 1),
        "latency_ns": ns,
        "latency_us": us,
        "latency_ms": ms,
        "latency_depth": report.options.depth,
        "latency_target": 0,
        "latency_percentile": 100.0,
        "latency_window": 0,
    })
}

/// fio calls a job after its section, or after what `--name` says.
fn name(options: &Options) -> String {
    if options.name.is_empty() { options.rw() } else { options.name.clone() }
}

fn options(options: &Options) -> Map<String, Value> {
    let mut map = Map::new();
    map.insert("name".to_owned(), name(options).into());
    map.extend(options.pairs().into_iter().map(|(key, value)| (key.to_owned(), value.into())));
    map
}

/// fio counts whole milliseconds; one at least where anything was done.
const fn milliseconds(ns: u64) -> u64 {
    if ns == 0 {
        0
    } else if ns < 1_000_000 {
        1
    } else {
        ns / 1_000_000
    }
}

fn direction(book: &Book, elapsed_ns: u64) -> Value {
    let operations = book.operations();
    let per_second = |amount: u64| {
        if elapsed_ns == 0 { 0.0 } else { amount as f64 * 1e9 / elapsed_ns as f64 }
    };
    let bytes_per_second = per_second(book.bytes);
    let runtime = if operations == 0 { 0 } else { milliseconds(elapsed_ns) };
    let mut completion = moments(&book.completion);
    if operations > 0 {
        let at = |name: &str| {
            let percentile: f64 = name.parse().expect("a number");
            book.completions.value_at_percentile(percentile)
        };
        completion["percentile"] =
            PERCENTILES.iter().map(|name| ((*name).to_owned(), Value::from(at(name)))).collect();
    }
    let mut direction = json!({
        "io_bytes": book.bytes,
        "io_kbytes": book.bytes >> 10,
        "bw_bytes": bytes_per_second.round() as u64,
        "bw": (bytes_per_second / 1024.0).round() as u64,
        "iops": per_second(operations),
        "runtime": runtime,
        "total_ios": operations,
        "short_ios": 0,
        "drop_ios": 0,
        "slat_ns": moments(&book.submission),
        "clat_ns": completion,
        "lat_ns": moments(&book.total),
    });
    over_time(book, bytes_per_second, direction.as_object_mut().expect("an object"));
    direction
}

/// Bandwidth and operations of each half second.
fn over_time(book: &Book, bytes_per_second: f64, direction: &mut Map<String, Value>) {
    let (mut bytes, mut iops) = (Moments::default(), Moments::default());
    if book.operations() > 0 {
        for (window_bytes, operations) in &book.windows {
            bytes.add(2 * window_bytes);
            iops.add(2 * operations);
        }
    }
    let share = 100.0 * bytes.mean() / bytes_per_second;
    let share = if bytes.count == 0 || !share.is_finite() { 0.0 } else { share.min(100.0) };
    for (name, value) in [
        ("bw_min", json!(bytes.min >> 10)),
        ("bw_max", json!(bytes.max >> 10)),
        ("bw_agg", json!(share)),
        ("bw_mean", json!(bytes.mean() / 1024.0)),
        ("bw_dev", json!(bytes.deviation() / 1024.0)),
        ("bw_samples", json!(bytes.count)),
        ("iops_min", json!(iops.min)),
        ("iops_max", json!(iops.max)),
        ("iops_mean", json!(iops.mean())),
        ("iops_stddev", json!(iops.deviation())),
        ("iops_samples", json!(iops.count)),
    ] {
        direction.insert(name.to_owned(), value);
    }
}

fn moments(moments: &Moments) -> Value {
    json!({
        "min": moments.min,
        "max": moments.max,
        "mean": moments.mean(),
        "stddev": moments.deviation(),
        "N": moments.count,
    })
}

/// Shares in percent by fio's names. Its list of how many were handed over or taken at once begins
/// with none, and has 1, 2 and 4 under one name.
fn levels(levels: &Levels, names: [&str; LEVELS], zero: usize) -> Map<String, Value> {
    let total: u64 = levels.0.iter().sum();
    let mut counts = [0_u64; LEVELS];
    for (level, count) in levels.0.iter().enumerate() {
        let name = if zero == 0 { level } else { level.max(2) - 1 };
        counts[name] += count;
    }
    let share = |count: u64| if total == 0 { 0.0 } else { 100.0 * count as f64 / total as f64 };
    names.iter().zip(counts).map(|(name, n)| ((*name).to_owned(), share(n).into())).collect()
}

/// How many operations of a hundred took how long, below each border and not below the one before.
fn times(meter: &Meter) -> (Map<String, Value>, Map<String, Value>, Map<String, Value>) {
    let books = [meter.book(Kind::Read), meter.book(Kind::Write)];
    let total: u64 = books.iter().map(|book| book.operations()).sum();
    let mut before = 0;
    let mut below = |border: u64| {
        // A bucket of the histogram that lies across a border counts below it, once.
        let all = books.iter().map(|book| book.totals.count_between(0, border - 1)).sum::<u64>();
        let count = all - before;
        before = all;
        if total == 0 { 0.0 } else { 100.0 * count as f64 / total as f64 }
    };
    const STEPS: [u64; 10] = [2, 4, 10, 20, 50, 100, 250, 500, 750, 1000];
    let mut unit = |ns: u64| -> Map<String, Value> {
        STEPS.iter().map(|step| (step.to_string(), below(step * ns).into())).collect()
    };
    let (ns, us, mut ms) = (unit(1), unit(1000), unit(1_000_000));
    ms.insert("2000".to_owned(), below(2_000_000_000).into());
    ms.insert(">=2000".to_owned(), below(u64::MAX).into());
    (ns, us, ms)
}

#[cfg(test)]
#[path = "json_tests.rs"]
mod tests;
