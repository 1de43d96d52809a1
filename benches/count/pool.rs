//! How many instructions does a buffer cost, from the pool and from the allocator? A size between two
//! pages is one too. Gates.

use bench_core::workloads::{
    FreshBuffer, PoolCycle, PoolFreeze, PoolHold32, PoolIntoBytes, PoolTimeout,
};

benches::counts! {
    pool:
        cycle = PoolCycle [_1KiB _4KiB _5000B _16KiB _64KiB _256KiB _1MiB];
        freeze = PoolFreeze [_1KiB _4KiB _5000B _16KiB _64KiB _256KiB _1MiB];
        into_bytes = PoolIntoBytes [_64KiB _1MiB];
        acquire_timeout = PoolTimeout [_64KiB _1MiB];
        hold_32 = PoolHold32 [_4KiB _64KiB _1MiB];
        fresh = FreshBuffer [_1KiB _4KiB _5000B _16KiB _64KiB _256KiB _1MiB];
}
