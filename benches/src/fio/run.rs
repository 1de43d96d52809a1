//! Jobs that run together: one pinned thread for each lane, all begun at once after the files have
//! been brought into their state, and checked when the last has ended.

use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Barrier;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Instant;

use bench_core::fixture::cpus::{Pinned, available};
use bench_core::workload::Failure;
use bench_storage::Error;
use bench_storage::files::cell::Engine;
use bench_storage::files::job::content::{Author, Writers};
use bench_storage::files::job::{JobCell, Lane, depth_of};

use super::meter::Meter;
use super::options::Options;
use super::running::{Baseline, Limits, Running};
use super::site::Site;
use super::usage::{Used, process_cpu_ns};
use crate::front::{NOT_MEASURED, causes, code_of};

const SEED: u64 = 42;
/// How the sentence begins of those that something beside them kept from being measured.
const NOT_BEGUN: &str = "it was not begun";

/// What became of a job.
#[derive(Debug)]
pub struct Report {
    /// As it was asked for.
    pub options: Options,
    /// One for each thread that ended well.
    pub lanes: Vec<LaneReport>,
    /// What made the numbers.
    pub dimensions: Vec<(&'static str, String)>,
    /// Processor time of all that worked for the job: of its own threads, while they worked, where
    /// their calls do all of it or other jobs ran beside it; of the process, from the start of the
    /// first thread to the end of the last, where an engine has threads of its own.
    pub cpu_ns: u64,
    /// The first failure.
    pub failure: Option<Failed>,
}

/// Why there are no numbers.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{why}")]
pub struct Failed {
    /// In one sentence.
    pub why: String,
    /// The system's number for it, where it has one.
    pub number: Option<i32>,
    /// What the process ends with for it.
    pub code: u8,
}

impl From<Failure> for Failed {
    fn from(failure: Failure) -> Self {
        Self::from(&failure)
    }
}

impl From<&Failure> for Failed {
    fn from(failure: &Failure) -> Self {
        // One that was told before keeps what was known of it.
        failure.downcast_ref().cloned().unwrap_or_else(|| Self {
            why: failure.to_string(),
            number: number_of(failure),
            code: code_of(failure),
        })
    }
}

/// What a thread did.
#[derive(Clone, Debug)]
pub struct LaneReport {
    /// Its operations.
    pub meter: Meter,
    /// What it used meanwhile.
    pub used: Used,
    /// What the process had used of the processors when that began.
    pub process_from_ns: u64,
}

impl Report {
    fn failed(options: &Options, failure: &Failure) -> Self {
        Self {
            options: options.clone(),
            lanes: Vec::new(),
            dimensions: Vec::new(),
            cpu_ns: 0,
            failure: Some(failure.into()),
        }
    }

    /// All threads as one.
    pub fn total(&self) -> LaneReport {
        let (meter, used) = (Meter::new(), Used::default());
        let mut total = LaneReport { meter, used, process_from_ns: u64::MAX };
        for lane in &self.lanes {
            total.meter.join(&lane.meter);
            total.used.join(lane.used);
            total.process_from_ns = total.process_from_ns.min(lane.process_from_ns);
        }
        total
    }
}

fn number_of(failure: &Failure) -> Option<i32> {
    match causes(failure).find_map(|cause| cause.downcast_ref::<Error>())? {
        Error::Io { source, .. } | Error::Block { source, .. } => source.raw_os_error(),
        Error::Sync(source) | Error::Ring(source) => source.raw_os_error(),
        Error::NoUring(source) | Error::RingSetup(source) => source.raw_os_error(),
        _ => None,
    }
}

/// One thread to be.
struct Planned {
    job: usize,
    cell: JobCell,
    path: PathBuf,
    author: Author,
    cpu: Option<usize>,
}

/// Runs the jobs at the same time. `run` tells what this call writes from what an earlier one wrote;
/// no operation begins once `stop` is set.
pub fn together(jobs: &[Options], run: u32, stop: &AtomicBool) -> Vec<Report> {
    let mut site = match Site::prepare(jobs) {
        Ok(site) => site,
        Err(failure) => return all_failed(jobs, &failure),
    };
    again(&mut site, jobs, run, stop)
}

/// The same on files that are there already.
pub fn again(site: &mut Site, jobs: &[Options], run: u32, stop: &AtomicBool) -> Vec<Report> {
    let planned = site.reach().and_then(|()| plan(site, jobs, run));
    match planned {
        Ok(planned) => measure(site, jobs, &planned, stop),
        Err(failure) => all_failed(jobs, &failure),
    }
}

fn all_failed(jobs: &[Options], failure: &Failure) -> Vec<Report> {
    jobs.iter().map(|job| Report::failed(job, failure)).collect()
}

fn plan(site: &mut Site, jobs: &[Options], run: u32) -> Result<Vec<Planned>, Failure> {
    let cpus = available()?;
    let mut planned = Vec::new();
    for (number, job) in jobs.iter().enumerate() {
        let cell = job.cell()?;
        for lane in 0..job.lanes {
            let index = planned.len();
            planned.push(Planned {
                job: number,
                cell,
                path: site.path(jobs, job, lane)?,
                author: Author { run, lane: u32::try_from(index)? },
                // The threads of tokio's pool would inherit the one CPU.
                cpu: (job.engine != Engine::Tokio).then(|| cpus[index % cpus.len()]),
            });
        }
    }
    Ok(planned)
}

/// What the threads share. They pass the gate four times, whatever happens to any of them.
struct Shared<'a> {
    site: &'a Site,
    gate: Barrier,
    /// Not to be measured.
    off: AtomicBool,
    clock: Instant,
    stop: &'a AtomicBool,
}

fn measure(site: &Site, jobs: &[Options], planned: &[Planned], stop: &AtomicBool) -> Vec<Report> {
    let shared = Shared {
        site,
        gate: Barrier::new(planned.len() + 1),
        off: AtomicBool::new(false),
        clock: Instant::now(),
        stop,
    };
    let mut state: Result<(), Failure> = Ok(());
    let mut cpu_ns = 0;
    let outcomes: Vec<Result<(LaneReport, String), Failure>> = thread::scope(|scope| {
        let start = |lane| {
            let shared = &shared;
            scope.spawn(move || work(jobs, planned, lane, shared))
        };
        let threads: Vec<_> = planned.iter().map(start).collect();
        shared.gate.wait();
        state = site.held_before();
        shared.off.fetch_or(state.is_err(), Ordering::Relaxed);
        shared.gate.wait();
        shared.gate.wait();
        cpu_ns = process_cpu_ns();
        state = std::mem::replace(&mut state, Ok(())).and_then(|()| site.held());
        shared.gate.wait();
        threads.into_iter().map(|thread| thread.join().expect("it catches panics")).collect()
    });
    // Of each job the first lane that came to its end, and the ways that its lanes went.
    let mut ways = vec![(None, BTreeSet::new()); jobs.len()];
    let mut reports: Vec<Report> = jobs
        .iter()
        .map(|job| Report {
            options: job.clone(),
            lanes: Vec::new(),
            dimensions: Vec::new(),
            cpu_ns: 0,
            failure: state.as_ref().err().map(Failed::from),
        })
        .collect();
    for (lane, outcome) in planned.iter().zip(outcomes) {
        let report = &mut reports[lane.job];
        match outcome {
            Ok((done, backend)) => {
                let ways = &mut ways[lane.job];
                ways.0.get_or_insert(lane);
                ways.1.insert(backend);
                report.cpu_ns += done.used.cpu_ns;
                report.lanes.push(done);
            }
            Err(failure) => {
                // What kept the others from beginning goes before that they did not.
                let told = Failed::from(&failure);
                match &report.failure {
                    Some(known) if !known.why.starts_with(NOT_BEGUN) => {}
                    _ => report.failure = Some(told),
                }
            }
        }
    }
    for (report, (first, backends)) in reports.iter_mut().zip(ways) {
        if let Some(Planned { path, cpu, .. }) = first {
            let pinned = cpu.is_some();
            report.dimensions = dimensions(&report.options, site, path, pinned, every(&backends));
        }
    }
    if let [only] = &mut reports[..]
        && matches!(only.options.engine, Engine::IoUring | Engine::Tokio)
    {
        // With the threads that such an engine, or the kernel for it, keeps for itself.
        let from = only.lanes.iter().map(|lane| lane.process_from_ns).min();
        only.cpu_ns = cpu_ns - from.unwrap_or(cpu_ns);
    }
    reports
}

/// The life of a thread.
fn work(
    jobs: &[Options],
    planned: &[Planned],
    lane: &Planned,
    shared: &Shared<'_>,
) -> Result<(LaneReport, String), Failure> {
    let Planned { cell, path, author, .. } = lane;
    let gate = || shared.gate.wait();
    let pinned = lane.cpu.map(Pinned::to).transpose();
    let opened = caught(|| {
        // Before the clocks, because its histograms are large.
        let running = running(&jobs[lane.job], shared)?;
        Ok((Lane::open(cell, path, *author, SEED)?, running))
    });
    if opened.is_err() || pinned.is_err() {
        shared.off.store(true, Ordering::Relaxed);
    }
    gate();
    gate();
    let off = shared.off.load(Ordering::Relaxed);
    let done = match (opened, pinned) {
        (Err(failure), _) => Err(failure),
        (_, Err(failure)) => Err(failure.into()),
        (Ok(_), Ok(_)) if off => Err(not_begun()),
        (Ok((mut opened, running)), Ok(_)) => {
            caught(|| one(&mut opened, running)).map(|report| (opened, report))
        }
    };
    gate();
    gate();
    let (mut opened, report) = done?;
    if report.meter.books.iter().any(|book| book.bytes > 0) {
        // Who else works on this file, in any of the jobs.
        let writes = |other: &&Planned| other.path == lane.path && other.cell.writes();
        let authors = planned.iter().filter(writes).map(|other| other.author).collect();
        let writers = Writers { authors, before: shared.site.before(path) };
        opened.check(shared.site.file(path), &writers)?;
    }
    Ok((report, opened.backend()))
}

fn not_begun() -> Failure {
    let why = format!("{NOT_BEGUN}, because something beside it failed");
    Failed { why, number: None, code: NOT_MEASURED }.into()
}

fn running<'a>(job: &Options, shared: &Shared<'a>) -> Result<Running<'a>, Failure> {
    let runtime_ns = job.runtime.map(|runtime| u64::try_from(runtime.as_nanos())).transpose()?;
    let limits = Limits { ramp_ns: u64::try_from(job.ramp.as_nanos())?, runtime_ns };
    Ok(Running::new(shared.clock, limits, shared.stop))
}

/// What is measured.
fn one(lane: &mut Lane, mut running: Running<'_>) -> Result<LaneReport, Failure> {
    lane.run(&mut running)?;
    let after = Used::by_this_thread();
    let (meter, before) = running.finish();
    let before = before.or_else(|| meter.interrupted.then(Baseline::now));
    let Some(Baseline { thread, process_ns }) = before else {
        let why = "ramp_time was not over when the work was, so that nothing counted; shorten it, \
                   or let the work take longer with loops or time_based";
        return Err(Failed { why: why.to_owned(), number: None, code: NOT_MEASURED }.into());
    };
    Ok(LaneReport { meter, used: after.since(thread), process_from_ns: process_ns })
}

/// A panic would leave the others waiting for ever.
fn caught<T>(work: impl FnOnce() -> Result<T, Failure>) -> Result<T, Failure> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|_| Err("a thread panicked".into()))
}

/// Where lanes went several ways, as some without registered buffers, all of them, whichever lane came
/// first.
fn every(backends: &BTreeSet<String>) -> String {
    backends.iter().map(String::as_str).collect::<Vec<_>>().join("; ")
}

/// What made the numbers of a job, by ours or by another program.
pub fn dimensions(
    options: &Options,
    site: &Site,
    path: &Path,
    pinned: bool,
    backend: String,
) -> Vec<(&'static str, String)> {
    let mut dimensions = vec![
        ("backend", backend),
        ("rw", options.rw()),
        ("pattern", options.pattern.to_string()),
        ("block_size", options.block.to_string()),
        ("queue_depth", depth_of(options.engine, options.depth).to_string()),
        ("threads", options.lanes.to_string()),
        ("pinned", pinned.to_string()),
        ("size", options.size.to_string()),
        ("bytes", options.block.bytes().to_string()),
        (options.sync_name(), options.sync_every.to_string()),
    ];
    if options.sync_at_end {
        dimensions.push(("end_fsync", "1".to_owned()));
    }
    dimensions.extend(site.dimensions(path));
    dimensions
}

#[cfg(test)]
#[path = "run_tests.rs"]
mod tests;
