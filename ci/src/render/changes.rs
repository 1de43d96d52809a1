//! Change points for people and for scripts: a table, JSON, and Markdown for an issue.

use bench_core::record::Metric;
use serde_json::{Value, json};

use super::markdown::cell;
use super::table::{Table, Tone};
use super::{number, words};
use crate::history::changes::{Change, Way, short};
use crate::history::range::Range;
use crate::history::read::Series;

/// For the line that says what was left out.
const RESERVE: usize = 200;

/// A change point with all that is known of it.
#[derive(Clone, Debug)]
pub(crate) struct Found {
    pub(crate) series: Series,
    pub(crate) change: Change,
    /// The commits between the two runs, where the repository knows them.
    pub(crate) range: Option<Range>,
}

impl Found {
    fn step(&self) -> String {
        match (&self.range, self.change.commits()) {
            (Some(Range { commits: 1, .. }), Some((_, first))) => format!("at {}", short(first)),
            (Some(Range { commits, .. }), Some((earlier, first))) => {
                let commits = number::count(*commits as u64);
                format!("one of {commits} commits after {} up to {}", short(earlier), short(first))
            }
            _ => self.change.note(),
        }
    }

    /// What the table shows between the way it went and the step.
    fn cells(&self) -> [String; 8] {
        let Series { id, metric, environment, unit, .. } = &self.series;
        let point = &self.change.point;
        [
            id.clone(),
            words::name(&Metric::from(metric.clone())),
            number::with_unit(point.before, unit),
            number::with_unit(point.after, unit),
            point.ratio().map(number::change).unwrap_or_default(),
            probability(point.p_value),
            self.change.first.started_at.clone(),
            environment.clone(),
        ]
    }
}

fn probability(p: f64) -> String {
    if p == 0.0 { "0".to_owned() } else { format!("{p:.1e}") }
}

/// The table for the terminal, and below it the commits of every range that has a few.
pub(crate) fn table(found: &[Found], colour: bool) -> String {
    let mut table = Table::new(&[
        "id",
        "",
        "metric",
        "before",
        "after",
        "change",
        "p",
        "since",
        "environment",
        "step",
    ]);
    for one in found {
        let tone = match one.change.way {
            Way::Worse => Tone::Bad,
            Way::Unknown => Tone::Neutral,
            Way::Better => Tone::Good,
        };
        let [id, rest @ ..] = one.cells();
        let mut cells = vec![id, one.change.way.name().to_owned()];
        cells.extend(rest);
        cells.push(one.step());
        table.push(tone, cells);
    }
    let mut text = table.text(colour);
    for (step, range) in ranges(found) {
        let mut commits = Table::new(&["commit", "subject"]);
        for commit in &range.named {
            commits.push(Tone::Neutral, vec![commit.hash.clone(), commit.subject.clone()]);
        }
        text.push_str(&format!("\n{step}\n{}", commits.text(colour)));
    }
    text
}

/// Every range with commits to name, once.
fn ranges(found: &[Found]) -> Vec<(String, &Range)> {
    let mut ranges: Vec<(String, &Range)> = Vec::new();
    for one in found {
        if let Some(range) = one.range.as_ref().filter(|range| !range.named.is_empty())
            && !ranges.iter().any(|(_, known)| *known == range)
        {
            ranges.push((one.step(), range));
        }
    }
    ranges
}

/// All of it, as numbers.
pub(crate) fn json(found: &Found) -> Value {
    let Found { series, change, range } = found;
    let point = &change.point;
    let range = range.as_ref().map(|range| {
        let named = range.named.iter();
        let named = named.map(|one| json!({ "hash": one.hash, "subject": one.subject }));
        json!({ "commits": range.commits, "named": named.collect::<Vec<_>>() })
    });
    json!({
        "id": series.id,
        "metric": series.metric,
        "unit": series.unit,
        "environment": series.environment,
        "way": change.way.name(),
        "index": point.index,
        "commit": change.first.commit,
        "started_at": change.first.started_at,
        "run_id": change.first.run_id,
        "earlier_commit": change.earlier.commit,
        "earlier_run_id": change.earlier.run_id,
        "range": range,
        "before": point.before,
        "after": point.after,
        "values_before": point.values.0,
        "values_after": point.values.1,
        "ratio": point.ratio(),
        "p_value": point.p_value,
    })
}

/// How many there are, in a sentence.
pub(crate) fn sentence(found: &[Found]) -> String {
    let worse = found.iter().filter(|one| one.change.way == Way::Worse).count();
    match found.len() {
        1 => format!("1 level changed, {}", found[0].change.way.name()),
        all => format!("{} levels changed, {} of them worse", count(all), count(worse)),
    }
}

fn count(number: usize) -> String {
    number::count(number as u64)
}

/// The text of an issue in at most `max` bytes: whole rows, and how many are left out.
pub(crate) fn markdown(found: &[Found], max: usize) -> String {
    let mut out = format!("# {}\n\n", sentence(found));
    out.push_str("| | id | metric | before | after | change | p | since | environment | step |\n");
    out.push_str("|---|---|---|--:|--:|--:|--:|---|---|---|\n");
    let row = |one: &Found| {
        let cells = one.cells().map(|text| cell(&text)).join(" | ");
        format!("| {} | {cells} | {} |\n", one.change.way.name(), cell(&one.step()))
    };
    let commits = |(step, range): (String, &Range)| {
        let line = |commit: &crate::history::range::Commit| {
            format!("- `{}` {}\n", commit.hash, cell(&commit.subject))
        };
        format!("\n{}:\n\n{}", cell(&step), range.named.iter().map(line).collect::<String>())
    };
    let pieces = found.iter().map(row).chain(ranges(found).into_iter().map(commits));
    let mut left = 0;
    for piece in pieces {
        if left > 0 || out.len() + piece.len() + RESERVE > max {
            left += 1;
        } else {
            out.push_str(&piece);
        }
    }
    if left > 0 {
        let left = count(left);
        out.push_str(&format!(
            "\nCut here for length: {left} more rows and lists of commits are in what `cargo perf \
             history changes` prints.\n"
        ));
    }
    out
}
