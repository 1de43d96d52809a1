//! `cargo perf test`: every check of the workspace, the slow ones too. Stops at the first that
//! fails.

use std::process::Command;
use std::time::Instant;

use serde_json::json;

use crate::args::TestArgs;
use crate::cmd::setup;
use crate::exit::{Exit, failure};
use crate::process::{self, Ending};
use crate::ui::Ui;
use crate::workspace::{Workspace, cargo};

/// One check: what it shows and the cargo call that shows it.
struct Lane {
    what: &'static str,
    arguments: &'static str,
    /// A variable that the call needs.
    variable: Option<(&'static str, &'static str)>,
}

/// A check that needs more than cargo and time. All name the same features of the whole workspace, so
/// that they share one build and the dependencies of the light ones.
macro_rules! heavy {
    ($what:literal) => {
        concat!(
            "test --workspace --locked --features weighbridge/postgres,weighbridge/end-to-end,",
            "weighbridge/browser,benches/interop,benches/peers ",
            $what
        )
    };
}

const LANES: [Lane; 10] = [
    Lane { what: "formatting", arguments: "fmt --all --check", variable: None },
    Lane {
        what: "lints",
        arguments: "clippy --workspace --all-targets --locked -- --deny warnings",
        variable: None,
    },
    Lane {
        what: "documentation",
        arguments: "doc --workspace --no-deps --locked",
        variable: Some(("RUSTDOCFLAGS", "--deny warnings")),
    },
    Lane {
        what: "tests and smoke benches",
        arguments: "test --workspace --locked",
        variable: None,
    },
    Lane {
        what: "every interleaving of the buffer pool",
        arguments: "test --package bench-core --no-default-features --test pool_loom \
                    --target-dir target/loom --locked",
        variable: Some(("RUSTFLAGS", "--cfg loom")),
    },
    Lane {
        what: "every interleaving of the prefetcher",
        arguments: "test --package bench-storage --test prefetch_loom \
                    --target-dir target/loom --locked",
        variable: Some(("RUSTFLAGS", "--cfg loom")),
    },
    Lane {
        what: "the history on a PostgreSQL server",
        arguments: heavy!("--bin weighbridge history::tests::postgres"),
        variable: None,
    },
    Lane {
        what: "the front door from end to end",
        arguments: heavy!("--test end_to_end -- --test-threads=1"),
        variable: None,
    },
    Lane {
        what: "gRPC with other implementations",
        arguments: heavy!("--test interop --test processes -- --nocapture"),
        variable: None,
    },
    Lane {
        what: "the report in a browser",
        arguments: heavy!("--test browser -- --test-threads=1"),
        variable: None,
    },
];

/// With the tests that have time only then.
fn by_night(arguments: &str) -> String {
    arguments.replace("weighbridge/end-to-end", "weighbridge/night")
}

/// Miri is of the nightly toolchain alone, and so no lane: not everybody has it.
const MIRI: [&str; 2] = [
    "run nightly cargo miri test --package bench-core --no-default-features --locked \
     --target-dir target/miri --lib fixture::buffer_pool",
    "run nightly cargo miri test --package bench-core --no-default-features --locked \
     --target-dir target/miri --test pool_lifecycle",
];
const MIRI_THERE: &str = "run nightly cargo miri --version";

fn under_miri(workspace: &Workspace, ui: Ui) -> anyhow::Result<Exit> {
    let rustup = |arguments: &str| {
        let mut command = Command::new("rustup");
        command.current_dir(&workspace.root).args(arguments.split_whitespace());
        // Tests look at the machine: at its processors, at files.
        command.env("MIRIFLAGS", "-Zmiri-disable-isolation");
        command
    };
    let there = rustup(MIRI_THERE).output();
    if !there.is_ok_and(|output| output.status.success()) {
        let why = "Miri is not installed; run: rustup toolchain install nightly --component miri,rust-src";
        return Err(failure(Exit::NotMeasured, why));
    }
    for call in MIRI {
        match process::run_visibly(&mut rustup(call), ui.json)? {
            Ending::Exited(status) if status.success() => {}
            _ => return Err(failure(Exit::Broke, "the buffer pool fails under Miri; see above")),
        }
    }
    Ok(Exit::Fine)
}

pub(crate) fn run(args: &TestArgs, ui: Ui) -> anyhow::Result<Exit> {
    let workspace = Workspace::find()?;
    if args.miri {
        return under_miri(&workspace, ui);
    }
    if args.setup {
        setup::ensure(ui)?;
        setup::ensure_for_tests(ui)?;
    }
    let mut passed = Vec::new();
    for lane in &LANES {
        let start = Instant::now();
        ui.say(&format!("== {}", lane.what));
        let mut command = Command::new(cargo());
        let arguments =
            if args.night { by_night(lane.arguments) } else { lane.arguments.to_owned() };
        command.current_dir(&workspace.root).args(arguments.split_whitespace());
        command.envs(lane.variable);
        match process::run_visibly(&mut command, ui.json)? {
            Ending::Exited(status) if status.success() => {
                passed.push((lane.what, start.elapsed().as_secs()));
            }
            _ if process::interrupted() => {
                return Err(failure(Exit::NotMeasured, format!("interrupted in: {}", lane.what)));
            }
            _ => {
                let why =
                    format!("{} failed; `cargo {arguments}` runs this check alone", lane.what);
                return Err(failure(Exit::Broke, why));
            }
        }
    }
    let names: Vec<&str> = passed.iter().map(|(what, _)| *what).collect();
    let lines: Vec<String> =
        passed.iter().map(|(what, seconds)| format!("passed in {seconds:>4} s: {what}")).collect();
    ui.result(&lines.join("\n"), &json!({ "passed": names }))?;
    Ok(Exit::Fine)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_night_has_tests_of_its_own() {
        let end_to_end = LANES.iter().filter(|lane| lane.arguments.contains("--test end_to_end"));
        let by_day: Vec<&str> = end_to_end.map(|lane| lane.arguments).collect();
        assert_eq!(by_day.len(), 1);
        assert!(by_night(by_day[0]).contains("weighbridge/night"), "{by_day:?}");
    }
}
