//! `cargo perf setup`.

use crate::cli::SetupArgs;
use crate::exit::Exit;
use crate::ui::Ui;

pub(crate) fn run(_args: &SetupArgs, _ui: Ui) -> anyhow::Result<Exit> {
    Ok(Exit::Fine)
}
