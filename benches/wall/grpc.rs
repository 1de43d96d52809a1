//! How long does a gRPC call over loopback take, by operation, size and data path?
//! Reports; never gates.

use bench_core::fixture::SizeLadder;
use bench_core::measure::wall::{criterion as config, wall};
use bench_core::scale::Scale;
use bench_grpc::workloads::{Cell, Read, Stream, Write};
use bench_grpc::{DataPath, TransportProfile};
use criterion::{Criterion, criterion_group, criterion_main};

fn grpc(c: &mut Criterion) {
    // At quick scale the middle one, so that a run stays one of minutes.
    let middle = vec![DataPath::ProstBytes];
    let paths = Scale::from_env().pick(DataPath::ALL.into(), middle, DataPath::ALL.into());
    for path in paths {
        for size in SizeLadder::from_env(4) {
            let cell = Cell { profile: TransportProfile::DEFAULT, path, size };
            wall::<Write>(c, &cell);
            wall::<Read>(c, &cell);
            wall::<Stream>(c, &cell);
        }
    }
}

criterion_group! { name = benches; config = config(); targets = grpc }
criterion_main!(benches);
