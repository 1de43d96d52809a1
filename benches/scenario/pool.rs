//! What does a buffer of 64 KiB cost, from our pool and from others, on one thread and on two? All
//! in turns, in one process. `--features peers` adds other pools, `peers-c` the allocators written
//! in C. Reports; never gates.

use std::process::ExitCode;

use bench_core::measure::scenario::{self, Scenario};
use benches::pools::{Work, compare};

const CYCLE: Scenario = Scenario {
    id: "pool/turns/cycle_1_thread",
    run: |scale| compare(CYCLE.id, Work::Cycle, 1, scale),
};
const CYCLE_2: Scenario = Scenario {
    id: "pool/turns/cycle_2_threads",
    run: |scale| compare(CYCLE_2.id, Work::Cycle, 2, scale),
};
const HOLD: Scenario = Scenario {
    id: "pool/turns/hold_32_1_thread",
    run: |scale| compare(HOLD.id, Work::Hold32, 1, scale),
};
const HOLD_2: Scenario = Scenario {
    id: "pool/turns/hold_32_2_threads",
    run: |scale| compare(HOLD_2.id, Work::Hold32, 2, scale),
};
const HAND_OFF: Scenario = Scenario {
    id: "pool/turns/hand_off_2_threads",
    run: |scale| compare(HAND_OFF.id, Work::HandOff, 2, scale),
};

fn main() -> ExitCode {
    scenario::main(&[CYCLE, CYCLE_2, HOLD, HOLD_2, HAND_OFF])
}
