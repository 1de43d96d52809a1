//! Reads in order that jump now and then: what is fetched ahead, and thrown away, beside the same
//! reads in place.

use std::sync::Arc;
use std::time::Duration;

use bench_core::fixture::cpus::Pinned;
use bench_core::fixture::{BufferPool, Payload, Stream};
use bench_core::record::Row;
use bench_core::scale::Scale;
use bench_core::units::ByteSize;
use bench_core::workload::Failure;
use bench_storage::clock::MonotonicClock;
use bench_storage::prefetch::{Policy, PrefetchConfig, PrefetchStats, Prefetcher};
use bench_storage::source::{DelayConfig, Delayed, MemorySource, Source, read_full};

use super::did::{Turns, counted};
use super::{DEPTH, Placement, SEED, far};
use crate::arms::{Arm, interleaved};
use crate::clock::Clock;

const CHUNK: ByteSize = ByteSize::kib(256);
const LATENCY: Duration = Duration::from_millis(1);
/// Chunks that are read in order after each jump.
const RUN: u64 = 12;
/// Chunks that a run has to itself, with those that are fetched behind its end.
const PART: u64 = RUN + DEPTH as u64;

/// A source that answers after a millisecond, read through a handle in runs of twelve chunks that
/// begin anywhere (`handle`), beside the same reads in place (`plain`): how long they take, and how
/// much was fetched for nothing, in all and by any one jump.
///
/// # Errors
/// When a read brings something else.
pub fn with_seeks(id: &str, scale: Scale) -> Result<Vec<Row>, Failure> {
    let runs = scale.pick(3, 24, 48);
    let payload = Payload::seeded(SEED, ByteSize::new(runs * PART * CHUNK.bytes()));
    let clock = Arc::new(MonotonicClock::start());
    let delay = DelayConfig::latency(LATENCY);
    let source: Arc<dyn Source> = Arc::new(Delayed::new(MemorySource::new(&payload), delay, clock));
    let offsets = &offsets(runs);
    let placement = Placement::new()?;
    let limit = ByteSize::new(CHUNK.bytes() * u64::from(DEPTH + 2));
    let pool = BufferPool::builder(limit).class(CHUNK).build()?;
    let policy = Policy::Adaptive { most: DEPTH };
    let config = PrefetchConfig { chunk: CHUNK, policy };
    let start = || Prefetcher::new(Arc::clone(&source), pool.clone(), config);
    let prefetcher = placement.fetchers(start)??;
    let turns = &Turns::default();
    let dimensions = |policy| {
        let backend = source.backend();
        let mut dimensions =
            far::late_dimensions(payload, backend, CHUNK, LATENCY, policy, placement);
        dimensions.push(("reads", offsets.len().to_string()));
        dimensions
    };
    let plain = || {
        let _here = Pinned::to(placement.consumer)?;
        in_place(&*source, &pool, payload, offsets)
    };
    let handle = || {
        let _here = Pinned::to(placement.consumer)?;
        let (time, stats) = through_handle(&prefetcher, payload, offsets)?;
        turns.add(stats);
        Ok(time)
    };
    let arms = vec![
        Arm {
            name: "plain".to_owned(),
            dimensions: dimensions(Policy::Off),
            once: Box::new(plain),
        },
        Arm { name: "handle".to_owned(), dimensions: dimensions(policy), once: Box::new(handle) },
    ];
    let rounds = scale.pick(1, 9, 21);
    let mut rows = interleaved(id, rounds, arms)?;
    let handle = rows[1].clone();
    rows.extend(turns.rows(&handle));
    rows.push(counted(&handle, "seeks", runs * rounds as u64));
    Ok(rows)
}

fn in_place(
    source: &dyn Source,
    pool: &BufferPool,
    payload: Payload,
    offsets: &[u64],
) -> Result<Duration, Failure> {
    let mut buffer = pool.try_acquire(CHUNK)?;
    let mut clock = Clock::start(payload);
    for &offset in offsets {
        buffer.clear();
        read_full(source, offset, CHUNK.len(), &mut buffer)?;
        clock.look(offset, &buffer)?;
    }
    Ok(clock.stop())
}

fn through_handle(
    prefetcher: &Prefetcher,
    payload: Payload,
    offsets: &[u64],
) -> Result<(Duration, PrefetchStats), Failure> {
    let mut reader = prefetcher.reader();
    let mut clock = Clock::start(payload);
    for &offset in offsets {
        let bytes = reader.read_at(offset, CHUNK.len())?;
        clock.look(offset, &bytes)?;
    }
    Ok((clock.stop(), reader.stats()))
}

/// Runs in parts of their own, in any order: no chunk is read twice, and none is fetched ahead that
/// another run reads.
fn offsets(runs: u64) -> Vec<u64> {
    let stream = Stream::seeded(SEED);
    let mut parts: Vec<u64> = (0..runs).collect();
    parts.sort_by_key(|&part| stream.word(part));
    let chunks = parts.into_iter().flat_map(|part| (part * PART)..(part * PART + RUN));
    chunks.map(|chunk| chunk * CHUNK.bytes()).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use bench_core::record::Data;

    use super::*;

    #[test]
    fn a_jump_throws_no_more_away_than_a_window() {
        let rows = with_seeks("prefetch/seeks", Scale::Smoke).expect("rows");
        let count = |name: &str| {
            let row = rows.iter().find(|row| row.metric.name() == name).expect(name);
            assert_eq!(row.dimensions["arm"], "handle");
            match row.data {
                Some(Data::Count { value }) => value,
                _ => panic!("{row:?}"),
            }
        };
        assert_eq!(count("seeks"), 3);
        assert!(count("issued") > 0 && count("useful") > 0, "it was fetched ahead");
        assert!(count("wasted_at_once") <= u64::from(DEPTH));
        assert_eq!(count("duplicate"), 0);
    }

    #[test]
    fn each_run_is_in_order_and_begins_with_a_jump_and_no_chunk_comes_twice() {
        let offsets = offsets(20);
        for (number, pair) in offsets.windows(2).enumerate() {
            let in_order = pair[1] == pair[0] + CHUNK.bytes();
            assert_eq!(in_order, !(number as u64 + 1).is_multiple_of(RUN), "read {number}");
        }
        let once: BTreeSet<&u64> = offsets.iter().collect();
        assert_eq!((once.len(), offsets.len()), (240, 240));
        let begins: Vec<u64> = offsets.iter().step_by(RUN as usize).copied().collect();
        assert!(!begins.is_sorted(), "{begins:?}");
    }
}
