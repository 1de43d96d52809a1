//! `cargo perf report`: reads a record, two, or the verdicts of a gate or a comparison; writes the
//! report in the forms that were asked for.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context;
use bench_core::record::{RecordError, RunRecord};
use clap::{Args, ValueEnum};
use serde_json::json;

use crate::exit::{Exit, failure};
use crate::history::place::Place;
use crate::render::text::markdown::BYTES_MAX;
use crate::render::{Report, disk, html, past, source, text};
use crate::ui::Ui;
use crate::workspace::Workspace;

/// What GitHub takes as the summary of one step.
const SUMMARY_MAX: u64 = 1 << 20;
/// The page with everything, beside all other forms.
const PAGE: &str = "report.html";

/// What `report` takes.
#[derive(Args, Clone, Debug)]
pub(crate) struct ReportArgs {
    /// A record, or the verdicts that a gate or a comparison wrote; the newest record under
    /// target/perf when left out
    pub(crate) record: Option<PathBuf>,
    /// A second record: the first is the base, this one the head
    pub(crate) head: Option<PathBuf>,
    /// What to write, comma-separated
    #[arg(long, value_delimiter = ',', value_name = "FORMS", default_value = "markdown,html")]
    pub(crate) format: Vec<Format>,
    /// The folder for the reports; beside the record when left out
    #[arg(long, value_name = "FOLDER")]
    pub(crate) output: Option<PathBuf>,
    /// Where readers of the Markdown find the page
    #[arg(long, value_name = "URL", default_value = PAGE)]
    pub(crate) link: String,
    /// Show how the ids went over the runs in the history, that of the workspace or at this URL
    #[arg(long, value_name = "URL", num_args = 0..=1, require_equals = true, default_missing_value = "")]
    pub(crate) history: Option<String>,
}

/// A form of the report.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// report.md, at most 60 kB
    Markdown,
    /// report.html, one file with everything
    Html,
    /// report.csv
    Csv,
    /// report.json
    Json,
    /// report.junit.xml
    Junit,
    /// Annotations on standard error, and the Markdown in the summary of the step
    Github,
}

pub(crate) fn run(args: &ReportArgs, ui: Ui) -> anyhow::Result<Exit> {
    let (path, sides) = match (&args.record, &args.head) {
        (Some(base), Some(head)) => (head.clone(), source::pair(base, head)?),
        (Some(path), None) => (path.clone(), source::read(path)?),
        (None, _) => {
            let (path, record) = newest(&Workspace::find()?.target.join("perf"))?;
            (path, source::Sides::of(record))
        }
    };
    if sides.head.rows.is_empty() {
        let why = format!("{} holds no row: nothing was measured in that run", path.display());
        return Err(failure(Exit::NotMeasured, why));
    }
    let trends = match &args.history {
        Some(url) => {
            let place = Place::choose(Some(url.as_str()).filter(|url| !url.is_empty()))?;
            let (trends, left) = past::trends(&sides.head, &place)?;
            if left > 0 {
                ui.say(&format!("{left} more trends do not fit on one page and are left out"));
            }
            trends
        }
        None => Vec::new(),
    };
    let report = sides.report(&trends);
    let folder = args.output.clone().unwrap_or_else(|| beside(&path));
    fs::create_dir_all(&folder)
        .with_context(|| format!("failed to create the folder {}", folder.display()))?;
    let mut written = Vec::new();
    for format in &args.format {
        written.extend(write(*format, &report, &args.link, &folder, ui)?);
    }
    let mut said = vec![text::sentence(&report)];
    said.extend(written.iter().map(|path| format!("wrote {}", path.display())));
    let named = |name: &str| written.iter().find(|path| path.ends_with(name));
    let (markdown, html) = (named("report.md"), named(PAGE));
    let json = json!({"record": path, "written": written, "markdown": markdown, "html": html});
    ui.result(&said.join("\n"), &json)?;
    Ok(Exit::Fine)
}

/// Writes one form; the file, where it is one.
fn write(
    format: Format,
    report: &Report<'_>,
    link: &str,
    folder: &Path,
    ui: Ui,
) -> anyhow::Result<Option<PathBuf>> {
    let (name, text) = match format {
        Format::Markdown => ("report.md", text::markdown::report(report, link, BYTES_MAX)),
        Format::Html => (PAGE, html::page::report(report)),
        Format::Csv => ("report.csv", text::csv::report(report)),
        Format::Json => ("report.json", text::json::report(report)),
        Format::Junit => ("report.junit.xml", text::junit::report(report)),
        Format::Github => {
            // A step's log is read for commands on standard error too.
            text::github::annotations(report).lines().for_each(|command| ui.say(command));
            let summary = std::env::var_os("GITHUB_STEP_SUMMARY").filter(|path| !path.is_empty());
            return summary.map(|path| summarise(report, link, path.into(), ui)).transpose();
        }
    };
    let path = folder.join(name);
    disk::write(&path, text.as_bytes())?;
    Ok(Some(path))
}

/// Appends to the summary of the step what still fits.
fn summarise(report: &Report<'_>, link: &str, path: PathBuf, ui: Ui) -> anyhow::Result<PathBuf> {
    let wrong = || format!("failed to append to the step summary {}", path.display());
    let old = match fs::read(&path) {
        Ok(old) => old,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Vec::new(),
        Err(error) => return Err(error).with_context(wrong),
    };
    let room = SUMMARY_MAX.saturating_sub(old.len() as u64 + 1) as usize;
    let text = text::markdown::report(report, link, BYTES_MAX.min(room));
    if text.len() > room {
        ui.say("the step's summary is full; the report is not in it");
        return Ok(path);
    }
    let mut all = old;
    if all.last().is_some_and(|last| *last != b'\n') {
        all.push(b'\n');
    }
    all.extend(text.as_bytes());
    disk::write(&path, &all)?;
    Ok(path)
}

/// The record in a file.
///
/// # Errors
/// [`Exit::NotMeasured`] where there is no such file, [`Exit::Usage`] where it is no record or of
/// another version.
pub(crate) fn read(path: &Path) -> anyhow::Result<RunRecord> {
    RunRecord::read(path).map_err(|error| match error {
        RecordError::NotFound { .. } => failure(Exit::NotMeasured, error.to_string()),
        other => failure(Exit::Usage, other.to_string()),
    })
}

/// The newest record in a folder that holds a row: a run that was killed at its start leaves one
/// without.
fn newest(folder: &Path) -> anyhow::Result<(PathBuf, RunRecord)> {
    for path in runs(folder).into_iter().rev() {
        let record = read(&path)?;
        if !record.rows.is_empty() {
            return Ok((path, record));
        }
    }
    let place = folder.display();
    let why = format!("there is no record under {place} yet; make one with `cargo perf run`");
    Err(failure(Exit::NotMeasured, why))
}

/// The files of all runs in a folder, oldest first: run ids sort by time, so file names do;
/// `latest.json` is a copy.
pub(crate) fn runs(folder: &Path) -> Vec<PathBuf> {
    let files = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let run = |path: &PathBuf| {
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        name.starts_with("run-") && name.ends_with(".json")
    };
    let mut runs: Vec<PathBuf> = files.map(|entry| entry.path()).filter(run).collect();
    runs.sort();
    runs
}

fn beside(path: &Path) -> PathBuf {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    folder.unwrap_or(Path::new(".")).to_owned()
}

#[cfg(test)]
mod tests {
    use bench_core::record::{Data, Environment, Metric, Row};

    use super::*;
    use crate::exit;

    #[test]
    fn the_newest_run_is_taken_and_nothing_else() {
        let folder = tempfile::tempdir().expect("folder");
        let error = newest(folder.path()).expect_err("empty");
        assert_eq!(exit::of(&error), Exit::NotMeasured);
        let mut record = RunRecord::begin(Environment::default());
        record.write(&folder.path().join("run-019c.json")).expect("written");
        let error = newest(folder.path()).expect_err("without a row");
        assert_eq!(exit::of(&error), Exit::NotMeasured);
        let data = Data::Count { value: 1 };
        record.rows.push(Row::measured("a", Metric::Syscalls, "1", data));
        for name in ["run-019a.json", "run-019b.json", "zzz.json", "run-019d.html"] {
            record.write(&folder.path().join(name)).expect("written");
        }
        assert!(newest(folder.path()).expect("there").0.ends_with("run-019b.json"));
    }

    #[test]
    fn a_report_lies_beside_its_record() {
        assert_eq!(beside(Path::new("a/b.json")), Path::new("a"));
        assert_eq!(beside(Path::new("b.json")), Path::new("."));
    }
}
