//! Records on disk: one by its path, and the runs that lie in a folder.

use std::path::{Path, PathBuf};

use bench_core::record::{RecordError, RunRecord};

use crate::exit::{Exit, failure};

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
///
/// # Errors
/// [`Exit::NotMeasured`] where there is none, and those of [`read`].
pub(crate) fn newest(folder: &Path) -> anyhow::Result<(PathBuf, RunRecord)> {
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
}
