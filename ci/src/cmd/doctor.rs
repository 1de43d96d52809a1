//! `cargo perf doctor`.

use crate::exit::Exit;
use crate::ui::Ui;

pub(crate) fn run(_ui: Ui) -> anyhow::Result<Exit> {
    Ok(Exit::Fine)
}
