//! Files of other tools as records. What a file does not say, the user may; what nobody says stays
//! unknown.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context;
use bench_core::record::{Environment, RunRecord};
use clap::ValueEnum;
use jiff::Timestamp;
use serde_json::Value;
use sha2::{Digest, Sha256};
use uuid::Builder;

use super::read::IMPORTED_FROM;
use crate::exit::{Exit, failure};
use crate::import::{
    Imported, critcmp, criterion, fio, github_action_benchmark, gobench, gungraun, json, k6,
};

/// What wrote the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// A folder of criterion, as target/criterion: one run for each saved baseline
    Criterion,
    /// What `critcmp --export NAME` prints
    Critcmp,
    /// summary.json of gungraun, or a folder with many: all of them are one run
    Gungraun,
    /// data.js of github-action-benchmark, or its JSON: one run for each entry
    GithubActionBenchmark,
    /// What `fio --output-format=json` prints
    Fio,
    /// What k6 writes with `--summary-export`, or `handleSummary` gets
    K6,
    /// What `go test -bench` prints
    Go,
}

/// What the user says of all files of one call.
#[derive(Clone, Debug, Default)]
pub(crate) struct Said {
    /// When the runs started.
    pub(crate) at: Option<Timestamp>,
    /// The git commit that was measured.
    pub(crate) commit: Option<String>,
    /// The machine and what else is known of it; its host is what keeps series apart.
    pub(crate) machine: Option<Environment>,
    /// The one baseline of criterion to take.
    pub(crate) baseline: Option<String>,
}

/// The records in the files, one by one, so that a large file does not stand in memory twice.
/// `left_out` is told what no row can hold.
///
/// # Errors
/// [`Exit::Usage`] with file and place, as the first that goes wrong.
pub(crate) fn records<'a>(
    format: Format,
    paths: &'a [PathBuf],
    said: &'a Said,
    left_out: &'a mut Vec<String>,
) -> anyhow::Result<impl Iterator<Item = anyhow::Result<RunRecord>> + 'a> {
    let mut runs: Vec<Runs> = Vec::new();
    match format {
        Format::Gungraun => runs.push(Box::new(std::iter::once(summaries(paths)))),
        other => {
            for path in paths {
                let of = match other {
                    Format::Criterion => baselines(path, said.baseline.as_deref())?,
                    other => file(other, path)?,
                };
                runs.push(spoken_for(path, said, of)?);
            }
        }
    }
    Ok(runs.into_iter().flatten().map(move |imported| {
        let mut imported = imported?;
        left_out.append(&mut imported.left_out);
        record(format, said, imported)
    }))
}

/// The runs of one file.
type Runs = Box<dyn Iterator<Item = anyhow::Result<Imported>>>;

/// The runs, refused where one time or commit is said of several.
fn spoken_for(path: &Path, said: &Said, mut runs: Runs) -> anyhow::Result<Runs> {
    if said.at.is_none() && said.commit.is_none() {
        return Ok(runs);
    }
    let first = runs.next();
    if runs.next().is_some() {
        let why = format!(
            "{} holds several runs, which can't all have one time or commit; leave --at and \
             --commit out, or name one baseline of criterion with --baseline",
            path.display()
        );
        return Err(failure(Exit::Usage, why));
    }
    Ok(Box::new(first.into_iter()))
}

fn file(format: Format, path: &Path) -> anyhow::Result<Runs> {
    let (text, at) = (text(path)?, modified(path)?);
    let one = |imported: Result<Imported, String>| {
        let imported = imported.map_err(|why| makes_no_sense(path, &why))?;
        let runs: Runs =
            Box::new(std::iter::once(Ok(Imported { at: imported.at.or(Some(at)), ..imported })));
        Ok(runs)
    };
    match format {
        Format::Critcmp => one(export(&text)),
        Format::Fio => one(fio::read(&text)),
        Format::K6 => one(k6::read(&text)),
        Format::Go => one(gobench::read(&text)),
        Format::GithubActionBenchmark => {
            let runs =
                github_action_benchmark::read(&text).map_err(|why| makes_no_sense(path, &why))?;
            let path = path.to_owned();
            Ok(Box::new(runs.map(move |run| run.map_err(|why| makes_no_sense(&path, &why)))))
        }
        Format::Criterion | Format::Gungraun => unreachable!("read by folder"),
    }
}

fn export(text: &str) -> Result<Imported, String> {
    let export: Value = json(text)?;
    let mut imported = Imported::default();
    for row in critcmp::rows(&export)? {
        imported.push(row, critcmp::SOURCE);
    }
    if imported.rows.is_empty() { Err("it holds no benchmark".to_owned()) } else { Ok(imported) }
}

/// The summaries of many benches, which are one run.
fn summaries(paths: &[PathBuf]) -> anyhow::Result<Imported> {
    let mut all = Imported::default();
    for path in paths {
        let files = if path.is_dir() { below(path)? } else { vec![path.clone()] };
        if files.is_empty() {
            return Err(makes_no_sense(path, "there is no summary.json below it"));
        }
        for file in files {
            let one = gungraun::read(&text(&file)?).map_err(|why| makes_no_sense(&file, &why))?;
            let at = one.at.map_or_else(|| modified(&file), Ok)?;
            all.at = Some(all.at.map_or(at, |first| first.min(at)));
            all.rows.extend(one.rows);
            all.left_out.extend(one.left_out);
        }
    }
    Ok(all)
}

fn below(folder: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let (mut found, mut open) = (Vec::new(), vec![folder.to_owned()]);
    while let Some(folder) = open.pop() {
        let context = || format!("failed to read the folder {}", folder.display());
        for entry in fs::read_dir(&folder).with_context(context)? {
            let entry = entry.with_context(context)?;
            // The kind of the entry itself: a link to a folder above would never end.
            match entry.file_type().with_context(context)? {
                kind if kind.is_dir() => open.push(entry.path()),
                _ if entry.file_name() == "summary.json" => found.push(entry.path()),
                _ => {}
            }
        }
    }
    found.sort();
    Ok(found)
}

/// The baselines of a folder of criterion: the one that is named, otherwise those that somebody
/// saved, otherwise the last run.
fn baselines(home: &Path, named: Option<&str>) -> anyhow::Result<Runs> {
    if !home.is_dir() {
        return Err(makes_no_sense(home, "it is no folder; name criterion's, as target/criterion"));
    }
    let saved = match named {
        Some(name) => vec![name.to_owned()],
        None => Some(criterion::names(home))
            .filter(|names| !names.is_empty())
            .unwrap_or_else(|| vec!["new".to_owned()]),
    };
    let mut runs = Vec::new();
    for name in saved {
        let rows = criterion::rows(home, &name)?;
        if rows.is_empty() {
            return Err(makes_no_sense(home, &format!("there is no baseline '{name}' in it")));
        }
        let mut imported =
            Imported { at: Some(criterion::saved_at(home, &name)?), ..Imported::default() };
        imported.notes.insert("baseline".to_owned(), name.into());
        // The samples themselves, and so without a source: on one line with those of a run.
        imported.rows = rows;
        runs.push(Ok(imported));
    }
    Ok(Box::new(runs.into_iter()))
}

fn text(path: &Path) -> anyhow::Result<String> {
    let bytes = fs::read(path).map_err(|error| {
        failure(Exit::Usage, format!("failed to read {}: {error}", path.display()))
    })?;
    String::from_utf8(bytes).map_err(|error| {
        let place = error.utf8_error().valid_up_to();
        makes_no_sense(path, &format!("byte {place} is no UTF-8 text"))
    })
}

/// When the file was written: all that is known of a run whose file tells no time.
fn modified(path: &Path) -> anyhow::Result<Timestamp> {
    let context = || format!("failed to read the time of {}", path.display());
    let time = fs::metadata(path).and_then(|data| data.modified()).with_context(context)?;
    Timestamp::try_from(time).with_context(context)
}

fn makes_no_sense(path: &Path, why: &str) -> anyhow::Error {
    failure(Exit::Usage, format!("{} can't be imported: {why}", path.display()))
}

/// The record of one run. Its id follows from what is in it, so that the same run is known again:
/// the time, and a hash of format, notes, commit and rows where a new run has random bits.
fn record(format: Format, said: &Said, imported: Imported) -> anyhow::Result<RunRecord> {
    let at = said.at.or(imported.at).context("a run without a time")?;
    let mut environment = said.machine.clone().unwrap_or_default();
    if environment.host_id.is_none() {
        environment.host_id = imported.machine;
    }
    environment.git_commit = said.commit.clone().or(imported.commit);
    let mut record = RunRecord::begin(environment);
    record.rows = imported.rows;
    record.unknown = imported.notes;
    let name = format.to_possible_value().expect("none is skipped").get_name().to_owned();
    record.unknown.insert(IMPORTED_FROM.to_owned(), name.into());
    record.run_id = run_id(at, &record)?;
    record.started_at = at.to_string();
    Ok(record)
}

fn run_id(at: Timestamp, record: &RunRecord) -> anyhow::Result<String> {
    let millis = u64::try_from(at.as_millisecond()).map_err(|_| {
        failure(Exit::Usage, format!("{at} lies before 1970, where no run was measured"))
    })?;
    let content = (&record.unknown, &record.environment.git_commit, &record.rows);
    let digest = Sha256::digest(serde_json::to_vec(&content)?);
    let random: [u8; 10] = digest[..10].try_into().expect("a digest has 32 bytes");
    Ok(Builder::from_unix_timestamp_millis(millis, &random).into_uuid().to_string())
}
