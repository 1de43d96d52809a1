//! How long does a gRPC call over loopback take, by operation and size? Reports; never gates.

use bench_core::fixture::SizeLadder;
use bench_core::measure::wall::{criterion as config, wall};
use bench_grpc::workloads::{Cell, Read, Stream, Write};
use bench_grpc::{DataPath, TransportProfile};
use criterion::{Criterion, criterion_group, criterion_main};

fn grpc(c: &mut Criterion) {
    for size in SizeLadder::from_env(4) {
        let cell = Cell { profile: TransportProfile::DEFAULT, path: DataPath::ProstBytes, size };
        wall::<Write>(c, &cell);
        wall::<Read>(c, &cell);
        wall::<Stream>(c, &cell);
    }
}

criterion_group! { name = benches; config = config(); targets = grpc }
criterion_main!(benches);
