//! How many instructions does a buffer cost, from the pool and from the allocator? Gates.

use bench_core::workloads::{FreshBuffer, PoolCycle, PoolFreeze};

benches::counts! {
    pool:
        cycle = PoolCycle [_4KiB _64KiB _1MiB];
        freeze = PoolFreeze [_4KiB _64KiB _1MiB];
        fresh = FreshBuffer [_4KiB _64KiB _1MiB];
}
