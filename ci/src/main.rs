//! `cargo perf`: the front door. Each command is a file in `cmd/`; each reads and writes what its
//! `--help` says, and answers with an exit code from [`exit`].

mod args;
mod audit;
mod bench;
mod cli;
mod cmd;
mod compare;
mod doctor;
mod exit;
mod expected;
mod explain;
mod gate;
mod history;
mod import;
mod pairs;
mod policy;
mod process;
mod publish;
mod records;
mod render;
mod selftest;
mod soak;
mod ui;
mod workspace;

use std::process::ExitCode;

fn main() -> ExitCode {
    exit::finish(cli::run())
}
