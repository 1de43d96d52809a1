//! How long does a buffer take, from the pool and from the allocator, by size? Reports; never
//! gates.

use bench_core::fixture::SizeLadder;
use bench_core::measure::wall::{criterion as config, wall};
use bench_core::units::ByteSize;
use bench_core::workloads::{
    FreshBuffer, PoolCycle, PoolFreeze, PoolHold32, PoolIntoBytes, PoolTimeout,
};
use criterion::{Criterion, criterion_group, criterion_main};

fn pool(c: &mut Criterion) {
    let sizes = SizeLadder::from_env(2).from(ByteSize::kib(4)).expect("every scale reaches 4KiB");
    for size in sizes {
        wall::<PoolCycle>(c, &size);
        wall::<PoolFreeze>(c, &size);
        wall::<FreshBuffer>(c, &size);
    }
    let size = ByteSize::kib(64);
    wall::<PoolIntoBytes>(c, &size);
    wall::<PoolTimeout>(c, &size);
    wall::<PoolHold32>(c, &size);
}

criterion_group! { name = benches; config = config(); targets = pool }
criterion_main!(benches);
