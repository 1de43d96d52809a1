//! `cargo perf history show ID`: reads the store, shows the values of an id over time.

use std::num::NonZero;

use clap::Args;
use serde_json::{Value, json};

use crate::exit::{Exit, failure};
use crate::history::Store;
use crate::history::place::Place;
use crate::history::read::{Point, Series};
use crate::render::number;
use crate::render::table::{Table, Tone};
use crate::ui::Ui;

/// What `history show` takes.
#[derive(Args, Clone, Debug)]
pub(crate) struct ShowArgs {
    /// The id, as `history list` shows it
    id: String,
    /// Only this metric
    #[arg(long, value_name = "METRIC")]
    metric: Option<String>,
    /// Only the environment whose key begins so
    #[arg(long, value_name = "KEY")]
    environment: Option<String>,
    /// How many values to show, the newest
    #[arg(long, value_name = "NUMBER", default_value = "30")]
    last: NonZero<usize>,
}

pub(super) fn run(args: &ShowArgs, place: &Place, ui: Ui) -> anyhow::Result<Exit> {
    let mut store = Store::existing(place)?;
    let wanted = |series: &Series| {
        let metric = args.metric.as_ref().is_none_or(|metric| *metric == series.metric);
        let key = args.environment.as_deref().unwrap_or_default();
        metric && series.environment.starts_with(key)
    };
    let found: Vec<Series> = store.of_id(&args.id)?.into_iter().filter(wanted).collect();
    if found.is_empty() {
        let why = format!(
            "the history {place} has no such series of '{}'; `cargo perf history list` shows what \
             there is",
            args.id
        );
        return Err(failure(Exit::NotMeasured, why));
    }
    let (mut text, mut shown) = (String::new(), Vec::new());
    for series in found {
        let mut points = store.series(&series.id, &series.metric, &series.environment)?;
        points.drain(..points.len().saturating_sub(args.last.get()));
        text.push_str(&format!("{} in environment {}\n", series.metric, series.environment));
        text.push_str(&table(&series, &points, ui.colour()));
        text.push('\n');
        shown.push(json(&series, &points));
    }
    ui.result(&text, &json!({ "series": shown }))?;
    Ok(Exit::Fine)
}

fn table(series: &Series, points: &[Point], colour: bool) -> String {
    if points.is_empty() {
        return "every run of it failed\n".to_owned();
    }
    let mut table = Table::new(&["started", "commit", "value", "change"]);
    let mut before = None;
    for point in points {
        let change = before
            .filter(|before| *before > 0.0)
            .map(|before| number::change(point.value / before))
            .unwrap_or_default();
        let value = number::with_unit(point.value, &series.unit);
        table.push(Tone::Neutral, vec![point.started_at.clone(), commit(point), value, change]);
        before = Some(point.value);
    }
    table.text(colour)
}

/// Marked where the tree was not what the commit says.
fn commit(point: &Point) -> String {
    match (&point.commit, point.dirty) {
        (Some(commit), Some(true)) => format!("{commit} and changes"),
        (Some(commit), _) => commit.clone(),
        (None, _) => "unknown".to_owned(),
    }
}

fn json(series: &Series, points: &[Point]) -> Value {
    let point = |point: &Point| {
        json!({
            "started_at": point.started_at,
            "commit": point.commit,
            "dirty": point.dirty,
            "value": point.value,
            "run_id": point.run_id,
        })
    };
    json!({
        "id": series.id,
        "metric": series.metric,
        "unit": series.unit,
        "environment": series.environment,
        "points": points.iter().map(point).collect::<Vec<_>>(),
    })
}
