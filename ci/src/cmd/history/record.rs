//! `cargo perf history record`: reads records, writes the store.

use std::path::{Path, PathBuf};

use bench_core::record::RunRecord;
use clap::Args;
use serde_json::json;

use super::told;
use crate::exit::{Exit, failure};
use crate::history::Store;
use crate::history::place::Place;
use crate::records;
use crate::ui::Ui;
use crate::workspace::Workspace;

/// What `history record` takes.
#[derive(Args, Clone, Debug)]
pub(crate) struct RecordArgs {
    /// The records; every run under target/perf when left out
    records: Vec<PathBuf>,
}

pub(super) fn run(args: &RecordArgs, place: &Place, ui: Ui) -> anyhow::Result<Exit> {
    let records = if args.records.is_empty() {
        every_run(&Workspace::find()?.target.join("perf"))?
    } else {
        args.records.iter().map(|path| with_rows(path)).collect::<anyhow::Result<_>>()?
    };
    let stored = Store::open(place)?.record_all(records.into_iter().map(Ok))?;
    let json = json!({
        "store": place.to_string(),
        "runs": stored.runs,
        "rows": stored.rows,
        "known": stored.known,
    });
    ui.result(&told(stored, place), &json)?;
    Ok(Exit::Fine)
}

fn with_rows(path: &Path) -> anyhow::Result<RunRecord> {
    let record = records::read(path)?;
    if record.rows.is_empty() {
        let why = format!("{} holds no row: nothing was measured in that run", path.display());
        return Err(failure(Exit::NotMeasured, why));
    }
    Ok(record)
}

/// Every record of a run in the folder; one without a row is what a run that was killed at its
/// start leaves behind.
fn every_run(folder: &Path) -> anyhow::Result<Vec<RunRecord>> {
    let mut records = Vec::new();
    for path in records::runs(folder) {
        let record = records::read(&path)?;
        records.extend((!record.rows.is_empty()).then_some(record));
    }
    if records.is_empty() {
        let place = folder.display();
        let why = format!("there is no record under {place} yet; make one with `cargo perf run`");
        return Err(failure(Exit::NotMeasured, why));
    }
    Ok(records)
}
