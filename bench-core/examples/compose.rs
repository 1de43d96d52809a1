//! A bench of one's own from the fixtures, as a `[[bench]]` with `harness = false` would have it in
//! any crate that depends on `bench-core` and `criterion`: how fast is my checksum over a pooled
//! buffer? `cargo run --release -p bench-core --example compose -- --bench`; without `--bench`
//! each operation runs once and is checked.

use bench_core::fixture::{BufferPool, Payload, PooledBuf, SizeLadder};
use bench_core::measure::wall::{criterion as config, wall};
use bench_core::units::ByteSize;
use bench_core::workload::{Failure, Workload};
use criterion::{Criterion, criterion_group, criterion_main};

const SEED: u64 = 1;
const POOL_LIMIT: ByteSize = ByteSize::mib(64);

struct Checksum {
    buffer: PooledBuf,
    answer: u64,
}

/// The function under test.
fn checksum(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0, |sum: u64, &byte| sum.rotate_left(5) ^ u64::from(byte))
}

impl Workload for Checksum {
    const NAME: &'static str = "example/checksum";
    type Parameter = ByteSize;

    fn set_up(size: &ByteSize) -> Result<Self, Failure> {
        let pool = BufferPool::with_limit(POOL_LIMIT)?;
        let mut buffer = pool.try_acquire(*size)?;
        buffer.resize_zeroed(size.len());
        Payload::seeded(SEED, *size).fill(0, buffer.filled_mut());
        Ok(Self { buffer, answer: 0 })
    }

    fn bytes(&self) -> Option<ByteSize> {
        Some(ByteSize::new(self.buffer.len() as u64))
    }

    fn run(&mut self) {
        self.answer = checksum(&self.buffer);
    }

    fn check(&mut self) -> Result<(), Failure> {
        let payload = Payload::seeded(SEED, ByteSize::new(self.buffer.len() as u64));
        let right = self.answer == checksum(&payload.to_bytes());
        if right { Ok(()) } else { Err("the checksum is not that of the payload".into()) }
    }
}

fn checksums(c: &mut Criterion) {
    // The buffer, and the payload that the check compares with.
    let sizes = SizeLadder::from_env(2).up_to(POOL_LIMIT).expect("every scale has 1KiB");
    for size in sizes {
        wall::<Checksum>(c, &size);
    }
}

criterion_group! { name = benches; config = config(); targets = checksums }
criterion_main!(benches);
