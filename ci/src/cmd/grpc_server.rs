//! `cargo perf grpc-server`: the blob service alone, for clients that somebody else runs.

use std::process::Command;

use clap::Args;

use crate::exit::{Exit, failure};
use crate::process::{self, Ending};
use crate::ui::Ui;
use crate::workspace::{Workspace, cargo};

/// What `grpc-server` takes: everything goes to the server, which says what it understands.
#[derive(Args, Clone, Debug)]
pub(crate) struct GrpcServerArgs {
    /// Flags of the server, as in --listen 0.0.0.0:50051; --help prints all
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, value_name = "FLAGS")]
    pub(crate) flags: Vec<String>,
}

pub(crate) fn run(args: &GrpcServerArgs, ui: Ui) -> anyhow::Result<Exit> {
    let workspace = Workspace::find()?;
    let mut command = Command::new(cargo());
    command.current_dir(&workspace.root);
    command.args(["run", "--quiet", "--release", "--locked", "--package=benches"]);
    command.args(["--bin=grpc-server", "--"]).args(&args.flags);
    match process::run_visibly(&mut command, ui.json)? {
        Ending::Exited(status) if status.success() => Ok(Exit::Fine),
        // Told to end by Ctrl-C: that is how it ends.
        _ if process::interrupted() => Ok(Exit::Fine),
        Ending::Exited(status) if status.code() == Some(Exit::Usage as i32) => {
            Err(failure(Exit::Usage, "the server does not understand these flags"))
        }
        _ => Err(failure(Exit::Broke, "the server could not serve")),
    }
}
