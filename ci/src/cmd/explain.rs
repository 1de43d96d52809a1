//! `cargo perf explain`: where the difference between a git ref and the working tree comes from,
//! for one id, by function, by allocation site and as a flamegraph.
//!
//! Builds and counts both sides as the gate does; writes `target/perf/explain/ID.svg`, `.html` and
//! `.md`. Judges nothing: an id that is the same on both sides is explained as that.

use std::time::Duration;

use clap::Args;
use serde_json::json;

use crate::bench::count::{Counted, Metrics};
use crate::cmd::setup;
use crate::exit::{Exit, failure};
use crate::explain::{Explainer, Explanation, file_name, tables};
use crate::gate::git::{self, Git};
use crate::gate::sides::{Ready, Workshop};
use crate::gate::stage::Stage;
use crate::gate::standing;
use crate::render::{disk, number};
use crate::ui::Ui;
use crate::workspace::Workspace;

/// Under two of valgrind's tools, each some fifty times slower than the bench itself.
const DEADLINE: Duration = Duration::from_secs(240);

/// What `explain` takes.
#[derive(Args, Clone, Debug)]
pub(crate) struct ExplainArgs {
    /// The id of a count bench, as in payload/fill/4KiB
    pub(crate) id: String,
    /// The git ref to compare the working tree with
    #[arg(long, value_name = "REF", allow_hyphen_values = true)]
    pub(crate) base: String,
    /// Cargo features of package `benches`, comma-separated; the base gets none
    #[arg(long, value_delimiter = ',', value_name = "FEATURES")]
    pub(crate) features: Vec<String>,
}

/// Counts, explains, writes. Whatever can be refused is refused before anything is built.
///
/// # Errors
/// [`Exit::Usage`] for a ref that git does not know; [`Exit::NotMeasured`] for an id that a side
/// does not have or that never ran; [`Exit::Broke`] for a side that does not build or a bench that fails.
pub(crate) fn run(args: &ExplainArgs, ui: Ui) -> anyhow::Result<Exit> {
    git::check_ref(&args.base)?;
    let workspace = Workspace::find()?;
    let git = Git::find(&workspace.root, &workspace.target.join("perf/gate/git"))?;
    let (base, moved) = git.fork(&args.base)?;
    setup::require_valgrind()?;
    moved.iter().for_each(|sentence| ui.say(sentence));
    let stage = Stage::take(&workspace.perf_dir("gate")?, ui)?;
    let head = git.snapshot(&workspace.target)?;
    let workshop = Workshop { workspace: &workspace, git: &git, stage: &stage, ui };
    // The working tree first: an id that it does not have is most likely misspelt.
    let mut head = workshop.ready(head, ("b", "the working tree"), &args.features)?;
    choose(&mut head, &args.id, "the working tree")?;
    let name = format!("the base {}", args.base);
    let mut base = workshop.ready(base, ("a", &name), &[])?;
    choose(&mut base, &args.id, &name)?;

    let metrics = Metrics { allocations: true, syscalls: true, addresses: true };
    let (base, head) = (base.explicit(|_| true)?, head.explicit(|_| true)?);
    let [of_base, of_head] = workshop.count(&base, &head, &|_| metrics, DEADLINE)?;
    let (of_base, of_head) = (one(of_base, &name)?, one(of_head, "the working tree")?);
    let explanation = Explainer::default().explain(&of_base, &of_head, &[&workshop.root()])?;
    report(&workspace, &explanation, [&of_base, &of_head], ui)?;
    Ok(Exit::Fine)
}

/// Leaves the one bench.
fn choose(ready: &mut Ready, id: &str, side: &str) -> anyhow::Result<()> {
    ready.benches.retain(|bench| bench.id == id);
    if ready.benches.is_empty() {
        let sentence = format!(
            "{side} has no count bench with the id '{id}'; \
             `cargo bench --bench 'count_*' -- --list` prints them"
        );
        return Err(failure(Exit::NotMeasured, sentence));
    }
    Ok(())
}

/// What was counted of the one bench.
fn one(counted: Vec<Option<Counted>>, side: &str) -> anyhow::Result<Counted> {
    let Some(counted) = counted.into_iter().flatten().next() else {
        return Err(failure(Exit::NotMeasured, "interrupted; nothing was explained"));
    };
    let why = counted.rows.iter().find_map(|row| row.error.as_ref());
    match standing::failed(&counted.rows).zip(why) {
        Some((exit, why)) => Err(failure(exit, format!("{side} can't be counted: {why}"))),
        None => Ok(counted),
    }
}

fn report(
    workspace: &Workspace,
    explanation: &Explanation,
    sides: [&Counted; 2],
    ui: Ui,
) -> anyhow::Result<()> {
    let folder = workspace.perf_dir("explain")?;
    let name = file_name(&explanation.id);
    let svg = explanation.write_flamegraph(&folder)?;
    let [html, markdown] = ["html", "md"].map(|kind| folder.join(format!("{name}.{kind}")));
    let page = tables::page(std::slice::from_ref(explanation));
    disk::write(&html, page.as_bytes())?;
    disk::write(&markdown, tables::markdown(explanation).as_bytes())?;

    let [base, head] = sides.map(|side| &side.rows);
    let mut text = String::new();
    let mut counts = serde_json::Map::new();
    for (before, after) in base.iter().zip(head) {
        let [a, b] = [before, after].map(crate::gate::outcome::count);
        if let (Some(a), Some(b)) = (a, b) {
            let (metric, base, head) = (&before.metric, number::count(a), number::count(b));
            let ratio = if a == 0 { String::new() } else { number::change(b as f64 / a as f64) };
            text += format!("{metric}: {base} to {head} {ratio}").trim_end();
            text.push('\n');
            counts.insert(metric.name().to_owned(), json!({ "base": a, "head": b }));
        }
    }
    text += &format!("\n{}\n{}", tables::text(explanation, ui.colour()), html.display());
    let mut answer = explanation.json();
    answer["command"] = "explain".into();
    answer["counts"] = counts.into();
    answer["flamegraph"] = json!(svg);
    answer["html"] = json!(html);
    answer["markdown"] = json!(markdown);
    ui.result(&text, &answer)
}
