//! A source that answers late, read ahead of at every depth, beside the ideal of each.

use std::cell::RefCell;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bench_core::fixture::cpus::Pinned;
use bench_core::fixture::{BufferPool, Payload};
use bench_core::record::Row;
use bench_core::scale::Scale;
use bench_core::units::ByteSize;
use bench_core::workload::Failure;
use bench_storage::clock::MonotonicClock;
use bench_storage::prefetch::{Policy, PrefetchConfig, Prefetcher};
use bench_storage::source::{DelayConfig, Delayed, MemorySource, Source, read_full};
use bench_storage::workloads::prefetch::PolicyName;

use super::did::{Turns, samples};
use super::{DEPTH, Placement, SEED, Work, streamed, timed};
use crate::arms::{Arm, interleaved};
use crate::clock::Clock;

const CHUNK: ByteSize = ByteSize::mib(4);

/// What the chunks of a pass take without the wait, all together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Near {
    /// To be copied, on one CPU.
    copy: Duration,
    /// To be worked on.
    work: Duration,
}

impl Near {
    /// Fetches a chunk takes `latency` and its copy, of which only the latency passes side by side.
    /// No schedule of so many chunks, `depth` fetched at a time, ends earlier than this: the first
    /// fetch; for every chunk after it the slowest of its work, its share of `depth` fetches and its
    /// copy; and the work on the last. Copy and work are those of one CPU on its own: where two share
    /// caches and memory, both are slower than here.
    fn ideal(self, latency: Duration, chunks: u32, depth: u32) -> Duration {
        let Self { copy, work } = Self { copy: self.copy / chunks, work: self.work / chunks };
        let fetch = latency + copy;
        fetch + work.max(fetch / depth).max(copy) * (chunks - 1) + work
    }
}

/// What rows say of a source that answers late, and of how it was read.
pub(super) fn late_dimensions(
    payload: Payload,
    backend: String,
    chunk: ByteSize,
    latency: Duration,
    policy: Policy,
    placement: Placement,
) -> Vec<(&'static str, String)> {
    let mut dimensions = payload.dimensions();
    dimensions.extend([
        ("backend", backend),
        ("chunk", chunk.to_string()),
        ("policy", PolicyName(policy).to_string()),
        ("latency", format!("{latency:?}")),
        ("cpus", placement.describe(policy != Policy::Off)),
    ]);
    dimensions
}

/// A source that answers after so many milliseconds, 4 MiB at a time, read with this work on every
/// chunk: `off`, at every fixed depth up to 4, and `adaptive`; and without the wait, `near`, from
/// which the `ideal` time of each depth is computed turn by turn.
///
/// # Errors
/// When an arm does not bring everything.
pub fn far_source(
    id: &str,
    latency_ms: u64,
    work: Work,
    scale: Scale,
) -> Result<Vec<Row>, Failure> {
    let chunks = scale.pick(2, 48, 96);
    let latency = Duration::from_millis(latency_ms);
    let payload = Payload::seeded(SEED, ByteSize::new(CHUNK.bytes() * u64::from(chunks)));
    let memory = MemorySource::new(&payload);
    let clock = Arc::new(MonotonicClock::start());
    let delayed = Delayed::new(memory.clone(), DelayConfig::latency(latency), clock);
    let source: Arc<dyn Source> = Arc::new(delayed);
    let placement = Placement::new()?;
    let dimensions =
        |backend, policy| late_dimensions(payload, backend, CHUNK, latency, policy, placement);
    let policies = [Policy::Off, Policy::Adaptive { most: DEPTH }]
        .into_iter()
        .chain((1..=DEPTH).map(Policy::Fixed));
    let policies: Vec<Policy> = policies.collect();
    let turns = vec![Turns::default(); policies.len()];
    let pool = BufferPool::builder(CHUNK).class(CHUNK).build()?;
    let nears = RefCell::new(Vec::new());
    let mut arms = Vec::new();
    for (&policy, turns) in policies.iter().zip(&turns) {
        let limit = ByteSize::new(CHUNK.bytes() * u64::from(DEPTH + 2));
        let pool = BufferPool::builder(limit).class(CHUNK).build()?;
        let config = PrefetchConfig { chunk: CHUNK, policy };
        let start = || Prefetcher::new(Arc::clone(&source), pool, config);
        let prefetcher = placement.fetchers(start)??;
        let name = match policy {
            Policy::Off => "off".to_owned(),
            Policy::Fixed(depth) => format!("fixed_{depth}"),
            Policy::Adaptive { .. } => "adaptive".to_owned(),
        };
        let once = move || {
            let _here = Pinned::to(placement.consumer)?;
            timed(&payload, |clock| streamed(&prefetcher, work, clock, turns))
        };
        let dimensions = dimensions(source.backend(), policy);
        arms.push(Arm { name, dimensions, once: Box::new(once) });
    }
    let once = || {
        let _here = Pinned::to(placement.consumer)?;
        let near = near(&memory, &payload, &pool, work)?;
        nears.borrow_mut().push(near);
        Ok(near.copy + near.work)
    };
    let mut backend = dimensions(memory.backend(), Policy::Off);
    backend.retain(|(name, _)| *name != "latency");
    arms.push(Arm { name: "near".to_owned(), dimensions: backend, once: Box::new(once) });
    let mut rows = interleaved(id, scale.pick(1, 9, 21), arms)?;
    let times: Vec<Row> = rows.iter().take(policies.len()).cloned().collect();
    for ((time, policy), turns) in times.iter().zip(policies).zip(&turns) {
        if policy != Policy::Off {
            let ideal = |near: &Near| near.ideal(latency, chunks, policy.most());
            rows.push(samples(time, "ideal", nears.borrow()[1..].iter().map(ideal)));
            rows.extend(turns.rows(time));
        }
    }
    Ok(rows)
}

/// Copies and work of all chunks, each by its own clock.
fn near(
    source: &MemorySource,
    payload: &Payload,
    pool: &BufferPool,
    work: Work,
) -> Result<Near, Failure> {
    let mut buffer = pool.try_acquire(CHUNK)?;
    let mut near = Near::default();
    for offset in (0..payload.size.bytes()).step_by(CHUNK.len()) {
        buffer.clear();
        let start = Instant::now();
        read_full(source, offset, CHUNK.len(), &mut buffer)?;
        near.copy += start.elapsed();
        let start = Instant::now();
        work.on(&buffer);
        near.work += start.elapsed();
        Clock::start(*payload).look(offset, &buffer)?;
    }
    Ok(near)
}

#[cfg(test)]
mod tests {
    use super::*;
    use bench_core::record::Data;

    #[test]
    fn the_ideal_is_that_of_the_slowest_stage() {
        let ms = Duration::from_millis;
        let near = |copy: u64, work: u64| Near { copy: ms(10 * copy), work: ms(10 * work) };
        // 5 ms and 1 ms of copy: fetched alone, 6 ms each.
        assert_eq!(near(1, 0).ideal(ms(5), 10, 1), ms(60));
        // Two at a time, a chunk every 3 ms.
        assert_eq!(near(1, 0).ideal(ms(5), 10, 2), ms(6 + 27));
        // The work of 4 ms is slower than that, and that on the last chunk comes last.
        assert_eq!(near(1, 4).ideal(ms(5), 10, 2), ms(6 + 36 + 4));
        // Copies do not pass side by side.
        assert_eq!(near(3, 0).ideal(ms(5), 10, 8), ms(8 + 27));
    }

    #[test]
    fn every_arm_stands_beside_its_ideal_and_what_was_done_for_it() {
        let rows = far_source("prefetch/far/none", 5, Work::None, Scale::Smoke).expect("rows");
        let of = |arm: &str, metric: &str| {
            let mut found = rows
                .iter()
                .filter(|row| row.dimensions["arm"] == arm && row.metric.name() == metric);
            let row = found.next();
            assert!(found.next().is_none(), "{arm} {metric} twice");
            row
        };
        for arm in ["off", "near", "adaptive", "fixed_1", "fixed_2", "fixed_3", "fixed_4"] {
            let time = of(arm, "wall_time").expect("timed");
            assert_eq!(time.dimensions["size"], "8MiB");
            let fetches = arm != "off" && arm != "near";
            assert_eq!(of(arm, "ideal").is_some(), fetches, "{arm}");
            assert_eq!(time.dimensions.contains_key("latency"), arm != "near");
            let count = |metric| match of(arm, metric)?.data.as_ref()? {
                Data::Count { value } => Some(*value),
                _ => None,
            };
            assert_eq!(count("duplicate"), fetches.then_some(0));
            assert_eq!(count("issued"), fetches.then_some(2), "{arm}");
            if let Some(ideal) = of(arm, "ideal") {
                // Both fetches at once, or one after the other.
                let depth_one = ideal.dimensions["policy"] == "fixed1";
                let least = if depth_one { 10e6 } else { 5e6 };
                assert!(ideal.per_operation()[0] >= least, "{ideal:?}");
                assert_eq!(ideal.unit, "ns");
                assert_eq!(ideal.dimensions, time.dimensions);
            }
        }
    }
}
