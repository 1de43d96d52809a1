//! The arms, turn by turn, and their rows.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bench_core::fixture::cpus::{Pinned, available};
use bench_core::judge::matrix::CELL;
use bench_core::record::{Data, Metric, Row};
use bench_core::workload::Failure;
use bench_storage::clock::MonotonicClock;
use bench_storage::scratch::ScratchDirectory;
#[cfg(feature = "foyer")]
use bench_storage::tiers::Foyer;
use bench_storage::tiers::{ReadPath, Remote, Served, Tier, Tiered, Uncached};
use hdrhistogram::Histogram;

use super::flags::{Effort, Plan, Way};
use super::popular::Popular;
use crate::arms::Stop;

/// The metric of a row: objects that the tier on the disk could not write, where it tells.
pub const REFUSED: &str = "refused";

/// One way to read, and what it did in the rounds that count.
struct Arm {
    way: Way,
    path: Box<dyn ReadPath>,
    remote: Arc<Remote>,
    /// The next read of the sequence.
    next: u64,
    times_ns: Vec<f64>,
    reads: Vec<u64>,
    latency_ns: Histogram<u64>,
    served: Served,
    /// Where it reads.
    cpu: usize,
}

/// All arms and where their files lie, until they are dropped.
pub struct Arms {
    arms: Vec<Arm>,
    _scratch: Option<ScratchDirectory>,
}

impl fmt::Debug for Arms {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.arms.iter().map(|arm| arm.way.name())).finish()
    }
}

/// The rows of a plan.
///
/// # Errors
/// When the plan cannot be served, or a read failed or was wrong.
pub fn rows(plan: &Plan) -> Result<Vec<Row>, Failure> {
    measure(plan, arms(plan)?, &|| false)
}

/// The arms of a plan, before the first read.
///
/// # Errors
/// When a tier cannot hold an object, or the folder cannot be written.
pub fn arms(plan: &Plan) -> Result<Arms, Failure> {
    let (scratch, folder) = match &plan.folder {
        Some(folder) => (None, folder.clone()),
        None => {
            let scratch = ScratchDirectory::create()?;
            let folder: PathBuf = scratch.path().to_owned();
            (Some(scratch), folder)
        }
    };
    let (clock, cpu) = (Arc::new(MonotonicClock::start()), available()?[0]);
    let store = Remote::filled(plan.objects, plan.delay, clock.clone())?;
    let arm = |way: Way| -> Result<Arm, Failure> {
        let remote = Arc::new(store.another(plan.delay, clock.clone())?);
        let (far, own) = (Arc::clone(&remote), folder.join(way.name()));
        let path: Box<dyn ReadPath> = match way {
            Way::Own => Box::new(Tiered::new(far, plan.tiers, &own)?),
            #[cfg(feature = "foyer")]
            Way::Foyer => Box::new(Foyer::new(far, plan.tiers, &own)?),
            Way::None => Box::new(Uncached::new(far)?),
        };
        let latency_ns = Histogram::new(3)?;
        let (times_ns, reads, served) = Default::default();
        Ok(Arm { way, path, remote, next: 0, times_ns, reads, latency_ns, served, cpu })
    };
    let arms = plan.ways.iter().map(|way| arm(*way)).collect::<Result<_, _>>()?;
    Ok(Arms { arms, _scratch: scratch })
}

/// Lets the arms take turns on one CPU until it is stopped; the first round fills their tiers and is
/// thrown away. Threads of their own stay free. A turn that is stopped is one of fewer reads, and an arm
/// without a read that counts has no rows.
///
/// # Errors
/// When a read failed, brought other content, or came from another tier than it was counted for; when
/// the thread cannot be pinned, or what is on the disk stays in the page cache.
pub fn measure(plan: &Plan, mut all: Arms, stop: Stop<'_>) -> Result<Vec<Row>, Failure> {
    let _here = all.arms.first().map(|arm| Pinned::to(arm.cpu)).transpose()?;
    let popular = Popular::new(plan.objects.seed, plan.objects.count, plan.zipf);
    let count = all.arms.len();
    for round in 0..=plan.rounds as usize {
        for turn in 0..count {
            let arm = &mut all.arms[(round + turn) % count];
            let name = arm.way.name();
            arm.turn(plan, &popular, round > 0, stop)
                .map_err(|failure| format!("{name}: {failure}"))?;
        }
    }
    let measured = all.arms.iter().filter(|arm| !arm.reads.is_empty());
    Ok(measured.flat_map(|arm| arm.rows(plan)).collect())
}

impl Arm {
    /// One round. Only the reads are timed: between them content is checked, what a path still writes in
    /// the background comes to its end, for ours as for others, and the disk's tier is taken out of the
    /// page cache; counts are checked after all.
    fn turn(
        &mut self,
        plan: &Plan,
        popular: &Popular,
        counts: bool,
        stop: Stop<'_>,
    ) -> Result<(), Failure> {
        let (before, fetched) = (self.path.served(), self.remote.fetched());
        let (mut time, mut reads, mut seen) = (Duration::ZERO, 0, Served::default());
        self.settle()?;
        while match plan.effort {
            Effort::Reads(all) => reads < all,
            Effort::Time(all) => time < all,
        } && !stop()
        {
            let object = popular.object(self.next);
            let start = Instant::now();
            let (tier, content) = self.path.read(object)?;
            let took = start.elapsed();
            plan.objects.payload(object).verify_all(&content)?;
            self.settle()?;
            seen.count(tier, content.len());
            (self.next, reads, time) = (self.next + 1, reads + 1, time + took);
            if counts {
                self.latency_ns.record(u64::try_from(took.as_nanos())?)?;
            }
        }
        let from_remote = seen.reads[Tier::Remote as usize];
        let fetched = self.remote.fetched() - fetched;
        if self.path.served().since(before) != seen || fetched != from_remote {
            return Err(format!("{fetched} objects were fetched for {from_remote} reads").into());
        }
        if counts && reads > 0 {
            self.times_ns.push(time.as_nanos() as f64);
            self.reads.push(reads);
            self.served = self.served.and(seen);
        }
        Ok(())
    }

    /// Nothing of the last read goes on when it returns, and nothing of it is in the page cache.
    fn settle(&mut self) -> Result<(), Failure> {
        self.path.rest();
        Ok(self.path.cool()?)
    }

    fn rows(&self, plan: &Plan) -> Vec<Row> {
        let cell = format!("tiers/read/{}", plan.objects.size);
        let id = format!("{cell}/{}", self.way.name());
        let (values, iterations) = (self.times_ns.clone(), self.reads.clone());
        let counted = |metric, unit, value| {
            Row::measured(&id, Metric::Other(metric), unit, Data::Count { value })
        };
        let mut rows = vec![
            Row::measured(&id, Metric::WallTime, "ns", Data::Samples { values, iterations }),
            Row::measured(&id, Metric::Latency, "ns", Data::from_histogram(&self.latency_ns)),
        ];
        for tier in Tier::ALL {
            let (name, place) = (tier.name(), tier as usize);
            rows.push(counted(format!("reads_{name}"), "1", self.served.reads[place]));
            rows.push(counted(format!("bytes_{name}"), "B", self.served.bytes[place]));
        }
        // Of all rounds: what could not be written while the tiers filled is missing ever after.
        let refused = self.path.on_disk().and_then(|disk| disk.refused);
        rows.extend(refused.map(|refused| counted(REFUSED.to_owned(), "1", refused)));
        for row in &mut rows {
            let dimensions = self.dimensions(plan, &cell).into_iter();
            row.dimensions.extend(dimensions.map(|(name, value)| (name.to_owned(), value)));
        }
        rows
    }

    fn dimensions(&self, plan: &Plan, cell: &str) -> Vec<(&'static str, String)> {
        let bandwidth = plan.delay.bytes_per_second;
        let mut dimensions = vec![
            (CELL, cell.to_owned()),
            ("backend", self.path.backend()),
            ("cpus", format!("reader {}", self.cpu)),
            ("objects", plan.objects.count.to_string()),
            ("size", plan.objects.size.to_string()),
            ("remote_latency", format!("{:?}", plan.delay.latency)),
            ("remote_jitter", format!("{:?}", plan.delay.jitter)),
            (
                "remote_bytes_per_second",
                bandwidth.map_or("unlimited".to_owned(), |rate| rate.to_string()),
            ),
            ("zipf", plan.zipf.to_string()),
            ("seed", plan.objects.seed.to_string()),
        ];
        if let Some(disk) = self.path.on_disk() {
            dimensions.extend([
                ("l0", plan.tiers.memory.to_string()),
                ("l1", plan.tiers.disk.to_string()),
                ("page_cache", disk.page_cache),
                ("file_system", disk.file_system),
                ("found_on_disk", disk.found.to_string()),
            ]);
        }
        dimensions
    }
}

#[cfg(test)]
#[path = "run_tests.rs"]
mod tests;
