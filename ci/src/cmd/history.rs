//! `cargo perf history`: store records, import others, show what there is, find change points.

mod changes;
mod export;
mod import;
mod list;
mod record;
mod restore;
mod show;

use clap::{Args, Subcommand};

use crate::bench::ids::Only;
use crate::exit::Exit;
use crate::history::Store;
use crate::history::place::Place;
use crate::history::read::Series;
use crate::history::write::Stored;
use crate::ui::Ui;

/// What `history` takes.
#[derive(Args, Clone, Debug)]
pub(crate) struct HistoryArgs {
    /// The store: a path, sqlite:PATH or postgres://USER@HOST/DATABASE
    /// [default: WEIGHBRIDGE_HISTORY, otherwise target/perf/history.sqlite]
    #[arg(long, global = true, value_name = "URL")]
    store: Option<String>,
    #[command(subcommand)]
    command: HistoryCommand,
}

#[derive(Clone, Debug, Subcommand)]
enum HistoryCommand {
    /// Store records of `cargo perf run`; those that are there already are left as they are
    Record(record::RecordArgs),
    /// Store what other tools measured: all files of one call, or nothing
    Import(import::ImportArgs),
    /// List the series: metric, environment and number of values of each id
    List(list::ListArgs),
    /// Show the values of one id over time
    Show(show::ShowArgs),
    /// Print the record of a run as it was recorded, for `compare` and `report`
    Restore(restore::RestoreArgs),
    /// Find the commits at which the level of a series changed
    Changes(changes::ChangesArgs),
    /// Write the series for another tool that finds change points
    Export(export::ExportArgs),
}

pub(crate) fn run(args: &HistoryArgs, ui: Ui) -> anyhow::Result<Exit> {
    let place = Place::choose(args.store.as_deref())?;
    match &args.command {
        HistoryCommand::Record(args) => record::run(args, &place, ui),
        HistoryCommand::Import(args) => import::run(args, &place, ui),
        HistoryCommand::List(args) => list::run(args, &place, ui),
        HistoryCommand::Show(args) => show::run(args, &place, ui),
        HistoryCommand::Restore(args) => restore::run(args, &place, ui),
        HistoryCommand::Changes(args) => changes::run(args, &place, ui),
        HistoryCommand::Export(args) => export::run(args, &place, ui),
    }
}

/// The series that the user asked for.
///
/// # Errors
/// [`Exit::NotMeasured`] when the store is empty, or a glob matches nothing.
fn wanted(store: &mut Store, only: &Only, place: &Place) -> anyhow::Result<Vec<Series>> {
    let mut all = store.ids()?;
    if all.is_empty() {
        return Err(list::empty(place));
    }
    only.check(all.iter().map(|series| series.id.as_str()))?;
    all.retain(|series| only.wants(&series.id));
    Ok(all)
}

/// What came of storing, in a sentence.
fn told(stored: Stored, place: &Place) -> String {
    let Stored { runs, rows, known } = stored;
    let s = |number: usize| if number == 1 { "" } else { "s" };
    let mut told = format!("stored {runs} run{} with {rows} row{} in {place}", s(runs), s(rows));
    if known > 0 {
        let were = if known == 1 { "was" } else { "were" };
        told.push_str(&format!("; {known} run{} {were} there already", s(known)));
    }
    told
}
