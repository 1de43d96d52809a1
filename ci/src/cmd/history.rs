//! `cargo perf history`: store records, import others, find change points.

use clap::Args;

use crate::exit::{Exit, failure};
use crate::ui::Ui;

/// What `history` takes.
#[derive(Args, Clone, Debug)]
pub(crate) struct HistoryArgs {}

pub(crate) fn run(_args: &HistoryArgs, _ui: Ui) -> anyhow::Result<Exit> {
    Err(failure(Exit::Broke, "not built yet"))
}
