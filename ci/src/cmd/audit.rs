//! `cargo perf audit`: what is not deterministic, and why.

use clap::Args;

use crate::exit::{Exit, failure};
use crate::ui::Ui;

/// What `audit` takes.
#[derive(Args, Clone, Debug)]
pub(crate) struct AuditArgs {}

pub(crate) fn run(_args: &AuditArgs, _ui: Ui) -> anyhow::Result<Exit> {
    Err(failure(Exit::Broke, "not built yet"))
}
