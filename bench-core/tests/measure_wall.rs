//! The criterion adapter as a bench target uses it, against what criterion leaves on disk.

#![cfg(feature = "measure")]

use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bench_core::measure::wall::{criterion, wall};
use bench_core::units::ByteSize;
use bench_core::workload::{Failure, Workload};
use criterion::Criterion;
use serde_json::Value;

/// Milliseconds in all.
fn short(folder: &Path) -> Criterion {
    let ms = Duration::from_millis;
    let c = criterion().sample_size(10).warm_up_time(ms(1)).measurement_time(ms(2));
    c.nresamples(1_001).output_directory(folder)
}

fn json(path: &Path) -> Value {
    let text = fs::read_to_string(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    serde_json::from_str(&text).expect("JSON")
}

fn sum(sample: &Value, key: &str) -> f64 {
    sample[key].as_array().expect("a list").iter().map(|v| v.as_f64().expect("a number")).sum()
}

/// How often each part of a workload was called.
#[derive(Default)]
struct Calls {
    set_up: AtomicU64,
    prepare: AtomicU64,
    run: AtomicU64,
    check: AtomicU64,
}

impl Calls {
    const fn none() -> Self {
        let zero = AtomicU64::new(0);
        Self {
            set_up: zero,
            prepare: AtomicU64::new(0),
            run: AtomicU64::new(0),
            check: AtomicU64::new(0),
        }
    }

    fn counts(&self) -> [u64; 4] {
        [&self.set_up, &self.prepare, &self.run, &self.check].map(|n| n.load(Ordering::Relaxed))
    }
}

fn count(calls: &AtomicU64) {
    calls.fetch_add(1, Ordering::Relaxed);
}

/// A workload that counts its calls into `$calls`.
macro_rules! counting_workload {
    ($name:ident, $id:literal, $calls:ident, $isolated:literal) => {
        static $calls: Calls = Calls::none();
        struct $name;
        impl Workload for $name {
            const NAME: &'static str = $id;
            const ISOLATED: bool = $isolated;
            type Parameter = ByteSize;
            fn set_up(_: &ByteSize) -> Result<Self, Failure> {
                count(&$calls.set_up);
                Ok(Self)
            }
            fn bytes(&self) -> Option<ByteSize> {
                Some(ByteSize::kib(4))
            }
            fn prepare(&mut self) -> Result<(), Failure> {
                count(&$calls.prepare);
                Ok(())
            }
            fn run(&mut self) {
                count(&$calls.run);
            }
            fn check(&mut self) -> Result<(), Failure> {
                count(&$calls.check);
                Ok(())
            }
        }
    };
}

counting_workload!(Batched, "demo/deep/batched", BATCHED, false);
counting_workload!(Isolated, "demo/isolated", ISOLATED, true);
counting_workload!(Skipped, "demo/skipped", SKIPPED, false);

#[test]
fn the_full_id_is_the_workloads_and_samples_are_where_criterion_puts_them() {
    let folder = tempfile::tempdir().expect("a folder");
    wall::<Batched>(&mut short(folder.path()), &ByteSize::kib(4));

    let new = folder.path().join("demo_deep_batched/4KiB/new");
    let benchmark = json(&new.join("benchmark.json"));
    assert_eq!(benchmark["full_id"], "demo/deep/batched/4KiB");
    assert_eq!(benchmark["group_id"], "demo/deep/batched");
    assert_eq!(benchmark["value_str"], "4KiB");
    assert_eq!(benchmark["throughput"]["Bytes"], 4096);

    let sample = json(&new.join("sample.json"));
    assert_eq!(sample["times"].as_array().map(Vec::len), Some(10));
    let [set_up, prepare, run, check] = BATCHED.counts();
    assert_eq!(set_up, 1);
    assert!(prepare == check && check > 10, "{prepare} preparations, {check} checks");
    assert!(run as f64 > sum(&sample, "iters"), "warm-up runs too");
    assert!(run > check, "{run} operations between {check} checks");
    assert!(!folder.path().join("demo_deep_batched/4KiB/report").exists(), "plots are off");
}

#[test]
fn an_isolated_workload_is_prepared_and_checked_around_every_operation() {
    let folder = tempfile::tempdir().expect("a folder");
    wall::<Isolated>(&mut short(folder.path()), &ByteSize::kib(1));
    let [set_up, prepare, run, check] = ISOLATED.counts();
    assert_eq!([set_up, prepare, check], [1, run, run]);
    assert!(run >= 10);
}

#[test]
fn an_id_that_criterion_filters_out_is_not_run() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut c = short(folder.path()).with_filter("nothing has this name");
    wall::<Skipped>(&mut c, &ByteSize::kib(1));
    let [_, prepare, run, check] = SKIPPED.counts();
    assert_eq!([prepare, run, check], [0, 0, 0]);
    assert!(!folder.path().join("demo_skipped").exists());
}

/// Gives a wrong answer from the first operation on.
struct Broken;

impl Workload for Broken {
    const NAME: &'static str = "demo/broken";
    type Parameter = ByteSize;
    fn set_up(_: &ByteSize) -> Result<Self, Failure> {
        Ok(Self)
    }
    fn run(&mut self) {}
    fn check(&mut self) -> Result<(), Failure> {
        Err("wrong answer".into())
    }
}

#[test]
fn a_broken_workload_fails_before_there_is_a_number() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut c = short(folder.path());
    let panic = catch_unwind(AssertUnwindSafe(|| wall::<Broken>(&mut c, &ByteSize::kib(1))));
    let message = *panic.expect_err("fails").downcast::<String>().expect("a sentence");
    assert_eq!(message, "demo/broken/1KiB: check failed: wrong answer");
    assert_eq!(fs::read_dir(folder.path()).expect("readable").count(), 0, "nothing was written");
}
