//! `cargo perf explain`: which functions a difference came from.

use clap::Args;

use crate::exit::{Exit, failure};
use crate::ui::Ui;

/// What `explain` takes.
#[derive(Args, Clone, Debug)]
pub(crate) struct ExplainArgs {}

pub(crate) fn run(_args: &ExplainArgs, _ui: Ui) -> anyhow::Result<Exit> {
    Err(failure(Exit::Broke, "not built yet"))
}
