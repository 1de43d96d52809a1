//! Judges the rounds of a journal many times over.

use crate::cmd::soak::ReplayArgs;
use crate::exit::{Exit, failure};
use crate::ui::Ui;

pub(crate) fn run(_args: &ReplayArgs, _ui: Ui) -> anyhow::Result<Exit> {
    Err(failure(Exit::Broke, "not built yet"))
}
