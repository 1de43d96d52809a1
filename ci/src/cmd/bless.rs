//! `cargo perf bless`: writes the text baselines after a deliberate change.

use clap::Args;

use crate::exit::{Exit, failure};
use crate::ui::Ui;

/// What `bless` takes.
#[derive(Args, Clone, Debug)]
pub(crate) struct BlessArgs {}

pub(crate) fn run(_args: &BlessArgs, _ui: Ui) -> anyhow::Result<Exit> {
    Err(failure(Exit::Broke, "not built yet"))
}
