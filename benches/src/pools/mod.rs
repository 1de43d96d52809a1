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
    if let Some(row) = skipped(id, threads, scale) {
        return Ok(vec![row]);
    }
    let (own, malloc) = (Own::new(), Malloc::new());
    #[cfg(feature = "peers")]
    let peers = peers::Peers::new();
    #[cfg(feature = "peers-c")]
    let allocators = allocators::Allocators::new();
    let arms: Vec<Arm<'_>> = vec![
        work.arm(&own, threads),
        work.arm(&malloc, threads),
        #[cfg(feature = "peers")]
        work.arm(&peers.array_queue, threads),
        #[cfg(feature = "peers")]
        work.arm(&peers.opool, threads),
        #[cfg(feature = "peers")]
        work.arm(&peers.opool_owned, threads),
        #[cfg(feature = "peers")]
        work.arm(&peers.object_pool, threads),
        #[cfg(feature = "peers")]
        work.arm(&peers.object_pool_owned, threads),
        #[cfg(feature = "peers")]
        work.arm(&peers.linear, threads),
        #[cfg(feature = "peers")]
        work.arm(&peers.linear_owned, threads),
        #[cfg(feature = "peers")]
        work.arm(&peers.sharded_slab, threads),
        #[cfg(feature = "peers")]
        work.arm(&peers.sharded_slab_owned, threads),
        #[cfg(feature = "peers")]
        work.arm(&peers.deadpool, threads),
        #[cfg(feature = "peers-c")]
        work.arm(&allocators.mimalloc, threads),
        #[cfg(feature = "peers-c")]
        work.arm(&allocators.jemalloc, threads),
    ];
    turns(id, &arms, scale)
}

/// The rows of our pool on one thread and on two, which only turns of one run make comparable. At smoke
/// scale as [`compare`].
///
/// # Errors
/// As [`compare`].
pub fn scaling(id: &str, scale: Scale) -> Result<Vec<Row>, Failure> {
    if let Some(row) = skipped(id, 2, scale) {
        return Ok(vec![row]);
    }
    let arms = [
        (Work::Cycle, 1, "cycle_1_thread"),
        (Work::Cycle, 2, "cycle_2_threads"),
        (Work::Hold32, 1, "hold_32_1_thread"),
        (Work::Hold32, 2, "hold_32_2_threads"),
    ];
    let pools = arms.map(|_| Own::new());
    let arms: Vec<Arm<'_>> = arms
        .iter()
        .zip(&pools)
        .map(|(&(work, threads, name), pool)| Arm {
            name: name.to_owned(),
            ..work.arm(pool, threads)
        })
        .collect();
    turns(id, &arms, scale)
}

/// Why there is nothing to run at smoke scale.
fn skipped(id: &str, threads: usize, scale: Scale) -> Option<Row> {
    let reason = cpus(threads).err().filter(|_| scale == Scale::Smoke)?;
    Some(Row::failed(id, Metric::WallTime, "ns", &format!("skipped: {reason}")))
}

fn turns(id: &str, arms: &[Arm<'_>], scale: Scale) -> Result<Vec<Row>, Failure> {
    let mut rows = take_turns(id, arms, Turns::of(scale))?;
    for row in &mut rows {
        row.dimensions.insert(CELL.to_owned(), id.to_owned());
    }
    Ok(rows)
}

#[cfg(test)]
mod tests {
    use bench_core::fixture::cpus::available;

    use super::*;

    #[test]
    fn with_too_few_cpus_a_smoke_run_is_skipped_and_says_so() {
        let many = available().expect("CPUs").len() + 1;
        let rows = compare("a/b", Work::Cycle, many, Scale::Smoke).expect("no failure");
        let expected = format!(
            "skipped: {many} threads need as many CPUs, and this process may use {}",
            many - 1
        );
        assert_eq!(rows.len(), 1);
        assert_eq!((rows[0].ok, rows[0].error.as_deref()), (false, Some(expected.as_str())));
        compare("a/b", Work::Cycle, many, Scale::Quick).expect_err("a figure needs all");
    }

    #[test]
    fn our_pool_on_one_thread_and_on_two_is_of_one_run() {
        let rows = scaling("a/b", Scale::Smoke).expect("rows");
        if available().expect("CPUs").len() < 2 {
            assert!(!rows[0].ok);
            return;
        }
        let times = rows.iter().filter(|row| row.metric == Metric::WallTime);
        let said: Vec<(&str, &str)> =
            times.map(|row| (row.id.as_str(), row.dimensions["threads"].as_str())).collect();
        let expected = [
            ("a/b/cycle_1_thread", "1"),
            ("a/b/cycle_2_threads", "2"),
            ("a/b/hold_32_1_thread", "1"),
            ("a/b/hold_32_2_threads", "2"),
        ];
        assert_eq!(said, expected);
        assert!(rows.iter().all(|row| row.dimensions[CELL] == "a/b"));
    }
}
