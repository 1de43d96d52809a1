//! Workloads that answer rightly, but of which the count differs from run to run, each for a reason
//! of its own, which an audit must name.

use std::collections::HashMap;
use std::hint::black_box;
use std::time::{Duration, Instant};

use bench_core::units::ByteSize;
use bench_core::workload::{Failure, Workload};

fault!(
    /// Looks for large keys in a map whose hasher is seeded at random, so that their order differs.
    RandomHasher,
    "varies/hasher",
    {
        let map: HashMap<u64, u64> = (0..1_000).map(|key| (key, key)).collect();
        black_box(map.keys().position(|key| *black_box(key) >= 998));
    },
    Ok(())
);

fault!(
    /// Spawns tasks on a runtime of two threads, which take them as they come.
    Threads,
    "varies/threads",
    {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).build();
        runtime.expect("a runtime starts").block_on(async {
            for _ in 0..100 {
                tokio::spawn(async { drop(black_box(vec![0_u8; 64])) }).await.expect("no panic");
            }
        });
    },
    Ok(())
);

fault!(
    /// Looks at the clock until a millisecond is over.
    Clock,
    "varies/clock",
    {
        let started = Instant::now();
        while started.elapsed() < Duration::from_millis(1) {}
    },
    Ok(())
);

fault!(
    /// Does as much as the address of a local variable says.
    Address,
    "varies/address",
    {
        let local = 0_u8;
        steps((&raw const *black_box(&local)).addr() >> 4);
    },
    Ok(())
);

fault!(
    /// Looks at every byte of its environment.
    Environment,
    "varies/environment",
    for (name, value) in std::env::vars_os() {
        steps(name.len() + value.len());
    },
    Ok(())
);

fault!(
    /// Looks at every byte of the path it was started by.
    OwnPath,
    "varies/path",
    steps(std::env::args_os().map(|argument| argument.len()).sum()),
    Ok(())
);

/// A loop that is as long as the last digits of `number` say.
fn steps(number: usize) {
    for step in 0..number % 4096 {
        black_box(step);
    }
}
