//! Where the prefetcher meets work: reading ahead of a cold file and of a far source while every
//! chunk is checksummed or hashed.

use std::hint::black_box;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bench_core::fixture::cpus::{Pinned, available};
use bench_core::fixture::{BufferPool, Payload, PooledBuf};
use bench_core::record::Row;
use bench_core::scale::Scale;
use bench_core::units::ByteSize;
use bench_core::workload::Failure;
use bench_storage::cache_state::Cold;
use bench_storage::clock::MonotonicClock;
use bench_storage::file::ScratchFile;
use bench_storage::prefetch::{Policy, PrefetchConfig, Prefetcher};
use bench_storage::scratch::ScratchDirectory;
use bench_storage::source::{
    BufferedFile, DelayConfig, Delayed, DirectFile, MemorySource, Source, read_full,
};
use rustix::fs::{Advice, fadvise};
use sha2::{Digest as _, Sha256};

use crate::arms::{Arm, interleaved};

const SEED: u64 = 42;
const DEPTH: u32 = 4;
const FAR_CHUNK: ByteSize = ByteSize::mib(4);

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
}

/// Reads in place, block by block into one buffer, as a plain reader does.
fn plain(
    source: &dyn Source,
    block: ByteSize,
    pool: &BufferPool,
    work: Work,
) -> Result<u64, Failure> {
    let mut buffer: PooledBuf = pool.try_acquire(block)?;
    let mut offset = 0;
    loop {
        buffer.clear();
        match read_full(source, offset, block.len(), &mut buffer)? {
            0 => return Ok(offset),
            read => {
                work.on(&buffer);
                offset += read as u64;
            }
        }
    }
}

fn streamed(prefetcher: &Prefetcher, work: Work) -> Result<u64, Failure> {
    let mut bytes = 0;
    for chunk in prefetcher.stream(..) {
        let chunk = chunk?;
        work.on(&chunk);
        bytes += chunk.len() as u64;
    }
    Ok(bytes)
}

/// Times a pass and asserts that it brought everything.
fn timed(size: ByteSize, pass: impl FnOnce() -> Result<u64, Failure>) -> Result<Duration, Failure> {
    let start = Instant::now();
    let bytes = pass()?;
    let time = start.elapsed();
    if bytes != size.bytes() {
        return Err(format!("{bytes} of {size} came").into());
    }
    Ok(time)
}

/// A cold file read with this work on every chunk: with the kernel's read-ahead (`kernel`), without
/// it (`no_read_ahead`), with advice to the kernel (`advice_sequential`, `advice_willneed`; an
/// experiment whose sign the rows tell), and by the prefetcher through and past the page cache
/// (`adaptive_buffered`, `adaptive_direct`).
///
/// # Errors
/// When the file cannot be made cold, or an arm does not bring all of it.
pub fn cold_file(id: &str, work: Work, scale: Scale) -> Result<Vec<Row>, Failure> {
    let size = scale.pick(ByteSize::mib(4), ByteSize::mib(256), ByteSize::mib(1024));
    let block = ByteSize::mib(1);
    let directory = ScratchDirectory::create()?;
    let file = ScratchFile::create(&directory, "file", Payload::seeded(SEED, size))?;
    let path = file.cached().path();
    let placement = Placement::new()?;
    let pool = BufferPool::builder(ByteSize::mib(64)).class(block).build()?;
    let mut arms = Vec::new();
    let advised: [(&str, Option<Advice>); 4] = [
        ("kernel", None),
        ("no_read_ahead", Some(Advice::Random)),
        ("advice_sequential", Some(Advice::Sequential)),
        ("advice_willneed", Some(Advice::WillNeed)),
    ];
    for (name, advice) in advised {
        let (file, pool, consumer) = (&file, &pool, placement.consumer);
        let once = move || {
            let source = BufferedFile::open(path)?;
            file.cached().reach::<Cold>()?;
            let _here = Pinned::to(consumer)?;
            timed(size, || {
                if let Some(advice) = advice {
                    fadvise(source.file(), 0, None, advice)?;
                }
                plain(&source, block, pool, work)
            })
        };
        let dimensions = dimensions(size, "pread");
        arms.push(Arm { name: name.to_owned(), dimensions, once: Box::new(once) });
    }
    for (name, direct) in [("adaptive_buffered", false), ("adaptive_direct", true)] {
        let prefetcher = placement.fetchers(|| ahead(path, direct, block, &pool))??;
        let (file, consumer) = (&file, placement.consumer);
        let dimensions = dimensions(size, &prefetcher.source().backend());
        let once = move || {
            file.cached().reach::<Cold>()?;
            let _here = Pinned::to(consumer)?;
            timed(size, || streamed(&prefetcher, work))
        };
        arms.push(Arm { name: name.to_owned(), dimensions, once: Box::new(once) });
    }
    interleaved(id, scale.pick(1, 9, 21), arms)
}

fn ahead(
    path: &Path,
    direct: bool,
    chunk: ByteSize,
    pool: &BufferPool,
) -> Result<Prefetcher, Failure> {
    let source: Arc<dyn Source> = match direct {
        true => Arc::new(DirectFile::open(path)?),
        false => Arc::new(BufferedFile::open(path)?),
    };
    let config = PrefetchConfig { chunk, policy: Policy::Adaptive { most: 2 * DEPTH } };
    Ok(Prefetcher::new(source, pool.clone(), config)?)
}

fn dimensions(size: ByteSize, backend: &str) -> Vec<(&'static str, String)> {
    vec![("size", size.to_string()), ("backend", backend.to_owned())]
}

/// A source that answers after 5 ms, 4 MiB at a time, read with this work on every chunk: `off`, at
/// every fixed depth up to 4, and `adaptive`.
///
/// # Errors
/// When an arm does not bring everything.
pub fn far_source(id: &str, work: Work, scale: Scale) -> Result<Vec<Row>, Failure> {
    let size = ByteSize::new(FAR_CHUNK.bytes() * scale.pick(2, 48, 96));
    let payload = Payload::seeded(SEED, size);
    let delay = DelayConfig::latency(Duration::from_millis(5));
    let clock = Arc::new(MonotonicClock::start());
    let source: Arc<dyn Source> = Arc::new(Delayed::new(MemorySource::new(&payload), delay, clock));
    let placement = Placement::new()?;
    let policies = [Policy::Off, Policy::Adaptive { most: DEPTH }]
        .into_iter()
        .chain((1..=DEPTH).map(Policy::Fixed));
    let mut arms = Vec::new();
    for policy in policies {
        let limit = ByteSize::new(FAR_CHUNK.bytes() * u64::from(DEPTH + 2));
        let pool = BufferPool::builder(limit).class(FAR_CHUNK).build()?;
        let config = PrefetchConfig { chunk: FAR_CHUNK, policy };
        let start = || Prefetcher::new(Arc::clone(&source), pool, config);
        let prefetcher = placement.fetchers(start)??;
        let name = match policy {
            Policy::Off => "off".to_owned(),
            Policy::Fixed(depth) => format!("fixed_{depth}"),
            Policy::Adaptive { .. } => "adaptive".to_owned(),
        };
        let dimensions = dimensions(size, &prefetcher.source().backend());
        let consumer = placement.consumer;
        let once = move || {
            let _here = Pinned::to(consumer)?;
            timed(size, || streamed(&prefetcher, work))
        };
        arms.push(Arm { name, dimensions, once: Box::new(once) });
    }
    interleaved(id, scale.pick(1, 9, 21), arms)
}
