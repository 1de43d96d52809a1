//! How long do a TCP echo and a connection take, with both ends on one thread or on two pinned
//! ones? Reports; never gates.

use bench_core::fixture::SizeLadder;
use bench_core::measure::wall::{criterion as config, wall};
use bench_core::units::ByteSize;
use bench_network::connect::Connect;
use bench_network::echo::Echo;
use bench_network::layout::{Cell, Layout};
use criterion::{Criterion, criterion_group, criterion_main};

fn network(c: &mut Criterion) {
    let sizes = SizeLadder::from_env(3).up_to(ByteSize::mib(1)).expect("every scale has 1KiB");
    for layout in [Layout::OneThread, Layout::Pinned] {
        wall::<Echo>(c, &Cell { layout, size: ByteSize::new(64) });
        for size in sizes {
            wall::<Echo>(c, &Cell { layout, size });
        }
        wall::<Connect>(c, &layout);
    }
}

criterion_group! { name = benches; config = config(); targets = network }
criterion_main!(benches);
