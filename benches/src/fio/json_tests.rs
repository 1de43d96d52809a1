//! The form is fio's, the numbers are ours.

use std::collections::BTreeSet;

use bench_core::record::Environment;
use bench_storage::files::job::Done;

use super::super::run::Failed;
use super::super::summary::summary;
use super::super::usage::Used;
use super::*;

/// Written by fio 3.33.
const WRITTEN: &str = include_str!("../../../ci/tests/import/fio.json");
/// Written by us; the front door's tests import it.
const OURS: &str = include_str!("../../../ci/tests/import/fio-weighbridge.json");

/// A thread that read and wrote, by hand: a hundred reads of 100, 200, ... microseconds.
fn lane() -> LaneReport {
    let mut meter = Meter::new();
    let done =
        |kind, n: u64, bytes| Done { kind, bytes, began: 0, queued: 1000 * n, ended: 101_000 * n };
    for n in 1..=100 {
        meter.books[Kind::Read as usize].add(&done(Kind::Read, n, 4096));
        meter.depths.add(4, 1);
        meter.submits.add(1, 1);
        meter.completes.add(8, 1);
    }
    meter.books[Kind::Write as usize].add(&done(Kind::Write, 7, 4096));
    meter.books[Kind::Sync as usize].add(&done(Kind::Sync, 9, 0));
    meter.books[Kind::Read as usize].windows = vec![(204_800, 50), (204_800, 50)];
    meter.span = Some((5_000_000, 1_005_000_000));
    let used = Used {
        cpu_ns: 300_000_000,
        divided_us: (100_000, 200_000),
        switches: 77,
        major_faults: 1,
        minor_faults: 22,
    };
    LaneReport { meter, used, process_from_ns: 0 }
}

fn report(pairs: &[(&str, &str)], lanes: usize) -> Report {
    let mut options = Options::default();
    for (key, value) in [("rw", "randrw"), ("direct", "1"), ("iodepth", "4")].iter().chain(pairs) {
        options.set(key, Some(value)).expect(key);
    }
    let lanes: Vec<LaneReport> = (0..lanes).map(|_| lane()).collect();
    let cpu_ns = 300_000_000 * lanes.len() as u64;
    Report { options, lanes, dimensions: Vec::new(), cpu_ns, failure: None }
}

fn record() -> RunRecord {
    let mut record = RunRecord::begin(Environment::default());
    "2026-11-21T05:04:27.458Z".clone_into(&mut record.started_at);
    record
}

fn printed(reports: &[Report]) -> Value {
    serde_json::from_str(&print(reports, &record())).expect("JSON")
}

/// Every path to a value. Percentiles stand where something was done, so that their place is given.
fn paths(value: &Value, at: &str, into: &mut BTreeSet<String>) {
    match value {
        Value::Object(map) => {
            map.iter().for_each(|(key, value)| paths(value, &format!("{at}/{key}"), into));
        }
        _ => drop(into.insert(at.to_owned())),
    }
}

#[test]
fn every_field_that_fio_writes_of_a_job_is_there_and_no_other() {
    let fields = |job: &Value| {
        let mut found = BTreeSet::new();
        paths(job, "", &mut found);
        found.retain(|path| !path.starts_with("/job options/") && !path.contains("/percentile/"));
        found
    };
    let fios: Value = serde_json::from_str(WRITTEN).expect("JSON");
    let ours = printed(&[report(&[], 1)]);
    assert_eq!(fields(&ours["jobs"][0]), fields(&fios["jobs"][0]));
    let keys = |file: &Value| file.as_object().expect("an object").keys().cloned().collect();
    let (own, theirs): (BTreeSet<String>, BTreeSet<String>) = (keys(&ours), keys(&fios));
    assert_eq!(own, theirs);
    let percentiles =
        |file: &Value| keys(&file["jobs"][0]["read"]["clat_ns"]["percentile"]) as BTreeSet<String>;
    assert_eq!(percentiles(&ours), percentiles(&fios));
}

#[test]
fn numbers_are_those_of_the_thread() {
    let file = printed(&[report(&[], 1)]);
    let job = &file["jobs"][0];
    assert_eq!(file["timestamp_ms"], 1_795_237_467_458_i64);
    assert_eq!(file["time"], "Sat Nov 21 05:04:27 2026");
    let read = &job["read"];
    assert_eq!((&read["io_bytes"], &read["total_ios"]), (&json!(409_600), &json!(100)));
    assert_eq!((&read["runtime"], &read["bw_bytes"]), (&json!(1000), &json!(409_600)));
    assert_eq!((&read["bw"], &read["iops"]), (&json!(400), &json!(100.0)));
    assert_eq!(read["slat_ns"]["mean"], 50_500.0);
    let completion = &read["clat_ns"];
    assert_eq!((&completion["min"], &completion["max"]), (&json!(100_000), &json!(10_000_000)));
    // To three digits.
    let median = completion["percentile"]["50.000000"].as_f64().expect("a number");
    assert!((median / 5e6 - 1.0).abs() < 2e-3, "{median}");
    assert_eq!((&read["bw_samples"], &read["bw_mean"]), (&json!(2), &json!(400.0)));
    for (name, percent) in [("usr_cpu", 10.0), ("sys_cpu", 20.0)] {
        assert!((job[name].as_f64().expect("a number") - percent).abs() < 1e-6, "{name}");
    }
    assert_eq!((&job["ctx"], &job["majf"], &job["minf"]), (&json!(77), &json!(1), &json!(22)));
    assert_eq!(job["iodepth_level"]["4"], 100.0);
    assert_eq!(
        (&job["iodepth_submit"]["4"], &job["iodepth_submit"]["0"]),
        (&json!(100.0), &json!(0.0))
    );
    assert_eq!(job["iodepth_complete"]["8"], 100.0);
    assert_eq!(job["sync"]["total_ios"], 1);
    assert_eq!(job["job options"]["rw"], "randrw");
    let all = ["latency_ns", "latency_us", "latency_ms"].iter();
    let shares = all.flat_map(|unit| job[unit].as_object().expect("shares").values());
    let sum: f64 = shares.map(|share| share.as_f64().expect("a number")).sum();
    assert!((sum - 100.0).abs() < 1e-9, "every operation took some time: {sum}");
}

#[test]
fn threads_are_entries_unless_they_are_reported_as_one() {
    let each = printed(&[report(&[("numjobs", "3")], 3)]);
    assert_eq!(each["jobs"].as_array().map(Vec::len), Some(3));
    assert_eq!(each["jobs"][2]["read"]["total_ios"], 100);
    let one = printed(&[report(&[("numjobs", "3"), ("group_reporting", "1")], 3)]);
    assert_eq!(one["jobs"].as_array().map(Vec::len), Some(1));
    assert_eq!(one["jobs"][0]["read"]["total_ios"], 300);
    assert_eq!(one["jobs"][0]["read"]["bw_bytes"], 3 * 409_600);
}

#[test]
fn a_group_goes_on_until_a_job_waits_for_those_before() {
    let waits = || report(&[("stonewall", "1")], 1);
    let file = printed(&[waits(), report(&[], 2), waits(), report(&[], 1), waits()]);
    let groups: Vec<u64> = file["jobs"]
        .as_array()
        .expect("jobs")
        .iter()
        .map(|job| job["groupid"].as_u64().expect("a number"))
        .collect();
    assert_eq!(groups, [0, 0, 0, 1, 1, 2]);
}

#[test]
fn a_job_that_failed_says_so_by_number() {
    let failed = |number| {
        let failure = Some(Failed { why: "no space".to_owned(), number, code: 1 });
        let report = Report { failure, ..report(&[], 0) };
        assert!(summary(&report).ends_with("failed: no space\n"));
        printed(&[report])["jobs"][0]["error"].clone()
    };
    assert_eq!((failed(Some(28)), failed(None)), (json!(28), json!(5)));
    assert!(summary(&report(&[], 1)).contains("read: 400.00 KiB/s, 100 operations/s"));
}

/// To be written again, by hand, when the form changes: `ci` reads this file in its own tests.
#[test]
fn the_sample_that_the_front_door_imports_is_what_is_written() {
    let mut named = report(&[("ioengine", "io_uring")], 1);
    "mixed".clone_into(&mut named.options.name);
    let text = print(&[named], &record());
    assert!(text == OURS, "write this to ci/tests/import/fio-weighbridge.json:\n{text}");
}
