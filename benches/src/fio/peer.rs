//! Our jobs against fio's, in turns: the same file, blocks, depth, engine and CPU, one after the other
//! within a second, so that what the disk does meanwhile it does to both.
//!
//! Where io_uring has a queue there are two arms of fio: as it is, and told to register its buffers and
//! the file as we do. Where all buffers of ours together fill a huge page, and the kernel has them, they
//! lie on such; fio asks for none, so that where they are given to who asks (`madvise`) a part of the ratio is
//! that. Before each turn the file is
//! brought into its state here, by us, for all of them. fio's times are its own, in whole milliseconds,
//! and so is its processor time, from which its start is left out: files are made so large that a turn
//! takes half a second.

use std::io::{self, Write};
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};

use bench_core::judge::matrix::CELL;
use bench_core::judge::stats::{Interval, bootstrap_interval, median};
use bench_core::measure::environment::huge_pages;
use bench_core::record::{Data, Metric, Row};
use bench_core::scale::Scale;
use bench_core::units::ByteSize;
use bench_core::workload::Failure;
use bench_storage::files::cell::Engine;

use super::flags::Flags;
use super::number::print_size;
use super::options::Options;
use super::run::{Failed, again};
use super::site::Site;
use super::theirs::{installed, theirs};
use crate::front::{
    BROKE, INTERRUPTED, NOT_MEASURED, USAGE, bar, open_record, stop_on_signals, told, worst,
    write_record,
};

/// By which interface, how deep, past the page cache.
const WAYS: [(&str, &str, &str); 3] =
    [("io_uring", "1", "1"), ("io_uring", "16", "1"), ("psync", "1", "0")];
const PATTERNS: [&str; 4] = ["read", "write", "randread", "randwrite"];
/// Blocks, and a file that is read in some tenths of a second.
const BLOCKS: [(&str, &str); 3] = [("1m", "256m"), ("64k", "128m"), ("4k", "32m")];
const RESAMPLES: u32 = 2000;
/// A turn of this much is told by fio to a fifth of a hundredth.
const LEAST_NS: f64 = 500e6;
/// What a turn of ours is to take, because fio may be the faster one.
const ENOUGH_NS: f64 = 750e6;
/// The largest file that is made for that.
const LARGEST: ByteSize = ByteSize::mib(4096);

/// One turn.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Turn {
    /// Read or written.
    pub bytes: u64,
    /// Reads and writes.
    pub operations: u64,
    /// From the first start to the last end.
    pub wall_ns: f64,
    /// Processor time.
    pub cpu_ns: f64,
}

/// A turn, and what made it.
#[derive(Clone, Debug)]
pub struct Done {
    /// Its numbers.
    pub turn: Turn,
    /// By name.
    pub dimensions: Vec<(&'static str, String)>,
}

/// An arm and its turns, the first of which does not count.
#[derive(Clone, Debug)]
pub struct Arm {
    name: &'static str,
    /// fio's options besides those of the job; `None` is ours.
    more: Option<&'static [&'static str]>,
    /// What made its last turn.
    dimensions: Vec<(&'static str, String)>,
    turns: Vec<Turn>,
}

/// Measures all cells that the flags leave open, and prints a line for each.
pub fn run(flags: &Flags, scale: Scale) -> ExitCode {
    match run_quietly(flags, scale) {
        Ok(()) => ExitCode::SUCCESS,
        Err(code) => ExitCode::from(code),
    }
}

fn run_quietly(flags: &Flags, scale: Scale) -> Result<(), u8> {
    let cells = cells(flags).map_err(|why| told(&why, USAGE))?;
    let mut record = open_record(flags.record()).map_err(|why| told(&why, USAGE))?;
    let stop = stop_on_signals().map_err(|error| told(&error.to_string(), 1))?;
    let fio = installed();
    let mut out = io::stdout().lock();
    // A closed pipe at the other end is not the cell's failure.
    let _closed = match &fio {
        Some(version) => writeln!(
            out,
            "ours over {version}, medians of rounds in turns, 95 %; huge pages: {}",
            huge_pages().as_deref().unwrap_or("not readable")
        ),
        None => writeln!(out, "fio is not installed here: that arm is left out"),
    };
    let rounds = scale.pick(1, 7, 15);
    let progress = bar(cells.len() as u64);
    let mut codes = Vec::new();
    let sized = scale == Scale::Smoke || flags.written().iter().any(|(key, _)| *key == "size");
    for cell in &cells {
        progress.set_message(cell.label());
        let large = if sized { Ok(cell.clone()) } else { enlarged(cell, &stop) };
        let measured = large.and_then(|cell| {
            let arms = measure(&cell, rounds, fio.as_deref(), &stop)?;
            Ok((cell, arms))
        });
        if stop.load(Ordering::Relaxed) {
            break;
        }
        let line = match measured {
            Ok((cell, arms)) => {
                record.rows.extend(arms.iter().flat_map(|arm| rows(&cell, arm)));
                line(&cell, &arms)
            }
            Err(Failed { why, code, .. }) => {
                codes.push(code);
                record.rows.push(Row::failed(&id(cell), Metric::WallTime, "ns", &why));
                format!("{}: failed: {why}", cell.label())
            }
        };
        progress.inc(1);
        let _closed = progress.suspend(|| writeln!(out, "{line}"));
        let written = write_record(&record, flags.record());
        written.map_err(|error| told(&error.to_string(), BROKE))?;
    }
    progress.finish_and_clear();
    end(stop.load(Ordering::Relaxed), &codes, cells.len(), fio.is_some())
        .map_err(|(sentence, code)| told(&sentence, code))
}

/// How it went: the codes of cells that failed, of so many; whether there was a fio.
fn end(interrupted: bool, codes: &[u8], cells: usize, fio: bool) -> Result<(), (String, u8)> {
    match (worst(codes.iter().copied()), codes.len()) {
        _ if interrupted => Err((INTERRUPTED.to_owned(), NOT_MEASURED)),
        (Some(code), failed) if failed == cells => Err(("nothing was measured".to_owned(), code)),
        (Some(code), failed) => Err((format!("{failed} of {cells} cells failed"), code)),
        (None, _) if !fio => {
            let why = "fio was not measured: it is not installed here; install it, or leave out \
                       --peers";
            Err((why.to_owned(), NOT_MEASURED))
        }
        (None, _) => Ok(()),
    }
}

/// The cells of the comparison that the flags leave open.
fn cells(flags: &Flags) -> Result<Vec<Options>, String> {
    let written = flags.written();
    let said = |key: &str| written.iter().any(|(known, _)| *known == key);
    for key in [
        "numjobs",
        "filename",
        "runtime",
        "ramp_time",
        "time_based",
        "rwmixread",
        "group_reporting",
    ] {
        if said(key) {
            return Err(format!(
                "--peers compares one thread doing all of a file; leave out --{key}"
            ));
        }
    }
    let way = ["ioengine", "iodepth", "direct"].iter().any(|key| said(key));
    let mut cells = Vec::new();
    for (engine, depth, direct) in &WAYS[..if way { 1 } else { WAYS.len() }] {
        for rw in &PATTERNS[..if said("rw") { 1 } else { PATTERNS.len() }] {
            for (block, size) in &BLOCKS[..if said("bs") { 1 } else { BLOCKS.len() }] {
                let mut cell = Options::default();
                let usual = [("rw", *rw), ("bs", *block), ("size", *size)];
                let ways = [("ioengine", *engine), ("iodepth", *depth), ("direct", *direct)];
                let ways = ways.into_iter().filter(|_| !way);
                for (key, value) in usual.into_iter().chain(ways).chain(written.iter().copied()) {
                    cell.set(key, Some(value)).map_err(|why| format!("--{key}: {why}"))?;
                }
                if said("bs") && !said("size") {
                    cell.size = enough(cell.block);
                }
                if cell.engine == Engine::Tokio {
                    return Err("fio has no engine tokio; leave out --peers".to_owned());
                }
                cell.cell().map_err(|why| format!("{}: {why}", cell.label()))?;
                cells.push(cell);
            }
        }
    }
    Ok(cells)
}

/// The cell with a file so large that a turn of ours takes long enough for fio's clock.
fn enlarged(cell: &Options, stop: &AtomicBool) -> Result<Options, Failed> {
    let mut cell = cell.clone();
    // The first turns on a new machine may be slow ones.
    for run in 0..4 {
        let jobs = std::slice::from_ref(&cell);
        let Done { turn, .. } = own(&mut Site::prepare(jobs)?, jobs, run, stop)?;
        let size = larger(cell.size, cell.block, turn.wall_ns);
        if size == cell.size || stop.load(Ordering::Relaxed) {
            break;
        }
        cell.size = size;
    }
    Ok(cell)
}

/// The size of a file of whole blocks that takes long enough, where one of `size` took so long.
fn larger(size: ByteSize, block: ByteSize, wall_ns: f64) -> ByteSize {
    if wall_ns >= LEAST_NS {
        return size;
    }
    let wanted = (size.bytes() as f64 * ENOUGH_NS / wall_ns.max(1.0)) as u64;
    let blocks = wanted.min(LARGEST.bytes()) / block.bytes();
    ByteSize::new(blocks * block.bytes()).max(size)
}

/// A file of blocks of this size that is read in some tenths of a second.
fn enough(block: ByteSize) -> ByteSize {
    let blocks = match block.bytes() {
        0..0x4000 => 8192,
        0x4000..0x4_0000 => 2048,
        _ => 256,
    };
    ByteSize::new(block.bytes() * blocks)
}

/// The turns of all arms, each as much as the others.
fn measure(
    cell: &Options,
    rounds: u32,
    fio: Option<&str>,
    stop: &AtomicBool,
) -> Result<Vec<Arm>, Failed> {
    let jobs = std::slice::from_ref(cell);
    let mut site = Site::prepare(jobs)?;
    let mut arms = vec![arm("own", None)];
    if fio.is_some() {
        arms.push(arm("fio", Some(&[])));
        if cell.engine == Engine::IoUring {
            arms.push(arm("fio_fixed", Some(&["--fixedbufs=1", "--registerfiles=1"])));
        }
    }
    let count = arms.len();
    let mut first = None;
    for round in 0..=rounds {
        for turn in 0..count {
            // Nobody always comes after the same neighbour.
            let arm = &mut arms[(round as usize + turn) % count];
            if stop.load(Ordering::Relaxed) {
                return Ok(arms);
            }
            let done = match (arm.more, fio) {
                (Some(more), Some(version)) => {
                    theirs(&mut site, cell, version, more).map_err(Failed::from)
                }
                _ => own(&mut site, jobs, round, stop),
            };
            if stop.load(Ordering::Relaxed) {
                return Ok(arms);
            }
            let told = |failed: Failed| Failed { why: format!("{}: {failed}", arm.name), ..failed };
            let Done { turn, dimensions } = done.map_err(told)?;
            same_work(*first.get_or_insert(turn), turn).map_err(Failed::from).map_err(told)?;
            arm.dimensions = dimensions;
            if round > 0 {
                arm.turns.push(turn);
            }
        }
    }
    Ok(arms)
}

fn arm(name: &'static str, more: Option<&'static [&'static str]>) -> Arm {
    Arm { name, more, dimensions: Vec::new(), turns: Vec::new() }
}

fn same_work(first: Turn, turn: Turn) -> Result<(), Failure> {
    if (first.bytes, first.operations) == (turn.bytes, turn.operations) {
        return Ok(());
    }
    Err(format!(
        "{} bytes in {} operations are not the {} in {} of the first turn",
        turn.bytes, turn.operations, first.bytes, first.operations
    )
    .into())
}

fn own(site: &mut Site, jobs: &[Options], run: u32, stop: &AtomicBool) -> Result<Done, Failed> {
    let report = again(site, jobs, run, stop).pop().expect("a report for each job");
    if let Some(failed) = report.failure {
        return Err(failed);
    }
    let meter = report.total().meter;
    let books = &meter.books[..2];
    let turn = Turn {
        bytes: books.iter().map(|book| book.bytes).sum(),
        operations: books.iter().map(|book| book.operations()).sum(),
        wall_ns: meter.elapsed_ns() as f64,
        cpu_ns: report.cpu_ns as f64,
    };
    Ok(Done { turn, dimensions: report.dimensions })
}

fn id(cell: &Options) -> String {
    format!("files/fio/{}", cell.label())
}

fn rows(cell: &Options, arm: &Arm) -> Vec<Row> {
    let iterations: Vec<u64> = arm.turns.iter().map(|turn| turn.operations).collect();
    let times = [Metric::WallTime, Metric::CpuTime];
    let row = |metric: Metric| {
        let part = |turn: &Turn| match metric {
            Metric::WallTime => turn.wall_ns,
            _ => turn.cpu_ns,
        };
        let values = arm.turns.iter().map(part).collect();
        let data = Data::Samples { values, iterations: iterations.clone() };
        let mut row = Row::measured(&format!("{}/{}", id(cell), arm.name), metric, "ns", data);
        let options = cell.pairs().into_iter().map(|(key, value)| (key.to_owned(), value));
        row.dimensions = options.collect();
        let made = arm.dimensions.iter().map(|(name, value)| (*name, value.clone()));
        for (name, value) in made.chain([("arm", arm.name.to_owned()), (CELL, id(cell))]) {
            row.dimensions.insert(name.to_owned(), value);
        }
        row
    };
    if arm.turns.is_empty() { Vec::new() } else { times.map(row).into() }
}

/// Medians of the ratios of each round, ours over theirs.
fn ratio(own: &Arm, other: &Arm, part: impl Fn(&Turn) -> f64) -> (f64, Interval) {
    let rounds = own.turns.iter().zip(&other.turns);
    let ratios: Vec<f64> = rounds.map(|(own, other)| part(own) / part(other)).collect();
    (median(&ratios), bootstrap_interval(&ratios, median, 0.95, RESAMPLES, 1))
}

fn line(cell: &Options, arms: &[Arm]) -> String {
    let [own, others @ ..] = arms else { return format!("{}: no arm", cell.label()) };
    if own.turns.is_empty() {
        return format!("{}: no round was finished", cell.label());
    }
    let rate = |turn: &Turn| turn.bytes as f64 / turn.wall_ns;
    let cpu = |turn: &Turn| turn.cpu_ns / turn.bytes as f64;
    let mib: Vec<f64> = own.turns.iter().map(|turn| rate(turn) * 1e9 / 1_048_576.0).collect();
    let mut line =
        format!("{} of {}: {:.0} MiB/s", cell.label(), print_size(cell.size), median(&mib));
    for other in others {
        let (speed, between) = ratio(own, other, rate);
        let (cost, cost_between) = ratio(own, other, cpu);
        line += &format!(
            "; {}: throughput {speed:.3} [{:.3}, {:.3}], CPU per GiB {cost:.3} [{:.3}, {:.3}]",
            other.name, between.low, between.high, cost_between.low, cost_between.high
        );
    }
    let turns = arms.iter().flat_map(|arm| &arm.turns);
    let shortest = turns.map(|turn| turn.wall_ns).fold(f64::INFINITY, f64::min);
    if shortest < LEAST_NS && !others.is_empty() {
        line += &format!(
            "; turns of {:.0} ms and more, of which fio counts whole milliseconds: a larger --size \
             says more",
            shortest / 1e6
        );
    }
    line
}

#[cfg(test)]
#[path = "peer_tests.rs"]
mod tests;
