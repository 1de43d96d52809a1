//! Where the prefetcher meets work: reading ahead of a cold file ([`cold_file`]) and of a far source
//! ([`far_source`]) while every chunk is checksummed or hashed; and what it costs where there is
//! nothing to read ahead ([`at_random`]), or where reads in order jump ([`with_seeks`]).

mod cold;
mod did;
mod far;
mod random;
mod seeks;

use std::hint::black_box;
use std::time::Duration;

use bench_core::fixture::cpus::{Pinned, available};
use bench_core::fixture::{BufferPool, Payload, PooledBuf};
use bench_core::units::ByteSize;
use bench_core::workload::Failure;
use bench_storage::prefetch::Prefetcher;
use bench_storage::source::{Source, read_full};
use sha2::{Digest as _, Sha256};

use self::did::Turns;
use crate::clock::Clock;

pub use self::cold::cold_file;
pub use self::far::far_source;
pub use self::random::{Where, at_random};
pub use self::seeks::with_seeks;

const SEED: u64 = 42;
const DEPTH: u32 = 4;

/// What is done with every chunk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Work {
    /// Nothing.
    None,
    /// CRC-32.
    Crc32,
    /// XXH3, 64 bits.
    Xxh3,
    /// SHA-256.
    Sha256,
}

impl Work {
    fn on(self, chunk: &[u8]) {
        match self {
            Self::None => {}
            Self::Crc32 => {
                black_box(crc32fast::hash(chunk));
            }
            Self::Xxh3 => {
                black_box(twox_hash::XxHash3_64::oneshot(chunk));
            }
            Self::Sha256 => {
                black_box(Sha256::digest(chunk));
            }
        }
    }
}

/// The consumer on one CPU and those who fetch on the others, where there are others.
#[derive(Clone, Copy, Debug)]
struct Placement {
    consumer: usize,
    fetchers: usize,
}

impl Placement {
    fn new() -> Result<Self, Failure> {
        let cpus = available()?;
        let consumer = cpus[0];
        Ok(Self { consumer, fetchers: cpus.get(1).copied().unwrap_or(consumer) })
    }

    /// Builds something whose threads run where those who fetch do.
    fn fetchers<T>(&self, build: impl FnOnce() -> T) -> Result<T, Failure> {
        let _there = Pinned::to(self.fetchers)?;
        Ok(build())
    }

    /// As a record says it of an arm with, or without, threads that fetch.
    fn describe(self, ahead: bool) -> String {
        let Self { consumer, fetchers } = self;
        match ahead {
            true => format!("consumer {consumer}, fetchers {fetchers}"),
            false => format!("consumer {consumer}"),
        }
    }
}

/// Reads in place, block by block into one buffer, as a plain reader does.
fn plain(
    source: &dyn Source,
    block: ByteSize,
    pool: &BufferPool,
    work: Work,
    clock: &mut Clock,
) -> Result<u64, Failure> {
    let mut buffer: PooledBuf = pool.try_acquire(block)?;
    let mut offset = 0;
    loop {
        buffer.clear();
        match read_full(source, offset, block.len(), &mut buffer)? {
            0 => return Ok(offset),
            read => {
                work.on(&buffer);
                clock.look(offset, &buffer)?;
                offset += read as u64;
            }
        }
    }
}

fn streamed(
    prefetcher: &Prefetcher,
    work: Work,
    clock: &mut Clock,
    turns: &Turns,
) -> Result<u64, Failure> {
    let mut bytes = 0;
    let mut stream = prefetcher.stream(..);
    for chunk in &mut stream {
        let chunk = chunk?;
        work.on(&chunk);
        clock.look(bytes, &chunk)?;
        bytes += chunk.len() as u64;
    }
    turns.add(stream.stats());
    Ok(bytes)
}

/// Times a pass over this content and asserts that it brought all of it: how much, and both ends of
/// every chunk.
fn timed(
    payload: &Payload,
    pass: impl FnOnce(&mut Clock) -> Result<u64, Failure>,
) -> Result<Duration, Failure> {
    let mut clock = Clock::start(*payload);
    let bytes = pass(&mut clock)?;
    let time = clock.stop();
    if bytes != payload.size.bytes() {
        return Err(format!("{bytes} of {} came", payload.size).into());
    }
    Ok(time)
}

#[cfg(test)]
mod tests {
    use bench_storage::source::MemorySource;

    use super::*;

    #[test]
    fn a_pass_that_brings_less_or_something_else_is_caught() {
        let block = ByteSize::kib(64);
        let payload = Payload::seeded(SEED, ByteSize::kib(256));
        let pool = BufferPool::builder(block).class(block).build().expect("a pool");
        let read = |content: Payload| {
            let source = MemorySource::new(&content);
            timed(&payload, |clock| plain(&source, block, &pool, Work::Crc32, clock))
        };
        read(payload).expect("as it is");
        let short = read(Payload::seeded(SEED, ByteSize::kib(192))).expect_err("short");
        assert_eq!(short.to_string(), "196608 of 256KiB came");
        read(Payload::seeded(1, payload.size)).expect_err("another content");
    }
}
