//! A source that answers late, read ahead of at every depth.

use std::sync::Arc;
use std::time::Duration;

use bench_core::fixture::cpus::Pinned;
use bench_core::fixture::{BufferPool, Payload};
use bench_core::record::Row;
use bench_core::scale::Scale;
use bench_core::units::ByteSize;
use bench_core::workload::Failure;
use bench_storage::clock::MonotonicClock;
use bench_storage::prefetch::{Policy, PrefetchConfig, Prefetcher};
use bench_storage::source::{DelayConfig, Delayed, MemorySource, Source};
use bench_storage::workloads::prefetch::PolicyName;

use super::{DEPTH, Placement, SEED, Work, streamed, timed};
use crate::arms::{Arm, interleaved};

const CHUNK: ByteSize = ByteSize::mib(4);
const LATENCY: Duration = Duration::from_millis(5);

/// A source that answers after 5 ms, 4 MiB at a time, read with this work on every chunk: `off`, at
/// every fixed depth up to 4, and `adaptive`.
///
/// # Errors
/// When an arm does not bring everything.
pub fn far_source(id: &str, work: Work, scale: Scale) -> Result<Vec<Row>, Failure> {
    let size = ByteSize::new(CHUNK.bytes() * scale.pick(2, 48, 96));
    let payload = Payload::seeded(SEED, size);
    let delay = DelayConfig::latency(LATENCY);
    let clock = Arc::new(MonotonicClock::start());
    let source: Arc<dyn Source> = Arc::new(Delayed::new(MemorySource::new(&payload), delay, clock));
    let placement = Placement::new()?;
    let policies = [Policy::Off, Policy::Adaptive { most: DEPTH }]
        .into_iter()
        .chain((1..=DEPTH).map(Policy::Fixed));
    let mut arms = Vec::new();
    for policy in policies {
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
        let mut dimensions = payload.dimensions();
        dimensions.extend([
            ("backend", prefetcher.source().backend()),
            ("chunk", CHUNK.to_string()),
            ("policy", PolicyName(policy).to_string()),
            ("latency", format!("{LATENCY:?}")),
            ("cpus", placement.describe(policy != Policy::Off)),
        ]);
        let once = move || {
            let _here = Pinned::to(placement.consumer)?;
            timed(&payload, |clock| streamed(&prefetcher, work, clock))
        };
        arms.push(Arm { name, dimensions, once: Box::new(once) });
    }
    interleaved(id, scale.pick(1, 9, 21), arms)
}
