//! `cargo perf bless`: counts the working tree and writes the text baseline that a gate without a
//! ref judges by.
//!
//! Reads the repository, `benches/expected.toml` and `ci/policy.toml`; reads and writes the file
//! under `ci/baselines` for this target and CPU. What it builds lies under `target/perf`.

use std::path::Path;
use std::time::Duration;

use bench_core::judge::Glob;
use bench_core::judge::comparable::{Comparability, comparable};
use bench_core::record::{Environment, Metric, RunRecord};
use clap::Args;
use serde_json::json;

use crate::args::Counting;
use crate::bench::ids::Only;
use crate::cmd::setup;
use crate::exit::{Exit, failure};
use crate::expected::{Expected, absent};
use crate::gate::baseline::{self, Baseline};
use crate::gate::git::Git;
use crate::gate::outcome::named;
use crate::gate::ratchet::{Blessing, Step, Terms, bless};
use crate::gate::sides::Workshop;
use crate::gate::stage::Stage;
use crate::gate::standing;
use crate::gate::tree::{self, Tree, Wanted};
use crate::policy;
use crate::render::number;
use crate::render::table::{Table, Tone};
use crate::ui::Ui;
use crate::workspace::Workspace;

/// What `bless` takes.
#[derive(Args, Clone, Debug)]
pub(crate) struct BlessArgs {
    /// Only ids that match this glob, as in 'grpc/*'; the others stay as they are; may be repeated
    #[arg(long, value_name = "GLOB")]
    only: Vec<String>,
    /// Let the ids that match this glob get worse; may be repeated
    ///
    /// Without it no count rises: one that is higher by more than its limit ends the command with
    /// 3, and one that is higher by less leaves the lower one standing.
    #[arg(long, value_name = "GLOB")]
    allow_worse: Vec<Glob>,
    /// Begin anew, whatever the file held: after a change of the toolchain or the C library
    #[arg(long, conflicts_with_all = ["only", "allow_worse"])]
    anew: bool,
    /// What to count of every id besides instructions, comma-separated
    ///
    /// What the file already has is counted again anyway.
    #[arg(long, value_delimiter = ',', value_name = "METRICS")]
    metrics: Vec<Counting>,
    /// End a bench that takes longer than this
    #[arg(long, value_name = "SECONDS", default_value = "120", value_parser = crate::args::seconds)]
    deadline: Duration,
}

/// Counts, decides, writes the file as a whole or not at all, and prints how it differs.
///
/// # Errors
/// A tree that does not build, a bench that failed or was not there, a count that rose; see
/// [`Exit`]. The file is then as it was.
pub(crate) fn run(args: &BlessArgs, ui: Ui) -> anyhow::Result<Exit> {
    let only = Only::parse(&args.only)?;
    let workspace = Workspace::find()?;
    let git = Git::find(&workspace.root, &workspace.target.join("perf/gate/git"))?;
    setup::require_valgrind()?;
    let expected = Expected::read(&workspace.root)?;
    let policy = policy::read(&workspace.root)?;
    let environment = tree::here(&workspace.root);
    let path = baseline::place(&workspace.root, &environment)?;
    let old = if args.anew { None } else { Baseline::read(&path)? };
    old.as_ref().map_or(Ok(()), |old| compares(&path, old, &environment))?;

    let stage = Stage::take(&workspace.perf_dir("gate")?, ui)?;
    let workshop = Workshop { workspace: &workspace, git: &git, stage: &stage, ui };
    let side = git.snapshot(&workspace.target)?;
    let mut ready = workshop.ready(side, ("b", "the working tree"), &[])?;
    let budgets = expected.budgets();
    let wanted = Wanted { asked: &args.metrics, budgets, baseline: old.as_ref() };
    let how = (&|id: &str| wanted.of(id), args.deadline);
    let (tree, _) = tree::count_alone(&workshop, &mut ready, &only, (how.0, how.1), &environment)?;
    complete(&tree, expected.counts().unwrap_or_default(), &only)?;

    let terms = Terms { policy: &policy, only: &only, worse: &args.allow_worse, ids: &tree.ids };
    check_worse(terms)?;
    // What does not repeat goes up by itself; a ratchet would hold it at its luckiest count.
    let worse = [args.allow_worse.as_slice(), expected.varies()].concat();
    let blessing = bless(old.as_ref(), &tree.record, Terms { worse: &worse, ..terms });
    if !blessing.refused.is_empty() {
        return Err(refusal(&blessing));
    }
    blessing.next.write(&path)?;
    let name = path.strip_prefix(&workspace.root).unwrap_or(&path);
    let json = json!({
        "command": "bless", "baseline": path, "steps": blessing.steps, "kept": blessing.kept,
        "counts": blessing.next.counts.len(),
    });
    ui.result(&text(&blessing, name, ui.colour()), &json)?;
    Ok(Exit::Fine)
}

fn compares(path: &Path, old: &Baseline, environment: &Environment) -> anyhow::Result<()> {
    match comparable(&old.environment, environment, &Metric::Instructions) {
        Comparability::No(why) => {
            let path = path.display();
            let sentence = format!(
                "{path} does not compare with this machine: {why}; to begin anew: `cargo perf \
                 bless --anew`"
            );
            Err(failure(Exit::NotComparable, sentence))
        }
        _ => Ok(()),
    }
}

/// Whether all that must be in a baseline was counted.
fn complete(tree: &Tree, expected: &[String], only: &Only) -> anyhow::Result<()> {
    if let Some((done, all)) = tree.interrupted {
        let sentence =
            format!("interrupted: {done} of {all} ids counted; the baseline is as it was");
        return Err(failure(Exit::NotMeasured, sentence));
    }
    let failed: Vec<String> = failed(&tree.record);
    if let Some(exit) = standing::failed(&tree.record.rows) {
        let sentence = format!("{}; the baseline is as it was", failed.join("; "));
        return Err(failure(exit, sentence));
    }
    let absent = absent(expected.iter().filter(|id| only.wants(id)), &tree.listed);
    if absent.is_empty() {
        return Ok(());
    }
    let sentence = format!(
        "expected and not there to be counted: {}; mend them, or take them out of \
         benches/expected.toml",
        absent.join(", ")
    );
    Err(failure(Exit::NotMeasured, sentence))
}

fn failed(record: &RunRecord) -> Vec<String> {
    let mut failed: Vec<String> = record
        .rows
        .iter()
        .filter_map(|row| Some(format!("{}: {}", row.id, row.error.as_ref()?)))
        .collect();
    failed.dedup();
    failed
}

/// Whether each `--allow-worse` names something: a misspelt one would be a refusal nobody expects.
fn check_worse(terms: Terms<'_>) -> anyhow::Result<()> {
    let unmatched = |glob: &&Glob| !terms.ids.iter().any(|id| glob.matches(id));
    match terms.worse.iter().find(unmatched) {
        Some(glob) => {
            let sentence = format!("no id matches --allow-worse '{glob}'; check how it is written");
            Err(failure(Exit::NotMeasured, sentence))
        }
        None => Ok(()),
    }
}

fn refusal(blessing: &Blessing) -> anyhow::Error {
    let rose = blessing.refused.iter().map(|step| {
        let Step { old, new, .. } = step;
        let count = |count: &Option<u64>| number::count(count.unwrap_or(0));
        format!("{} from {} to {}", name(step), count(old), count(new))
    });
    let rose: Vec<String> = rose.collect();
    let sentence = format!(
        "a baseline does not rise by itself, and these did: {}; the file is as it was; mend them, or \
         name them with --allow-worse",
        rose.join(", ")
    );
    failure(Exit::Regressed, sentence)
}

fn name(step: &Step) -> String {
    named(&step.id, &Metric::from(step.metric.clone()))
}

/// How the file differs from the one before.
fn text(blessing: &Blessing, path: &Path, colour: bool) -> String {
    let mut table = Table::new(&["id", "was", "is"]);
    for step in &blessing.steps {
        let cell = |count: Option<u64>| count.map_or_else(|| "-".to_owned(), number::count);
        let tone = if step.new < step.old { Tone::Good } else { Tone::Neutral };
        table.push(tone, vec![name(step), cell(step.old), cell(step.new)]);
    }
    let mut text = if table.is_empty() { String::new() } else { table.text(colour) + "\n" };
    if blessing.kept > 0 {
        let kept = blessing.kept;
        text += &format!("{kept} counts are higher within their limits; the lower ones stay\n");
    }
    let (counts, changed) = (blessing.next.counts.len(), blessing.steps.len());
    text + &format!("{changed} of {counts} counts changed; commit {}\n", path.display())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_blessing_is_told_line_by_line_and_a_refusal_in_one_sentence() {
        let step =
            |id: &str, old, new| Step { id: id.into(), metric: "instructions".into(), old, new };
        let mut blessing = Blessing {
            steps: vec![step("a", Some(1_000), Some(900)), step("b", None, Some(7))],
            kept: 2,
            ..Blessing::default()
        };
        let told = text(&blessing, Path::new("ci/baselines/x.txt"), false);
        for part in ["1,000", "900", "b", "2 counts are higher", "commit ci/baselines/x.txt"] {
            assert!(told.contains(part), "{part} is not in {told}");
        }
        blessing.refused = vec![step("c", Some(1_000), Some(2_000))];
        let error = refusal(&blessing);
        assert_eq!(crate::exit::of(&error), Exit::Regressed);
        assert!(error.to_string().contains("these did: c from 1,000 to 2,000;"), "{error}");
    }
}
