//! Rows out of criterion's folder: `<home>/**/<baseline>/{benchmark,sample}.json`. The path is a
//! sanitised form of the id, so the id is read from the file.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context;
use bench_core::record::{Data, Metric, Row};
use jiff::Timestamp;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::exit::{Exit, failure};

/// Folders that criterion writes by itself on every run: nobody's saved baseline stays in them.
const OVERWRITTEN: [&str; 5] = ["base", "change", "new", "profile", "report"];
/// Ids have a handful of parts; a deeper tree is not criterion's.
const DEPTH: usize = 12;

/// What criterion says of the benchmark itself.
#[derive(Deserialize)]
struct Benchmark {
    full_id: String,
    throughput: Option<Throughput>,
}

/// What one operation moves. Criterion knows more kinds; those that are not bytes are left out.
#[derive(Deserialize)]
#[serde(untagged)]
enum Throughput {
    Bytes {
        #[serde(rename = "Bytes", alias = "BytesDecimal")]
        bytes: u64,
    },
    Both {
        #[serde(rename = "ElementsAndBytes")]
        both: ElementsAndBytes,
    },
    Other(serde::de::IgnoredAny),
}

#[derive(Deserialize)]
struct ElementsAndBytes {
    bytes: u64,
}

/// The raw values; criterion writes iteration counts as floats.
#[derive(Deserialize)]
struct Sample {
    iters: Vec<f64>,
    times: Vec<f64>,
}

/// The rows of a baseline that the user named, refused where criterion would have overwritten it.
///
/// # Errors
/// A reserved name ([`Exit::Usage`]), no such baseline ([`Exit::NotMeasured`], with those that
/// there are), a file that can't be read.
pub(crate) fn saved(home: &Path, baseline: &str) -> anyhow::Result<Vec<Row>> {
    if OVERWRITTEN.contains(&baseline) {
        let why = format!(
            "'{baseline}' can't be compared: criterion overwrites the folder of that name on \
             every run; save under another, as in `cargo bench --bench 'wall_*' -- \
             --save-baseline=main`"
        );
        return Err(failure(Exit::Usage, why));
    }
    let rows = rows(home, baseline)?;
    if rows.is_empty() {
        return Err(failure(Exit::NotMeasured, missing(home, baseline)));
    }
    Ok(rows)
}

/// The rows of a baseline, in the order of their ids; none where there is no such baseline.
///
/// # Errors
/// When a file of it is missing, truncated or not criterion's.
pub(crate) fn rows(home: &Path, baseline: &str) -> anyhow::Result<Vec<Row>> {
    let mut rows = Vec::new();
    for folder in folders(home)?.iter().filter(|folder| folder.ends_with(baseline)) {
        rows.push(read(folder)?);
    }
    rows.sort_by(|a, b| a.id.cmp(&b.id));
    Ok(rows)
}

fn missing(home: &Path, baseline: &str) -> String {
    let saved = names(home);
    let there = if saved.is_empty() {
        "none is saved yet".to_owned()
    } else {
        format!("saved are {}", saved.join(", "))
    };
    format!(
        "there is no file and no criterion baseline '{baseline}' under {}: {there}; save it with \
         `cargo bench --bench 'wall_*' -- --save-baseline={baseline}`",
        home.display()
    )
}

/// When the first benchmark of a baseline was saved.
///
/// # Errors
/// No such baseline, or a file whose time can't be read.
pub(crate) fn saved_at(home: &Path, baseline: &str) -> anyhow::Result<Timestamp> {
    let mut first = None;
    for folder in folders(home)?.iter().filter(|folder| folder.ends_with(baseline)) {
        let path = folder.join("sample.json");
        let time = fs::metadata(&path)
            .and_then(|data| data.modified())
            .with_context(|| format!("failed to read the time of {}", path.display()))?;
        let time = Timestamp::try_from(time)?;
        first = Some(first.map_or(time, |first: Timestamp| first.min(time)));
    }
    first.with_context(|| missing(home, baseline))
}

/// The baselines that somebody saved.
pub(crate) fn names(home: &Path) -> Vec<String> {
    let folders = folders(home).unwrap_or_default();
    let name = |folder: &PathBuf| Some(folder.file_name()?.to_str()?.to_owned());
    let names: BTreeSet<String> = folders.iter().filter_map(name).collect();
    names.into_iter().filter(|name| !OVERWRITTEN.contains(&name.as_str())).collect()
}

/// Every folder that holds the files of one benchmark in one baseline.
fn folders(home: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let mut open = vec![(home.to_owned(), 0)];
    while let Some((folder, depth)) = open.pop() {
        if !folder.is_dir() || depth > DEPTH {
            continue;
        }
        let context = || format!("failed to read the folder {}", folder.display());
        for entry in fs::read_dir(&folder).with_context(context)? {
            let entry = entry.with_context(context)?;
            // The kind of the entry itself: what a link leads to is read where it lies.
            let folder = entry.file_type().with_context(context)?.is_dir();
            open.extend(folder.then(|| (entry.path(), depth + 1)));
        }
        if folder.join("benchmark.json").is_file() {
            found.push(folder);
        }
    }
    found.sort();
    Ok(found)
}

fn read(folder: &Path) -> anyhow::Result<Row> {
    let benchmark: Benchmark = parse(&folder.join("benchmark.json"))?;
    let path = folder.join("sample.json");
    let sample: Sample = parse(&path)?;
    let sound = sample.iters.len() == sample.times.len()
        && !sample.times.is_empty()
        && sample.times.iter().all(|time| time.is_finite() && *time >= 0.0)
        && sample.iters.iter().all(|count| *count >= 1.0 && count.fract() == 0.0);
    if !sound {
        let why = "its iteration counts and times don't go together; measure again";
        return Err(failure(Exit::Usage, format!("{} makes no sense: {why}", path.display())));
    }
    let iterations = sample.iters.iter().map(|count| *count as u64).collect();
    let data = Data::Samples { values: sample.times, iterations };
    let mut row = Row::measured(&benchmark.full_id, Metric::WallTime, "ns", data);
    if let Some(bytes) = benchmark.throughput.and_then(Throughput::bytes) {
        row.dimensions.insert("bytes".to_owned(), bytes.to_string());
    }
    Ok(row)
}

impl Throughput {
    fn bytes(self) -> Option<u64> {
        match self {
            Self::Bytes { bytes } => Some(bytes),
            Self::Both { both } => Some(both.bytes),
            Self::Other(_) => None,
        }
    }
}

fn parse<T: DeserializeOwned>(path: &Path) -> anyhow::Result<T> {
    let text = fs::read(path).map_err(|error| {
        failure(Exit::Usage, format!("failed to read {}: {error}", path.display()))
    })?;
    serde_json::from_slice(&text).map_err(|error| {
        let why = format!("{} is not what criterion writes, or cut short: {error}", path.display());
        failure(Exit::Usage, why)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exit;

    fn save(home: &Path, place: &str, id: &str, throughput: &str) -> PathBuf {
        let folder = home.join(place);
        fs::create_dir_all(&folder).expect("folder");
        let benchmark = format!(r#"{{"group_id":"g","full_id":"{id}","throughput":{throughput}}}"#);
        fs::write(folder.join("benchmark.json"), benchmark).expect("written");
        let sample = r#"{"sampling_mode":"Linear","iters":[1.0,2.0],"times":[10.0,22.5]}"#;
        fs::write(folder.join("sample.json"), sample).expect("written");
        folder
    }

    #[test]
    fn a_baseline_becomes_rows_with_their_raw_samples() {
        let home = tempfile::tempdir().expect("folder");
        save(home.path(), "pool_cycle/4KiB/main", "pool/cycle/4KiB", r#"{"Bytes":4096}"#);
        save(home.path(), "pool_cycle/1KiB/main", "pool/cycle/1KiB", r#"{"Elements":3}"#);
        save(home.path(), "pool_cycle/1KiB/new", "pool/cycle/1KiB", "null");
        let rows = saved(home.path(), "main").expect("readable");
        let ids: Vec<&str> = rows.iter().map(|row| row.id.as_str()).collect();
        assert_eq!(ids, ["pool/cycle/1KiB", "pool/cycle/4KiB"]);
        assert_eq!(rows[1].dimensions["bytes"], "4096");
        assert!(rows[0].dimensions.is_empty());
        let data = Data::Samples { values: vec![10.0, 22.5], iterations: vec![1, 2] };
        assert_eq!(rows[0].data, Some(data));
        assert!(!rows[0].gates);
    }

    #[test]
    fn names_that_criterion_overwrites_are_refused() {
        for name in OVERWRITTEN {
            let error = saved(Path::new("/nowhere"), name).expect_err(name);
            assert_eq!(exit::of(&error), Exit::Usage);
        }
    }

    #[test]
    fn a_missing_baseline_lists_those_that_there_are() {
        let home = tempfile::tempdir().expect("folder");
        save(home.path(), "a/main", "a", "null");
        save(home.path(), "a/new", "a", "null");
        let error = saved(home.path(), "pr").expect_err("no such baseline");
        assert_eq!(exit::of(&error), Exit::NotMeasured);
        assert!(error.to_string().contains("saved are main;"), "{error}");
        let error = saved(&home.path().join("void"), "pr").expect_err("no folder");
        assert!(error.to_string().contains("none is saved yet"), "{error}");
    }

    #[test]
    fn a_folder_that_is_linked_to_is_read_once() {
        let home = tempfile::tempdir().expect("folder");
        save(home.path(), "a/main", "a", "null");
        std::os::unix::fs::symlink("..", home.path().join("a/up")).expect("linked");
        assert_eq!(rows(home.path(), "main").expect("readable").len(), 1);
    }

    #[test]
    fn a_truncated_file_is_named() {
        let home = tempfile::tempdir().expect("folder");
        let folder = save(home.path(), "a/main", "a", "null");
        for broken in
            [r#"{"iters":[1.0"#, r#"{"iters":[],"times":[]}"#, r#"{"iters":[0.5],"times":[1]}"#]
        {
            fs::write(folder.join("sample.json"), broken).expect("written");
            let error = rows(home.path(), "main").expect_err(broken);
            assert_eq!(exit::of(&error), Exit::Usage);
            assert!(error.to_string().contains("sample.json"), "{error}");
        }
    }
}
