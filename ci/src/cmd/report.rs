//! `cargo perf report`: reads one record, writes `report.md` and `report.html`.

use std::path::{Path, PathBuf};

use anyhow::Context;
use bench_core::record::{RecordError, RunRecord};
use serde_json::json;

use crate::args::ReportArgs;
use crate::exit::{Exit, failure};
use crate::render;
use crate::ui::Ui;
use crate::workspace::Workspace;

pub(crate) fn run(args: &ReportArgs, ui: Ui) -> anyhow::Result<Exit> {
    let (path, record) = match &args.record {
        Some(path) => (path.clone(), read(path)?),
        None => newest(&Workspace::find()?.target.join("perf"))?,
    };
    if record.rows.is_empty() {
        let why = format!("{} holds no row: nothing was measured in that run", path.display());
        return Err(failure(Exit::NotMeasured, why));
    }
    let folder = args.output.clone().unwrap_or_else(|| beside(&path));
    std::fs::create_dir_all(&folder)
        .with_context(|| format!("failed to create the folder {}", folder.display()))?;
    let written = render::write_reports(&record, &folder)?;
    let text = format!(
        "{}\nwrote {}\nwrote {}",
        render::words::summary(&render::view::View::of(&record)),
        written.markdown.display(),
        written.html.display()
    );
    let json = json!({"record": path, "markdown": written.markdown, "html": written.html});
    ui.result(&text, &json)?;
    Ok(Exit::Fine)
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
/// without. Run ids sort by time, so file names do; `latest.json` is a copy.
fn newest(folder: &Path) -> anyhow::Result<(PathBuf, RunRecord)> {
    let files = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let run = |path: &PathBuf| {
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        name.starts_with("run-") && name.ends_with(".json")
    };
    let mut runs: Vec<PathBuf> = files.map(|entry| entry.path()).filter(run).collect();
    runs.sort();
    for path in runs.into_iter().rev() {
        let record = read(&path)?;
        if !record.rows.is_empty() {
            return Ok((path, record));
        }
    }
    let place = folder.display();
    let why = format!("there is no record under {place} yet; make one with `cargo perf run`");
    Err(failure(Exit::NotMeasured, why))
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
