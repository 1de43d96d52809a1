//! `cargo perf soak`: records interleaved rounds and replays them through the judges.

use clap::Args;

use crate::exit::{Exit, failure};
use crate::ui::Ui;

/// What `soak` takes.
#[derive(Args, Clone, Debug)]
pub(crate) struct SoakArgs {}

pub(crate) fn run(_args: &SoakArgs, _ui: Ui) -> anyhow::Result<Exit> {
    Err(failure(Exit::Broke, "not built yet"))
}
