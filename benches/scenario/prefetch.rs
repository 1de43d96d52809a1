//! What does fetching ahead gain over the kernel's read-ahead, over none, and at every fixed depth, by
//! the work on each chunk? Interleaved arms; reports, never gates.

use std::process::ExitCode;

use bench_core::measure::scenario::{self, Scenario};
use benches::overlap::{Work, cold_file, far_source};

const SCENARIOS: [Scenario; 7] = [
    Scenario {
        id: "prefetch/overlap/none",
        run: |scale| cold_file("prefetch/overlap/none", Work::None, scale),
    },
    Scenario {
        id: "prefetch/overlap/crc32",
        run: |scale| cold_file("prefetch/overlap/crc32", Work::Crc32, scale),
    },
    Scenario {
        id: "prefetch/overlap/xxh3",
        run: |scale| cold_file("prefetch/overlap/xxh3", Work::Xxh3, scale),
    },
    Scenario {
        id: "prefetch/overlap/sha256",
        run: |scale| cold_file("prefetch/overlap/sha256", Work::Sha256, scale),
    },
    Scenario {
        id: "prefetch/far/none",
        run: |scale| far_source("prefetch/far/none", Work::None, scale),
    },
    Scenario {
        id: "prefetch/far/xxh3",
        run: |scale| far_source("prefetch/far/xxh3", Work::Xxh3, scale),
    },
    Scenario {
        id: "prefetch/far/sha256",
        run: |scale| far_source("prefetch/far/sha256", Work::Sha256, scale),
    },
];

fn main() -> ExitCode {
    scenario::main(&SCENARIOS)
}
