//! Reads of far objects through tiers: our own, foyer's where it is built in, and none, in turns.
//!
//! - [`flags`]: the command line, and the defaults of each scale.
//! - [`popular`]: which object is read next.
//! - [`run`]: the arms, turn by turn, and their rows.
//! - [`table`]: the rows for people.

pub mod flags;
pub mod popular;
pub mod run;
pub mod table;

use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;

use bench_core::measure::scenario::{self, Scenario};
use bench_core::workload::Failure;

use self::flags::{Flags, Plan};
use crate::front::{BROKE, USAGE, code_of, of_user, open_record, refuse, told, write_record};

/// With the objects of a plan that nobody changed.
const READ: Scenario =
    Scenario { id: "tiers/read/64KiB", run: |scale| run::rows(&Plan::of(scale)) };

/// Runs what the flags ask for, or the one scenario as `cargo test` and `cargo perf run` do.
pub fn main() -> ExitCode {
    let Some((flags, scale)) = of_user::<Flags>("scenario_tiers", &[]) else {
        return scenario::main(&[READ]);
    };
    match flags.plan(scale) {
        Ok((plan, output)) => {
            measure(&plan, output.as_deref()).map_or_else(ExitCode::from, |()| ExitCode::SUCCESS)
        }
        Err(sentence) => refuse(&sentence),
    }
}

/// # Errors
/// The exit code, once the sentence is told.
fn measure(plan: &Plan, output: Option<&Path>) -> Result<(), u8> {
    let mut record = open_record(output).map_err(|error| told(&error, USAGE))?;
    let failed = |error: Failure| told(&error.to_string(), code_of(&error));
    let arms = run::arms(plan).map_err(failed)?;
    record.rows = run::measure(plan, arms).map_err(failed)?;
    if let Some(path) = output {
        write_record(&record, path).map_err(|error| told(&error.to_string(), BROKE))?;
    }
    // A closed pipe at the other end of a table is not the run's failure.
    let _closed = write!(io::stdout().lock(), "{}", table::table(&record.rows));
    Ok(())
}
