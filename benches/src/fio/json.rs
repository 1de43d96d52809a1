//! Reports as `fio --output-format=json` prints them, so that what was made for fio reads ours.
//!
//! Checked against fio 3.33, field by field. What differs in meaning: `slat_ns` of io_uring ends where an
//! operation stands in the queue, because the call that hands it over is the one that waits;
//! `usr_cpu` and `sys_cpu` divide an exact time by ticks of ten milliseconds; `disk_util` is empty.

use std::fmt::Write as _;

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
    for (group, report) in reports.iter().enumerate() {
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
    let LaneReport { meter, used } = lane;
    let error = report.failure.as_ref().map_or(0, |(_, number)| number.unwrap_or(UNKNOWN_ERROR));
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
    let (mut kib, mut iops) = (Sampled::default(), Sampled::default());
    if book.operations() > 0 {
        for (bytes, operations) in &book.windows {
            kib.add((2 * bytes) as f64 / 1024.0);
            iops.add((2 * operations) as f64);
        }
    }
    let share = 100.0 * kib.mean() * 1024.0 / bytes_per_second;
    let share = if kib.0.is_empty() || !share.is_finite() { 0.0 } else { share.min(100.0) };
    for (name, value) in [
        ("bw_min", json!(kib.extreme(f64::min) as u64)),
        ("bw_max", json!(kib.extreme(f64::max) as u64)),
        ("bw_agg", json!(share)),
        ("bw_mean", json!(kib.mean())),
        ("bw_dev", json!(kib.deviation())),
        ("bw_samples", json!(kib.0.len())),
        ("iops_min", json!(iops.extreme(f64::min) as u64)),
        ("iops_max", json!(iops.extreme(f64::max) as u64)),
        ("iops_mean", json!(iops.mean())),
        ("iops_stddev", json!(iops.deviation())),
        ("iops_samples", json!(iops.0.len())),
    ] {
        direction.insert(name.to_owned(), value);
    }
}

#[derive(Default)]
struct Sampled(Vec<f64>);

impl Sampled {
    fn add(&mut self, value: f64) {
        self.0.push(value);
    }

    fn extreme(&self, which: fn(f64, f64) -> f64) -> f64 {
        self.0.iter().copied().reduce(which).unwrap_or(0.0)
    }

    fn mean(&self) -> f64 {
        if self.0.is_empty() { 0.0 } else { self.0.iter().sum::<f64>() / self.0.len() as f64 }
    }

    fn deviation(&self) -> f64 {
        if self.0.len() < 2 {
            return 0.0;
        }
        let mean = self.mean();
        let squares: f64 = self.0.iter().map(|value| (value - mean).powi(2)).sum();
        (squares / (self.0.len() - 1) as f64).sqrt()
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

/// A report in some lines, for people.
pub fn summary(report: &Report) -> String {
    use bench_core::units::{print_ns, print_rate};

    let mut text = String::new();
    let total = report.total();
    let elapsed_ns = total.meter.elapsed_ns();
    let label = report.options.label();
    if let Some((why, _)) = &report.failure {
        return format!("{label}: failed: {why}\n");
    }
    for (name, kind) in [("read", Kind::Read), ("write", Kind::Write), ("sync", Kind::Sync)] {
        let book = total.meter.book(kind);
        if book.operations() == 0 {
            continue;
        }
        let at = |quantile: f64| print_ns(book.totals.value_at_quantile(quantile) as f64);
        let seconds = elapsed_ns as f64 / 1e9;
        let rate = match kind {
            Kind::Sync => String::new(),
            Kind::Read | Kind::Write => format!("{}, ", print_rate(book.bytes as f64 / seconds)),
        };
        let _infallible = writeln!(
            text,
            "{label}: {name}: {rate}{:.0} operations/s, latency median {}, p99 {}, maximum {}",
            book.operations() as f64 / seconds,
            at(0.5),
            at(0.99),
            print_ns(book.total.max as f64)
        );
    }
    let moved: u64 = total.meter.books.iter().map(|book| book.bytes).sum();
    let said = |name: &str| {
        let of = report.dimensions.iter().find(|(known, _)| *known == name);
        of.map_or("unknown", |(_, value)| value.as_str())
    };
    let _infallible = writeln!(
        text,
        "{label}: {}, page cache {} ({} pages in memory at the start), {} of CPU time per GiB",
        said("backend"),
        said("page_cache"),
        said("resident_pages"),
        print_ns(report.cpu_ns as f64 * (1_u64 << 30) as f64 / moved.max(1) as f64)
    );
    text
}

#[cfg(test)]
#[path = "json_tests.rs"]
mod tests;
