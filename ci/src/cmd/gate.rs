//! `cargo perf gate`: counts the working tree and a git ref in one place, and judges.
//!
//! Reads the repository, `benches/expected.toml` and `ci/policy.toml`; writes under
//! `target/perf`: `gate-base.json`, `gate-head.json`, `gate.md`, and what it builds.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::Context;
use bench_core::counting::GLIBC_TUNABLES;
use bench_core::judge::Verdict;
use bench_core::record::{Environment, RunRecord};
use sha2::{Digest, Sha256};

use crate::args::GateArgs;
use crate::bench::code_hash::hex;
use crate::bench::count::{Counted, Metrics};
use crate::bench::ids::Only;
use crate::cmd::setup;
use crate::exit::Exit;
use crate::expected::Expected;
use crate::gate::explain::explain;
use crate::gate::git::{self, Git};
use crate::gate::objects;
use crate::gate::outcome::{Code, Outcome, Question, outcome};
use crate::gate::render::{self, Facts};
use crate::gate::sides::{Ready, Workshop, codes};
use crate::gate::stage::Stage;
use crate::policy;
use crate::process;
use crate::render::disk;
use crate::ui::Ui;
use crate::workspace::Workspace;

/// Bytes of git objects that are kept from gate to gate: some hundred large edits.
const OBJECTS_MAX: u64 = 64 << 20;
/// How long one bench may count when nobody says otherwise: valgrind is some fifty times slower.
const DEADLINE: Duration = Duration::from_secs(120);

/// Counts, judges, renders. Whatever can be refused is refused before anything is built.
///
/// # Errors
/// Wrong usage, a tree that does not build, a disk that refuses; see [`Exit`].
pub(crate) fn run(args: &GateArgs, ui: Ui) -> anyhow::Result<Exit> {
    let started = Instant::now();
    git::check_ref(&args.base)?;
    let only = Only::parse(&args.selection.only)?;
    let workspace = Workspace::find()?;
    let scratch = workspace.target.join("perf/gate/git");
    let git = Git::find(&workspace.root, &scratch)?;
    let base = git.resolve(&args.base)?;
    setup::require_valgrind()?;
    let expected = expected(&workspace.root, &only)?;
    let policy = policy::read(&workspace.root)?;

    let stage = Stage::take(&workspace.perf_dir("gate")?, ui)?;
    objects::prune(&scratch, OBJECTS_MAX)?;
    let head = git.snapshot(&workspace.target)?;
    let mut facts = facts(args, &base, &head);
    if head.dirty {
        ui.say("the working tree has uncommitted changes; they are part of what is counted");
    }
    if git.differs(&base.tree, &head.tree, ".cargo")? {
        facts.remarks.push(".cargo differs; the working tree's settings reach both sides".into());
    }
    let workshop = Workshop { workspace: &workspace, git: &git, stage: &stage, ui };
    let features = &args.selection.features;
    let mut base = workshop.ready(base, ("a", &format!("the base {}", args.base)), &[])?;
    let mut head = workshop.ready(head, ("b", "the working tree"), features)?;
    choose(&only, [&mut base, &mut head])?;
    if head.benches.is_empty() && base.benches.is_empty() {
        return Err(only.matches_nothing());
    }
    let (codes, unknown) = codes(&base, &head);
    facts.remarks.extend(unknown);
    facts.same_code = codes.values().all(Code::same);
    facts.text_sha256 = text_hash(&codes);

    let counting = Instant::now();
    let counted = workshop.count(
        &base,
        &head,
        Metrics::INSTRUCTIONS,
        args.selection.deadline.unwrap_or(DEADLINE),
    )?;
    facts.counting_seconds = counting.elapsed().as_secs_f64();
    let interrupted = process::interrupted().then(|| progress([&base, &head], &counted));
    let [of_base, of_head] = counted.map(|side| side.into_iter().flatten().collect::<Vec<_>>());
    let environment = Environment::gather(&workspace.root);
    let base_record =
        record(&environment, &base, &workshop, &of_base, |code| code.base.as_ref(), &codes);
    let head_record =
        record(&environment, &head, &workshop, &of_head, |code| code.head.as_ref(), &codes);
    let mut outcome = outcome(
        &base_record,
        &head_record,
        Question {
            policy: &policy,
            codes: &codes,
            expected: expected.as_deref(),
            listed: &head.benches.iter().map(|bench| bench.id.clone()).collect::<BTreeSet<_>>(),
            interrupted,
        },
    );
    name_functions(&mut outcome, &of_base, &of_head, &workshop.root());
    facts.seconds = started.elapsed().as_secs_f64();
    let exit = outcome.exit(args.strict);
    write(&workspace, &base_record, &head_record, &render::markdown(&facts, &outcome, exit))?;
    let text = render::text(&facts, &outcome, exit, ui.colour());
    ui.result(&text, &render::json(&facts, &outcome, exit))?;
    Ok(exit)
}

/// Leaves what the user asked for, on both sides.
fn choose(only: &Only, mut sides: [&mut Ready; 2]) -> anyhow::Result<()> {
    only.check(sides.iter().flat_map(|side| &side.benches).map(|bench| bench.id.as_str()))?;
    for side in &mut sides {
        side.benches.retain(|bench| only.wants(&bench.id));
    }
    Ok(())
}

/// The ids that must be counted, of those that the user asked for; `None` where no list says.
fn expected(root: &Path, only: &Only) -> anyhow::Result<Option<Vec<String>>> {
    let expected = Expected::read(root)?;
    let wanted = || expected.counts().iter().filter(|id| only.wants(id)).cloned().collect();
    Ok(root.join("benches/expected.toml").exists().then(wanted))
}

/// How many ids were counted on every side that has them, and how many ids there are.
fn progress(sides: [&Ready; 2], counted: &[Vec<Option<Counted>>; 2]) -> (usize, usize) {
    let jobs = || sides.iter().zip(counted).flat_map(|(side, of)| side.benches.iter().zip(of));
    let all: BTreeSet<&str> = jobs().map(|(bench, _)| bench.id.as_str()).collect();
    let left = jobs().filter(|(_, job)| job.is_none()).map(|(bench, _)| bench.id.as_str());
    let left: BTreeSet<&str> = left.collect();
    (all.len() - left.len(), all.len())
}

fn facts(args: &GateArgs, base: &git::Side, head: &git::Side) -> Facts {
    Facts {
        base_ref: args.base.clone(),
        base_commit: base.commit.clone(),
        head_commit: head.commit.clone(),
        dirty: head.dirty,
        features: args.selection.features.clone(),
        remarks: vec!["both sides were built and counted in one place".into()],
        ..Facts::default()
    }
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

fn record(
    environment: &Environment,
    ready: &Ready,
    workshop: &Workshop<'_>,
    counted: &[Counted],
    side: impl Fn(&Code) -> Option<&crate::bench::code_hash::CodeHash>,
    codes: &BTreeMap<String, Code>,
) -> RunRecord {
    let hashes = codes.iter().filter_map(|(target, code)| Some((target.clone(), side(code)?)));
    let mut record = RunRecord::begin(Environment {
        glibc_tunables: Some(GLIBC_TUNABLES.to_owned()),
        profile: Some("bench".to_owned()),
        git_commit: Some(ready.side.commit.clone()),
        git_dirty: Some(ready.side.dirty),
        lockfile_hash: workshop.lockfile_hash(&ready.side),
        executables: hashes.map(|(target, code)| (target, code.text.clone())).collect(),
        ..environment.clone()
    });
    record.rows = counted.iter().flat_map(|counted| counted.rows.clone()).collect();
    record
}

/// Says for each id that changed which functions it came from, and for one that does not repeat
/// where the counts part. That it can't be said is a remark on the id and no reason to lose its
/// verdict.
fn name_functions(outcome: &mut Outcome, base: &[Counted], head: &[Counted], root: &Path) {
    let files = |side: &[Counted], id: &str| {
        side.iter().find(|counted| counted.id() == id).map(|counted| counted.callgrind.clone())
    };
    for judged in &mut outcome.judged {
        let id = &judged.pair.id;
        let differs = judged.counts().is_some_and(|(base, head)| base != head);
        let (true, Some(base), Some(head)) = (differs, files(base, id), files(head, id)) else {
            continue;
        };
        let changed = matches!(judged.verdict, Verdict::Regressed | Verdict::Improved);
        match explain(&base, &head, &[root]) {
            Ok(changes) if changed => judged.changes = changes,
            Ok(changes) => {
                if let (Some(note), Some(first)) = (&mut judged.note, changes.first()) {
                    note.push_str(&format!(", first in {}", first.function));
                }
            }
            Err(error) => judged.note = Some(format!("not explained: {error:#}")),
        }
    }
}

fn write(
    workspace: &Workspace,
    base: &RunRecord,
    head: &RunRecord,
    markdown: &str,
) -> anyhow::Result<()> {
    let perf = workspace.perf()?;
    for (record, name) in [(base, "gate-base.json"), (head, "gate-head.json")] {
        let json = record.to_json().context("failed to write a record")?;
        disk::write(&perf.join(name), json.as_bytes())?;
    }
    disk::write(&perf.join("gate.md"), markdown.as_bytes())
}
