//! How long does the model of a link take for a thousand packets? Reports; never gates.

use bench_core::measure::wall::{criterion as config, wall};
use bench_network::workloads::LinkOffer;
use criterion::{Criterion, criterion_group, criterion_main};

fn link(c: &mut Criterion) {
    for name in ["regions_70", "lte", "lossy_mobile"] {
        wall::<LinkOffer>(c, &name.parse().unwrap_or_else(|error| panic!("{error}")));
    }
}

criterion_group! { name = benches; config = config(); targets = link }
criterion_main!(benches);
