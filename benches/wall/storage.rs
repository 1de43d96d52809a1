//! How long does it take to read and write a whole file, from disk and from the page cache, by
//! size? Reports; never gates.

use bench_core::fixture::SizeLadder;
use bench_core::measure::wall::{criterion as config, wall};
use bench_storage::workloads::{ReadCold, ReadWarm, Write, WriteSync};
use criterion::{Criterion, criterion_group, criterion_main};

fn storage(c: &mut Criterion) {
    for size in SizeLadder::from_env(2) {
        wall::<ReadCold>(c, &size);
        wall::<ReadWarm>(c, &size);
        wall::<Write>(c, &size);
        wall::<WriteSync>(c, &size);
    }
}

criterion_group! { name = benches; config = config(); targets = storage }
criterion_main!(benches);
