//! A [`Workload`] under criterion: one benchmark whose full id is the workload's id.
//!
//! ```no_run
//! # use bench_core::units::ByteSize;
//! # use bench_core::workload::{Failure, Workload};
//! # struct Read;
//! # impl Workload for Read {
//! #     const NAME: &'static str = "demo/read";
//! #     type Parameter = ByteSize;
//! #     fn set_up(_: &ByteSize) -> Result<Self, Failure> { Ok(Self) }
//! #     fn bytes(&self) -> Option<ByteSize> { None }
//! #     fn run(&mut self) {}
//! #     fn check(&mut self) -> Result<(), Failure> { Ok(()) }
//! # }
//! use bench_core::measure::wall::{criterion, wall};
//! use criterion::{Criterion, criterion_group, criterion_main};
//!
//! fn read(c: &mut Criterion) {
//!     wall::<Read>(c, &ByteSize::kib(64));
//! }
//!
//! criterion_group! { name = benches; config = criterion(); targets = read }
//! criterion_main!(benches);
//! ```

use std::cell::Cell;
use std::collections::BTreeSet;
use std::hint::black_box;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use criterion::{BenchmarkId, Criterion, Throughput};

use super::profiler::{FlameProfiler, HZ};
use super::recorder::Recorder;
use super::selection::Selection;
use crate::record::{Metric, Row};
use crate::scale::Scale;
use crate::workload::{self, Failure, Workload};

#[cfg(feature = "extra-work")]
mod extra_work;

/// Criterion cuts longer names of its folders, and two ids would share one.
const NAME_LEN_MAX: usize = 64;

/// How often operations are measured, at the most, that the machine disturbs.
const ATTEMPTS_MAX: u32 = 3;

/// Ids that this process has seen.
static SEEN: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());

/// The house's configuration, at the scale that the environment asks for: times and samples by
/// scale, flamegraphs with `--profile-time`, no plots. `criterion_group!` applies the command line
/// after it, so whatever the user asks for wins.
///
/// # Panics
/// When the environment asks for a scale that does not exist.
pub fn criterion() -> Criterion {
    let scale = Scale::from_env();
    let ms = Duration::from_millis;
    Criterion::default()
        .warm_up_time(scale.pick(ms(1), ms(200), ms(3_000)))
        .measurement_time(scale.pick(ms(10), ms(600), ms(5_000)))
        .sample_size(scale.pick(10, 20, 100))
        // For criterion's own report only; criterion warns at 1000 and below.
        .nresamples(scale.pick(1_001, 10_000, 100_000))
        .with_profiler(FlameProfiler::new(HZ))
        .without_plots()
}

/// Registers workload `W` with this parameter as one benchmark.
///
/// Fixtures are set up only where the command line selects the id. Criterion's first call is for a
/// single operation, and its check fails before there is any number.
///
/// Operations that the machine disturbed ([`Workload::is_disturbed`]) are done anew, each batch twice at
/// the most, and their time is thrown away.
///
/// Where rows are collected ([`Recorder::from_env`]) the workload's dimensions are added to them
/// after the last operation, with `bytes`, the payload of one operation, and `disturbed`, how often
/// the machine did that, warm-up included, where it did; and a failure leaves a failed row.
///
/// # Panics
/// With the id and what failed, when the set-up, a preparation or a check fails; when the id was
/// registered in this process before; when criterion would cut it; and when rows are collected but
/// cannot be written.
pub fn wall<W: Workload>(c: &mut Criterion, parameter: &W::Parameter) {
    let selection = Selection::of(std::env::args().skip(1));
    let id = workload::id::<W>(parameter);
    Bench { id, selection, recorder: Recorder::from_env(), disturbed: Cell::new(0) }
        .register::<W>(c, parameter);
}

/// One benchmark and what the process knows about it.
struct Bench {
    id: String,
    selection: Selection,
    recorder: Option<Recorder>,
    /// How often operations were measured in vain.
    disturbed: Cell<u32>,
}

impl Bench {
    fn register<W: Workload>(&self, c: &mut Criterion, parameter: &W::Parameter) {
        let (group, last) = names(&self.id);
        let set_up = || W::set_up(parameter).unwrap_or_else(|e| self.fail("set-up failed", &e));
        let mut workload = self.selection.contains(&self.id).then(set_up);
        let mut group = c.benchmark_group(group);
        if let Some(size) = workload.as_ref().and_then(W::bytes) {
            group.throughput(Throughput::Bytes(size.bytes()));
        }
        let mut ran = false;
        group.bench_function(BenchmarkId::from_parameter(last), |bencher| {
            ran = true;
            let workload = workload.get_or_insert_with(set_up);
            bencher.iter_custom(|operations| self.measure(workload, operations));
        });
        group.finish();
        if let Some(workload) = workload.filter(|_| ran) {
            self.record_dimensions(&workload);
        }
    }

    /// The time of `operations` operations, which may be none: a profile that its warm-up has
    /// used up ends so.
    fn measure<W: Workload>(&self, workload: &mut W, operations: u64) -> Duration {
        if W::ISOLATED {
            return (0..operations).map(|_| self.measure_batch(workload, 1)).sum();
        }
        match operations {
            0 => Duration::ZERO,
            some => self.measure_batch(workload, some),
        }
    }

    fn measure_batch<W: Workload>(&self, workload: &mut W, operations: u64) -> Duration {
        let mut attempt = 1;
        loop {
            match measure_once(workload, operations) {
                Ok(elapsed) => return elapsed,
                Err((_, error)) if attempt < ATTEMPTS_MAX && W::is_disturbed(&error) => {
                    attempt += 1;
                    self.disturbed.update(|times| times + 1);
                }
                Err((what, error)) => self.fail(what, &error),
            }
        }
    }

    fn record_dimensions<W: Workload>(&self, workload: &W) {
        let Some(recorder) = &self.recorder else { return };
        let bytes = workload.bytes().map(|size| ("bytes", size.bytes().to_string()));
        let disturbed = Some(self.disturbed.get()).filter(|&times| times > 0);
        let disturbed = disturbed.map(|times| ("disturbed", times.to_string()));
        // The workload's own word comes later, and the later wins.
        let dimensions = bytes.into_iter().chain(disturbed).chain(workload.dimensions());
        if let Err(error) = recorder.dimensions(&self.id, dimensions) {
            panic!("{}: {error}", self.id);
        }
    }

    /// Criterion knows no failed benchmark; a panic ends the process before a number is written.
    fn fail(&self, what: &str, error: &Failure) -> ! {
        let sentence = format!("{what}: {error}");
        let row = Row::failed(&self.id, Metric::WallTime, "ns", &sentence);
        let unwritten = self.recorder.as_ref().and_then(|recorder| recorder.rows(vec![row]).err());
        let also = unwritten.map(|error| format!("; {error}")).unwrap_or_default();
        panic!("{}: {sentence}{also}", self.id);
    }
}

/// The time of so many operations, or what failed around them.
fn measure_once<W: Workload>(
    workload: &mut W,
    operations: u64,
) -> Result<Duration, (&'static str, Failure)> {
    workload.prepare().map_err(|error| ("preparation failed", error))?;
    let start = Instant::now();
    for _ in 0..operations {
        // Hides from the optimiser that every operation is the same.
        black_box(&mut *workload).run();
    }
    let elapsed = start.elapsed();
    #[cfg(feature = "extra-work")]
    let elapsed = extra_work::after(start, elapsed);
    workload.check().map_err(|error| ("check failed", error))?;
    Ok(elapsed)
}

/// Group and function name, such that criterion's full id is `id`.
///
/// # Panics
/// When criterion would mix this id up with another.
fn names(id: &str) -> (&str, &str) {
    let new = SEEN.lock().unwrap_or_else(PoisonError::into_inner).insert(id.to_owned());
    assert!(
        new,
        "{id}: this id is registered twice; criterion would measure the second as another"
    );
    let (group, last) = id.rsplit_once('/').expect("an id is room/workload/parameter");
    assert!(
        group.len() <= NAME_LEN_MAX && last.len() <= NAME_LEN_MAX,
        "{id}: criterion cuts names above {NAME_LEN_MAX} bytes; shorten the id"
    );
    (group, last)
}

#[cfg(test)]
mod tests;
