//! `cargo perf selftest`: whether the gate tells what it must.

use clap::Args;

use crate::exit::{Exit, failure};
use crate::ui::Ui;

/// What `selftest` takes.
#[derive(Args, Clone, Debug)]
pub(crate) struct SelftestArgs {}

pub(crate) fn run(_args: &SelftestArgs, _ui: Ui) -> anyhow::Result<Exit> {
    Err(failure(Exit::Broke, "not built yet"))
}
