//! What each command takes.

use std::time::Duration;

use bench_core::scale::Scale;
use clap::{Args, ValueEnum};

/// What `setup` takes.
#[derive(Args, Clone, Debug)]
pub(crate) struct SetupArgs {
    /// Only print the commands
    #[arg(long)]
    pub(crate) dry_run: bool,
}

/// What selects benches and bounds them.
#[derive(Args, Clone, Debug)]
pub(crate) struct Selection {
    /// Only ids that match this glob, as in 'grpc/*'; may be repeated
    #[arg(long, value_name = "GLOB")]
    pub(crate) only: Vec<String>,
    /// Cargo features of package `benches`, comma-separated; the base of a gate gets none
    #[arg(long, value_delimiter = ',', value_name = "FEATURES")]
    pub(crate) features: Vec<String>,
    /// End a bench that takes longer than this [default: 60; 600 at scale full, 120 in the gate]
    ///
    /// Full measures files of 256 MiB cold and waits for the disk, which one minute may not hold;
    /// the gate runs under valgrind, which is some fifty times slower.
    #[arg(long, value_name = "SECONDS", value_parser = seconds)]
    pub(crate) deadline: Option<Duration>,
}

/// What is built at all.
#[derive(Args, Clone, Debug)]
pub(crate) struct Targets {
    /// Build and look at these bench targets only, as in 'wall_*'; may be repeated
    ///
    /// Builds faster where there are many. Which expected ids are missing is then not looked for.
    #[arg(long = "bench", value_name = "TARGET")]
    pub(crate) named: Vec<String>,
}

/// What `run` takes.
#[derive(Args, Clone, Debug)]
pub(crate) struct RunArgs {
    /// How much to measure: smoke, quick or full
    #[arg(long, default_value = "quick")]
    pub(crate) scale: Scale,
    /// Install what is missing first
    #[arg(long)]
    pub(crate) setup: bool,
    #[command(flatten)]
    pub(crate) targets: Targets,
    #[command(flatten)]
    pub(crate) selection: Selection,
}

/// What `gate` takes.
#[derive(Args, Clone, Debug)]
pub(crate) struct GateArgs {
    /// The git ref to compare the working tree with [default: the text baseline in ci/baselines]
    #[arg(long, value_name = "REF", allow_hyphen_values = true)]
    pub(crate) base: Option<String>,
    /// What to count of every id besides instructions, comma-separated
    ///
    /// Allocations take a second run of each bench, under DHAT. They are counted anyway of ids that
    /// a budget or the text baseline bounds by them.
    #[arg(long, value_delimiter = ',', value_name = "METRICS")]
    pub(crate) metrics: Vec<Counting>,
    /// The history by which a count's limit is widened [default: WEIGHBRIDGE_HISTORY, otherwise
    /// target/perf/history.sqlite, where there is one]
    #[arg(long, value_name = "STORE")]
    pub(crate) history: Option<String>,
    /// The change of instructions in per cent that passes, in place of every `relative` for them
    ///
    /// For a look at a single change: floors, fences, budgets and the limits of other counts in
    /// ci/policy.toml hold as before.
    #[arg(long, value_name = "PERCENT", value_parser = percent)]
    pub(crate) threshold: Option<f64>,
    /// Exit with 6 when an id stays undecided
    #[arg(long)]
    pub(crate) strict: bool,
    #[command(flatten)]
    pub(crate) selection: Selection,
}

/// What can be counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Counting {
    /// User-space instructions; always counted
    Instructions,
    /// Allocation calls, and the bytes they asked for
    Allocations,
    /// System calls
    Syscalls,
}

/// What `profile` takes.
#[derive(Args, Clone, Debug)]
pub(crate) struct ProfileArgs {
    /// The id of a wall-clock bench, as in pool/cycle/4KiB
    pub(crate) id: String,
    /// How long to sample
    #[arg(long, value_name = "SECONDS", default_value = "5", value_parser = seconds)]
    pub(crate) time: Duration,
    /// Cargo features of the `benches` package, comma-separated
    #[arg(long, value_delimiter = ',', value_name = "FEATURES")]
    pub(crate) features: Vec<String>,
    #[command(flatten)]
    pub(crate) targets: Targets,
}

/// What `test` takes.
#[derive(Args, Clone, Debug)]
pub(crate) struct TestArgs {
    /// Install what is missing first
    #[arg(long)]
    pub(crate) setup: bool,
    /// Also what there is time for in the night only: all ids of a gate, and two refs in turns
    #[arg(long)]
    pub(crate) night: bool,
    /// Nothing but the buffer pool under Miri, which finds undefined behaviour; takes some minutes
    #[arg(long, conflicts_with_all = ["setup", "night"])]
    pub(crate) miri: bool,
}

pub(crate) fn seconds(text: &str) -> Result<Duration, String> {
    let seconds: u64 = text.parse().map_err(|_| "write a whole number of seconds".to_owned())?;
    if seconds == 0 { Err("write at least 1".to_owned()) } else { Ok(Duration::from_secs(seconds)) }
}

fn percent(text: &str) -> Result<f64, String> {
    let percent: f64 = text.parse().map_err(|_| "write a number, as in 0.5".to_owned())?;
    let fine = (0.0..=100.0).contains(&percent);
    if fine { Ok(percent) } else { Err("write a number from 0 to 100".to_owned()) }
}

/// What passes of a time: nothing is unchanged without it.
pub(crate) fn margin(text: &str) -> Result<f64, String> {
    let margin = percent(text).ok().filter(|&margin| margin > 0.0 && margin < 100.0);
    margin.ok_or_else(|| "write a number above 0 and below 100, as in 0.5".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_percentage_is_a_number_from_0_to_100() {
        assert_eq!((percent("0"), percent("0.5"), percent("100")), (Ok(0.0), Ok(0.5), Ok(100.0)));
        for wrong in ["", "x", "-1", "100.1", "NaN", "inf", "1 %", "1; ls"] {
            assert!(percent(wrong).is_err() && margin(wrong).is_err(), "{wrong}");
        }
        assert_eq!(margin("0.5"), Ok(0.5));
        assert!(margin("0").is_err() && margin("100").is_err());
    }
}
