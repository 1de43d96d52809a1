//! The cells as scenarios, one process each under `cargo perf run`, and the way from the command
//! line to either.

use std::process::ExitCode;

use bench_core::measure::recorder::ROWS_VARIABLE;
use bench_core::measure::scenario::{self, Scenario};
use bench_core::record::Row;
use bench_core::scale::{SCALE_VARIABLE, Scale};
use bench_core::units::ByteSize;
use bench_core::workload::Failure;
use bench_grpc::{Operation, TransportProfile};
use clap::Parser;

use super::flags::Flags;
use super::plan::{Cell, PROFILES};
use super::round::Watch;
use super::run::{self, cell_rows};

/// What cargo, libtest and criterion say to every bench target; ours are all others.
const OF_OTHERS: [&str; 29] = [
    "--bench",
    "--test",
    "--list",
    "--exact",
    "--ignored",
    "--include-ignored",
    "--nocapture",
    "--no-capture",
    "--quiet",
    "--verbose",
    "--noplot",
    "--test-threads",
    "--baseline",
    "--baseline-lenient",
    "--color",
    "--colour",
    "--confidence-level",
    "--discard-baseline",
    "--format",
    "--load-baseline",
    "--measurement-time",
    "--noise-threshold",
    "--nresamples",
    "--output-format",
    "--plotting-backend",
    "--profile-time",
    "--sample-size",
    "--save-baseline",
    "--warm-up-time",
];

/// Nobody watches, and nobody stops it but by ending the process.
struct Unwatched;

impl Watch for Unwatched {
    fn turned(&mut self, _arm: &str) {}

    fn stopped(&self) -> bool {
        false
    }
}

fn rows(operation: Operation, size: ByteSize, scale: Scale) -> Result<Vec<Row>, Failure> {
    let matrix = Flags::parse_from(["scenario_grpc"]).matrix(scale)?;
    let cell = Cell::of_matrix(operation, size);
    let profiles: &[TransportProfile] = &PROFILES;
    Ok(cell_rows(&cell, &matrix.setup, profiles, matrix.effort, &mut Unwatched))
}

macro_rules! cells {
    ($($operation:ident $name:literal: $($mib:literal)+;)+) => {
        [$($(Scenario {
            id: concat!("grpc/matrix/", $name, "/", $mib, "MiB"),
            run: |scale| rows(Operation::$operation, ByteSize::mib($mib), scale),
        }),+),+]
    };
}

const SMOKE: [Scenario; 3] = cells! { Write "write": 1; Read "read": 1; Stream "stream": 1; };
const ALL: [Scenario; 12] = cells! {
    Write "write": 1 16 64 256; Read "read": 1 16 64 256; Stream "stream": 1 16 64 256;
};

/// Runs the matrix as its own flags ask, or single cells as `cargo test` and `cargo perf run` do.
pub fn main() -> ExitCode {
    let Some((flags, scale)) = of_user::<Flags>("scenario_grpc") else {
        let bench = std::env::args().any(|argument| argument == "--bench");
        let scale = if bench { Scale::from_env() } else { Scale::Smoke };
        return scenario::main(if scale == Scale::Smoke { &SMOKE } else { &ALL });
    };
    match flags.matrix(scale) {
        #[cfg(feature = "peers")]
        Ok(matrix) if matrix.peers => super::peers::run(&matrix),
        Ok(matrix) => run::run(&matrix),
        Err(sentence) => run::refuse(&sentence),
    }
}

/// The flags and the scale where a user runs this target; `None` where a harness runs its scenarios.
pub(crate) fn of_user<F: Parser>(name: &str) -> Option<(F, Scale)> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if !is_own(&arguments, std::env::var_os(ROWS_VARIABLE).is_some()) {
        return None;
    }
    let ours = arguments.iter().any(|argument| is_ours(argument));
    let own = arguments.iter().filter(|argument| ours && *argument != "--bench");
    let flags = F::parse_from(std::iter::once(&name.to_owned()).chain(own));
    let asked = std::env::var_os(SCALE_VARIABLE).is_some();
    Some((flags, if asked { Scale::from_env() } else { Scale::Quick }))
}

/// Whether the user runs the target: with a flag of ours, or by `cargo bench` without a filter.
fn is_own(arguments: &[String], recorded: bool) -> bool {
    let asked = |flag: &str| arguments.iter().any(|argument| argument == flag);
    let filtered = arguments.iter().any(|argument| !argument.starts_with('-'));
    arguments.iter().any(|argument| is_ours(argument))
        || (asked("--bench") && !recorded && !filtered && !asked("--list"))
}

fn is_ours(argument: &str) -> bool {
    let name = argument.split('=').next().unwrap_or(argument);
    (name.starts_with("--") || name == "-h") && !OF_OTHERS.contains(&name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn own(line: &str, recorded: bool) -> bool {
        let arguments: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
        is_own(&arguments, recorded)
    }

    #[test]
    fn harnesses_get_single_cells_and_users_the_matrix() {
        for line in ["", "--list", "--bench --list", "grpc/matrix", "--nocapture --test-threads=1"]
        {
            assert!(!own(line, false), "{line}");
        }
        assert!(!own("--bench --exact grpc/matrix/read/1MiB", true));
        assert!(!own("--bench", true));
        for line in ["--bench", "--bench --size 1MiB", "--fast", "-h", "--bench --save-baseline=x"]
        {
            assert!(own(line, false), "{line}");
        }
    }

    #[test]
    fn ids_are_those_of_the_plan() {
        let cell = |operation, size| Cell::of_matrix(operation, size).scenario();
        let sizes = super::super::plan::SIZES;
        let planned = Operation::ALL.into_iter().flat_map(|o| sizes.map(|size| cell(o, size)));
        assert!(planned.eq(ALL.iter().map(|scenario| scenario.id.to_owned())));
    }
}
