//! A cold file, read by the kernel's read-ahead, without it, and by the prefetcher.

use std::sync::Arc;
use std::time::Duration;

use bench_core::fixture::cpus::Pinned;
use bench_core::fixture::{BufferPool, Payload};
use bench_core::measure::environment::read_ahead;
use bench_core::record::Row;
use bench_core::scale::Scale;
use bench_core::units::ByteSize;
use bench_core::workload::Failure;
use bench_storage::cache_state::{CacheState, Cold, Direct};
use bench_storage::file::ScratchFile;
use bench_storage::prefetch::{Policy, PrefetchConfig, Prefetcher};
use bench_storage::scratch::ScratchDirectory;
use bench_storage::source::{BufferedFile, DirectFile, Source};
use bench_storage::workloads::prefetch::PolicyName;
use rustix::fs::{Advice, fadvise};

use super::did::Turns;
use super::{DEPTH, Placement, SEED, Work, plain, streamed, timed};
use crate::arms::{Arm, interleaved};
use crate::clock::Clock;

/// What is read, and fetched, at once.
pub(super) const BLOCK: ByteSize = ByteSize::mib(1);

/// A cold file read with this work on every chunk: with the kernel's read-ahead (`kernel`), without
/// it (`no_read_ahead`), with advice to the kernel (`advice_sequential`, `advice_willneed`; an
/// experiment whose sign the rows tell), and by the prefetcher through and past the page cache
/// (`adaptive_buffered`, `adaptive_direct`).
///
/// # Errors
/// When the file cannot be made cold, is not cold any more when the clock starts, or is in the page
/// cache after a pass that was to go past it; when an arm does not bring all of it.
pub fn cold_file(id: &str, work: Work, scale: Scale) -> Result<Vec<Row>, Failure> {
    let size = scale.pick(ByteSize::mib(4), ByteSize::mib(256), ByteSize::mib(1024));
    let directory = ScratchDirectory::create()?;
    let file = &ScratchFile::create(&directory, "file", Payload::seeded(SEED, size))?;
    let path = file.cached().path();
    let placement = Placement::new()?;
    let pool = &BufferPool::builder(ByteSize::mib(64)).class(BLOCK).huge_slabs().build()?;
    let (buffered, direct) = (Turns::default(), Turns::default());
    let mut arms = Vec::new();
    let advised: [(&str, Option<Advice>); 4] = [
        ("kernel", None),
        ("no_read_ahead", Some(Advice::Random)),
        ("advice_sequential", Some(Advice::Sequential)),
        ("advice_willneed", Some(Advice::WillNeed)),
    ];
    for (name, advice) in advised {
        let backend = BufferedFile::open(path)?.backend();
        let dimensions = dimensions::<Cold>(file, placement, backend, Policy::Off)?;
        let once = move || {
            let source = BufferedFile::open(path)?;
            from::<Cold>(file, placement, || {
                timed(file.payload(), |clock| {
                    if let Some(advice) = advice {
                        fadvise(source.file(), 0, None, advice)?;
                    }
                    plain(&source, BLOCK, pool, work, clock)
                })
            })
        };
        arms.push(Arm { name: name.to_owned(), dimensions, once: Box::new(once) });
    }
    let plain = arms.len();
    let ahead = Ahead { file, placement, pool, work };
    let source = Arc::new(BufferedFile::open(path)?);
    arms.push(ahead.arm::<Cold>("adaptive_buffered", source, &buffered)?);
    let source = Arc::new(DirectFile::open(path)?);
    arms.push(ahead.arm::<Direct>("adaptive_direct", source, &direct)?);
    let mut rows = interleaved(id, scale.pick(1, 9, 21), arms)?;
    let times = rows[plain..].to_vec();
    rows.extend(times.iter().zip([buffered, direct]).flat_map(|(time, turns)| turns.rows(time)));
    Ok(rows)
}

/// What the arms that fetch ahead have in common.
#[derive(Clone, Copy)]
struct Ahead<'a> {
    file: &'a ScratchFile,
    placement: Placement,
    pool: &'a BufferPool,
    work: Work,
}

impl<'a> Ahead<'a> {
    fn arm<S: CacheState>(
        self,
        name: &str,
        source: Arc<dyn Source>,
        turns: &'a Turns,
    ) -> Result<Arm<'a>, Failure> {
        let Self { file, placement, pool, work } = self;
        let policy = Policy::Adaptive { most: 2 * DEPTH };
        let dimensions = dimensions::<S>(file, placement, source.backend(), policy)?;
        let config = PrefetchConfig { chunk: BLOCK, policy };
        let start = || Prefetcher::new(source, pool.clone(), config);
        let prefetcher = placement.fetchers(start)??;
        let once = move || {
            let pass = |clock: &mut Clock| streamed(&prefetcher, work, clock, turns);
            from::<S>(file, placement, || timed(file.payload(), pass))
        };
        Ok(Arm { name: name.to_owned(), dimensions, once: Box::new(once) })
    }
}

/// Has a pass over the file timed from this state, which it has when the clock starts, and has not
/// lost when it is over but by the pass itself.
pub(super) fn from<S: CacheState>(
    file: &ScratchFile,
    placement: Placement,
    pass: impl FnOnce() -> Result<Duration, Failure>,
) -> Result<Duration, Failure> {
    let reached = file.cached().reach::<S>()?;
    let _here = Pinned::to(placement.consumer)?;
    reached.held_before(file.cached())?;
    let time = pass()?;
    reached.held(file.cached())?;
    Ok(time)
}

/// What made the numbers of an arm. Every turn of it begins in the state that is seen here, or fails.
pub(super) fn dimensions<S: CacheState>(
    file: &ScratchFile,
    placement: Placement,
    backend: String,
    policy: Policy,
) -> Result<Vec<(&'static str, String)>, Failure> {
    let mut dimensions = file.cached().reach::<S>()?.dimensions();
    dimensions.extend(file.payload().dimensions());
    dimensions.extend([
        ("backend", backend),
        ("chunk", BLOCK.to_string()),
        ("policy", PolicyName(policy).to_string()),
        ("read_ahead", read_ahead(file.cached().path())),
        ("cpus", placement.describe(policy != Policy::Off)),
    ]);
    Ok(dimensions)
}

#[cfg(test)]
mod tests {
    use bench_core::record::Metric;
    use bench_storage::Error;
    use bench_storage::file_system::lives_in_memory;

    use super::*;

    #[test]
    fn a_pass_through_the_page_cache_is_not_taken_for_one_past_it() {
        let directory = ScratchDirectory::create().expect("scratch");
        let payload = Payload::seeded(SEED, ByteSize::mib(2));
        let file = ScratchFile::create(&directory, "file", payload).expect("create");
        if lives_in_memory(file.cached().file_system()) {
            return;
        }
        let placement = Placement::new().expect("a CPU");
        let pool = BufferPool::builder(BLOCK).class(BLOCK).build().expect("a pool");
        let source = BufferedFile::open(file.cached().path()).expect("open");
        let read = |clock: &mut Clock| plain(&source, BLOCK, &pool, Work::None, clock);
        let pass = || timed(&payload, read);
        from::<Cold>(&file, placement, pass).expect("it may leave the file warm");
        let lost = from::<Direct>(&file, placement, pass).expect_err("that one may not");
        assert!(matches!(lost.downcast_ref(), Some(Error::StateLost { .. })), "{lost}");
    }

    #[test]
    fn every_arm_says_which_page_cache_it_met() {
        let rows = match cold_file("prefetch/overlap/crc32", Work::Crc32, Scale::Smoke) {
            Ok(rows) => rows,
            Err(failure) => {
                let told = failure.to_string();
                assert!(told.contains("direct I/O") || told.contains("stayed resident"), "{told}");
                return;
            }
        };
        let (times, did): (Vec<_>, Vec<_>) =
            rows.into_iter().partition(|row| row.metric == Metric::WallTime);
        assert_eq!((times.len(), did.len()), (6, 2 * 10));
        assert!(did.iter().all(|row| row.dimensions["arm"].starts_with("adaptive")));
        for row in times {
            let dimensions = &row.dimensions;
            let direct = dimensions["arm"] == "adaptive_direct";
            assert_eq!(dimensions["page_cache"], if direct { "direct" } else { "cold" });
            assert_eq!(dimensions["resident_pages"], "0 of 1024");
            let ahead = dimensions["arm"].starts_with("adaptive");
            assert_eq!(dimensions["policy"], if ahead { "adaptive8" } else { "off" });
            assert_eq!(dimensions["cpus"].contains("fetchers"), ahead);
            for name in ["page_cache_witness", "file_system", "read_ahead", "chunk", "size"] {
                assert!(!dimensions[name].is_empty(), "{name}");
            }
        }
    }
}
