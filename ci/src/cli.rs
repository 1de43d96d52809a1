//! The command line. `-h` says what a flag does, `--help` also why.

use clap::{Parser, Subcommand};

use crate::args::{GateArgs, ProfileArgs, RunArgs, SetupArgs, TestArgs};
use crate::cmd;
use crate::exit::Exit;
use crate::process;
use crate::ui::Ui;

/// Benchmarks of storage and network services that can be believed.
///
/// Exit codes: 0 fine, 1 it broke, 2 usage, 3 regressed, 4 something expected was not measured,
/// 5 not comparable, 6 undecided (only with --strict).
#[derive(Debug, Parser)]
#[command(name = "cargo perf", bin_name = "cargo perf", version, help_expected = true)]
struct Cli {
    /// Print one JSON object on standard output in place of text
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Install what is missing, or print the command that would
    Setup(SetupArgs),
    /// Say what this machine can and cannot measure
    Doctor,
    /// Measure everything; write a record and a report under target/perf
    Run(RunArgs),
    /// Count instructions of the working tree and of a git ref, and judge them
    Gate(GateArgs),
    /// Write the text baselines that a gate without a ref judges by
    Bless(cmd::bless::BlessArgs),
    /// Say which functions a difference in instructions came from
    Explain(cmd::explain::ExplainArgs),
    /// Repeat every count bench, idle and disturbed, and name what varies and why
    Audit(cmd::audit::AuditArgs),
    /// Inject changes of known size and demand the right verdict for each
    Selftest(cmd::selftest::SelftestArgs),
    /// Compare the times of two git refs or bench executables in turns, or two older measurements
    Compare(cmd::compare::CompareArgs),
    /// Record interleaved rounds for hours and replay them through the judges
    Soak(cmd::soak::SoakArgs),
    /// Store records, import others, find change points
    History(cmd::history::HistoryArgs),
    /// Serve gRPC alone, for clients that somebody else runs
    #[command(disable_help_flag = true)]
    GrpcServer(cmd::grpc_server::GrpcServerArgs),
    /// Draw the flamegraph of one benchmark
    Profile(ProfileArgs),
    /// Write the report of a record, of two, or of what a gate or a comparison thought of them
    Report(cmd::report::ReportArgs),
    /// Put a report on the pull request, or in an issue: updated, not repeated
    Publish(cmd::publish::PublishArgs),
    /// Run every test of the workspace
    Test(TestArgs),
}

/// Reads the command line and does what it says.
pub(crate) fn run() -> anyhow::Result<Exit> {
    let cli = Cli::parse();
    let ui = Ui { json: cli.json };
    process::listen()?;
    match &cli.command {
        Command::Setup(args) => cmd::setup::run(args, ui),
        Command::Doctor => cmd::doctor::run(ui),
        Command::Run(args) => cmd::run::run(args, ui),
        Command::Gate(args) => cmd::gate::run(args, ui),
        Command::Bless(args) => cmd::bless::run(args, ui),
        Command::Explain(args) => cmd::explain::run(args, ui),
        Command::Audit(args) => cmd::audit::run(args, ui),
        Command::Selftest(args) => cmd::selftest::run(args, ui),
        Command::Compare(args) => cmd::compare::run(args, ui),
        Command::Soak(args) => cmd::soak::run(args, ui),
        Command::History(args) => cmd::history::run(args, ui),
        Command::GrpcServer(args) => cmd::grpc_server::run(args, ui),
        Command::Profile(args) => cmd::profile::run(args, ui),
        Command::Report(args) => cmd::report::run(args, ui),
        Command::Publish(args) => cmd::publish::run(args, ui),
        Command::Test(args) => cmd::test::run(args, ui),
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_sound() {
        Cli::command().debug_assert();
    }
}
