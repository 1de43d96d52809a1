//! One slice: a process of a few tens of milliseconds that measures one id under criterion.
//!
//! Many short processes beat one long: each has a memory layout of its own, so that layout luck
//! averages out, and two arms are milliseconds apart, so that drift cancels.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::Context;
use bench_core::record::Data;
use bench_core::scale::{SCALE_VARIABLE, Scale};
use serde::{Deserialize, Serialize};

use super::arm::Arm;
use crate::bench::timed::{fresh, words};
use crate::import::criterion;
use crate::process::{self, Ending};

/// What is passed on from our environment. All else differs from user to user, and its length
/// moves the stack.
const KEPT: [&str; 3] = ["PATH", "HOME", "WEIGHBRIDGE_SCRATCH"];
/// The variable that pads the environment.
const PADDING: &str = "WEIGHBRIDGE_PADDING";

/// How every slice of a run is measured.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Settings {
    /// Discarded by criterion.
    pub(crate) warm_up_ms: u64,
    /// Spread over the samples; an operation that takes longer than its share runs longer.
    pub(crate) measurement_ms: u64,
    /// Criterion takes 10 or more.
    pub(crate) samples: u32,
    /// Where the processes may run; anywhere when empty.
    pub(crate) cpus: Vec<usize>,
    /// Which ids the executables have.
    pub(crate) scale: String,
    /// A slice that takes longer is ended.
    pub(crate) deadline_s: u64,
}

/// What came of one slice.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Slice {
    /// Criterion's raw samples.
    Samples(Samples),
    /// Why there are none.
    Error(String),
}

/// Times of batches of operations.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Samples {
    /// Operations in each batch.
    pub(crate) iterations: Vec<u64>,
    /// Nanoseconds that each batch took.
    pub(crate) values: Vec<f64>,
    /// Payload bytes of one operation, where it has any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) bytes: Option<u64>,
}

/// What a slice measures.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bench<'a> {
    pub(crate) id: &'a str,
    pub(crate) target: &'a str,
}

impl Default for Settings {
    /// Some 40 ms a slice: of lengths tried, the shortest that criterion's own start-up of 5 ms
    /// does not dominate.
    fn default() -> Self {
        Self {
            warm_up_ms: 5,
            measurement_ms: 30,
            samples: 10,
            cpus: Vec::new(),
            scale: Scale::Quick.name().to_owned(),
            deadline_s: 60,
        }
    }
}

/// Measures; `None` when the user interrupted.
pub(crate) fn slice(
    arm: &Arm,
    bench: Bench<'_>,
    settings: &Settings,
    folder: &Path,
    padding: usize,
) -> Option<Slice> {
    match attempt(arm, bench, settings, folder, padding) {
        Ok(samples) => samples.map(Slice::Samples),
        Err(error) => Some(Slice::Error(format!("{error:#}"))),
    }
}

fn attempt(
    arm: &Arm,
    bench: Bench<'_>,
    settings: &Settings,
    folder: &Path,
    padding: usize,
) -> anyhow::Result<Option<Samples>> {
    let home = fresh(arm.home.clone())?;
    let mut command = command(arm, bench, settings, folder, padding);
    let deadline = Duration::from_secs(settings.deadline_s);
    let outcome = process::run_on(command.env("CRITERION_HOME", &home), deadline, &settings.cpus)?;
    if outcome.ending == Ending::Interrupted {
        return Ok(None);
    }
    anyhow::ensure!(outcome.success(), "{}", words(&outcome));
    let row = criterion::rows(&home, "new")?.into_iter().find(|row| row.id == bench.id);
    let row = row.context("it ended without an error and measured nothing")?;
    let bytes = row.dimensions.get("bytes").and_then(|bytes| bytes.parse().ok());
    match row.data {
        Some(Data::Samples { values, iterations }) => {
            Ok(Some(Samples { iterations, values, bytes }))
        }
        _ => anyhow::bail!("criterion left no samples"),
    }
}

fn command(
    arm: &Arm,
    bench: Bench<'_>,
    settings: &Settings,
    folder: &Path,
    padding: usize,
) -> Command {
    let seconds = |ms: u64| format!("{}", Duration::from_millis(ms).as_secs_f64());
    let mut command = Command::new(arm.executable(bench.target));
    command.current_dir(folder).env_clear();
    for kept in KEPT {
        if let Some(value) = std::env::var_os(kept) {
            command.env(kept, value);
        }
    }
    command
        .env(SCALE_VARIABLE, &settings.scale)
        .env(PADDING, "x".repeat(padding))
        .envs(arm.variables.iter().map(|(name, value)| (name, value)))
        .args(["--bench", "--exact", bench.id, "--noplot", "--nresamples=1001"])
        .arg(format!("--warm-up-time={}", seconds(settings.warm_up_ms)))
        .arg(format!("--measurement-time={}", seconds(settings.measurement_ms)))
        .arg(format!("--sample-size={}", settings.samples));
    command
}
