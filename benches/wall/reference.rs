//! How noisy is this machine for code that waits for arithmetic, for branches, for memory, for the
//! allocator? Reports; never gates.

use bench_core::measure::wall::{criterion as config, wall};
use bench_core::scale::Scale;
use bench_core::units::ByteSize;
use bench_core::workloads::{Copy, Hash, Sort, Sum};
use criterion::{Criterion, criterion_group, criterion_main};

fn reference(c: &mut Criterion) {
    wall::<Hash>(c, &ByteSize::kib(64));
    wall::<Sort>(c, &ByteSize::kib(64));
    wall::<Copy>(c, &ByteSize::kib(4));
    wall::<Copy>(c, &ByteSize::mib(1));
    if Scale::from_env() > Scale::Smoke {
        wall::<Sum>(c, &ByteSize::mib(64));
    }
}

criterion_group! { name = benches; config = config(); targets = reference }
criterion_main!(benches);
