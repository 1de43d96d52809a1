//! The command line, and from there to rows and a table.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};

use bench_core::measure::scenario::{self, Scenario};
use bench_core::scale::Scale;
use bench_core::units::ByteSize;
use bench_core::workload::Failure;
use bench_storage::fuse::Choice;
use clap::Parser;

use super::rounds::{ID, Plan, measure};
use super::table::table;
use crate::front::text::show;
use crate::front::{
    BROKE, USAGE, failed, of_user, open_record, refuse, stop_on_signals, told, uninterrupted,
    write_record,
};

const REQUESTS: Scenario =
    Scenario { id: ID, run: |scale| measure(Plan::of(scale, Choice::from_env()?), &|| false) };

/// Counts what the kernel asks a FUSE server, by kind, under each way of caching, in turns.
///
/// Exit codes: 0 fine, 1 it broke, 2 usage, 4 interrupted, or nothing can be mounted though that was
/// asked for.
#[derive(Clone, Debug, Parser)]
#[command(name = "scenario_fuse", help_expected = true)]
struct Flags {
    /// By what files are reached: auto, exact:fuse or exact:plain_files [default: $WEIGHBRIDGE_FUSE, or
    /// auto]
    ///
    /// `auto` takes plain files where this machine can mount nothing, and says so.
    #[arg(long, value_name = "BACKEND")]
    backend: Option<Choice>,
    /// How many files [default: 16]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    files: Option<u32>,
    /// The size of each [default: 4MiB], at most 1 GiB
    ///
    /// All files are cut from one content a little larger than one of them. It lies in memory once for
    /// each of the three ways of caching and once to check what was read, beside the page cache and a
    /// buffer for each way: about seven times this size is taken.
    #[arg(long, value_name = "SIZE")]
    size: Option<ByteSize>,
    /// How often all of them are looked at and read [default: 10]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(2..))]
    rounds: Option<u32>,
    /// Write the record to this file; `cargo perf report FILE` reads it
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
}

impl Flags {
    fn plan(&self, scale: Scale) -> Result<Plan, Failure> {
        let backend = self.backend.map_or_else(Choice::from_env, Ok)?;
        let plan = Plan::of(scale, backend);
        Ok(Plan {
            files: self.files.unwrap_or(plan.files),
            size: self.size.unwrap_or(plan.size),
            rounds: self.rounds.map_or(plan.rounds, |rounds| rounds as usize),
            ..plan
        })
    }
}

/// Counts as its own flags ask, or as one scenario, as `cargo test` and `cargo perf run` do.
pub fn main() -> ExitCode {
    let Some((flags, scale)) = of_user::<Flags>("scenario_fuse", &[]) else {
        return scenario::main(&[REQUESTS]);
    };
    let plan = match flags.plan(scale) {
        Ok(plan) => plan,
        Err(failure) => return refuse(&failure.to_string()),
    };
    let stop = stop_on_signals().map_err(|error| told(&error.to_string(), BROKE));
    let done = stop.and_then(|stop| run(plan, flags.output.as_deref(), &stop));
    done.map_or_else(ExitCode::from, |()| ExitCode::SUCCESS)
}

/// Nothing is mounted any more when it returns.
///
/// # Errors
/// The exit code, once the sentence is told.
fn run(plan: Plan, output: Option<&Path>, stop: &AtomicBool) -> Result<(), u8> {
    let mut record = open_record(output).map_err(|sentence| told(&sentence, USAGE))?;
    let stopped = || stop.load(Ordering::Relaxed);
    record.rows = measure(plan, &stopped).map_err(|failure| failed(&failure))?;
    show(table(&record.rows));
    write_record(&record, output).map_err(|error| told(&error.to_string(), BROKE))?;
    uninterrupted(stop)
}

#[cfg(test)]
mod tests {
    use bench_core::record::RunRecord;
    use bench_storage::Error;
    use bench_storage::fuse::Kind;
    use bench_storage::scratch::ScratchDirectory;
    use clap::CommandFactory as _;

    use super::*;
    use crate::front::{NOT_MEASURED, code_of};

    fn parse(line: &str) -> Result<Flags, String> {
        let words = std::iter::once("scenario_fuse").chain(line.split_whitespace());
        Flags::try_parse_from(words).map_err(|error| error.to_string())
    }

    #[test]
    fn flags_go_over_what_the_scale_says() {
        Flags::command().debug_assert();
        let flags = parse("--backend exact:fuse --files 3 --size 64KiB").expect("flags");
        let plan = flags.plan(Scale::Quick).expect("a plan");
        assert_eq!((plan.files, plan.size, plan.rounds), (3, ByteSize::kib(64), 10));
        assert_eq!(plan.backend.to_string(), "exact:fuse");
    }

    #[test]
    fn codes_tell_a_machine_that_cannot_from_flags_that_make_no_sense() {
        let no_fuse: Failure = Error::NoFuse { reason: "no device".to_owned() }.into();
        let codes = [no_fuse, Error::Empty.into(), "wrong byte".into()].map(|f| code_of(&f));
        assert_eq!(codes, [NOT_MEASURED, USAGE, 1]);
        let none = Plan { size: ByteSize::new(0), ..Plan::of(Scale::Smoke, Choice::Auto) };
        assert_ne!(code_of(&measure(none, &|| false).expect_err("empty")), 1);
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        for line in ["--files 0", "--rounds 1", "--size many", "--backend nfs"] {
            let said = parse(line).expect_err(line);
            assert!(said.contains("invalid value"), "{said}");
        }
    }

    #[test]
    fn an_interrupt_ends_with_a_record_of_what_was_measured_and_a_code_of_its_own() {
        let folder = ScratchDirectory::create().expect("a folder");
        let path = folder.path().join("record.json");
        let plan = Plan::of(Scale::Smoke, Choice::Exact(Kind::PlainFiles));
        let kept = |stopped| {
            let ended = run(plan, Some(&path), &AtomicBool::new(stopped));
            (ended, RunRecord::read(&path).expect("a record").rows.is_empty())
        };
        assert_eq!(kept(true), (Err(NOT_MEASURED), true));
        assert_eq!(kept(false), (Ok(()), false));
    }
}
