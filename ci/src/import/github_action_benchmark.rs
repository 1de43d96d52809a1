//! Rows out of what github-action-benchmark keeps: `data.js` on a pages branch, or the JSON file of
//! `external-data-json-path`. Each suite is a list of entries, one a run: commit, date, benches.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Deserializer};

use super::{Imported, by_unit, estimate, json};

/// The value of the dimension `source`.
const SOURCE: &str = "github-action-benchmark";
/// What makes a script of the JSON.
const PREFIX: &str = "window.BENCHMARK_DATA = ";

#[derive(Deserialize)]
struct File {
    entries: BTreeMap<String, Vec<Entry>>,
}

#[derive(Deserialize)]
struct Entry {
    commit: Commit,
    /// Milliseconds since 1970.
    date: i64,
    benches: Vec<Bench>,
}

#[derive(Deserialize)]
struct Commit {
    id: String,
    message: Option<String>,
}

#[derive(Deserialize)]
struct Bench {
    name: String,
    #[serde(deserialize_with = "number")]
    value: f64,
    #[serde(default)]
    unit: String,
    range: Option<String>,
    extra: Option<String>,
}

impl Bench {
    /// What its row is known by: another unit may be another metric.
    fn key(&self) -> (String, String) {
        (self.name.clone(), by_unit(self.unit.trim()).0.name().to_owned())
    }
}

/// A number, also where it stands in quotes: tools of users write both.
fn number<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Written {
        Number(f64),
        Text(String),
    }
    match Written::deserialize(deserializer)? {
        Written::Number(value) => Ok(value),
        Written::Text(text) => text.trim().parse().map_err(serde::de::Error::custom),
    }
}

/// The runs in the text, suite by suite. An id is `suite/bench`. Benches of one name and metric in
/// one entry are told apart by the dimension `repetition`, from 1.
///
/// # Errors
/// What is wrong and where; a file without an entry among it.
pub(crate) fn read(
    text: &str,
) -> Result<Box<dyn Iterator<Item = Result<Imported, String>>>, String> {
    let text = text.trim();
    let text = text.strip_prefix(PREFIX.trim_end()).unwrap_or(text);
    let file: File = json(text.trim_end_matches(';'))?;
    if file.entries.values().all(Vec::is_empty) {
        return Err("it holds no entry".to_owned());
    }
    let entries = file
        .entries
        .into_iter()
        .flat_map(|(suite, entries)| entries.into_iter().map(move |entry| (suite.clone(), entry)));
    Ok(Box::new(entries.map(|(suite, entry)| imported(&suite, entry))))
}

fn imported(suite: &str, entry: Entry) -> Result<Imported, String> {
    let at = Timestamp::from_millisecond(entry.date)
        .map_err(|error| format!("an entry of '{suite}' has the date {}: {error}", entry.date))?;
    let mut imported =
        Imported { at: Some(at), commit: Some(entry.commit.id), ..Imported::default() };
    let notes = [("suite", Some(suite.to_owned())), ("commit_message", entry.commit.message)];
    for (name, note) in notes {
        imported.notes.extend(note.map(|note| (name.to_owned(), note.into())));
    }
    let mut named: BTreeMap<(String, String), (u32, u32)> = BTreeMap::new();
    for bench in &entry.benches {
        named.entry(bench.key()).or_default().0 += 1;
    }
    for bench in entry.benches {
        let (of, seen) = named.get_mut(&bench.key()).expect("counted");
        *seen += 1;
        let repetition = (*of > 1).then(|| seen.to_string());
        let (metric, unit, factor) = by_unit(bench.unit.trim());
        let id = format!("{suite}/{}", bench.name);
        let mut row = estimate(&id, (metric, unit), bench.value * factor);
        let told = [("range", bench.range), ("extra", bench.extra), ("repetition", repetition)];
        for (name, text) in told {
            row.dimensions.extend(text.map(|text| (name.to_owned(), text)));
        }
        imported.push(row, SOURCE);
    }
    Ok(imported)
}

#[cfg(test)]
mod tests {
    use bench_core::record::Metric;

    use super::*;
    use crate::import::other;

    const FILE: &str = include_str!("../../tests/import/github-action-benchmark.js");

    fn all(text: &str) -> Vec<Imported> {
        read(text).expect("read").collect::<Result<_, _>>().expect("sound")
    }

    #[test]
    fn each_entry_is_a_run_of_its_commit() {
        let runs = all(FILE);
        assert_eq!(runs.len(), 3);
        assert_eq!(runs[0].commit.as_deref(), Some("5a2c1f0d4be7c1f4c0a8f7e35b1d6f0f3a9be001"));
        assert_eq!(runs[0].at.expect("said").to_string(), "2025-11-02T10:15:30.123Z");
        assert_eq!(runs[0].notes["commit_message"], "Speed up \"parse\" <b>a lot</b>");
        let row = &runs[0].rows[0];
        assert_eq!(
            (row.id.as_str(), &row.metric),
            ("Go Benchmark/BenchmarkFib10", &Metric::WallTime)
        );
        assert_eq!(row.per_operation(), [325.0]);
        assert_eq!(row.dimensions["extra"], "3653412 times\n8 procs");
        assert_eq!(runs[0].rows[1].metric, Metric::AllocatedBytes);
        let pytest = &runs[2].rows[0];
        assert_eq!((&pytest.metric, pytest.unit.as_str()), (&other("iter/sec"), "iter/sec"));
        assert_eq!(pytest.dimensions["range"], "stddev: 0.000006175090189861328");
        assert_eq!(pytest.per_operation(), [41735.72]);
    }

    #[test]
    fn the_json_without_its_script_is_the_same() {
        let json = FILE.trim().strip_prefix(PREFIX).expect("a script");
        assert_eq!(all(json), all(FILE));
    }

    #[test]
    fn a_file_that_is_cut_short_or_foreign_says_where() {
        for cut in [30, FILE.len() / 2, FILE.trim().len() - 1] {
            let error = read(&FILE[..cut]).err().expect("cut short");
            assert!(error.contains("cut short") && error.contains("line"), "{error}");
        }
        for foreign in ["[]", "{}", r#"{"entries":{}}"#, r#"{"entries":{"a":[{}]}}"#, "<html>"] {
            assert!(read(foreign).is_err(), "{foreign}");
        }
    }
}
