//! Records into the store: all that one call was given, or nothing.

use std::collections::{HashMap, HashSet};
use std::fmt::Write as _;

use bench_core::judge::stats::median;
use bench_core::record::{Data, Row, RunRecord};
use serde_json::{Map, Value as Json, json};
use sha2::{Digest, Sha256};

use super::Store;
use super::key::{Key, keys};
use super::link::{Link, Value};
use crate::bench::code_hash::hex;
use crate::exit::{Exit, failure};
use crate::process;

/// Rows that go into one statement: the price of a statement is shared, and the number of its
/// values stays below what either database takes (32,766 and 65,535).
const ROWS_AT_ONCE: usize = 400;
const COLUMNS: usize = 5;

/// What came of recording.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Stored {
    /// Runs that are new in the store.
    pub(crate) runs: usize,
    /// Their rows.
    pub(crate) rows: usize,
    /// Runs that it had already, and that were left as they are.
    pub(crate) known: usize,
}

impl Store {
    /// Stores the record. The same run twice is stored once.
    ///
    /// # Errors
    /// As [`record_all`](Self::record_all).
    #[cfg(test)]
    pub(crate) fn record(&mut self, record: &RunRecord) -> anyhow::Result<Stored> {
        self.record_all([Ok(record.clone())])
    }

    /// Stores all records in one transaction; those whose run id is there already are left out.
    ///
    /// # Errors
    /// The first error among the records, a record that makes no sense ([`Exit::Usage`]) or holds no
    /// row ([`Exit::NotMeasured`]), an interrupt ([`Exit::NotMeasured`]), and what the database refuses. Nothing is stored then.
    pub(crate) fn record_all(
        &mut self,
        records: impl IntoIterator<Item = anyhow::Result<RunRecord>>,
    ) -> anyhow::Result<Stored> {
        let batch = self.run("write", async |link| {
            link.begin().await?;
            Batch::begin(link).await
        });
        let stored = batch.and_then(|mut batch| {
            for record in records {
                let record = sound(record?)?;
                self.run("write", async |link| batch.record(link, &record).await)?;
            }
            self.run("write", async |link| {
                batch.flush(link).await?;
                link.commit().await
            })?;
            Ok(batch.stored)
        });
        if stored.is_err() {
            self.run("write", async |link| {
                link.roll_back().await;
                Ok(())
            })?;
        }
        stored
    }
}

fn sound(record: RunRecord) -> anyhow::Result<RunRecord> {
    if process::interrupted() {
        let why = "interrupted before everything was read: nothing was stored";
        return Err(failure(Exit::NotMeasured, why));
    }
    if record.rows.is_empty() {
        let why = format!("the run of {} holds no row: nothing was measured", record.started_at);
        return Err(failure(Exit::NotMeasured, why));
    }
    record.check().map_err(|error| failure(Exit::Usage, error.to_string()))?;
    match record.rows.iter().find(|row| row.id.contains('\0') || row.unit.contains('\0')) {
        None => Ok(record),
        Some(row) => {
            let why = format!(
                "the id or unit of '{}' holds a zero byte, which no store takes",
                row.id.escape_debug()
            );
            Err(failure(Exit::Usage, why))
        }
    }
}

/// The value of a row on its line: the median per operation, the one count, or the median of a
/// histogram. `None` for a row that failed.
pub(crate) fn derived(row: &Row) -> Option<f64> {
    match row.data.as_ref()? {
        Data::Histogram { .. } => {
            let histogram = row.data.as_ref()?.histogram().ok()?;
            Some(histogram.value_at_quantile(0.5) as f64)
        }
        Data::Samples { .. } | Data::Count { .. } => Some(median(&row.per_operation())),
    }
}

/// One transaction: numbers that were handed out, and rows that wait to be written.
struct Batch {
    next_run: i64,
    runs: HashSet<String>,
    series: HashMap<(String, String, String), i64>,
    keys: HashSet<String>,
    environments: HashSet<String>,
    waiting: Vec<Value>,
    stored: Stored,
}

impl Batch {
    async fn begin(link: &mut Link) -> Result<Self, sqlx::Error> {
        let last: Vec<(Option<i64>,)> =
            link.fetch("SELECT MAX(run) FROM history_runs", Vec::new()).await?;
        let runs: Vec<(String,)> =
            link.fetch("SELECT run_id FROM history_runs", Vec::new()).await?;
        let series: Vec<(i64, String, String, String)> = link
            .fetch("SELECT series, id, metric, environment_key FROM history_series", Vec::new())
            .await?;
        let keys: Vec<(String,)> =
            link.fetch("SELECT environment_key FROM history_keys", Vec::new()).await?;
        let environments: Vec<(String,)> =
            link.fetch("SELECT environment FROM history_environments", Vec::new()).await?;
        Ok(Self {
            next_run: last.into_iter().find_map(|(run,)| run).unwrap_or(0) + 1,
            runs: runs.into_iter().map(|(run,)| run).collect(),
            series: series.into_iter().map(|(n, id, metric, key)| ((id, metric, key), n)).collect(),
            keys: keys.into_iter().map(|(key,)| key).collect(),
            environments: environments.into_iter().map(|(hash,)| hash).collect(),
            waiting: Vec::with_capacity(ROWS_AT_ONCE * COLUMNS),
            stored: Stored::default(),
        })
    }

    async fn record(&mut self, link: &mut Link, record: &RunRecord) -> Result<(), sqlx::Error> {
        if !self.runs.insert(record.run_id.clone()) {
            self.stored.known += 1;
            return Ok(());
        }
        let run = self.next_run;
        self.next_run += 1;
        self.run(link, run, record).await?;
        // What a scenario used is of its run alone: nobody looks for changes in it.
        let rows = record.rows.iter().zip(keys(record)).enumerate();
        for (position, (row, key)) in rows.filter(|(_, (row, _))| !row.is_of_watch()) {
            let series = self.series(link, row, key).await?;
            let raw = serde_json::to_string(row).expect("a sound row has a text");
            self.waiting.extend([
                Value::Whole(run),
                Value::Whole(position as i64),
                Value::Whole(series),
                Value::MaybeReal(derived(row)),
                Value::Text(raw.into()),
            ]);
            if self.waiting.len() == ROWS_AT_ONCE * COLUMNS {
                self.flush(link).await?;
            }
        }
        self.stored.runs += 1;
        self.stored.rows += kept(record);
        Ok(())
    }

    async fn run(
        &mut self,
        link: &mut Link,
        run: i64,
        record: &RunRecord,
    ) -> Result<(), sqlx::Error> {
        let facts = serde_json::to_string(&record.environment).expect("it has a text");
        let environment = hex(&Sha256::digest(&facts));
        if self.environments.insert(environment.clone()) {
            let insert = "INSERT INTO history_environments (environment, facts) VALUES ($1, $2)";
            let values = vec![environment.as_str().into(), Value::Text(facts.into())];
            link.execute(insert, values).await?;
        }
        let insert = "INSERT INTO history_runs (run, run_id, started_at, started_us, git_commit, \
                      git_dirty, environment, row_count, rest) \
                      VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)";
        let time: jiff::Timestamp = record.started_at.parse().expect("checked");
        let values = vec![
            Value::Whole(run),
            record.run_id.as_str().into(),
            record.started_at.as_str().into(),
            Value::Whole(time.as_microsecond()),
            Value::MaybeText(record.environment.git_commit.clone()),
            Value::MaybeWhole(record.environment.git_dirty.map(i64::from)),
            Value::Text(environment.into()),
            Value::Whole(kept(record) as i64),
            Value::Text(rest(record).to_string().into()),
        ];
        link.execute(insert, values).await
    }

    /// The number of the row's series, which is made when missing.
    async fn series(&mut self, link: &mut Link, row: &Row, key: Key) -> Result<i64, sqlx::Error> {
        let name = (row.id.clone(), row.metric.name().to_owned(), key.hash);
        if let Some(series) = self.series.get(&name) {
            return Ok(*series);
        }
        let hash = &name.2;
        if self.keys.insert(hash.clone()) {
            let insert = "INSERT INTO history_keys (environment_key, facts) VALUES ($1, $2)";
            link.execute(insert, vec![hash.as_str().into(), Value::Text(key.facts.into())]).await?;
        }
        // Series are never taken out, so their number is free.
        let series = self.series.len() as i64 + 1;
        let insert = "INSERT INTO history_series (series, id, metric, unit, environment_key) \
                      VALUES ($1, $2, $3, $4, $5)";
        let values = vec![
            Value::Whole(series),
            name.0.as_str().into(),
            name.1.as_str().into(),
            row.unit.as_str().into(),
            hash.as_str().into(),
        ];
        link.execute(insert, values).await?;
        self.series.insert(name, series);
        Ok(series)
    }

    /// Writes the rows that wait.
    async fn flush(&mut self, link: &mut Link) -> Result<(), sqlx::Error> {
        if self.waiting.is_empty() {
            return Ok(());
        }
        let mut statement =
            "INSERT INTO history_rows (run, position, series, value, raw) VALUES ".to_owned();
        for row in 0..self.waiting.len() / COLUMNS {
            let first = row * COLUMNS + 1;
            let comma = if row == 0 { "" } else { ", " };
            let [a, b, c, d, e] = [0, 1, 2, 3, 4].map(|column| first + column);
            write!(statement, "{comma}(${a}, ${b}, ${c}, ${d}, ${e})").expect("a String takes all");
        }
        let values =
            std::mem::replace(&mut self.waiting, Vec::with_capacity(ROWS_AT_ONCE * COLUMNS));
        link.execute(statement, values).await
    }
}

/// How many rows of a record are stored.
fn kept(record: &RunRecord) -> usize {
    record.rows.iter().filter(|row| !row.is_of_watch()).count()
}

/// What a record holds beside environment, rows, id and time.
fn rest(record: &RunRecord) -> Json {
    let unknown: &Map<String, Json> = &record.unknown;
    json!({"schema": record.schema, "unknown": unknown})
}
