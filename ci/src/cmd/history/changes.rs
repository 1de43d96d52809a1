//! `cargo perf history changes`: reads the store, finds change points, may write them as Markdown.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use bench_core::judge::changepoint::Settings;
use bench_core::record::Metric;
use clap::Args;
use serde_json::json;

use crate::bench::ids::Only;
use crate::exit::{Exit, failure};
use crate::history::Store;
use crate::history::changes::{LENGTH_MIN, Since, Start, Way, measured, of};
use crate::history::place::Place;
use crate::history::range::{Range, between};
use crate::history::read::Series;
use crate::render::changes::{Found, json, markdown, sentence, table};
use crate::render::{MARKDOWN_BYTES_MAX, disk};
use crate::ui::Ui;

/// More needs more than 4 MB and sees less: short changes drown.
const WINDOW_MAX: i64 = 1_000;

/// What `history changes` takes.
#[derive(Args, Clone, Debug)]
pub(crate) struct ChangesArgs {
    /// Only ids that match this glob, as in 'grpc/*'; may be repeated
    #[arg(long, value_name = "GLOB")]
    only: Vec<String>,
    /// Only changes since a date, the first run of a commit, or in the last 'N runs' of a series
    ///
    /// They are sought in the whole series all the same: what is old says what the level was.
    #[arg(long, value_name = "WHEN")]
    since: Option<Since>,
    /// Only changes of more than this
    #[arg(long, value_name = "PERCENT", default_value = "0", value_parser = percent,
          allow_hyphen_values = true)]
    min_change: f64,
    /// How many values to look at together, 2 to 1000
    ///
    /// More see smaller changes and miss short ones.
    #[arg(long, value_name = "NUMBER", default_value_t = Settings::OTAVA.window as i64,
          value_parser = clap::value_parser!(i64).range(2..=WINDOW_MAX))]
    window: i64,
    /// Only changes for the worse
    #[arg(long)]
    worse: bool,
    /// Exit with 3 when one of those told is for the worse
    #[arg(long)]
    fail_on_worse: bool,
    /// Write them to this file as well, for an issue; not written when there are none
    #[arg(long, value_name = "FILE")]
    markdown: Option<PathBuf>,
}

fn percent(text: &str) -> Result<f64, String> {
    let percent = text.trim_end_matches(['%', ' ']).parse().ok();
    percent.filter(|p: &f64| p.is_finite() && *p >= 0.0).ok_or("write a number from 0".to_owned())
}

/// What was looked at.
#[derive(Clone, Copy, Debug, Default)]
struct Looked {
    series: usize,
    too_short: usize,
    left_out: usize,
}

pub(super) fn run(args: &ChangesArgs, place: &Place, ui: Ui) -> anyhow::Result<Exit> {
    let only = Only::parse(&args.only)?;
    let mut store = Store::existing(place)?;
    let wanted = super::wanted(&mut store, &only, place)?;
    let from = args.since.as_ref().map(|since| resolve(since, &mut store, place)).transpose()?;
    let (mut found, looked) = seek(args, from, wanted, &mut store)?;
    if looked.too_short == looked.series {
        let why = format!(
            "the history {place} has {} series of what was asked for, all of them with fewer than \
             {LENGTH_MIN} values of clean trees; record more runs",
            looked.series
        );
        return Err(failure(Exit::NotMeasured, why));
    }
    found.sort_by(|a, b| {
        let size = |one: &Found| one.change.point.magnitude();
        a.change.way.cmp(&b.change.way).then(size(b).total_cmp(&size(a)))
    });
    let written = write(args.markdown.as_deref(), &found, ui)?;
    let worse = found.iter().filter(|one| one.change.way == Way::Worse).count();
    let json = json!({
        "store": place.to_string(),
        "found": found.len(),
        "worse": worse,
        "series": looked.series,
        "too_short": looked.too_short,
        "left_out": looked.left_out,
        "markdown": written,
        "changes": found.iter().map(json).collect::<Vec<_>>(),
    });
    ui.result(&told(&found, looked, ui.colour()), &json)?;
    Ok(if args.fail_on_worse && worse > 0 { Exit::Regressed } else { Exit::Fine })
}

/// The changes that were asked for, and what was looked at.
fn seek(
    args: &ChangesArgs,
    from: Option<Start>,
    wanted: Vec<Series>,
    store: &mut Store,
) -> anyhow::Result<(Vec<Found>, Looked)> {
    let window = usize::try_from(args.window).expect("at least 2");
    let settings = Settings { window, min_change: args.min_change / 100.0, ..Settings::OTAVA };
    let mut looked = Looked { series: wanted.len(), ..Looked::default() };
    let mut known: HashMap<(String, String), Option<Range>> = HashMap::new();
    let mut found = Vec::new();
    for series in wanted {
        let points = store.series(&series.id, &series.metric, &series.environment)?;
        let (points, left_out) = measured(points);
        looked.left_out += left_out;
        looked.too_short += usize::from(points.len() < LENGTH_MIN);
        let better = Metric::from(series.metric.clone()).direction();
        for change in of(&points, better, settings) {
            let within = from.is_none_or(|from| from.holds(&change, points.len()));
            if !within || (args.worse && change.way != Way::Worse) {
                continue;
            }
            let range = change.commits().and_then(|(earlier, first)| {
                let commits = (earlier.to_owned(), first.to_owned());
                let ask = || between(Path::new("."), earlier, first);
                known.entry(commits).or_insert_with(ask).clone()
            });
            found.push(Found { series: series.clone(), change, range });
        }
    }
    Ok((found, looked))
}

/// A commit is the time of its first run.
fn resolve(since: &Since, store: &mut Store, place: &Place) -> anyhow::Result<Start> {
    let start = match since {
        Since::Time(time) => return Ok(Start::Time(*time)),
        Since::Runs(runs) => return Ok(Start::Runs(*runs)),
        Since::Commit(start) => start,
    };
    let mut runs = store.runs()?;
    runs.retain(|run| run.commit.as_ref().is_some_and(|commit| commit.starts_with(start)));
    let Some(first) = runs.first() else {
        let why = format!("--since: the history {place} has no run of the commit {start}");
        return Err(failure(Exit::NotMeasured, why));
    };
    if runs.iter().any(|run| run.commit != first.commit) {
        let why = format!("--since: several commits begin with {start}; write more of it");
        return Err(failure(Exit::Usage, why));
    }
    Ok(Start::Time(first.started_at.parse()?))
}

/// Writes the file when there is something to say, and answers with its path.
fn write<'a>(path: Option<&'a Path>, found: &[Found], ui: Ui) -> anyhow::Result<Option<&'a Path>> {
    let Some(path) = path else { return Ok(None) };
    if found.is_empty() {
        ui.say(&format!("no change point: {} was not written", path.display()));
        return Ok(None);
    }
    disk::write(path, markdown(found, MARKDOWN_BYTES_MAX).as_bytes())?;
    Ok(Some(path))
}

fn told(found: &[Found], looked: Looked, colour: bool) -> String {
    let Looked { series, too_short, left_out } = looked;
    let mut text = if found.is_empty() {
        "no change point".to_owned()
    } else {
        format!("{}\n{}", table(found, colour), sentence(found))
    };
    text.push_str(&format!("; series looked at: {series}"));
    if too_short > 0 {
        text.push_str(&format!(", shorter than {LENGTH_MIN} values: {too_short}"));
    }
    if left_out > 0 {
        text.push_str(&format!("; values of changed trees left out: {left_out}"));
    }
    text
}
