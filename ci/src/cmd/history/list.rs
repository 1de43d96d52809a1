//! `cargo perf history list`: reads the store, lists series and environments, or runs.

use std::collections::BTreeSet;

use clap::Args;
use serde_json::json;

use super::wanted;
use crate::bench::ids::Only;
use crate::exit::{Exit, failure};
use crate::history::Store;
use crate::history::place::Place;
use crate::history::read::Known;
use crate::render::table::{Table, Tone};
use crate::ui::Ui;

/// What `history list` takes.
#[derive(Args, Clone, Debug)]
pub(crate) struct ListArgs {
    /// Only ids that match this glob, as in 'grpc/*'; may be repeated
    #[arg(long, value_name = "GLOB", conflicts_with = "runs")]
    only: Vec<String>,
    /// List the runs in place of the series
    #[arg(long)]
    runs: bool,
}

pub(super) fn run(args: &ListArgs, place: &Place, ui: Ui) -> anyhow::Result<Exit> {
    let only = Only::parse(&args.only)?;
    let mut store = Store::existing(place)?;
    if args.runs { runs(&mut store, place, ui) } else { series(&mut store, &only, place, ui) }
}

fn series(store: &mut Store, only: &Only, place: &Place, ui: Ui) -> anyhow::Result<Exit> {
    let all = wanted(store, only, place)?;
    let keys: BTreeSet<&str> = all.iter().map(|series| series.environment.as_str()).collect();
    let known: Vec<Known> =
        store.environments()?.into_iter().filter(|one| keys.contains(one.key.as_str())).collect();
    let mut table = Table::new(&["id", "metric", "values", "unit", "environment"]);
    for one in &all {
        let points = one.points.to_string();
        let cells = vec![&one.id, &one.metric, &points, &one.unit, &one.environment];
        table.push(Tone::Neutral, cells.into_iter().cloned().collect());
    }
    let mut text = table.text(ui.colour());
    text.push_str("\nenvironments\n");
    known.iter().for_each(|one| text.push_str(&format!("{}  {}\n", one.key, facts(one))));
    let json = json!({
        "series": all.iter().map(|one| json!({
            "id": one.id,
            "metric": one.metric,
            "unit": one.unit,
            "environment": one.environment,
            "values": one.points,
        })).collect::<Vec<_>>(),
        "environments": known.iter().map(|one| json!({
            "key": one.key,
            "facts": one.facts,
        })).collect::<Vec<_>>(),
    });
    ui.result(&text, &json)?;
    Ok(Exit::Fine)
}

/// On one line, what is not known among it.
fn facts(known: &Known) -> String {
    let fact = |(name, value): &(String, Option<String>)| match value {
        Some(value) if value.is_empty() => format!("{name} none"),
        Some(value) => format!("{name} {}", value.escape_debug()),
        None => format!("{name} unknown"),
    };
    known.facts.iter().map(fact).collect::<Vec<_>>().join(", ")
}

fn runs(store: &mut Store, place: &Place, ui: Ui) -> anyhow::Result<Exit> {
    let runs = store.runs()?;
    if runs.is_empty() {
        return Err(empty(place));
    }
    let mut table = Table::new(&["started", "run", "commit", "rows", "from"]);
    for run in &runs {
        let commit = run.commit.clone().unwrap_or_else(|| "unknown".to_owned());
        let from = run.source.clone().unwrap_or_else(|| "cargo perf".to_owned());
        let cells =
            vec![run.started_at.clone(), run.run_id.clone(), commit, run.rows.to_string(), from];
        table.push(Tone::Neutral, cells);
    }
    let json = runs.iter().map(|run| {
        json!({
            "run_id": run.run_id,
            "started_at": run.started_at,
            "commit": run.commit,
            "rows": run.rows,
            "imported_from": run.source,
        })
    });
    ui.result(&table.text(ui.colour()), &json!({ "runs": json.collect::<Vec<_>>() }))?;
    Ok(Exit::Fine)
}

pub(super) fn empty(place: &Place) -> anyhow::Error {
    let why = format!(
        "the history {place} is empty; `cargo perf history record` and `import` store in it"
    );
    failure(Exit::NotMeasured, why)
}
