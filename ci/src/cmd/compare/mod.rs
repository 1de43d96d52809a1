//! `cargo perf compare`: what was measured before is compared as it is ([`offline`]).

pub(crate) mod offline;

use crate::args::CompareArgs;
use crate::exit::Exit;
use crate::ui::Ui;

pub(crate) fn run(args: &CompareArgs, ui: Ui) -> anyhow::Result<Exit> {
    offline::run(args, ui)
}
