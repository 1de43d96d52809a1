//! Does the front door notice benches that panic, hang or answer wrongly? Never part of a run
//! without the feature `faults`.

use bench_core::measure::wall::{criterion as config, wall};
use bench_core::units::ByteSize;
use benches::faults::{Hang, Panic, Wrong};
use criterion::{Criterion, criterion_group, criterion_main};

fn fault(c: &mut Criterion) {
    let size = ByteSize::kib(1);
    wall::<Panic>(c, &size);
    wall::<Hang>(c, &size);
    wall::<Wrong>(c, &size);
}

criterion_group! { name = benches; config = config(); targets = fault }
criterion_main!(benches);
