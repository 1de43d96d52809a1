//! `cargo perf selftest`: whether the gate still finds what it is there to find.
//!
//! Copies the working tree into `target/perf/selftest`, injects changes of known size there, and
//! runs this very program's `gate` on each, as a user would, but for the history of this machine and
//! the target folder: what the gates build and write stays in `target/perf/selftest/target`, but for
//! the dependencies that the user's own gate has compiled. Writes `selftest.json` under `target/perf`.

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::Context;
use bench_core::judge::Glob;
use clap::Args;
use serde_json::Value;

use crate::cmd::setup;
use crate::exit::{Exit, failure};
use crate::gate::warm;
use crate::process::{self, Ending};
use crate::render::disk;
use crate::selftest::aviary::Aviary;
use crate::selftest::canary::{CANARIES, Canary, FEATURES, State};
use crate::selftest::judgement::{Answer, exit, judge};
use crate::selftest::render::{self, Told};
use crate::ui::Ui;
use crate::workspace::Workspace;

/// So much of what a compiler has to say of a copy that does not build.
const ERROR_LINES_MAX: usize = 20;
/// A gate that takes longer hangs; the first ones build.
const DEADLINE: Duration = Duration::from_secs(3600);

/// What `selftest` takes.
#[derive(Args, Clone, Debug)]
pub(crate) struct SelftestArgs {
    /// Only canaries whose names match this glob, as in 'quadratic'; may be repeated
    #[arg(long, value_name = "GLOB")]
    pub(crate) only: Vec<String>,
}

/// Injects each canary, asks the gate, and judges its answer.
///
/// # Errors
/// Wrong usage, a disk that refuses, a tree that has no place for a canary; see [`Exit`].
pub(crate) fn run(args: &SelftestArgs, ui: Ui) -> anyhow::Result<Exit> {
    let wanted = choose(&args.only)?;
    let workspace = Workspace::find()?;
    setup::require_valgrind()?;
    let mut aviary = Aviary::new(&workspace, ui)?;
    let target = workspace.perf_dir("selftest/target")?;
    let gate = |target: &Path| target.join("perf/gate/target");
    warm::seed(&gate(&workspace.target), &gate(&target), &workspace.root.join("Cargo.lock"))?;
    let mut told: Vec<Told> = Vec::new();
    for canary in &wanted {
        aviary.bring(canary.state)?;
        ui.say(&format!("{}: {}", canary.name, canary.what));
        let Some(answer) = ask(canary, &aviary, &target)? else { break };
        let judgement = judge(canary, &answer);
        told.push(Told { canary, answer, judgement });
    }
    let left: Vec<&str> = wanted[told.len()..].iter().map(|canary| canary.name).collect();
    let judgements: Vec<_> = told.iter().map(|one| &one.judgement).collect();
    let exit = match exit(&judgements) {
        Exit::Fine if !left.is_empty() => Exit::NotMeasured,
        exit => exit,
    };
    let json = render::json(&told, &left, exit);
    disk::write(&workspace.perf()?.join("selftest.json"), json.to_string().as_bytes())?;
    ui.result(&render::text(&told, &left, exit, ui.colour()), &json)?;
    Ok(exit)
}

/// The canaries that the user asked for.
///
/// # Errors
/// [`Exit::Usage`] for what is no glob, [`Exit::NotMeasured`] for one that matches none.
fn choose(only: &[String]) -> anyhow::Result<Vec<&'static Canary>> {
    let mut globs: Vec<Glob> = Vec::new();
    for text in only {
        let glob: Glob =
            text.parse().map_err(|error| failure(Exit::Usage, format!("--only: {error}")))?;
        if !CANARIES.iter().any(|canary| glob.matches(canary.name)) {
            let names: Vec<&str> = CANARIES.iter().map(|canary| canary.name).collect();
            let sentence =
                format!("no canary matches --only '{text}'; there are {}", names.join(", "));
            return Err(failure(Exit::NotMeasured, sentence));
        }
        globs.push(glob);
    }
    let wanted =
        |canary: &&Canary| globs.is_empty() || globs.iter().any(|glob| glob.matches(canary.name));
    Ok(CANARIES.iter().filter(wanted).collect())
}

/// Runs the gate on the copy, and before it, where the canary asks for it, what makes the baseline
/// that it judges by; `None` when interrupted.
fn ask(canary: &Canary, aviary: &Aviary, target: &Path) -> anyhow::Result<Option<Answer>> {
    if canary.state == State::Blessed {
        let only = canary.arguments.iter().filter(|argument| argument.starts_with("--only="));
        let arguments = std::iter::once("bless").chain(only.copied());
        match perf(aviary, target, arguments)? {
            Some(blessed) if blessed.code == Some(0) => {}
            // What it says of its own is no answer of the gate.
            Some(blessed) => return Ok(Some(Answer { json: Value::Null, ..blessed })),
            None => return Ok(None),
        }
    }
    let features = format!("--features={FEATURES}");
    let features = (canary.state >= State::Blessed).then_some(features.as_str());
    let arguments = std::iter::once("gate").chain(canary.arguments.iter().copied());
    perf(aviary, target, arguments.chain(features))
}

/// What this very program answers in the copy; `None` when interrupted.
fn perf<'a>(
    aviary: &Aviary,
    target: &Path,
    arguments: impl Iterator<Item = &'a str>,
) -> anyhow::Result<Option<Answer>> {
    let program = std::env::current_exe().context("failed to find this very program")?;
    let mut command = Command::new(program);
    command
        .current_dir(&aviary.root)
        // Of its own: a fence from this machine's history would let canaries pass, and what a gate
        // left for the user is no canary's to overwrite.
        .env("CARGO_TARGET_DIR", target)
        .env_remove("CARGO_BUILD_BUILD_DIR")
        .env_remove("WEIGHBRIDGE_HISTORY")
        .arg("--json")
        .args(arguments);
    let started = Instant::now();
    let outcome = process::run_patiently(&mut command, DEADLINE)?;
    if outcome.ending == Ending::Interrupted || process::interrupted() {
        return Ok(None);
    }
    let code = match outcome.ending {
        Ending::Exited(status) => status.code(),
        _ => None,
    };
    let json = serde_json::from_str(&outcome.stdout).unwrap_or_default();
    let said = outcome.errors(ERROR_LINES_MAX).unwrap_or_else(|| outcome.last_words());
    Ok(Some(Answer { code, json, said, took: started.elapsed() }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(only: &[&str]) -> anyhow::Result<Vec<&'static str>> {
        let only: Vec<String> = only.iter().map(|&glob| glob.to_owned()).collect();
        Ok(choose(&only)?.iter().map(|canary| canary.name).collect())
    }

    #[test]
    fn a_filter_takes_canaries_by_name_and_matches_at_least_one() {
        assert_eq!(names(&[]).expect("all").len(), CANARIES.len());
        assert_eq!(names(&["*tions", "hang"]).expect("two"), ["instructions", "hang"]);
        let error = names(&["hang", "none-such"]).expect_err("there is none");
        assert_eq!(crate::exit::of(&error), Exit::NotMeasured);
        assert!(error.to_string().contains("'none-such'; there are same-code,"), "{error}");
        assert_eq!(crate::exit::of(&names(&["a[b"]).expect_err("no glob")), Exit::Usage);
    }
}
