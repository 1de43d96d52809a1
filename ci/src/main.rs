//! `cargo perf`: the front door. Each command is a file in `cmd/`; each reads and writes what its
//! `--help` says, and answers with an exit code from [`exit`].

mod args;
mod bench;
mod cli;
mod cmd;
mod doctor;
mod exit;
mod expected;
mod gate;
mod import;
mod policy;
mod process;
mod render;
mod ui;
mod workspace;

use std::process::ExitCode;

fn main() -> ExitCode {
    exit::finish(cli::run())
}
