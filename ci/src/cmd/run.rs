//! `cargo perf run`: counts, walls and scenarios into one record, a table and a report.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use bench_core::counting::GLIBC_TUNABLES;
use bench_core::record::{Environment, Metric, Row, RunRecord};
use bench_core::scale::Scale;
use serde_json::{Value, json};

use crate::args::RunArgs;
use crate::bench::build::{Build, Executables, named_executables};
use crate::bench::code_hash::code_hash;
use crate::bench::count::{Metrics, Place, count_place};
use crate::bench::folders::{lay_out, levelled, link};
use crate::bench::ids::{self, Only};
use crate::bench::timed::{self, Bench, Conditions, Measured};
use crate::cmd::setup;
use crate::doctor;
use crate::exit::{Exit, failure};
use crate::expected::Expected;
use crate::policy;
use crate::process;
use crate::render::matrix::Matrix;
use crate::render::words::{self, DOCTOR};
use crate::render::{self, table};
use crate::ui::Ui;
use crate::workspace::Workspace;

/// How long a bench may take, where the user does not say.
const DEADLINE: Duration = Duration::from_secs(60);
/// The same at full scale, whose largest files are read cold and forced to the disk.
const FULL_DEADLINE: Duration = Duration::from_secs(600);

/// The file of a record. It is gone again when the run breaks before there is a row.
struct RecordFile {
    path: PathBuf,
    has_rows: bool,
}

impl RecordFile {
    fn write(&mut self, record: &RunRecord) -> anyhow::Result<()> {
        record.write(&self.path)?;
        self.has_rows = !record.rows.is_empty();
        Ok(())
    }
}

impl Drop for RecordFile {
    fn drop(&mut self) {
        if !self.has_rows {
            let _absent = fs::remove_file(&self.path);
        }
    }
}

pub(crate) fn run(args: &RunArgs, ui: Ui) -> anyhow::Result<Exit> {
    let workspace = Workspace::find()?;
    let only = Only::parse(&args.selection.only)?;
    let expected = Expected::read(&workspace.root)?;
    let policy = policy::read(&workspace.root)?;
    if args.setup {
        setup::ensure(ui)?;
    }
    setup::require_valgrind()?;
    let perf = workspace.perf()?;
    let features = &args.selection.features;
    let build = Build { name: "the working tree", root: &workspace.root, target: None, features };
    let named = &args.targets.named;
    let (counted, timed) = split(named_executables(&build, named, &[], ui)?);

    let folder = workspace.root.join("benches");
    let scratch = workspace.scratch()?;
    let (deadline, scratch) = (deadline(args), scratch.path());
    let conditions = Conditions { scale: args.scale, deadline, folder: &folder, scratch };
    let laid_out = lay_out(&counted.benches, &levelled(&scratch.join("run")), link)?;
    let place = Place::of(laid_out, &folder, &levelled(&scratch.join("out")));
    let mut listed = timed::benches(&timed, conditions)?;
    let left = expected.leave_out(args.scale, &only, &mut listed);
    if left > 0 {
        let asked = "ids are measured at this scale only where --only names them; see `asked` in";
        ui.say(&format!("left out: {left} {asked} benches/expected.toml"));
    }
    let (counts, benches) = choose(place.list()?, listed, left, &only)?;

    let mut record = RunRecord::begin(environment(&workspace, args, [&counted.benches, &timed])?);
    let path = perf.join(format!("run-{}.json", record.run_id));
    let mut file = RecordFile { path, has_rows: false };
    // A disk that takes no record is found before anything is measured.
    file.write(&record)?;
    record.rows = count_place(&place, &counts, Metrics::INSTRUCTIONS, deadline, ui);
    file.write(&record)?;
    measure(&benches, conditions, ui, |rows| {
        record.rows.extend(rows);
        file.write(&record)
    })?;
    if record.rows.is_empty() {
        let why = "interrupted before anything was measured; no record was written";
        return Err(failure(Exit::NotMeasured, why));
    }
    record.write(&perf.join("latest.json"))?;
    let absent = expected.missing(args.scale, &only, &record.rows);
    // Which of them are of the targets that were built, nobody can tell.
    let missing = named.is_empty().then_some(absent);
    let matrix = Matrix::of(&record, &policy);
    conclude(&record, &file.path, missing.as_deref(), &expected, matrix.as_ref(), ui)
}

fn deadline(args: &RunArgs) -> Duration {
    let default = if args.scale == Scale::Full { FULL_DEADLINE } else { DEADLINE };
    args.selection.deadline.unwrap_or(default)
}

/// What the user asked for of the benches that count and of those that measure time, of which so many
/// are left out.
///
/// # Errors
/// [`Exit::NotMeasured`] where a filter matches nothing of either harness, or nothing is there.
fn choose(
    mut counts: Vec<ids::Bench>,
    mut timed: Vec<Bench>,
    left: usize,
    only: &Only,
) -> anyhow::Result<(Vec<ids::Bench>, Vec<Bench>)> {
    let counted = counts.iter().map(|bench| bench.id.as_str());
    only.check(counted.chain(timed.iter().map(|bench| bench.id.as_str())))?;
    if counts.is_empty() && timed.is_empty() {
        let why = match left {
            0 => "package `benches` of the working tree has no bench; nothing can be measured",
            _ => "all that was built is left out; nothing was measured",
        };
        return Err(failure(Exit::NotMeasured, why));
    }
    counts.retain(|bench| only.wants(&bench.id));
    timed.retain(|bench| only.wants(&bench.id));
    Ok((counts, timed))
}

/// Whether a target counts, and does not measure time: `count` is a word of its name.
pub(crate) fn counts(target: &str) -> bool {
    target.split('_').any(|word| word == "count")
}

/// Count executables, with their runner, apart from those that measure time.
fn split(built: Executables) -> (Executables, BTreeMap<String, PathBuf>) {
    let (benches, timed) = built.benches.into_iter().partition(|(target, _)| counts(target));
    (Executables { runner: built.runner, benches }, timed)
}

fn environment(
    workspace: &Workspace,
    args: &RunArgs,
    executables: [&BTreeMap<String, PathBuf>; 2],
) -> anyhow::Result<Environment> {
    let mut environment = Environment::gather(&workspace.root);
    environment.glibc_tunables = Some(GLIBC_TUNABLES.to_owned());
    environment.profile = Some("bench".to_owned());
    for (target, path) in executables.into_iter().flatten() {
        // Without a hash nobody can say that the code was the same, which is the truth.
        if let Ok(hash) = code_hash(path) {
            environment.executables.insert(target.clone(), hash.text);
        }
    }
    let chosen = [("features", &args.selection.features), ("targets", &args.targets.named)];
    for (name, chosen) in chosen.into_iter().filter(|(_, chosen)| !chosen.is_empty()) {
        environment.unknown.insert(name.into(), json!(chosen));
    }
    environment.unknown.insert("scale".into(), json!(args.scale.name()));
    let limits = doctor::limits(&doctor::examine(&workspace.target));
    environment.unknown.insert(DOCTOR.into(), json!(limits));
    Ok(environment)
}

/// Measures one id after the other, since two at once would disturb each other. `keep` takes the
/// rows of each target before the next one starts.
fn measure(
    benches: &[Bench],
    conditions: Conditions<'_>,
    ui: Ui,
    mut keep: impl FnMut(Vec<Row>) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let bar = ui.progress(benches.len(), "measuring");
    for target in benches.chunk_by(|a, b| a.target == b.target) {
        let mut rows = Vec::new();
        for bench in target.iter().take_while(|_| !process::interrupted()) {
            bar.set_message(bench.id.clone());
            if let Measured::Rows(measured) = timed::measure(bench, conditions) {
                rows.extend(measured);
            }
            bar.inc(1);
        }
        keep(rows)?;
    }
    bar.finish_and_clear();
    Ok(())
}

/// Table and reports, then the exit code.
fn conclude(
    record: &RunRecord,
    path: &Path,
    missing: Option<&[String]>,
    expected: &Expected,
    matrix: Option<&Matrix>,
    ui: Ui,
) -> anyhow::Result<Exit> {
    let folder = path.parent().expect("a record lies in a folder");
    let written = render::write_reports(record, folder)?;
    let text = format!(
        "{}\n{}{}record  {}\nreport  {}\n        {}",
        table::run_table(record, ui.colour()),
        saturated(record),
        matrix.map(|matrix| matrix.text(ui.colour()) + "\n").unwrap_or_default(),
        path.display(),
        written.markdown.display(),
        written.html.display()
    );
    let failed: BTreeSet<&str> =
        record.rows.iter().filter(|row| !row.ok).map(|row| row.id.as_str()).collect();
    let new = expected.unlisted(&record.rows);
    let summary: Value = json!({
        "record": path, "markdown": written.markdown, "html": written.html,
        "rows": record.rows.len(), "failed": failed, "missing": missing, "new": new,
        "matrix": matrix.map(Matrix::json),
    });
    ui.result(&text, &summary)?;
    if !new.is_empty() {
        ui.say(&format!("measured and not yet in benches/expected.toml: {}", list(new)));
    }
    if missing.is_none() {
        ui.say("not looked for: expected ids of the targets that --bench leaves out");
    }
    let refused: Vec<String> = record.rows.iter().filter_map(failures).collect();
    if !refused.is_empty() {
        ui.say(&format!("measured with failed operations: {}", refused.join(", ")));
    }
    let interrupted = process::interrupted().then_some(record.rows.len());
    verdict(interrupted, &failed, missing.unwrap_or_default())?;
    match matrix.map(Matrix::missed).unwrap_or_default() {
        none if none.is_empty() => Ok(Exit::Fine),
        missed => {
            let why = format!("targets of ci/policy.toml that are missed: {}", missed.join(", "));
            Err(failure(Exit::Regressed, why))
        }
    }
}

/// The scenarios beside which something was saturated, a line each; the report has the others, too.
fn saturated(record: &RunRecord) -> String {
    let watched = words::watched(record).into_iter();
    watched.filter(|scenario| scenario.saturated).map(|scenario| scenario.told + "\n").collect()
}

/// How many operations of a measured id failed, where any did.
fn failures(row: &Row) -> Option<String> {
    let failed: u64 = row.errors.values().sum();
    (row.ok && row.metric == Metric::Errors && failed > 0).then(|| format!("{} ({failed})", row.id))
}

/// How the run ended, with all that went wrong in one sentence. An interrupted run has kept so
/// many rows, and what it did not come to is only counted, where somebody looked for it.
fn verdict(
    interrupted: Option<usize>,
    failed: &BTreeSet<&str>,
    missing: &[String],
) -> anyhow::Result<Exit> {
    let mut wrong = Vec::new();
    if let Some(kept) = interrupted {
        let left = match missing.len() {
            0 => String::new(),
            left => format!(", {left} expected ids are not measured"),
        };
        wrong.push(format!("interrupted: {kept} rows are kept{left}"));
    }
    if !failed.is_empty() {
        wrong.push(format!("failed: {}", list(failed.iter().copied())));
    }
    if !missing.is_empty() && interrupted.is_none() {
        wrong.push(format!(
            "expected and not measured: {}; mend them, or take them out of benches/expected.toml",
            list(missing.iter().map(String::as_str))
        ));
    }
    match (wrong.is_empty(), failed.is_empty() || interrupted.is_some()) {
        (true, _) => Ok(Exit::Fine),
        (false, true) => Err(failure(Exit::NotMeasured, wrong.join("; "))),
        (false, false) => Err(failure(Exit::Broke, wrong.join("; "))),
    }
}

fn list<'a>(ids: impl IntoIterator<Item = &'a str>) -> String {
    ids.into_iter().collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failed_operations_of_a_measured_id_are_told() {
        let count = bench_core::record::Data::Count { value: 3 };
        let mut row = Row::measured("a/b", Metric::Errors, "1", count);
        assert_eq!(failures(&row), None);
        row.errors = [("timeout".to_owned(), 2), ("reset".to_owned(), 1)].into();
        assert_eq!(failures(&row).as_deref(), Some("a/b (3)"));
    }

    #[test]
    fn scenarios_with_something_saturated_have_a_line_and_others_none() {
        let mut record = crate::render::view::sample::record();
        assert_eq!(saturated(&record), "");
        record.rows.extend(crate::render::view::sample::watched("a/b", 1.0));
        record.rows.extend(crate::render::view::sample::watched("c/d", 0.0));
        let text = saturated(&record);
        assert!(text.starts_with("a/b: saturated: a listener: "), "{text}");
        assert_eq!(text.lines().count(), 1, "{text}");
    }

    #[test]
    fn one_sentence_says_all_that_went_wrong() {
        let (failed, missing) = (BTreeSet::from(["a/b", "c/d"]), ["e/f".to_owned()]);
        let said = |interrupted, failed: &BTreeSet<&str>, missing: &[String]| {
            let error = verdict(interrupted, failed, missing).expect_err("not fine");
            (crate::exit::of(&error), error.to_string())
        };
        let (exit, told) = said(None, &failed, &missing);
        assert_eq!(exit, Exit::Broke);
        assert!(told.contains("failed: a/b, c/d; expected and not measured: e/f"), "{told}");
        assert_eq!(said(None, &BTreeSet::new(), &missing).0, Exit::NotMeasured);
        let (exit, told) = said(Some(7), &failed, &missing);
        assert_eq!(exit, Exit::NotMeasured);
        assert!(told.contains("7 rows are kept, 1 expected ids are not measured"), "{told}");
        assert_eq!(verdict(None, &BTreeSet::new(), &[]).expect("fine"), Exit::Fine);
    }
}
