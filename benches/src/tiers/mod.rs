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

use std::path::Path;
use std::process::ExitCode;

use bench_core::measure::scenario::{self, Scenario};

use self::flags::{Flags, Plan};
use crate::front::text::show;
use crate::front::{BROKE, USAGE, failed, of_user, open_record, refuse, told, write_record};

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
    let arms = run::arms(plan).map_err(|failure| failed(&failure))?;
    record.rows = run::measure(plan, arms).map_err(|failure| failed(&failure))?;
    write_record(&record, output).map_err(|error| told(&error.to_string(), BROKE))?;
    show(table::table(&record.rows));
    Ok(())
}
