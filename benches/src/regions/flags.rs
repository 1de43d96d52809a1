//! The command line, and from there to rows and tables.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use bench_core::measure::scenario::{self, Scenario};
use bench_core::record::{Row, RunRecord};
use bench_core::scale::Scale;
use bench_core::workload::Failure;
use bench_network::backend::Choice;
use bench_network::register::Mode;
use bench_network::register::check::linearizable;
use bench_network::register::history::{parse, print};
use bench_network::topology::file;
use clap::Parser;

use super::measure::measure;
use super::plan::Plan;
use super::table::table;
use crate::front::text::show;
use crate::front::values::{milliseconds, seconds};
use crate::front::{
    BROKE, NOT_MEASURED, USAGE, failed, of_user, open_record, refuse, told, worst, write_record,
};

const SCENARIOS: [Scenario; 2] = [
    Scenario { id: "regions/quorum", run: |scale| rows(Mode::Quorum, scale) },
    Scenario { id: "regions/primary", run: |scale| rows(Mode::Primary, scale) },
];

/// Keeps a register in every region while a script changes the links between them.
///
/// Exit codes: 0 fine, 1 it broke or answered what a quorum never may, 2 usage, 4 the links cannot be
/// had here or were too late, or something that the script does did not take effect.
#[derive(Clone, Debug, Parser)]
#[command(name = "scenario_regions", help_expected = true)]
struct Flags {
    /// How copies agree: quorum or primary; may be repeated [default: both, one after the other]
    #[arg(long, value_name = "MODE")]
    mode: Vec<Mode>,
    /// Regions, links and script, a statement a line [default: three at 70, 120 and 180 ms, of which
    /// the first is cut off and comes back]
    ///
    /// `region eu`, `rtt eu us 70ms`, `link eu us lte`, `delay eu us 30ms` and the same for the way
    /// back; `at 2s partition eu us`, `at 2s partition eu -> us`, `at 3s heal eu us`, `at 4s set eu us
    /// 3g`, `at 5s flap eu us every 400ms until 7s`. `#` begins a comment.
    #[arg(long, value_name = "FILE")]
    topology: Option<PathBuf>,
    /// What carries the links: auto, exact:tun, exact:packet, exact:proxy or
    /// exact:simulation [default: auto]
    ///
    /// Over TUN and packet sockets a cut loses packets, and TCP waits before it sends them again; the proxy holds bytes
    /// back until the link is whole. The simulation needs no time and no machine: with one seed it has
    /// one history.
    #[arg(long, value_name = "BACKEND")]
    backend: Option<Choice>,
    /// How long operations go on, in seconds [default: 12]
    #[arg(long, value_name = "SECONDS", value_parser = seconds)]
    duration: Option<Duration>,
    /// How often one begins in each region, in milliseconds [default: 20]
    #[arg(long, value_name = "MS", value_parser = milliseconds)]
    every: Option<Duration>,
    /// The share of writes, 0 to 1 [default: 0.5]
    #[arg(long, value_name = "SHARE", value_parser = share)]
    writes: Option<f64>,
    /// How often a primary gives a sign of life, in milliseconds [default: 100]
    ///
    /// The first backup takes over after three of them and the longest round trip, and an operation is
    /// given up after twice that.
    #[arg(long, value_name = "MS", value_parser = milliseconds)]
    heartbeat: Option<Duration>,
    /// Measure also where a link is not what it should be
    ///
    /// Round trip, rate and loss are looked at before anything else, for some seconds a link; the proxy's
    /// round trip for one.
    #[arg(long)]
    uncalibrated: bool,
    /// Of links and load [default: 42]
    #[arg(long, value_name = "NUMBER")]
    seed: Option<u64>,
    /// Write what was asked and answered into this folder: quorum.jsonl, primary.jsonl
    ///
    /// One JSON object a line, with the keys that Jepsen's histories have.
    #[arg(long, value_name = "FOLDER")]
    history: Option<PathBuf>,
    /// Measure nothing: check a history that was written before, and say whether it is linearizable
    #[arg(long, value_name = "FILE", exclusive = true)]
    check: Option<PathBuf>,
    /// Write the record to this file; `cargo perf report FILE` reads it
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
}

impl Flags {
    fn plan(&self, scale: Scale) -> Result<Plan, String> {
        let mut plan = Plan::of(scale).map_err(|failure| failure.to_string())?;
        if let Some(path) = &self.topology {
            let text = fs::read_to_string(path)
                .map_err(|error| format!("failed to read {}: {error}", path.display()))?;
            let read = file::parse(&path.display().to_string(), &text);
            (plan.topology, plan.script) = read.map_err(|error| error.to_string())?;
            // So that what the script ends with is seen to end.
            plan.length = plan.length.max(plan.script.end() * 2);
        }
        plan.backend = self.backend.unwrap_or(plan.backend);
        plan.length = self.duration.unwrap_or(plan.length);
        plan.every = self.every.unwrap_or(plan.every);
        plan.writes = self.writes.unwrap_or(plan.writes);
        plan.heartbeat = self.heartbeat.unwrap_or(plan.heartbeat);
        plan.seed = self.seed.unwrap_or(plan.seed);
        plan.calibrated = !self.uncalibrated;
        Ok(plan)
    }
}

fn share(text: &str) -> Result<f64, String> {
    let share = text.parse().ok().filter(|share| (0.0..=1.0).contains(share));
    share.ok_or_else(|| "write a number from 0 to 1, as in 0.1".to_owned())
}

/// Runs what the flags ask for, or the scenarios as `cargo test` and `cargo perf run` do.
pub fn main() -> ExitCode {
    let Some((flags, scale)) = of_user::<Flags>("scenario_regions", &[]) else {
        return scenario::main(&SCENARIOS);
    };
    if let Some(path) = &flags.check {
        return check(path);
    }
    let opened = flags.plan(scale).and_then(|plan| {
        if let Some(folder) = &flags.history {
            fs::create_dir_all(folder)
                .map_err(|error| format!("failed to make {}: {error}", folder.display()))?;
        }
        Ok((plan, open_record(flags.output.as_deref())?))
    });
    match opened {
        Ok((plan, record)) => run(&flags, &plan, record),
        Err(sentence) => refuse(&sentence),
    }
}

/// The rows of one way, by which a harness gets them; what the user's run only tells is a failure here.
fn rows(mode: Mode, scale: Scale) -> Result<Vec<Row>, Failure> {
    let measured = measure(&Plan::of(scale)?, mode)?;
    measured.kept()?;
    measured.shown()?;
    Ok(measured.rows())
}

fn run(flags: &Flags, plan: &Plan, mut record: RunRecord) -> ExitCode {
    let modes = if flags.mode.is_empty() { &Mode::ALL[..] } else { &flags.mode };
    let mut codes = Vec::new();
    for mode in modes {
        match one(flags, plan, *mode) {
            Ok((rows, code)) => {
                record.rows.extend(rows);
                codes.extend(code);
            }
            Err(failure) => {
                codes.push(failed(&failure));
                break;
            }
        }
    }
    if let Err(error) = write_record(&record, flags.output.as_deref()) {
        codes.push(told(&error.to_string(), BROKE));
    }
    ExitCode::from(worst(codes).unwrap_or(0))
}

fn one(flags: &Flags, plan: &Plan, mode: Mode) -> Result<(Vec<Row>, Vec<u8>), Failure> {
    let measured = measure(plan, mode)?;
    show(table(&measured) + "\n");
    if let Some(folder) = &flags.history {
        fs::write(folder.join(format!("{mode}.jsonl")), print(&measured.run.history))?;
    }
    let broken = measured.kept().err().map(|sentence| told(&sentence, BROKE));
    let missing = [measured.shown(), measured.timed()].into_iter().filter_map(Result::err);
    let missing = missing.map(|sentence| told(&sentence, NOT_MEASURED));
    Ok((measured.rows(), broken.into_iter().chain(missing).collect()))
}

fn check(path: &Path) -> ExitCode {
    let name = path.display().to_string();
    let read = fs::read_to_string(path).map_err(|error| format!("failed to read {name}: {error}"));
    let history = match read.and_then(|text| parse(&name, &text)) {
        Ok(history) if history.is_empty() => {
            return ExitCode::from(told(&format!("{name} has no operation"), NOT_MEASURED));
        }
        Ok(history) => history,
        Err(sentence) => return ExitCode::from(told(&sentence, USAGE)),
    };
    match linearizable(&history) {
        Ok(witness) => {
            let (reads, writes) = (witness.reads, witness.writes);
            show(format_args!("linearizable: {reads} reads, {writes} writes\n"));
            ExitCode::SUCCESS
        }
        Err(anomaly) => ExitCode::from(told(&format!("not linearizable: {anomaly}"), BROKE)),
    }
}

#[cfg(test)]
#[path = "flags_tests.rs"]
mod tests;
