//! `cargo perf run`: counts, walls and scenarios into one record, a table and a report.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context;
use bench_core::counting::GLIBC_TUNABLES;
use bench_core::record::{Environment, Row, RunRecord};
use serde_json::{Value, json};

use crate::bench::build::{Build, Executables, bench_executables};
use crate::bench::code_hash::code_hash;
use crate::bench::count::{Place, count_place};
use crate::bench::ids::Only;
use crate::bench::timed::{self, Bench, Conditions, Measured};
use crate::cli::RunArgs;
use crate::cmd::setup;
use crate::exit::{Exit, failure};
use crate::expected::Expected;
use crate::process;
use crate::render::{self, table};
use crate::ui::Ui;
use crate::workspace::Workspace;

pub(crate) fn run(args: &RunArgs, ui: Ui) -> anyhow::Result<Exit> {
    let workspace = Workspace::find()?;
    let only = Only::parse(&args.selection.only)?;
    if args.setup {
        setup::ensure(ui)?;
    }
    setup::require_valgrind()?;
    let perf = workspace.perf()?;
    let features = &args.selection.features;
    let build = Build { name: "the working tree", root: &workspace.root, target: None, features };
    let built = bench_executables(&build, &[], ui)?;
    let (counted, timed) = split(built);

    let folder = workspace.root.join("benches");
    let scratch = workspace.scratch()?;
    let deadline = args.selection.deadline;
    let (scale, scratch) = (args.scale, scratch.path());
    let conditions = Conditions { scale, deadline, folder: &folder, scratch };
    let mut benches = timed::benches(&timed, conditions)?;
    benches.retain(|bench| only.wants(&bench.id));

    let mut record = RunRecord::begin(environment(&workspace.root, [&counted.benches, &timed])?);
    if !features.is_empty() {
        record.environment.unknown.insert("features".into(), json!(features));
    }
    record.environment.unknown.insert("scale".into(), json!(args.scale.name()));
    let path = perf.join(format!("run-{}.json", record.run_id));
    // A disk that takes no record is found before anything is measured.
    record.write(&path)?;

    let place = Place::of(&counted, &folder, &scratch.join("count"));
    record.rows = count_place(&place, |id| only.wants(id), deadline, ui)?;
    if record.rows.is_empty() && benches.is_empty() {
        fs::remove_file(&path)?;
        return Err(only.matches_nothing());
    }
    record.write(&path)?;
    measure(&benches, conditions, ui, &mut record.rows)?;
    record.write(&path)?;
    record.write(&perf.join("latest.json"))?;
    let missing = Expected::read(&workspace.root)?.missing(args.scale, &only, &record.rows);
    conclude(&record, &path, &missing, ui)
}

/// Count executables (`count` is a word of their names), with their runner, apart from those that
/// measure time.
fn split(built: Executables) -> (Executables, BTreeMap<String, PathBuf>) {
    let counts = |target: &str| target.split('_').any(|word| word == "count");
    let (benches, timed) = built.benches.into_iter().partition(|(target, _)| counts(target));
    (Executables { runner: built.runner, benches }, timed)
}

fn environment(
    root: &Path,
    executables: [&BTreeMap<String, PathBuf>; 2],
) -> anyhow::Result<Environment> {
    let mut environment = Environment::gather(root);
    environment.glibc_tunables = Some(GLIBC_TUNABLES.to_owned());
    environment.profile = Some("bench".to_owned());
    for (target, path) in executables.into_iter().flatten() {
        environment.executables.insert(target.clone(), code_hash(path)?.text);
    }
    Ok(environment)
}

/// Measures one id after the other, since two at once would disturb each other.
fn measure(
    benches: &[Bench],
    conditions: Conditions<'_>,
    ui: Ui,
    rows: &mut Vec<Row>,
) -> anyhow::Result<()> {
    let bar = ui.progress(benches.len(), "measuring");
    for bench in benches {
        bar.set_message(bench.id.clone());
        match timed::measure(bench, conditions).with_context(|| bench.id.clone())? {
            Measured::Rows(measured) => rows.extend(measured),
            Measured::Interrupted => break,
        }
        bar.inc(1);
        if process::interrupted() {
            break;
        }
    }
    bar.finish_and_clear();
    Ok(())
}

/// Table and reports, then the exit code.
fn conclude(record: &RunRecord, path: &Path, missing: &[String], ui: Ui) -> anyhow::Result<Exit> {
    let folder = path.parent().expect("a record lies in a folder");
    let written = render::write_reports(record, folder)?;
    let text = format!(
        "{}\nrecord  {}\nreport  {}\n        {}",
        table::run_table(record, ui.colour()),
        path.display(),
        written.markdown.display(),
        written.html.display()
    );
    let failed: Vec<&str> =
        record.rows.iter().filter(|row| !row.ok).map(|row| row.id.as_str()).collect();
    let summary: Value = json!({
        "record": path, "markdown": written.markdown, "html": written.html,
        "rows": record.rows.len(), "failed": failed, "missing": missing,
    });
    ui.result(&text, &summary)?;
    if process::interrupted() {
        let (kept, left) = (record.rows.len(), missing.len());
        let why =
            format!("interrupted: {kept} rows are kept, {left} expected ids are not measured");
        return Err(failure(Exit::NotMeasured, why));
    }
    if !failed.is_empty() {
        return Err(failure(Exit::Broke, format!("failed: {}", failed.join(", "))));
    }
    if !missing.is_empty() {
        let why = format!(
            "expected and not measured: {}; mend them, or take them out of benches/expected.toml",
            missing.join(", ")
        );
        return Err(failure(Exit::NotMeasured, why));
    }
    Ok(Exit::Fine)
}
