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
use bench_core::measure::turns::{Arm, Turns, cpus, take_turns};
use bench_core::record::{Metric, Row};
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

/// The rows of every pool at this work. At smoke scale, which only shows that it still runs, a
/// machine with fewer CPUs than threads skips it: its row says why.
///
/// # Errors
/// When there are not enough CPUs, or a pool gave nothing.
pub fn compare(id: &str, work: Work, threads: usize, scale: Scale) -> Result<Vec<Row>, Failure> {
    if scale == Scale::Smoke
        && let Err(reason) = cpus(threads)
    {
        let reason = format!("skipped: {reason}");
        return Ok(vec![Row::failed(id, Metric::WallTime, "ns", &reason)]);
    }
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

#[cfg(test)]
mod tests {
    use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

    use super::*;

    #[test]
    fn with_one_cpu_a_smoke_run_of_two_threads_is_skipped_and_says_so() {
        // On a thread of its own, which nobody else's work runs on.
        std::thread::spawn(|| {
            let allowed = sched_getaffinity(None).expect("which CPUs it may use");
            let mut one = CpuSet::new();
            (0..CpuSet::MAX_CPU)
                .find(|&cpu| allowed.is_set(cpu))
                .into_iter()
                .for_each(|cpu| one.set(cpu));
            sched_setaffinity(None, &one).expect("fewer");
            let rows = compare("a/b", Work::Cycle, 2, Scale::Smoke).expect("no failure");
            let expected = "skipped: 2 threads need as many CPUs, and this process may use 1";
            assert_eq!(rows.len(), 1);
            assert_eq!((rows[0].ok, rows[0].error.as_deref()), (false, Some(expected)));
            compare("a/b", Work::Cycle, 2, Scale::Quick).expect_err("a figure needs both");
        })
        .join()
        .expect("no panic");
    }
}
