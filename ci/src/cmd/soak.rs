//! `cargo perf soak`: records interleaved rounds for hours, and replays them through the judges, to
//! see how often each of them cries wolf or sleeps.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use crate::exit::Exit;
use crate::soak::{record, replay};
use crate::ui::Ui;

/// What `soak` takes.
#[derive(Args, Clone, Debug)]
pub(crate) struct SoakArgs {
    #[command(subcommand)]
    command: SoakCommand,
}

#[derive(Subcommand, Clone, Debug)]
enum SoakCommand {
    /// Record rounds of three equal arms and a slower one; a journal that exists is continued
    Record(RecordArgs),
    /// Judge the rounds of a journal many times over, by every method
    ///
    /// Demanded are: of 1,000 comparisons or more of equal arms at most one in a thousand called
    /// changed; 60 % of the ids mostly unchanged; and of each id the slower arm found in 95 % of 40
    /// trials or more. Where one does not hold the exit code is 3, where too few comparisons came to
    /// their end to say, 4.
    Replay(ReplayArgs),
}

/// What `soak record` takes.
#[derive(Args, Clone, Debug)]
pub(crate) struct RecordArgs {
    /// How long to record
    #[arg(long, default_value_t = 120, value_name = "MINUTES")]
    pub(crate) minutes: u64,
    /// The file to write; target/perf/soak.jsonl when left out
    #[arg(long, value_name = "FILE")]
    pub(crate) journal: Option<PathBuf>,
    /// The processor to measure on
    #[arg(long, value_name = "CPU", default_value_t = 0)]
    pub(crate) cpu: usize,
    /// A folder with wall_* executables that have the feature extra-work; built when left out
    #[arg(long, value_name = "FOLDER")]
    pub(crate) executables: Option<PathBuf>,
}

/// What `soak replay` takes.
#[derive(Args, Clone, Debug)]
pub(crate) struct ReplayArgs {
    /// The journal; target/perf/soak.jsonl when left out
    pub(crate) journal: Option<PathBuf>,
    /// A comparison begins so many rounds after the one before
    #[arg(long, default_value_t = 20, value_name = "ROUNDS")]
    pub(crate) stride: usize,
}

pub(crate) fn run(args: &SoakArgs, ui: Ui) -> anyhow::Result<Exit> {
    match &args.command {
        SoakCommand::Record(args) => record::run(args, ui),
        SoakCommand::Replay(args) => replay::run(args, ui),
    }
}
