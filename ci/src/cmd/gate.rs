//! `cargo perf gate`: counts the working tree and judges it, by a git ref that is counted in the
//! same place, or by the text baseline that git keeps.
//!
//! Reads the repository, `benches/expected.toml`, `ci/policy.toml`, the history where there is one,
//! and `ci/baselines` without a ref; writes under `target/perf`: `gate-base.json`, `gate-head.json`,
//! `gate-verdicts.json`, `gate.md`, `gate-explain`, and what it builds.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::time::Instant;

use anyhow::Context;
use bench_core::judge::comparable::{Comparability, comparable};
use bench_core::judge::{Policy, Verdict};
use bench_core::record::{Environment, Metric, RunRecord};
use sha2::{Digest, Sha256};

use crate::args::GateArgs;
use crate::bench::code_hash::hex;
use crate::bench::count::Counted;
use crate::bench::ids::Only;
use crate::cmd::setup;
use crate::exit::{Exit, failure};
use crate::expected::Expected;
use crate::gate::baseline::{self, Baseline};
use crate::gate::budgets::{self, Counts};
use crate::gate::document::{self, document};
use crate::gate::explain;
use crate::gate::git::{self, Git, Side};
use crate::gate::objects;
use crate::gate::outcome::{Code, Question, outcome};
use crate::gate::past::{self, Fences};
use crate::gate::render::{self, Facts};
use crate::gate::sides::{Ready, Workshop, codes};
use crate::gate::stage::Stage;
use crate::gate::tree::{self, Tree, Wanted};
use crate::history::Store;
use crate::policy;
use crate::process;
use crate::render::disk;
use crate::ui::Ui;
use crate::workspace::Workspace;

/// Bytes of git objects that are kept from gate to gate: some hundred large edits.
const OBJECTS_MAX: u64 = 64 << 20;
const VERDICTS: &str = "gate-verdicts.json";
const MARKDOWN: &str = "gate.md";

/// All that a gate is asked, read before anything is built.
struct Gate<'a> {
    args: &'a GateArgs,
    only: Only,
    workspace: Workspace,
    git: Git,
    expected: Expected,
    policy: Policy,
    environment: Environment,
    ui: Ui,
    started: Instant,
}

/// What was counted, ready to be judged.
struct Both {
    facts: Facts,
    base: RunRecord,
    head: Tree,
    /// The profiles of both sides; none of a text baseline.
    counted: [Vec<Counted>; 2],
    /// Both sides, to be asked for more; none where the base is a file.
    sides: Option<[Ready; 2]>,
    codes: BTreeMap<String, Code>,
}

/// Counts, judges, renders. Whatever can be refused is refused before anything is built.
///
/// # Errors
/// Wrong usage, a tree that does not build, no baseline, a disk that refuses; see [`Exit`].
pub(crate) fn run(args: &GateArgs, ui: Ui) -> anyhow::Result<Exit> {
    let started = Instant::now();
    args.base.as_deref().map(git::check_ref).transpose()?;
    let only = Only::parse(&args.selection.only)?;
    let workspace = Workspace::find()?;
    let scratch = workspace.target.join("perf/gate/git");
    let git = Git::find(&workspace.root, &scratch)?;
    let base = args.base.as_deref().map(|base| git.fork(base)).transpose()?;
    setup::require_valgrind()?;
    let expected = Expected::read(&workspace.root)?;
    let policy = policy::read_with(&workspace.root, args.threshold)?;
    let environment = tree::here(&workspace.root);
    let baseline = match base {
        Some(_) => None,
        None => Some(blessed(&workspace.root, &environment)?),
    };
    let past = past::store(args.history.as_deref())?;
    let stage = Stage::take(&workspace.perf_dir("gate")?, ui)?;
    forget(&workspace.perf()?)?;
    objects::prune(&scratch, OBJECTS_MAX)?;
    let gate = Gate { args, only, workspace, git, expected, policy, environment, ui, started };
    let workshop = Workshop { workspace: &gate.workspace, git: &gate.git, stage: &stage, ui };
    let both = match (base, baseline) {
        (Some(base), _) => gate.against_ref(base, &workshop)?,
        (None, Some((path, baseline))) => gate.against_file(&path, &baseline, &workshop)?,
        (None, None) => unreachable!("without a ref the baseline is read"),
    };
    gate.judge(both, past, &workshop)
}

/// Removes what an earlier gate said: a gate that ends early must not be answered by it.
fn forget(perf: &Path) -> anyhow::Result<()> {
    for name in [document::BASE, document::HEAD, VERDICTS, MARKDOWN, document::FLAMEGRAPHS] {
        let path = perf.join(name);
        let removed =
            if path.is_dir() { fs::remove_dir_all(&path) } else { fs::remove_file(&path) };
        match removed {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(error).with_context(|| format!("failed to remove {}", path.display()));
            }
            _ => (),
        }
    }
    Ok(())
}

/// The text baseline for this machine, with its path from the workspace's root.
///
/// # Errors
/// [`Exit::NotMeasured`] where there is none, [`Exit::NotComparable`] with all that differs.
fn blessed(root: &Path, environment: &Environment) -> anyhow::Result<(String, Baseline)> {
    let path = baseline::place(root, environment)?;
    let name = path.strip_prefix(root).unwrap_or(&path).display().to_string();
    let Some(baseline) = Baseline::read(&path)? else {
        let sentence = format!(
            "there is no baseline {name} for this target and CPU; `cargo perf bless` writes it, \
             or name a ref with --base"
        );
        return Err(failure(Exit::NotMeasured, sentence));
    };
    match comparable(&baseline.environment, environment, &Metric::Instructions) {
        Comparability::No(why) => {
            let sentence = format!(
                "{name} does not compare with this machine: {why}; name a ref with --base, or run \
                 `cargo perf bless --anew`"
            );
            Err(failure(Exit::NotComparable, sentence))
        }
        _ => Ok((name, baseline)),
    }
}

impl Gate<'_> {
    fn head(&self) -> anyhow::Result<(Side, Facts)> {
        let head = self.git.snapshot(&self.workspace.target)?;
        if head.dirty {
            self.ui
                .say("the working tree has uncommitted changes; they are part of what is counted");
        }
        let what = "changes of instructions";
        let threshold = self.args.threshold.map(|percent| policy::told(what, percent));
        let facts = Facts {
            head_commit: head.commit.clone(),
            dirty: head.dirty,
            features: self.args.selection.features.clone(),
            remarks: threshold.into_iter().collect(),
            ..Facts::default()
        };
        Ok((head, facts))
    }

    fn wanted<'a>(&'a self, baseline: Option<&'a Baseline>) -> Wanted<'a> {
        Wanted { asked: &self.args.metrics, budgets: self.expected.budgets(), baseline }
    }

    /// Builds and counts both trees.
    fn against_ref(
        &self,
        (base, moved): (Side, Option<String>),
        workshop: &Workshop<'_>,
    ) -> anyhow::Result<Both> {
        let name = self.args.base.as_deref().unwrap_or_default();
        let (head, mut facts) = self.head()?;
        (facts.base_ref, facts.base_commit) = (name.to_owned(), base.commit.clone());
        facts.remarks.extend(moved);
        facts.remarks.push("both sides were built and counted in one place".into());
        if self.git.differs(&base.tree, &head.tree, ".cargo")? {
            let remark = ".cargo differs; the working tree's settings reach both sides";
            facts.remarks.push(remark.into());
        }
        let features = &self.args.selection.features;
        let mut base = workshop.ready(base, ("a", &format!("the base {name}")), &[])?;
        let mut head = workshop.ready(head, ("b", "the working tree"), features)?;
        let ids = tree::ids_of([&head]);
        tree::choose(&self.only, &mut [&mut base, &mut head])?;
        let (codes, unknown) = codes(&base, &head);
        facts.remarks.extend(unknown);
        facts.same_code = codes.values().all(Code::same);
        facts.text_sha256 = text_hash(&codes);

        let counting = Instant::now();
        let wanted = self.wanted(None);
        let deadline = tree::deadline(&self.args.selection);
        let counted = workshop.count(&base, &head, &|id| wanted.of(id), deadline)?;
        facts.counting_seconds = counting.elapsed().as_secs_f64();
        let interrupted = process::interrupted().then(|| progress([&base, &head], &counted));
        let counted = counted.map(|side| side.into_iter().flatten().collect::<Vec<_>>());
        let [of_base, of_head] = &counted;
        let environment = &self.environment;
        let before =
            tree::record(environment, &base, workshop, of_base, &codes, |code| code.base.as_ref());
        let record =
            tree::record(environment, &head, workshop, of_head, &codes, |code| code.head.as_ref());
        let sides = Some([base, head.clone()]);
        let head = Tree { record, ids, listed: tree::ids_of([&head]), interrupted };
        Ok(Both { facts, base: before, head, counted, sides, codes })
    }

    /// Builds and counts the working tree; the other side is a file.
    fn against_file(
        &self,
        name: &str,
        baseline: &Baseline,
        workshop: &Workshop<'_>,
    ) -> anyhow::Result<Both> {
        let (side, mut facts) = self.head()?;
        facts.base_ref = name.to_owned();
        let features = &self.args.selection.features;
        let mut ready = workshop.ready(side, ("b", "the working tree"), features)?;
        let counting = Instant::now();
        let wanted = self.wanted(Some(baseline));
        let deadline = tree::deadline(&self.args.selection);
        let (head, counted) = tree::count_alone(
            workshop,
            &mut ready,
            &self.only,
            (&|id| wanted.of(id), deadline),
            &self.environment,
        )?;
        facts.counting_seconds = counting.elapsed().as_secs_f64();
        let mut base = baseline.record(&head.record);
        base.rows.retain(|row| self.only.wants(&row.id));
        let counted = [Vec::new(), counted];
        Ok(Both { facts, base, head, counted, sides: None, codes: BTreeMap::new() })
    }

    /// Judges, explains, writes, and says it.
    ///
    /// Once both sides are counted only the disk or the terminal can keep the verdict back: whatever
    /// else fails is a remark.
    fn judge(
        &self,
        both: Both,
        past: Option<Store>,
        workshop: &Workshop<'_>,
    ) -> anyhow::Result<Exit> {
        let Both { mut facts, mut base, head: mut tree, mut counted, sides, codes } = both;
        self.expected.unhinge(&mut base.rows);
        self.expected.unhinge(&mut tree.record.rows);
        self.write(&base, &tree.record)?;
        let fences = past
            .map_or_else(|| Ok(Fences::new()), |mut past| past::fences(&mut past, &tree.record));
        let fences = fences.unwrap_or_else(|error| {
            facts.remarks.push(format!("no limit knows its own history: {error:#}"));
            Fences::new()
        });
        let expected = self.list();
        let question = Question {
            policy: &self.policy,
            fences: &fences,
            codes: &codes,
            expected: expected.as_deref(),
            listed: &tree.listed,
            interrupted: tree.interrupted,
        };
        let mut outcome = outcome(&base, &tree.record, question);
        if tree.interrupted.is_none() {
            let counts = Counts { record: &tree.record, ids: &tree.ids, only: &self.only };
            outcome.spent = budgets::spend(self.expected.budgets(), counts);
        }
        if let Some(sides) = &sides {
            let deadline = tree::deadline(&self.args.selection);
            let told = explain::recount(&outcome, sides, &mut counted, workshop, deadline);
            let remark = |error| format!("changes are explained by function only: {error:#}");
            facts.remarks.extend(told.err().map(remark));
        }
        explain::attach(&mut outcome, &counted[0], &counted[1], &workshop.root());
        let folder = self.workspace.perf()?.join(document::FLAMEGRAPHS);
        match explain::write(&outcome.explanations, &folder) {
            Ok(Some(page)) => {
                let page = page.strip_prefix(&self.workspace.root).unwrap_or(&page).display();
                facts.remarks.push(format!("flamegraphs and all functions: {page}"));
            }
            Ok(None) => (),
            Err(error) => facts.remarks.push(format!("no flamegraphs were written: {error:#}")),
        }
        if self.args.base.is_none() && outcome.judged.iter().any(|j| j.verdict == Verdict::Improved)
        {
            let remark = "what improved can be lost again unseen; `cargo perf bless` keeps it";
            facts.remarks.push(remark.into());
        }
        facts.seconds = self.started.elapsed().as_secs_f64();
        let exit = outcome.exit(self.args.strict);
        let perf = self.workspace.perf()?;
        let verdicts = document(&facts, &outcome, exit);
        verdicts.write(&perf.join(VERDICTS))?;
        let markdown = document::markdown(&verdicts, &base, &tree.record);
        disk::write(&perf.join(MARKDOWN), markdown.as_bytes())?;
        let text = render::text(&facts, &outcome, exit, self.ui.colour());
        self.ui.result(&text, &render::json(&facts, &outcome, exit))?;
        Ok(exit)
    }

    /// The ids that must be counted, of those that the user asked for; `None` where no list says.
    fn list(&self) -> Option<Vec<String>> {
        let ids = self.expected.counts()?.iter().filter(|id| self.only.wants(id));
        Some(ids.cloned().collect())
    }

    fn write(&self, base: &RunRecord, head: &RunRecord) -> anyhow::Result<()> {
        let perf = self.workspace.perf()?;
        for (record, name) in [(base, document::BASE), (head, document::HEAD)] {
            let json = record.to_json().context("failed to write a record")?;
            disk::write(&perf.join(name), json.as_bytes())?;
        }
        Ok(())
    }
}

/// How many ids were counted on every side that has them, and how many ids there are.
fn progress(sides: [&Ready; 2], counted: &[Vec<Option<Counted>>; 2]) -> (usize, usize) {
    let jobs = || sides.iter().zip(counted).flat_map(|(side, of)| side.benches.iter().zip(of));
    let all: BTreeSet<&str> = jobs().map(|(bench, _)| bench.id.as_str()).collect();
    let left = jobs().filter(|(_, job)| job.is_none()).map(|(bench, _)| bench.id.as_str());
    let left: BTreeSet<&str> = left.collect();
    (all.len() - left.len(), all.len())
}

/// One hash for the code of all targets of the head.
fn text_hash(codes: &BTreeMap<String, Code>) -> String {
    let mut hash = Sha256::new();
    for (target, code) in codes {
        hash.update(target);
        hash.update(code.head.as_ref().map_or("", |code| &code.text));
    }
    hex(&hash.finalize())
}
