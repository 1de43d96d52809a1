//! How the ids of a record went over the runs in the history: one trend per id and metric, on the
//! environment that the record has.

use bench_core::judge::changepoint::{ChangePoint, Settings};
use bench_core::record::RunRecord;

use super::trend::{Change, Step, Trend};
use crate::history::key::keys;
use crate::history::place::Place;
use crate::history::read::Point;
use crate::history::{Store, changes};

/// Fewer runs are no trend.
pub(crate) const RUNS_MIN: usize = 3;
/// A page with more runs than this is too large for a mail.
const RUNS_MAX: usize = 100_000;

/// What the history draws.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Past {
    /// Those that changed first.
    pub(crate) trends: Vec<Trend>,
    /// How many more there are than a page can hold.
    pub(crate) left: usize,
    /// How many rows of the record have fewer than [`RUNS_MIN`] runs in its environment.
    pub(crate) few: usize,
    /// How many rows it has that a history could hold.
    pub(crate) all: usize,
}

/// The trend of each row of the record.
///
/// # Errors
/// Those of the history; [`Exit::NotMeasured`](crate::exit::Exit::NotMeasured) where there is none.
pub(crate) fn trends(record: &RunRecord, place: &Place) -> anyhow::Result<Past> {
    let mut store = Store::existing(place)?;
    let known = store.environments()?;
    let (mut trends, mut few, mut all) = (Vec::new(), 0, 0);
    // No history has what was sampled beside a scenario.
    let rows = record.rows.iter().zip(keys(record)).filter(|(row, _)| !row.is_of_watch());
    for (row, key) in rows {
        all += 1;
        let (points, _changed_trees) =
            changes::measured(store.series(&row.id, row.metric.name(), &key.hash)?);
        if points.len() < RUNS_MIN {
            few += 1;
            continue;
        }
        let changes = changes::of(&points, row.metric.direction(), Settings::OTAVA);
        let facts = known.iter().find(|known| known.key == key.hash);
        let facts = facts.map(|known| known.facts.as_slice()).unwrap_or_default();
        // The unit is with the values.
        let facts = facts.iter().filter(|(name, _)| name != "unit");
        let told = facts.filter_map(|(name, value)| Some(format!("{name} {}", value.as_ref()?)));
        trends.push(Trend {
            id: row.id.clone(),
            metric: row.metric.clone(),
            unit: row.unit.clone(),
            environment: told.collect::<Vec<_>>().join(", "),
            changes: changes.iter().map(drawn).collect(),
            points: points.into_iter().map(step).collect(),
        });
    }
    trends.sort_by_key(|trend| trend.changes.is_empty());
    let (trends, left) = bounded(trends);
    Ok(Past { trends, left, few, all })
}

fn step(point: Point) -> Step {
    Step { commit: point.commit, at: point.started_at, value: point.value }
}

fn drawn(change: &changes::Change) -> Change {
    let ChangePoint { index, before, after, p_value, .. } = change.point;
    Change { index, before, after, p_value, note: Some(change.note()) }
}

/// As many as a page holds; always the first.
fn bounded(mut trends: Vec<Trend>) -> (Vec<Trend>, usize) {
    let mut runs = 0;
    let fits = |trend: &Trend| {
        runs += trend.points.len();
        runs <= RUNS_MAX
    };
    let kept = trends.iter().map(fits).take_while(|fits| *fits).count().max(1);
    let left = trends.len().saturating_sub(kept);
    trends.truncate(kept);
    (trends, left)
}

#[cfg(test)]
mod tests {
    use bench_core::record::{Data, Environment, Metric, Row};

    use super::*;
    use crate::render::trend::sample;

    fn run(day: u32, value: u64) -> RunRecord {
        let mut record = RunRecord::begin(Environment::default());
        record.run_id = format!("019a9f3e-7c1d-7a44-8e0a-3f1a6a1f{day:04}");
        record.started_at = format!("2026-01-{day:02}T00:00:00Z");
        record.environment.git_commit = Some(format!("{day:02x}").repeat(20));
        let data = Data::Count { value };
        record.rows.push(Row::measured("a/b", Metric::Instructions, "instructions", data));
        record
    }

    #[test]
    fn a_step_in_the_history_is_a_change_point_with_its_commits() {
        let folder = tempfile::tempdir().expect("folder");
        let place = Place::File(folder.path().join("history.sqlite"));
        let mut store = Store::open(&place).expect("opened");
        let runs: Vec<RunRecord> = (1..=20)
            .map(|day| run(day, if day <= 10 { 1_000 } else { 1_100 } + u64::from(day % 3)))
            .collect();
        runs.iter().for_each(|run| _ = store.record(run).expect("stored"));
        drop(store);
        let Past { trends, left, few, .. } = trends(&runs[19], &place).expect("read");
        assert_eq!((trends.len(), trends[0].points.len(), left, few), (1, 20, 0, 0));
        assert_eq!(trends[0].changes.len(), 1);
        let change = &trends[0].changes[0];
        assert_eq!(change.index, 10);
        let note = change.note.as_deref().expect("both commits are known");
        assert_eq!(note, "between 0a0a0a0a0a0a and 0b0b0b0b0b0b");
    }

    #[test]
    fn runs_of_changed_trees_are_no_steps_of_a_trend() {
        let folder = tempfile::tempdir().expect("folder");
        let place = Place::File(folder.path().join("history.sqlite"));
        let mut store = Store::open(&place).expect("opened");
        for day in 1..=5 {
            let mut run = run(day, if day == 3 { 9_000 } else { 1_000 });
            run.environment.git_dirty = Some(day == 3);
            store.record(&run).expect("stored");
        }
        drop(store);
        let past = trends(&run(5, 1_000), &place).expect("read");
        let values: Vec<f64> = past.trends[0].points.iter().map(|step| step.value).collect();
        assert_eq!(values, [1_000.0; 4]);
    }

    #[test]
    fn an_id_with_too_few_runs_is_counted() {
        let folder = tempfile::tempdir().expect("folder");
        let place = Place::File(folder.path().join("history.sqlite"));
        let mut store = Store::open(&place).expect("opened");
        [run(1, 7), run(2, 7)].iter().for_each(|run| _ = store.record(run).expect("stored"));
        drop(store);
        let mut watched = run(2, 7);
        let data = Data::Count { value: 1 };
        watched.rows.push(Row::measured("watch/a/b", Metric::CpuTime, "ns", data));
        let past = trends(&watched, &place).expect("read");
        assert_eq!((past.trends.len(), past.few, past.all, past.left), (0, 1, 1, 0));
    }

    #[test]
    fn a_page_holds_so_many_runs_and_at_least_one_trend() {
        let (kept, left) = bounded(vec![sample(60_000), sample(30_000), sample(30_000)]);
        assert_eq!((kept.len(), left), (2, 1));
        let (kept, left) = bounded(vec![sample(RUNS_MAX + 1), sample(30)]);
        assert_eq!((kept.len(), left), (1, 1));
        assert_eq!(bounded(Vec::new()), (Vec::new(), 0));
    }
}
