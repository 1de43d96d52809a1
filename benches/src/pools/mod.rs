//! Buffer pools in turns: ours, the allocator's, and with the feature `peers` those of others. A
//! buffer is one of 64 KiB that nobody touches, so that the cost is the pool's own.

#[cfg(feature = "peers-c")]
mod allocators;
#[cfg(feature = "peers")]
mod peers;
mod work;

use std::hint::black_box;

use bench_core::fixture::{BufferPool, PooledBuf};
use bench_core::judge::matrix::CELL;
use bench_core::measure::turns::{Arm, Turns, take_turns};
use bench_core::record::Row;
use bench_core::scale::Scale;
use bench_core::units::ByteSize;
use bench_core::workload::Failure;

pub use self::work::Work;

const SIZE: ByteSize = ByteSize::kib(64);
/// More than are out at any time.
const BUFFERS: usize = 512;

/// Something that hands out buffers, each for as long as its guard lives.
pub trait Pool: Sync {
    /// One buffer. Dropping it gives it back.
    type Guard<'a>: Send
    where
        Self: 'a;
    /// The last part of the id.
    const NAME: &'static str;

    /// A pool of 512 buffers of 64 KiB.
    fn new() -> Self;

    /// A buffer, or none if all are out.
    fn get(&self) -> Option<Self::Guard<'_>>;
}

/// Weighbridge's pool.
struct Own(BufferPool);

/// The global allocator, which is glibc's unless somebody changed it.
struct Malloc;

impl Pool for Own {
    type Guard<'a> = PooledBuf;
    const NAME: &'static str = "own";

    fn new() -> Self {
        let limit = ByteSize::new(SIZE.bytes() * BUFFERS as u64);
        let pool = BufferPool::builder(limit).class(SIZE).build();
        Self(pool.expect("the class fits the limit"))
    }

    #[inline]
    fn get(&self) -> Option<PooledBuf> {
        self.0.try_acquire(SIZE).ok()
    }
}

impl Pool for Malloc {
    type Guard<'a> = Vec<u8>;
    const NAME: &'static str = "malloc";

    fn new() -> Self {
        Self
    }

    #[inline]
    fn get(&self) -> Option<Vec<u8>> {
        Some(black_box(Vec::with_capacity(SIZE.len())))
    }
}

/// The rows of every pool at this work.
///
/// # Errors
/// When there are not enough CPUs, or a pool gave nothing.
pub fn compare(id: &str, work: Work, threads: usize, scale: Scale) -> Result<Vec<Row>, Failure> {
    let (own, malloc) = (Own::new(), Malloc::new());
    #[cfg(feature = "peers")]
    let peers = peers::Peers::new();
    #[cfg(feature = "peers-c")]
    let allocators = allocators::Allocators::new();
    let arms: Vec<Arm<'_>> = vec![
        work.arm(&own),
        work.arm(&malloc),
        #[cfg(feature = "peers")]
        work.arm(&peers.array_queue),
        #[cfg(feature = "peers")]
        work.arm(&peers.opool),
        #[cfg(feature = "peers")]
        work.arm(&peers.opool_owned),
        #[cfg(feature = "peers")]
        work.arm(&peers.object_pool),
        #[cfg(feature = "peers")]
        work.arm(&peers.object_pool_owned),
        #[cfg(feature = "peers")]
        work.arm(&peers.linear),
        #[cfg(feature = "peers")]
        work.arm(&peers.linear_owned),
        #[cfg(feature = "peers")]
        work.arm(&peers.sharded_slab),
        #[cfg(feature = "peers")]
        work.arm(&peers.sharded_slab_owned),
        #[cfg(feature = "peers")]
        work.arm(&peers.deadpool),
        #[cfg(feature = "peers-c")]
        work.arm(&allocators.mimalloc),
        #[cfg(feature = "peers-c")]
        work.arm(&allocators.jemalloc),
    ];
    let mut rows = take_turns(id, &arms, Turns::of(scale, threads))?;
    for row in &mut rows {
        row.dimensions.insert(CELL.to_owned(), id.to_owned());
    }
    Ok(rows)
}
