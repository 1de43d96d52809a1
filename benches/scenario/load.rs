//! How long do gRPC reads take under load: back to back, and at a rate that does not wait for the
//! server? Reports; never gates.

use std::process::ExitCode;

use bench_core::measure::scenario::{self, Scenario};
use bench_core::measure::schedule::Schedule;
use benches::load::grpc_reads;

const CLOSED: Scenario = Scenario {
    id: "grpc/load/closed/64KiB",
    run: |scale| grpc_reads(CLOSED.id, Schedule::Closed, 4, scale),
};
const OPEN: Scenario = Scenario {
    id: "grpc/load/rate_1000/64KiB",
    run: |scale| grpc_reads(OPEN.id, Schedule::constant_rate(1000.0)?, 64, scale),
};

fn main() -> ExitCode {
    scenario::main(&[CLOSED, OPEN])
}
