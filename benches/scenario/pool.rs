//! What does a buffer of 64 KiB cost, from our pool and from others, on one thread and on two? Each
//! scenario in turns, in one process; `scaling` has ours on one thread beside ours on two. `--features
//! peers` adds other pools, `peers-c` the allocators written in C. Reports; never gates.

use std::process::ExitCode;

use bench_core::measure::scenario;
use benches::pools::{Work, compare, scaling};

fn main() -> ExitCode {
    scenario::main(&benches::scenarios! {
        "pool/turns/cycle_1_thread" = compare(Work::Cycle, 1);
        "pool/turns/cycle_2_threads" = compare(Work::Cycle, 2);
        "pool/turns/hold_32_1_thread" = compare(Work::Hold32, 1);
        "pool/turns/hold_32_2_threads" = compare(Work::Hold32, 2);
        "pool/turns/hand_off_2_threads" = compare(Work::HandOff, 2);
        "pool/turns/scaling" = scaling();
    })
}
