//! Runs the bench executables that measure time: `wall_*` under criterion and `scenario_*`. One
//! process an id, so that a bench that panics or hangs is one failed row and no more.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::Context;
use bench_core::measure::recorder::{self, ROWS_VARIABLE, Recorded};
use bench_core::record::{Metric, Row};
use bench_core::scale::{SCALE_VARIABLE, Scale};

use super::LIST_DEADLINE;
use crate::exit::{Exit, failure};
use crate::import::criterion;
use crate::process::{self, Ending, Outcome};

/// One id and the executable that measures it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Bench {
    pub(crate) id: String,
    /// The bench target, as in `wall_pool`.
    pub(crate) target: String,
    pub(crate) executable: PathBuf,
}

/// Where and how long to measure.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Conditions<'a> {
    pub(crate) scale: Scale,
    /// A bench that takes longer is ended.
    pub(crate) deadline: Duration,
    /// The folder in which the executables run, as under `cargo bench`.
    pub(crate) folder: &'a Path,
    /// An empty folder for what the executables write.
    pub(crate) scratch: &'a Path,
}

/// What came of one bench.
#[derive(Debug, PartialEq)]
pub(crate) enum Measured {
    /// At least one row; a failed bench is a row with its error.
    Rows(Vec<Row>),
    /// The user interrupted: nothing is known of this id.
    Interrupted,
}

/// Every id that the executables would measure at this scale.
///
/// # Errors
/// When an executable does not list its ids, or an id stands twice; [`Exit::NotMeasured`] when
/// interrupted.
pub(crate) fn benches(
    executables: &BTreeMap<String, PathBuf>,
    conditions: Conditions<'_>,
) -> anyhow::Result<Vec<Bench>> {
    let mut benches = Vec::new();
    for (target, executable) in executables {
        let mut command = command(executable, conditions);
        let outcome = process::run(command.args(["--bench", "--list"]), LIST_DEADLINE)?;
        if outcome.ending == Ending::Interrupted {
            let why = format!("interrupted while {target} listed its ids; nothing was measured");
            return Err(failure(Exit::NotMeasured, why));
        }
        if !outcome.success() {
            let why = format!("{target} does not list its ids: {}", words(&outcome));
            return Err(failure(Exit::Broke, why));
        }
        let ids = outcome.stdout.lines().filter_map(|line| line.strip_suffix(": benchmark"));
        let bench = |id: &str| {
            let (id, target) = (id.to_owned(), target.clone());
            Bench { id, target, executable: executable.clone() }
        };
        benches.extend(ids.map(bench));
    }
    let mut seen = BTreeSet::new();
    match benches.iter().find(|bench| !seen.insert(bench.id.as_str())) {
        Some(twice) => {
            let why = format!("two benches have the id {}; rename one", twice.id);
            Err(failure(Exit::Broke, why))
        }
        None => Ok(benches),
    }
}

/// Measures one id. Whatever goes wrong with it is its one failed row and costs no other id.
pub(crate) fn measure(bench: &Bench, conditions: Conditions<'_>) -> Measured {
    let rows_file = conditions.scratch.join("rows.jsonl");
    match attempt(bench, conditions, &rows_file) {
        Ok(measured) => measured,
        Err(error) => {
            let mut row = Row::failed(&bench.id, Metric::WallTime, "ns", &format!("{error:#}"));
            // What can't be read has nothing more to say.
            describe(&mut row, bench, &recorder::read(&rows_file).unwrap_or_default());
            Measured::Rows(vec![row])
        }
    }
}

fn attempt(
    bench: &Bench,
    conditions: Conditions<'_>,
    rows_file: &Path,
) -> anyhow::Result<Measured> {
    let home = fresh(conditions.scratch.join("criterion"))?;
    fs::write(rows_file, "").with_context(|| format!("failed to write {}", rows_file.display()))?;
    let mut command = command(&bench.executable, conditions);
    command.args(["--bench", "--exact", &bench.id]).env("CRITERION_HOME", &home);
    let outcome = process::run(command.env(ROWS_VARIABLE, rows_file), conditions.deadline)?;
    if outcome.ending == Ending::Interrupted {
        return Ok(Measured::Interrupted);
    }
    anyhow::ensure!(outcome.success(), "{}", words(&outcome));
    let recorded = recorder::read(rows_file)?;
    // The file was empty and the call exact, so what stands in it is of this bench, whatever a scenario
    // calls the several things that it measures.
    let mut rows = recorded.rows.clone();
    rows.extend(criterion::rows(&home, "new")?.into_iter().filter(|row| row.id == bench.id));
    let measured = rows.iter().any(|row| !row.is_of_watch());
    anyhow::ensure!(measured, "it ended without an error and measured nothing");
    rows.iter_mut().for_each(|row| describe(row, bench, &recorded));
    check(&rows)?;
    Ok(Measured::Rows(rows))
}

/// That a record takes these rows: one that it refuses would keep all others from the disk.
fn check(rows: &[Row]) -> anyhow::Result<()> {
    let mut seen = BTreeSet::new();
    for row in rows {
        row.check()?;
        let first = seen.insert((&row.id, &row.metric, &row.dimensions));
        anyhow::ensure!(first, "it left two rows of {} with the same dimensions", row.metric);
    }
    Ok(())
}

/// A call of the executable under these conditions.
pub(crate) fn command(executable: &Path, conditions: Conditions<'_>) -> Command {
    let mut command = Command::new(executable);
    command.current_dir(conditions.folder).env(SCALE_VARIABLE, conditions.scale.name());
    command
}

/// The folder, made anew and empty.
///
/// # Errors
/// When the disk refuses.
pub(crate) fn fresh(folder: PathBuf) -> anyhow::Result<PathBuf> {
    let _absent = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder)
        .with_context(|| format!("failed to create the folder {}", folder.display()))?;
    Ok(folder)
}

/// Why the program did not do what it had to: that it had to be ended, or its last words.
pub(crate) fn words(outcome: &Outcome) -> String {
    match outcome.ending {
        Ending::Exited(_) => outcome.last_words(),
        ending => ending.to_string(),
    }
}

fn describe(row: &mut Row, bench: &Bench, recorded: &Recorded) {
    if let Some(dimensions) = recorded.dimensions.get(&bench.id) {
        row.dimensions.extend(dimensions.clone());
    }
    row.dimensions.insert("target".into(), bench.target.clone());
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    /// A bench executable in shell: lists two ids, and does what `script` says for any other call.
    fn fake(folder: &Path, script: &str) -> BTreeMap<String, PathBuf> {
        let path = folder.join("fake");
        let list = "if [ \"$2\" = --list ]; then echo 'a/b/1KiB: benchmark'; exit 0; fi";
        fs::write(&path, format!("#!/bin/sh\n{list}\n{script}\n")).expect("script is written");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("script may run");
        [("wall_fake".to_owned(), path)].into()
    }

    fn rows(script: &str, deadline: Duration) -> Vec<Row> {
        let folder = tempfile::tempdir().expect("temporary folder");
        let executables = fake(folder.path(), script);
        let (scale, scratch) = (Scale::Smoke, folder.path());
        let conditions = Conditions { scale, deadline, folder: scratch, scratch };
        let benches = benches(&executables, conditions).expect("it lists its ids");
        assert_eq!(benches[0].id, "a/b/1KiB");
        match measure(&benches[0], conditions) {
            Measured::Rows(rows) => rows,
            Measured::Interrupted => panic!("nobody interrupted"),
        }
    }

    fn only_error(script: &str, deadline: Duration) -> String {
        let rows = rows(script, deadline);
        assert_eq!(rows.len(), 1, "{rows:?}");
        assert!(!rows[0].ok && rows[0].data.is_none());
        rows[0].error.clone().expect("a failed row says why")
    }

    #[test]
    fn a_bench_that_panics_is_a_row_with_its_last_words() {
        let said = only_error("echo 'a/b/1KiB: wrong byte' >&2; exit 101", Duration::from_secs(60));
        assert_eq!(said, "a/b/1KiB: wrong byte");
    }

    #[test]
    fn a_bench_that_hangs_is_a_row_that_says_so() {
        let said = only_error("sleep 1000", Duration::from_secs(1));
        assert_eq!(said, "still ran after 1 s and was ended");
    }

    #[test]
    fn a_bench_that_measures_nothing_is_a_failed_row() {
        let said = only_error("exit 0", Duration::from_secs(60));
        assert_eq!(said, "it ended without an error and measured nothing");
    }

    const ROW: &str = r#"{"row":{"id":"a/b/1KiB","metric":"operations","unit":"1","gates":false,"data":{"kind":"count","value":7},"dimensions":{},"ok":true}}"#;

    #[test]
    fn output_that_no_record_takes_is_one_failed_row() {
        let rows = format!("printf '%s\\n' '{ROW}' >> \"$WEIGHBRIDGE_ROWS\"\n");
        let unsound = rows.replace("\"unit\":\"1\"", "\"unit\":\"\"");
        let criterion = "mkdir -p \"$CRITERION_HOME/a/new\"; \
                         echo '{\"full' > \"$CRITERION_HOME/a/new/benchmark.json\"";
        for (script, why) in [
            (format!("{rows}echo '{{\"hello\":1}}' >> \"$WEIGHBRIDGE_ROWS\""), "is not a row"),
            (format!("{rows}rm \"$WEIGHBRIDGE_ROWS\""), "failed to read the rows file"),
            (format!("{rows}{unsound}"), "its unit is empty"),
            (format!("{rows}{rows}"), "two rows of operations with the same dimensions"),
            (format!("{rows}{criterion}"), "benchmark.json is not what criterion writes"),
        ] {
            let said = only_error(&script, Duration::from_secs(60));
            assert!(said.contains(why), "no '{why}' in: {said}");
        }
    }

    #[test]
    fn whatever_a_scenario_calls_its_rows_they_are_of_the_bench_that_ran() {
        let arm = ROW.replace("a/b/1KiB", "a/b/1KiB/arm");
        let watch = ROW.replace("a/b/1KiB", "watch/cpu_time");
        let script = |rows: &[&str]| {
            let rows: Vec<String> = rows.iter().map(|row| format!("'{row}'")).collect();
            format!("printf '%s\\n' {} >> \"$WEIGHBRIDGE_ROWS\"", rows.join(" "))
        };
        let rows = rows(&script(&[&arm, &watch]), Duration::from_secs(60));
        let ids: Vec<&str> = rows.iter().map(|row| row.id.as_str()).collect();
        assert_eq!(ids, ["a/b/1KiB/arm", "watch/cpu_time"]);
        assert!(rows.iter().all(|row| row.ok && row.dimensions["target"] == "wall_fake"));
        let said = only_error(&script(&[&watch]), Duration::from_secs(60));
        assert_eq!(said, "it ended without an error and measured nothing");
    }

    #[test]
    fn rows_get_the_dimensions_that_were_recorded_for_their_id() {
        let dimensions = r#"{"dimensions":{"id":"a/b/1KiB","values":{"backend":"pread"}}}"#;
        let script = format!("printf '%s\\n' '{dimensions}' '{ROW}' >> \"$WEIGHBRIDGE_ROWS\"");
        let rows = rows(&script, Duration::from_secs(60));
        assert_eq!(rows.len(), 1);
        assert_eq!(rows[0].dimensions["backend"], "pread");
        assert_eq!(rows[0].dimensions["target"], "wall_fake");
    }
}
