//! Some cells as scenarios, one process each under `cargo perf run`, and the way from the command
//! line to either.

use std::process::ExitCode;
use std::sync::atomic::AtomicBool;

use bench_core::measure::scenario::{self, Scenario};
use bench_core::record::Row;
use bench_core::scale::Scale;
use bench_core::workload::Failure;
use clap::Parser;

use super::flags::Flags;
use super::rows::rows;
use super::run::together;
use super::{buffers, session};
use crate::front::{of_user, refuse};

/// Criterion has one of this name.
const OURS: [&str; 1] = ["--output-format"];

const SCENARIOS: [Scenario; 6] = [
    Scenario {
        id: "files/job/randread/io_uring_direct/bs4KiB/qd16/jobs1",
        run: |scale| {
            job("--rw=randread --bs=4k --iodepth=16 --ioengine=io_uring --direct=1", scale)
        },
    },
    Scenario {
        id: "files/job/randrw/io_uring_direct/bs64KiB/qd4/jobs1/mix50",
        run: |scale| job("--rw=randrw --bs=64k --iodepth=4 --ioengine=io_uring --direct=1", scale),
    },
    Scenario {
        id: "files/job/read/psync/bs1MiB/qd1/jobs2",
        run: |scale| job("--rw=read --bs=1m --ioengine=psync --numjobs=2", scale),
    },
    Scenario {
        id: "files/job/write/psync/bs64KiB/qd1/jobs1/end_fsync",
        run: |scale| job("--rw=write --bs=64k --ioengine=psync --end_fsync=1", scale),
    },
    Scenario {
        id: "files/buffers/warm/4MiB",
        run: |scale| buffers::warm("files/buffers/warm/4MiB", scale),
    },
    Scenario {
        id: "files/buffers/direct/4MiB",
        run: |scale| buffers::direct("files/buffers/direct/4MiB", scale),
    },
];

/// The rows of one job.
fn job(line: &str, scale: Scale) -> Result<Vec<Row>, Failure> {
    let size = scale.pick("--size=4m", "--size=64m", "--size=512m");
    let words = ["scenario_files", size].into_iter().chain(line.split_whitespace());
    let jobs = Flags::try_parse_from(words)?.session()?.jobs;
    let reports = together(&jobs, 1, &AtomicBool::new(false));
    Ok(reports.iter().flat_map(rows).collect())
}

/// Runs jobs as fio's flags ask, or single cells as `cargo test` and `cargo perf run` do.
pub fn main() -> ExitCode {
    let Some((flags, scale)) = of_user::<Flags>("scenario_files", &OURS) else {
        return scenario::main(&SCENARIOS);
    };
    in_turns(&flags, scale).unwrap_or_else(|| match flags.session() {
        Ok(asked) => session::run(&asked),
        Err(sentence) => refuse(&sentence),
    })
}

/// Runs the jobs in turns with fio, where that was asked for.
#[cfg(feature = "peers")]
fn in_turns(flags: &Flags, scale: Scale) -> Option<ExitCode> {
    flags.peers.then(|| super::peer::run(flags, scale))
}

#[cfg(not(feature = "peers"))]
fn in_turns(_: &Flags, _: Scale) -> Option<ExitCode> {
    None
}
