//! `cargo perf history restore RUN`: reads the store, prints a record as it was recorded.

use clap::Args;

use crate::exit::{Exit, failure};
use crate::history::Store;
use crate::history::place::Place;
use crate::ui::Ui;

/// What `history restore` takes.
#[derive(Args, Clone, Debug)]
pub(crate) struct RestoreArgs {
    /// The run, as `history list --runs` shows it
    run: String,
}

pub(super) fn run(args: &RestoreArgs, place: &Place, ui: Ui) -> anyhow::Result<Exit> {
    let Some(record) = Store::existing(place)?.run_record(&args.run)? else {
        let why = format!(
            "the history {place} has no run '{}'; `cargo perf history list --runs` shows what \
             there is",
            args.run
        );
        return Err(failure(Exit::NotMeasured, why));
    };
    ui.result(&record.to_json()?, &record)?;
    Ok(Exit::Fine)
}
