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
use std::sync::atomic::{AtomicBool, Ordering};

use bench_core::measure::scenario::{self, Scenario};

use self::flags::{Flags, Plan};
use crate::front::text::show;
use crate::front::{
    BROKE, USAGE, failed, of_user, open_record, refuse, stop_on_signals, told, uninterrupted,
    write_record,
};

/// With the objects of a plan that nobody changed.
const READ: Scenario =
    Scenario { id: "tiers/read/64KiB", run: |scale| run::rows(&Plan::of(scale)) };

/// Runs what the flags ask for, or the one scenario as `cargo test` and `cargo perf run` do.
pub fn main() -> ExitCode {
    let Some((flags, scale)) = of_user::<Flags>("scenario_tiers", &[]) else {
        return scenario::main(&[READ]);
    };
    let (plan, output) = match flags.plan(scale) {
        Ok(asked) => asked,
        Err(sentence) => return refuse(&sentence),
    };
    let stop = stop_on_signals().map_err(|error| told(&error.to_string(), BROKE));
    let done = stop.and_then(|stop| measure(&plan, output.as_deref(), &stop));
    done.map_or_else(ExitCode::from, |()| ExitCode::SUCCESS)
}

/// # Errors
/// The exit code, once the sentence is told.
fn measure(plan: &Plan, output: Option<&Path>, stop: &AtomicBool) -> Result<(), u8> {
    let mut record = open_record(output).map_err(|error| told(&error, USAGE))?;
    let arms = run::arms(plan).map_err(|failure| failed(&failure))?;
    let stopped = || stop.load(Ordering::Relaxed);
    record.rows = run::measure(plan, arms, &stopped).map_err(|failure| failed(&failure))?;
    write_record(&record, output).map_err(|error| told(&error.to_string(), BROKE))?;
    show(table::table(&record.rows));
    uninterrupted(stop)
}

#[cfg(test)]
mod tests {
    use bench_core::record::RunRecord;
    use bench_core::scale::Scale;
    use bench_storage::scratch::ScratchDirectory;

    use super::*;
    use crate::front::NOT_MEASURED;

    #[test]
    fn an_interrupt_ends_with_a_record_of_what_was_measured_and_a_code_of_its_own() {
        let folder = ScratchDirectory::create().expect("a folder");
        let path = folder.path().join("record.json");
        let kept = |stopped| {
            let stop = AtomicBool::new(stopped);
            let ended = measure(&Plan::of(Scale::Smoke), Some(&path), &stop);
            (ended, RunRecord::read(&path).expect("a record").rows.is_empty())
        };
        assert_eq!(kept(true), (Err(NOT_MEASURED), true));
        assert_eq!(kept(false), (Ok(()), false));
    }
}
