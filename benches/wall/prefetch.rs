//! How long do streams take that fetch ahead of a cold file and of a far source, and what do the
//! parts of fetching ahead take? Reports; never gates.

use bench_core::measure::wall::{criterion as config, wall};
use bench_core::scale::Scale;
use bench_core::units::ByteSize;
use bench_storage::prefetch::Policy;
use bench_storage::workloads::prefetch::{
    ColdCell, ColdSource, ColdStream, DelayedCell, DelayedStream, Exchanges, InPlace,
    PlainRandomReads, Plan, PolicyName, RandomReads,
};
use criterion::{Criterion, criterion_group, criterion_main};

const POLICIES: [Policy; 3] = [Policy::Off, Policy::Fixed(2), Policy::Adaptive { most: 4 }];

fn prefetch(c: &mut Criterion) {
    wall::<Plan>(c, &1000);
    wall::<Exchanges>(c, &1000);
    wall::<InPlace>(c, &ByteSize::mib(1));
    wall::<RandomReads>(c, &ByteSize::kib(4));
    wall::<PlainRandomReads>(c, &ByteSize::kib(4));
    // Every scale measures what the ones below it do, too.
    let sizes = [(2, 2), (64, 24), (256, 48)];
    for (mib, chunks) in &sizes[..Scale::from_env().pick(1, 2, 3)] {
        let size = ByteSize::mib(*mib);
        for policy in POLICIES.map(PolicyName) {
            wall::<ColdStream>(c, &ColdCell { source: ColdSource::Buffered, policy, size });
            wall::<ColdStream>(c, &ColdCell { source: ColdSource::Direct, policy, size });
            wall::<DelayedStream>(c, &DelayedCell { policy, latency_ms: 5, chunks: *chunks });
        }
    }
}

criterion_group! { name = benches; config = config(); targets = prefetch }
criterion_main!(benches);
