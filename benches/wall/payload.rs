//! How long does making and checking a payload take, by size? Reports; never gates.

use bench_core::fixture::SizeLadder;
use bench_core::measure::wall::{criterion as config, wall};
use bench_core::workloads::{PayloadFill, PayloadVerify};
use criterion::{Criterion, criterion_group, criterion_main};

fn payload(c: &mut Criterion) {
    for size in SizeLadder::from_env(2) {
        wall::<PayloadFill>(c, &size);
        wall::<PayloadVerify>(c, &size);
    }
}

criterion_group! { name = benches; config = config(); targets = payload }
criterion_main!(benches);
