//! `cargo perf audit`: what is not deterministic, and why.
//!
//! Reads `benches/expected.toml` and `ci/policy.toml`; writes `audit.json` and `audit.md` under
//! `target/perf`, or `sensitivity.json`.

use std::path::Path;
use std::time::Duration;

use clap::Args;

use crate::args::{Counting, Selection, Targets};
use crate::audit::cause::causes;
use crate::audit::evidence::gather;
use crate::audit::observe::{Observed, Plan, observe};
use crate::audit::outcome::{Finding, Outcome, Standing, falses};
use crate::audit::render;
use crate::audit::sensitivity::{self, Sensitivity};
use crate::audit::series::{Series, series};
use crate::bench::build::{Build, named_executables};
use crate::bench::ids::Only;
use crate::cmd::run::counts;
use crate::cmd::setup;
use crate::exit::{Exit, failure};
use crate::expected::{Expected, absent};
use crate::gate::tree::Wanted;
use crate::policy;
use crate::process;
use crate::render::disk;
use crate::ui::Ui;
use crate::workspace::Workspace;

/// How long one bench may count when nobody says otherwise: twice what the gate gives it, because
/// its neighbours take turns with it.
const DEADLINE: Duration = Duration::from_secs(240);

/// What `audit` takes.
#[derive(Args, Clone, Debug)]
pub(crate) struct AuditArgs {
    /// How often each bench is counted under each of the four conditions
    #[arg(long, value_name = "N", default_value = "3",
          value_parser = clap::value_parser!(u8).range(2..=20))]
    pub(crate) repeats: u8,
    /// Count allocation calls and bytes of every id: a second run of each bench, under DHAT
    ///
    /// Of ids that a budget bounds by them, they are counted anyway; so are system calls.
    #[arg(long)]
    pub(crate) allocations: bool,
    /// Count system calls of every id
    #[arg(long)]
    pub(crate) syscalls: bool,
    /// Instead: count each bench plain and with max(50, 0.3 %) instructions more, and see whether the
    /// gate's policy finds them
    #[arg(long, conflicts_with_all = ["repeats", "allocations", "syscalls"])]
    pub(crate) sensitivity: bool,
    #[command(flatten)]
    pub(crate) targets: Targets,
    #[command(flatten)]
    pub(crate) selection: Selection,
}

/// Counts, compares, names causes.
///
/// # Errors
/// Wrong usage, a tree that does not build, a disk that refuses; see [`Exit`].
pub(crate) fn run(args: &AuditArgs, ui: Ui) -> anyhow::Result<Exit> {
    let workspace = Workspace::find()?;
    let only = Only::parse(&args.selection.only)?;
    let expected = Expected::read(&workspace.root)?;
    let policy = policy::read(&workspace.root)?;
    setup::require_valgrind()?;
    let mut features = args.selection.features.clone();
    features.extend(args.sensitivity.then(|| sensitivity::FEATURE.to_owned()));
    let features = &features;
    let build = Build { name: "the working tree", root: &workspace.root, target: None, features };
    let mut executables = named_executables(&build, &args.targets.named, &[], ui)?;
    executables.benches.retain(|target, _| counts(target));
    let named = &args.targets.named;
    if executables.benches.is_empty() {
        let none = || format!("--bench {} names no target that counts", named.join(" "));
        return Err(match named.is_empty() {
            true => only.matches_nothing(),
            false => failure(Exit::NotMeasured, none()),
        });
    }
    let scratch = workspace.scratch()?;
    let asked = [(args.allocations, Counting::Allocations), (args.syscalls, Counting::Syscalls)];
    let asked: Vec<Counting> =
        asked.into_iter().filter_map(|(on, counting)| on.then_some(counting)).collect();
    let plan = Plan {
        executables: &executables,
        folder: &workspace.root.join("benches"),
        scratch: scratch.path(),
        repeats: args.repeats.into(),
        deadline: args.selection.deadline.unwrap_or(DEADLINE),
        wanted: Wanted { asked: &asked, budgets: expected.budgets(), baseline: None },
    };
    if args.sensitivity {
        let trials = sensitivity::trials(plan, &only, &policy, ui)?;
        let varies = |id: &str| expected.varies().iter().any(|glob| glob.matches(id));
        let found = Sensitivity::of(trials, varies);
        let json = found.json();
        disk::write(&workspace.perf()?.join("sensitivity.json"), json.to_string().as_bytes())?;
        ui.result(&found.text(), &json)?;
        return Ok(found.exit());
    }
    let observed = observe(plan, &only, ui)?;
    let listed = |id: &str| expected.varies().iter().any(|glob| glob.matches(id));
    let mut outcome = Outcome {
        interrupted: process::interrupted().then_some(observed.done),
        ..Outcome::default()
    };
    if !named.is_empty() {
        ui.say("not looked for: expected ids of the targets that --bench leaves out");
    } else if outcome.interrupted.is_none() {
        let wanted = expected.counts().into_iter().flatten().filter(|id| only.wants(id));
        outcome.absent = absent(wanted, &observed.ids);
    }
    let all = all_series(&observed, outcome.interrupted.is_some());
    outcome.falses = falses(&all, &policy, listed);
    for one in all {
        let mut finding = Finding::of(&one, &policy, listed(&one.id));
        name_causes(&mut finding, &one, &workspace.root);
        outcome.findings.push(finding);
    }
    outcome.steady = steady(&outcome.findings, listed);
    let exit = outcome.exit();
    let repeats = plan.repeats;
    let perf = workspace.perf()?;
    let json = render::json(&outcome, repeats, exit);
    disk::write(&perf.join("audit.json"), json.to_string().as_bytes())?;
    disk::write(&perf.join("audit.md"), render::markdown(&outcome, repeats, exit).as_bytes())?;
    ui.result(&render::text(&outcome, repeats, exit, ui.colour()), &json)?;
    Ok(exit)
}

/// The series of what was counted; after an interrupt only those of which two counts can be
/// compared.
fn all_series(observed: &Observed, interrupted: bool) -> Vec<Series> {
    let mut all = series(&observed.samples);
    all.retain(|one| !interrupted || one.values.len() > 1);
    all
}

/// Says why the counts differ, where they do. That it can't be said is a remark on the id and no
/// reason to lose its verdict.
fn name_causes(finding: &mut Finding, series: &Series, root: &Path) {
    let Some(apart) = series.apart(&finding.moved) else { return };
    match gather(apart, root) {
        Ok((names, changes)) => {
            finding.causes = causes(&finding.moved, &names);
            finding.parts_in = changes.first().map(|change| change.function.clone());
        }
        Err(error) => finding.errors.push(format!("not explained: {error:#}")),
    }
}

/// The ids that are listed as varying and of which everything repeated, but for what a path does.
fn steady(findings: &[Finding], listed: impl Fn(&str) -> bool) -> Vec<String> {
    let by_id = findings.chunk_by(|a, b| a.id == b.id);
    let still = by_id.filter(|of| {
        of.iter().all(|one| matches!(one.standing, Standing::Repeats | Standing::WithPath))
    });
    still.map(|of| of[0].id.clone()).filter(|id| listed(id)).collect()
}
