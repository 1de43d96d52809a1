//! What the store knows: lines of values over time, and records as they came.

use bench_core::record::{Environment, Row, RunRecord};
use serde::Deserialize;
use serde_json::{Map, Value as Json};

use super::Store;
use super::link::Value;
use crate::exit::{Exit, failure};

/// As many values as the fence of a gate looks at.
pub(crate) const PAST: usize = 30;

/// One value of a series.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Point {
    /// When its run started: RFC 3339, UTC.
    pub(crate) started_at: String,
    /// The git commit that was measured.
    pub(crate) commit: Option<String>,
    /// Whether the tree differed from that commit.
    pub(crate) dirty: Option<bool>,
    /// The median per operation, or the count, in the unit of the series.
    pub(crate) value: f64,
    /// The run.
    pub(crate) run_id: String,
}

/// A series and how much there is of it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Series {
    pub(crate) id: String,
    pub(crate) metric: String,
    pub(crate) environment: String,
    pub(crate) unit: String,
    /// Values; rows that failed have none.
    pub(crate) points: u64,
}

/// An environment key and what is behind it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Known {
    pub(crate) key: String,
    /// Names, with the value where it is known.
    pub(crate) facts: Vec<(String, Option<String>)>,
}

/// A run in the store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Run {
    pub(crate) run_id: String,
    pub(crate) started_at: String,
    pub(crate) commit: Option<String>,
    pub(crate) rows: u64,
    /// The tool that it was imported from.
    pub(crate) source: Option<String>,
}

/// What is kept of a record beside environment and rows.
#[derive(Deserialize)]
struct Rest {
    schema: u32,
    unknown: Map<String, Json>,
}

/// The field of a record by which an import says where it comes from.
pub(crate) const IMPORTED_FROM: &str = "imported_from";

impl Store {
    /// The values of one metric of one id in one environment, oldest first. Empty where there is
    /// no such series. `environment` is an environment key.
    pub(crate) fn series(
        &mut self,
        id: &str,
        metric: &str,
        environment: &str,
    ) -> anyhow::Result<Vec<Point>> {
        let select = "SELECT r.started_at, r.git_commit, r.git_dirty, w.value, r.run_id \
                      FROM history_series s \
                      JOIN history_rows w ON w.series = s.series \
                      JOIN history_runs r ON r.run = w.run \
                      WHERE s.id = $1 AND s.metric = $2 AND s.environment_key = $3 \
                      AND w.value IS NOT NULL \
                      ORDER BY r.started_us, r.run_id, w.position";
        type Cells = (String, Option<String>, Option<i64>, f64, String);
        let values = vec![id.into(), metric.into(), environment.into()];
        let rows: Vec<Cells> = self.run("read", async |link| link.fetch(select, values).await)?;
        let point = |(started_at, commit, dirty, value, run_id): Cells| Point {
            started_at,
            commit,
            dirty: dirty.map(|dirty| dirty != 0),
            value,
            run_id,
        };
        Ok(rows.into_iter().map(point).collect())
    }

    /// The last [`PAST`] values of a series, oldest first; fewer where there are fewer. Runs of a
    /// tree with changes are left out: their values belong to no commit.
    pub(crate) fn past(
        &mut self,
        id: &str,
        metric: &str,
        environment: &str,
    ) -> anyhow::Result<Vec<f64>> {
        let select = "SELECT w.value FROM history_series s \
                      JOIN history_rows w ON w.series = s.series \
                      JOIN history_runs r ON r.run = w.run \
                      WHERE s.id = $1 AND s.metric = $2 AND s.environment_key = $3 \
                      AND w.value IS NOT NULL AND COALESCE(r.git_dirty, 0) = 0 \
                      ORDER BY r.started_us DESC, r.run_id DESC, w.position DESC LIMIT $4";
        let limit = Value::Whole(PAST as i64);
        let values = vec![id.into(), metric.into(), environment.into(), limit];
        let mut rows: Vec<(f64,)> =
            self.run("read", async |link| link.fetch(select, values).await)?;
        rows.reverse();
        Ok(rows.into_iter().map(|(value,)| value).collect())
    }

    /// Every series, sorted by id, metric and environment key. Reads every row there is.
    pub(crate) fn ids(&mut self) -> anyhow::Result<Vec<Series>> {
        let select = "SELECT s.id, s.metric, s.environment_key, s.unit, COUNT(w.value) \
                      FROM history_series s JOIN history_rows w ON w.series = s.series \
                      GROUP BY s.series, s.id, s.metric, s.environment_key, s.unit";
        self.counted(select, Vec::new())
    }

    /// The series of one id, as [`ids`](Self::ids) has them; reads their rows alone.
    pub(crate) fn of_id(&mut self, id: &str) -> anyhow::Result<Vec<Series>> {
        let select = "SELECT s.id, s.metric, s.environment_key, s.unit, COUNT(w.value) \
                      FROM history_series s JOIN history_rows w ON w.series = s.series \
                      WHERE s.id = $1 \
                      GROUP BY s.series, s.id, s.metric, s.environment_key, s.unit";
        self.counted(select, vec![id.into()])
    }

    fn counted(&mut self, select: &'static str, values: Vec<Value>) -> anyhow::Result<Vec<Series>> {
        let rows: Vec<(String, String, String, String, i64)> =
            self.run("read", async |link| link.fetch(select, values).await)?;
        let mut all: Vec<Series> = rows
            .into_iter()
            .map(|(id, metric, environment, unit, points)| Series {
                id,
                metric,
                environment,
                unit,
                points: points.unsigned_abs(),
            })
            .collect();
        // Here and not by the database: collations differ.
        all.sort();
        Ok(all)
    }

    /// Every environment key with what is behind it, sorted by key.
    pub(crate) fn environments(&mut self) -> anyhow::Result<Vec<Known>> {
        let select = "SELECT environment_key, facts FROM history_keys ORDER BY environment_key";
        let rows: Vec<(String, String)> =
            self.run("read", async |link| link.fetch(select, Vec::new()).await)?;
        let known = |(key, facts): (String, String)| Ok(Known { key, facts: self.json(&facts)? });
        rows.into_iter().map(known).collect()
    }

    /// Every run, oldest first.
    pub(crate) fn runs(&mut self) -> anyhow::Result<Vec<Run>> {
        let select = "SELECT run_id, started_at, git_commit, row_count, rest FROM history_runs \
                      ORDER BY started_us, run_id";
        type Cells = (String, String, Option<String>, i64, String);
        let rows: Vec<Cells> =
            self.run("read", async |link| link.fetch(select, Vec::new()).await)?;
        let run = |(run_id, started_at, commit, rows, rest): Cells| {
            let rest: Rest = self.json(&rest)?;
            let source = rest.unknown.get(IMPORTED_FROM).and_then(Json::as_str).map(str::to_owned);
            Ok(Run { run_id, started_at, commit, rows: rows.unsigned_abs(), source })
        };
        rows.into_iter().map(run).collect()
    }

    /// The record of a run, exactly as it was recorded but for what was sampled beside scenarios, which no
    /// history keeps; `None` where there is no such run.
    pub(crate) fn run_record(&mut self, run_id: &str) -> anyhow::Result<Option<RunRecord>> {
        let select = "SELECT r.run, r.started_at, r.rest, e.facts FROM history_runs r \
                      JOIN history_environments e ON e.environment = r.environment \
                      WHERE r.run_id = $1";
        let values = vec![run_id.into()];
        let runs: Vec<(i64, String, String, String)> =
            self.run("read", async |link| link.fetch(select, values).await)?;
        let Some((run, started_at, rest, facts)) = runs.into_iter().next() else {
            return Ok(None);
        };
        let select = "SELECT raw FROM history_rows WHERE run = $1 ORDER BY position";
        let raws: Vec<(String,)> =
            self.run("read", async |link| link.fetch(select, vec![Value::Whole(run)]).await)?;
        let rest: Rest = self.json(&rest)?;
        let rows = raws.iter().map(|(raw,)| self.json::<Row>(raw)).collect::<Result<_, _>>()?;
        Ok(Some(RunRecord {
            schema: rest.schema,
            run_id: run_id.to_owned(),
            started_at,
            environment: self.json::<Environment>(&facts)?,
            rows,
            unknown: rest.unknown,
        }))
    }

    fn json<'a, T: Deserialize<'a>>(&self, text: &'a str) -> anyhow::Result<T> {
        serde_json::from_str(text).map_err(|error| {
            let why = format!("the history {} holds what is no JSON of ours: {error}", self.place);
            failure(Exit::Broke, why)
        })
    }
}
