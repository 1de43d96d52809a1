//! How long does it take to look at files and to read one through a FUSE mount, by what the kernel may
//! remember? Reports; never gates. Where nothing can be mounted, plain files are measured, and rows
//! say so; `WEIGHBRIDGE_FUSE=exact:fuse` refuses that.

use bench_core::measure::wall::{criterion as config, wall};
use bench_core::scale::Scale;
use bench_core::units::ByteSize;
use bench_storage::fuse::Caching;
use bench_storage::workloads::{FuseCell, FuseRead, FuseStat, FuseStatMissing};
use criterion::{Criterion, criterion_group, criterion_main};

fn fuse(c: &mut Criterion) {
    // Every scale measures what the ones below it do, too.
    let cells = [(32, 1), (1000, 4), (10_000, 64)];
    for (files, mib) in &cells[..Scale::from_env().pick(1, 2, 3)] {
        for caching in Caching::ALL {
            wall::<FuseStat>(c, &FuseCell { caching, of: *files });
            wall::<FuseStatMissing>(c, &FuseCell { caching, of: *files });
            wall::<FuseRead>(c, &FuseCell { caching, of: ByteSize::mib(*mib) });
        }
    }
}

criterion_group! { name = benches; config = config(); targets = fuse }
criterion_main!(benches);
