//! `cargo perf report`: reads a record, two, or the verdicts of a gate or a comparison; writes the
//! report in the forms that were asked for.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context;
use bench_core::record::RunRecord;
use clap::{Args, ValueEnum};
use serde_json::json;

use crate::bench::ids::Only;
use crate::compare::records::compare;
use crate::exit::{Exit, failure};
use crate::history::place::Place;
use crate::policy;
use crate::records;
use crate::render::matrix::Matrix;
use crate::render::past::{self, Past};
use crate::render::trend::Trend;
use crate::render::{MARKDOWN_BYTES_MAX, Report, disk, html, source, text};
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
        (Some(base), Some(head)) => (head.clone(), pair(base, head)?),
        (Some(path), None) => (path.clone(), source::read(path)?),
        (None, _) => {
            let (path, record) = records::newest(&Workspace::find()?.target.join("perf"))?;
            (path, source::Sides::of(record))
        }
    };
    // The verdicts of a gate whose benches all vanished have to be seen more than any other.
    if sides.head.rows.is_empty() && !sides.judged() {
        let why = format!("{} holds no row: nothing was measured in that run", path.display());
        return Err(failure(Exit::NotMeasured, why));
    }
    let trends = match &args.history {
        Some(url) => history(url, &sides.head, ui)?,
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
    let (policy, _built_in) = policy::here()?;
    let matrix = Matrix::of(&sides.head, &policy);
    said.extend(matrix.as_ref().map(|matrix| matrix.text(ui.colour())));
    said.extend(written.iter().map(|path| format!("wrote {}", path.display())));
    let named = |name: &str| written.iter().find(|path| path.ends_with(name));
    let (markdown, html) = (named("report.md"), named(PAGE));
    let json = json!({"record": path, "written": written, "markdown": markdown, "html": html,
        "matrix": matrix.as_ref().map(Matrix::json)});
    ui.result(&said.join("\n"), &json)?;
    Ok(Exit::Fine)
}

/// Two records and what is thought of them.
///
/// # Errors
/// Those of [`records::read`] and of [`compare`].
fn pair(base: &Path, head: &Path) -> anyhow::Result<source::Sides> {
    let names = [base, head].map(|path| path.display().to_string());
    let names = [names[0].as_str(), names[1].as_str()];
    let (base, head) = (records::read(base)?, records::read(head)?);
    let sides = [&base, &head];
    let verdicts = compare(sides, names, &Only::parse(&[])?, false)?.verdicts(sides, names);
    Ok(source::Sides::judged_so(base, head, verdicts))
}

/// The trends, and what is said of those that are not there.
///
/// # Errors
/// [`Exit::NotMeasured`] where the history has nothing to draw.
fn history(url: &str, record: &RunRecord, ui: Ui) -> anyhow::Result<Vec<Trend>> {
    let place = Place::choose(Some(url).filter(|url| !url.is_empty()))?;
    let Past { trends, left, few, all } = past::trends(record, &place)?;
    let told = format!(
        "{few} of {all} rows have fewer than {} runs in the history of this environment",
        past::RUNS_MIN
    );
    if trends.is_empty() {
        let why = format!(
            "{told}, so there is no trend; store more with `cargo perf history record`, or leave \
             out --history"
        );
        return Err(failure(Exit::NotMeasured, why));
    }
    if few > 0 {
        ui.say(&format!("{told} and no trend"));
    }
    if left > 0 {
        ui.say(&format!("{left} more trends do not fit on one page and are left out"));
    }
    Ok(trends)
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
        Format::Markdown => ("report.md", text::markdown::report(report, link, MARKDOWN_BYTES_MAX)),
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
    let text = text::markdown::report(report, link, MARKDOWN_BYTES_MAX.min(room));
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

fn beside(path: &Path) -> PathBuf {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    folder.unwrap_or(Path::new(".")).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_lies_beside_its_record() {
        assert_eq!(beside(Path::new("a/b.json")), Path::new("a"));
        assert_eq!(beside(Path::new("b.json")), Path::new("."));
    }
}
