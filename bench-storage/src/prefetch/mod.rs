//! Fetching ahead: chunks of a source are read on other threads before they are asked for.
//!
//! A [`Prefetcher`] owns the threads and belongs to one [`Source`]; from it come any number of
//! handles. A [`ChunkStream`] gives the chunks of a range in order. A [`Reader`] reads at any
//! offset, notices by its [own](detector) reads whether they are in order, and fetches ahead only
//! then. How far ahead is the [`planner`]'s decision; that a chunk is fetched once and delivered in
//! its turn, errors included, is the [`exchange`]'s.
//!
//! Memory comes from the pool that the caller gives. Fetching ahead takes only what the pool has to
//! spare, never waits for it, and gives it up for a read that is waited for: of every reader of the
//! pool, where the sources come from one prefetcher ([`Prefetcher::for_source`]). A read fails for
//! want of memory only where all of it was delivered, or is being read into in place: a pool has one
//! buffer for each reader, and those that its callers keep. Where chunks below 2 MiB are read past the page
//! cache, [huge slabs](bench_core::fixture::BufferPoolBuilder::huge_slabs) are worth it.
//!
//! What it does not do: it does not write, it does not keep chunks that were delivered (it is no
//! cache), and it does not join small reads of many files.

mod crew;
pub mod detector;
pub mod exchange;
pub mod planner;
mod reader;
mod readers;
mod stats;
mod stream;
mod sync;
mod window;

use std::ops::Range;
use std::sync::Arc;

use bench_core::fixture::{AcquireError, BufferPool};
use bench_core::units::ByteSize;

use self::crew::Crew;
use self::readers::Readers;
use self::window::{Chunks, Window};
use crate::clock::{Clock, MonotonicClock};
use crate::error::Error;
use crate::source::Source;

pub use self::planner::Policy;
pub use self::reader::Reader;
pub use self::stats::PrefetchStats;
pub use self::stream::ChunkStream;

/// The most chunks that can be asked for ahead: each has a thread of its own.
pub const DEPTH_MOST: u32 = 64;

/// How a source is fetched ahead.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PrefetchConfig {
    /// What is read at once: a multiple of the source's alignment.
    pub chunk: ByteSize,
    /// How many chunks ahead.
    pub policy: Policy,
}

/// Fetches one source ahead, for any number of readers.
///
/// ```
/// use std::sync::Arc;
///
/// use bench_core::fixture::{BufferPool, Payload};
/// use bench_core::units::ByteSize;
/// use bench_storage::prefetch::{Policy, PrefetchConfig, Prefetcher};
/// use bench_storage::source::MemorySource;
///
/// let payload = Payload::seeded(42, ByteSize::mib(1));
/// let source = Arc::new(MemorySource::new(&payload));
/// let pool = BufferPool::with_limit(ByteSize::mib(1))?;
/// let config =
///     PrefetchConfig { chunk: ByteSize::kib(64), policy: Policy::Adaptive { most: 4 } };
/// let prefetcher = Prefetcher::new(source, pool, config)?;
/// let mut offset = 0;
/// for chunk in prefetcher.stream(..) {
///     let chunk = chunk?;
///     payload.verify(offset, &chunk)?;
///     offset += chunk.len() as u64;
/// }
/// assert_eq!(offset, 1 << 20);
/// # Ok::<(), Box<dyn std::error::Error + Send + Sync>>(())
/// ```
#[derive(Clone, Debug)]
pub struct Prefetcher {
    crew: Arc<Crew>,
    pool: BufferPool,
    config: PrefetchConfig,
}

impl Prefetcher {
    /// A prefetcher on the machine's clock; starts its threads, one for each chunk ahead.
    ///
    /// # Errors
    /// [`Error::InvalidPrefetch`] for a chunk of 0 bytes or one that is no multiple of the source's
    /// alignment, a depth of 0 or above [`DEPTH_MOST`], or a system without threads left;
    /// [`Error::Buffer`] when the pool has no class for a chunk.
    pub fn new(
        source: Arc<dyn Source>,
        pool: BufferPool,
        config: PrefetchConfig,
    ) -> Result<Self, Error> {
        Self::with_clock(source, pool, config, Arc::new(MonotonicClock::start()))
    }

    /// A prefetcher that tells fetch from work, and stalls, by this clock.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn with_clock(
        source: Arc<dyn Source>,
        pool: BufferPool,
        config: PrefetchConfig,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, Error> {
        Self::drawing_on(pool, source, config, clock, Arc::default())
    }

    /// A prefetcher of another source on the same pool, with threads of its own: what is fetched
    /// ahead of either makes room for what the readers of the other wait for. Two prefetchers that
    /// know nothing of each other should have a pool each.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn for_source(&self, source: Arc<dyn Source>) -> Result<Self, Error> {
        let readers = Arc::clone(self.crew.readers());
        Self::drawing_on(self.pool.clone(), source, self.config, self.crew.clock(), readers)
    }

    fn drawing_on(
        pool: BufferPool,
        source: Arc<dyn Source>,
        config: PrefetchConfig,
        clock: Arc<dyn Clock>,
        readers: Arc<Readers>,
    ) -> Result<Self, Error> {
        check(&config, source.alignment())?;
        if let Err(error @ AcquireError::TooLarge { .. }) = pool.try_acquire(config.chunk) {
            return Err(error.into());
        }
        let crew = Crew::start(source, clock, config.policy.most(), readers).map_err(|error| {
            Error::InvalidPrefetch(format!(
                "failed to start {} threads to fetch with: {error}; ask for a smaller depth",
                config.policy.most()
            ))
        })?;
        Ok(Self { crew: Arc::new(crew), pool, config })
    }

    /// The chunks of a range of bytes, in order; what lies behind the end of the source is cut off.
    pub fn stream(&self, range: impl std::ops::RangeBounds<u64>) -> ChunkStream {
        let size = self.crew.source().size().bytes();
        let Range { start, end } = clip(&range, size);
        ChunkStream::new(self.window(start, end))
    }

    /// A handle for reads at any offset.
    pub fn reader(&self) -> Reader {
        Reader::new(self.window(0, self.crew.source().size().bytes()))
    }

    /// What it fetches.
    pub fn source(&self) -> &dyn Source {
        self.crew.source()
    }

    fn window(&self, start: u64, end: u64) -> Window {
        let chunks = Chunks { start, end, chunk: self.config.chunk.bytes() };
        Window::new(Arc::clone(&self.crew), self.pool.clone(), chunks, self.config.policy)
    }
}

fn check(config: &PrefetchConfig, alignment: usize) -> Result<(), Error> {
    let PrefetchConfig { chunk, policy } = config;
    if chunk.is_empty() || !chunk.bytes().is_multiple_of(alignment as u64) {
        return Err(Error::InvalidPrefetch(format!(
            "cannot fetch in chunks of {chunk}: a chunk is a multiple of {alignment} bytes, and at \
             least one"
        )));
    }
    if *policy != Policy::Off && !(1..=DEPTH_MOST).contains(&policy.most()) {
        return Err(Error::InvalidPrefetch(format!(
            "cannot fetch {} chunks ahead: choose 1 to {DEPTH_MOST}, or the policy Off",
            policy.most()
        )));
    }
    Ok(())
}

fn clip(range: &impl std::ops::RangeBounds<u64>, size: u64) -> Range<u64> {
    use std::ops::Bound::{Excluded, Included, Unbounded};
    let start = match range.start_bound() {
        Included(&start) => start,
        Excluded(&start) => start.saturating_add(1),
        Unbounded => 0,
    };
    let end = match range.end_bound() {
        Included(&end) => end.saturating_add(1),
        Excluded(&end) => end,
        Unbounded => size,
    };
    let end = end.min(size);
    start.min(end)..end
}
