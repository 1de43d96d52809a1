//! Random reads through a handle that looks for an order in them, beside the same reads without one.

use std::cell::RefCell;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bench_core::fixture::Payload;
use bench_core::fixture::cpus::Pinned;
use bench_core::record::Row;
use bench_core::scale::Scale;
use bench_core::units::ByteSize;
use bench_core::workload::Failure;
use bench_storage::cache_state::{CacheState, Direct, Warm};
use bench_storage::clock::MonotonicClock;
use bench_storage::file::ScratchFile;
use bench_storage::prefetch::{Policy, PrefetchConfig};
use bench_storage::scratch::ScratchDirectory;
use bench_storage::source::{BufferedFile, DelayConfig, Delayed, DirectFile, MemorySource, Source};
use bench_storage::workloads::prefetch::{READS, Random};

use super::cold::{BLOCK, dimensions, from};
use super::{DEPTH, Placement, SEED, far};
use crate::arms::{Arm, Pass, interleaved};

const READ: ByteSize = ByteSize::kib(4);
const POLICY: Policy = Policy::Adaptive { most: DEPTH };
const LATENCY: Duration = Duration::from_millis(1);

/// What is read at random.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Where {
    /// A source that answers after a millisecond.
    Far,
    /// A file past the page cache.
    Direct,
    /// A file in the page cache.
    Warm,
}

/// Random reads of 4 KiB straight from this source (`plain`) and through a handle that would fetch
/// ahead if they were in order (`handle`): what looking for an order costs those who have none. Each
/// pass has offsets of its own, the same for both.
///
/// # Errors
/// When a file cannot be brought into its state or lost it, when a read brings something else, and
/// when anything was fetched ahead.
pub fn at_random(id: &str, place: Where, scale: Scale) -> Result<Vec<Row>, Failure> {
    let size = scale.pick(ByteSize::mib(16), ByteSize::mib(64), ByteSize::mib(256));
    let payload = Payload::seeded(SEED, size);
    let placement = Placement::new()?;
    let rounds = scale.pick(1, 9, 21);
    match place {
        Where::Far => far(id, payload, placement, rounds),
        Where::Direct => {
            let open = |path: &Path| Ok(Arc::new(DirectFile::open(path)?) as Arc<dyn Source>);
            of_file::<Direct>(id, payload, placement, rounds, 4, open)
        }
        Where::Warm => {
            let open = |path: &Path| Ok(Arc::new(BufferedFile::open(path)?) as Arc<dyn Source>);
            of_file::<Warm>(id, payload, placement, 3 * rounds, 64, open)
        }
    }
}

fn far(
    id: &str,
    payload: Payload,
    placement: Placement,
    rounds: usize,
) -> Result<Vec<Row>, Failure> {
    let clock = Arc::new(MonotonicClock::start());
    let delay = DelayConfig::latency(LATENCY);
    let source = Arc::new(Delayed::new(MemorySource::new(&payload), delay, clock));
    let backend = source.backend();
    let dimensions = |policy| {
        Ok(far::late_dimensions(payload, backend.clone(), BLOCK, LATENCY, policy, placement))
    };
    let reads = Reads::new(id, placement, source, payload)?;
    reads.rows(rounds, 1, dimensions, |turn| {
        let _here = Pinned::to(placement.consumer)?;
        turn()
    })
}

fn of_file<S: CacheState>(
    id: &str,
    payload: Payload,
    placement: Placement,
    rounds: usize,
    passes: u64,
    open: impl FnOnce(&Path) -> Result<Arc<dyn Source>, Failure>,
) -> Result<Vec<Row>, Failure> {
    let directory = ScratchDirectory::create()?;
    let file = &ScratchFile::create(&directory, "file", payload)?;
    let source = open(file.cached().path())?;
    let backend = source.backend();
    let dimensions = |policy| dimensions::<S>(file, placement, backend.clone(), policy);
    let reads = Reads::new(id, placement, source, payload)?;
    reads.rows(rounds, passes, dimensions, |turn| from::<S>(file, placement, turn))
}

/// What both arms share, so that nothing but the handle is different: source, buffers and offsets.
struct Reads<'a> {
    id: &'a str,
    random: RefCell<Random>,
}

/// What is timed.
type Way = fn(&mut Random);
type Turn<'a> = &'a mut dyn FnMut() -> Result<Duration, Failure>;

impl<'a> Reads<'a> {
    fn new(
        id: &'a str,
        placement: Placement,
        source: Arc<dyn Source>,
        payload: Payload,
    ) -> Result<Self, Failure> {
        let config = PrefetchConfig { chunk: BLOCK, policy: POLICY };
        let random = placement.fetchers(|| Random::over(source, payload, READ, config))??;
        Ok(Self { id, random: RefCell::new(random) })
    }

    /// So many passes a turn, each of them checked outside its time, in turns that something else is
    /// done around.
    fn rows(
        &self,
        rounds: usize,
        passes: u64,
        dimensions: impl Fn(Policy) -> Result<Vec<(&'static str, String)>, Failure>,
        around: impl Fn(Turn<'_>) -> Result<Duration, Failure>,
    ) -> Result<Vec<Row>, Failure> {
        let ways: [(&str, Policy, Way); 2] = [
            ("plain", Policy::Off, Random::read_plainly),
            ("handle", POLICY, Random::read_through_handle),
        ];
        let around = &around;
        let mut arms = Vec::new();
        for (name, policy, way) in ways {
            let mut numbers = 0..;
            let once = move || {
                let mut random = self.random.borrow_mut();
                let time = around(&mut || {
                    let mut time = Duration::ZERO;
                    for number in numbers.by_ref().take(passes as usize) {
                        random.set_pass(number);
                        let start = Instant::now();
                        way(&mut random);
                        time += start.elapsed();
                        random.check()?;
                    }
                    Ok(time)
                })?;
                Ok(Pass { time, operations: passes * READS })
            };
            let mut dimensions = dimensions(policy)?;
            dimensions.push(("block", READ.to_string()));
            arms.push(Arm { name: name.to_owned(), dimensions, once: Box::new(once) });
        }
        interleaved(self.id, rounds, arms)
    }
}

#[cfg(test)]
mod tests {
    use bench_core::record::Data;

    use super::*;

    #[test]
    fn both_ways_read_the_same_and_say_of_what() {
        for place in [Where::Far, Where::Direct, Where::Warm] {
            let rows = match at_random("prefetch/at_random", place, Scale::Smoke) {
                Ok(rows) => rows,
                Err(failure) => {
                    let told = failure.to_string();
                    let lacks = told.contains("(O_DIRECT)") || told.contains("stayed resident");
                    assert!(place == Where::Direct && lacks, "{told}");
                    continue;
                }
            };
            let of = |name: &str| -> Vec<&str> {
                rows.iter().map(|row| row.dimensions[name].as_str()).collect()
            };
            assert_eq!(of("arm"), ["plain", "handle"]);
            assert_eq!(of("policy"), ["off", "adaptive4"]);
            assert_eq!((of("block"), of("chunk")), (vec!["4KiB"; 2], vec!["1MiB"; 2]));
            for row in &rows {
                assert_eq!(
                    row.dimensions["cpus"].contains("fetchers"),
                    row.dimensions["arm"] == "handle"
                );
                assert_eq!(row.dimensions.contains_key("latency"), place == Where::Far);
                assert_eq!(row.dimensions.contains_key("page_cache"), place != Where::Far);
                let Some(Data::Samples { iterations, .. }) = &row.data else {
                    panic!("{row:?}");
                };
                assert!(iterations.iter().all(|reads| reads % READS == 0), "{iterations:?}");
            }
            if place == Where::Far {
                let least = LATENCY.as_nanos() as f64;
                assert!(rows.iter().all(|row| row.per_operation()[0] > least));
            }
        }
    }
}
