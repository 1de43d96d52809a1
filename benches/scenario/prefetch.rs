//! What does fetching ahead gain over the kernel's read-ahead, over none, and at every fixed depth, by
//! the work on each chunk; and what does it cost those who jump or read at random? Interleaved
//! arms; reports, never gates.

use std::process::ExitCode;

use bench_core::measure::scenario;
use benches::overlap::{Where, Work, at_random, cold_file, far_source, with_seeks};

fn main() -> ExitCode {
    scenario::main(&benches::scenarios! {
        "prefetch/overlap/none" = cold_file(Work::None);
        "prefetch/overlap/crc32" = cold_file(Work::Crc32);
        "prefetch/overlap/xxh3" = cold_file(Work::Xxh3);
        "prefetch/overlap/sha256" = cold_file(Work::Sha256);
        "prefetch/far/none" = far_source(5, Work::None);
        "prefetch/far/none/1ms" = far_source(1, Work::None);
        "prefetch/far/none/20ms" = far_source(20, Work::None);
        "prefetch/far/crc32" = far_source(5, Work::Crc32);
        "prefetch/far/xxh3" = far_source(5, Work::Xxh3);
        "prefetch/far/sha256" = far_source(5, Work::Sha256);
        "prefetch/at_random/far" = at_random(Where::Far);
        "prefetch/at_random/direct" = at_random(Where::Direct);
        "prefetch/at_random/warm" = at_random(Where::Warm);
        "prefetch/seeks" = with_seeks();
    })
}
