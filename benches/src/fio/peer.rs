//! Our jobs against fio's, in turns: the same file, blocks, depth, engine and CPU, one after the other
//! within a second, so that what the disk does meanwhile it does to both.
//!
//! Where io_uring has a queue there are two arms of fio: as it is, and told to register its buffers and
//! the file as we do. Before each turn the file is brought into its state here, by us, for all of
//! them. fio's times are its own, in whole milliseconds, and so is its processor time, from which
//! its start is left out.

use std::io::{self, Write};
use std::process::{Command, ExitCode};
use std::sync::atomic::{AtomicBool, Ordering};

use bench_core::fixture::cpus::available;
use bench_core::judge::matrix::CELL;
use bench_core::judge::stats::{Interval, bootstrap_interval, median};
use bench_core::record::{Data, Metric, Row};
use bench_core::scale::Scale;
use bench_core::units::ByteSize;
use bench_core::workload::Failure;
use serde_json::Value;

use super::flags::Flags;
use super::number::print_size;
use super::options::Options;
use super::run::again;
use super::site::Site;
use crate::front::{NOT_MEASURED, USAGE, bar, open_record, stop_on_signals, told};

/// By which interface, how deep, past the page cache.
const WAYS: [(&str, &str, &str); 3] =
    [("io_uring", "1", "1"), ("io_uring", "16", "1"), ("psync", "1", "0")];
const PATTERNS: [&str; 4] = ["read", "write", "randread", "randwrite"];
/// Blocks, and a file that is read in some tenths of a second.
const BLOCKS: [(&str, &str); 3] = [("1m", "256m"), ("64k", "128m"), ("4k", "32m")];
const RESAMPLES: u32 = 2000;

/// One turn.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Turn {
    bytes: u64,
    operations: u64,
    wall_ns: f64,
    cpu_ns: f64,
}

/// An arm and its turns, the first of which does not count.
#[derive(Clone, Debug)]
pub struct Arm {
    name: &'static str,
    /// fio's options besides those of the job; `None` is ours.
    more: Option<&'static [&'static str]>,
    turns: Vec<Turn>,
}

/// The version of the fio that is installed here, if one is.
pub fn installed() -> Option<String> {
    let said = Command::new("fio").arg("--version").output().ok()?;
    let version = String::from_utf8(said.stdout).ok()?.trim().to_owned();
    (said.status.success() && !version.is_empty()).then_some(version)
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
        Some(version) => writeln!(out, "ours over {version}, medians of rounds in turns, 95 %"),
        None => writeln!(out, "fio is not installed here: that arm is left out"),
    };
    let rounds = scale.pick(1, 7, 15);
    let progress = bar(cells.len() as u64);
    let mut failed = 0;
    for cell in &cells {
        progress.set_message(cell.label());
        let measured = measure(cell, rounds, fio.is_some(), &stop);
        if stop.load(Ordering::Relaxed) {
            break;
        }
        let line = match measured {
            Ok(arms) => {
                record.rows.extend(arms.iter().flat_map(|arm| rows(cell, arm, fio.as_deref())));
                line(cell, &arms)
            }
            Err(failure) => {
                failed += 1;
                let (id, why) = (id(cell), failure.to_string());
                record.rows.push(Row::failed(&id, Metric::WallTime, "ns", &why));
                format!("{}: failed: {why}", cell.label())
            }
        };
        progress.inc(1);
        let _closed = progress.suspend(|| writeln!(out, "{line}"));
        if let Some(path) = flags.record() {
            record.write(path).map_err(|error| told(&error.to_string(), 1))?;
        }
    }
    progress.finish_and_clear();
    match (stop.load(Ordering::Relaxed), failed) {
        (true, _) => Err(told("interrupted: what was measured by then is kept", NOT_MEASURED)),
        (false, 0) => Ok(()),
        (false, failed) if failed == cells.len() => Err(told("nothing was measured", NOT_MEASURED)),
        (false, failed) => Err(told(&format!("{failed} of {} cells failed", cells.len()), 1)),
    }
}

/// The cells of the comparison that the flags leave open.
fn cells(flags: &Flags) -> Result<Vec<Options>, String> {
    let written = flags.written();
    let said = |key: &str| written.iter().any(|(known, _)| *known == key);
    for key in ["numjobs", "filename", "runtime", "time_based", "rwmixread", "group_reporting"] {
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
                cell.cell().map_err(|why| format!("{}: {why}", cell.label()))?;
                cells.push(cell);
            }
        }
    }
    Ok(cells)
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

fn measure(cell: &Options, rounds: u32, fio: bool, stop: &AtomicBool) -> Result<Vec<Arm>, Failure> {
    let jobs = std::slice::from_ref(cell);
    let mut site = Site::prepare(jobs)?;
    let mut arms = vec![arm("own", None)];
    if fio && !cell.engine.to_string().starts_with("tokio") {
        arms.push(arm("fio", Some(&[])));
        if cell.engine == bench_storage::files::cell::Engine::IoUring {
            arms.push(arm("fio_fixed", Some(&["--fixedbufs=1", "--registerfiles=1"])));
        }
    }
    let count = arms.len();
    for round in 0..=rounds {
        for turn in 0..count {
            // Nobody always comes after the same neighbour.
            let arm = &mut arms[(round as usize + turn) % count];
            if stop.load(Ordering::Relaxed) {
                return Ok(arms);
            }
            let turn = match arm.more {
                None => own(&mut site, jobs, round, stop),
                Some(more) => theirs(&mut site, cell, more),
            };
            let turn = turn.map_err(|failure| format!("{}: {failure}", arm.name))?;
            if round > 0 {
                arm.turns.push(turn);
            }
        }
    }
    Ok(arms)
}

fn arm(name: &'static str, more: Option<&'static [&'static str]>) -> Arm {
    Arm { name, more, turns: Vec::new() }
}

fn own(site: &mut Site, jobs: &[Options], run: u32, stop: &AtomicBool) -> Result<Turn, Failure> {
    let report = again(site, jobs, run, stop).pop().ok_or("no report")?;
    if let Some((why, _)) = &report.failure {
        return Err(why.clone().into());
    }
    let meter = report.total().meter;
    let books = &meter.books[..2];
    Ok(Turn {
        bytes: books.iter().map(|book| book.bytes).sum(),
        operations: books.iter().map(|book| book.operations()).sum(),
        wall_ns: meter.elapsed_ns() as f64,
        cpu_ns: report.cpu_ns as f64,
    })
}

fn theirs(site: &mut Site, cell: &Options, more: &[&str]) -> Result<Turn, Failure> {
    let path = site.path(std::slice::from_ref(cell), cell, 0)?;
    site.reach()?;
    let mut fio = Command::new("fio");
    // What we have done already, it needs not do inside its time.
    fio.args(["--name=peer", "--output-format=json", "--invalidate=0", "--norandommap=1"]);
    fio.arg(format!("--filename={}", path.display()));
    fio.arg(format!("--cpus_allowed={}", available()?[0]));
    let options = cell.pairs();
    let same = ["rw", "bs", "iodepth", "size", "ioengine", "direct", "loops", "fsync", "end_fsync"];
    for (key, value) in options.iter().filter(|(key, _)| same.contains(key)) {
        fio.arg(format!("--{key}={value}"));
    }
    let said = fio.args(more).output().map_err(|error| format!("failed to start it: {error}"))?;
    if !said.status.success() {
        let why = String::from_utf8_lossy(&said.stderr);
        return Err(format!("it ended with {}: {}", said.status, why.trim()).into());
    }
    turn_of(&String::from_utf8(said.stdout)?)
}

/// What fio's JSON says of its one job.
fn turn_of(text: &str) -> Result<Turn, Failure> {
    let start = text.find('{').ok_or("it printed no JSON")?;
    let file: Value = serde_json::from_str(&text[start..])?;
    let job = &file["jobs"][0];
    let number = |value: &Value, name: &str| {
        value[name].as_f64().ok_or_else(|| Failure::from(format!("its JSON has no {name}")))
    };
    let (read, write) = (&job["read"], &job["write"]);
    let sum = |name: &str| Ok::<_, Failure>(number(read, name)? + number(write, name)?);
    let runtime_ms = number(read, "runtime")?.max(number(write, "runtime")?);
    let busy = (number(job, "usr_cpu")? + number(job, "sys_cpu")?) / 100.0;
    let turn = Turn {
        bytes: sum("io_bytes")? as u64,
        operations: sum("total_ios")? as u64,
        wall_ns: runtime_ms * 1e6,
        cpu_ns: busy * number(job, "job_runtime")? * 1e6,
    };
    if turn.bytes == 0 || turn.wall_ns <= 0.0 {
        return Err("its JSON says that it did nothing".into());
    }
    Ok(turn)
}

fn id(cell: &Options) -> String {
    format!("files/fio/{}", cell.label())
}

fn rows(cell: &Options, arm: &Arm, fio: Option<&str>) -> Vec<Row> {
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
        let backend = arm.more.and(fio).unwrap_or("weighbridge");
        for (name, value) in [("arm", arm.name), (CELL, &id(cell)), ("backend", backend)] {
            row.dimensions.insert(name.to_owned(), value.to_owned());
        }
        row.dimensions.insert("bytes".to_owned(), cell.block.bytes().to_string());
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
    line
}

#[cfg(test)]
#[path = "peer_tests.rs"]
mod tests;
