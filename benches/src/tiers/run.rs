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
    measure(plan, arms(plan)?)
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

/// Lets the arms take turns on one CPU; the first round fills their tiers and is thrown away. Threads of
/// their own stay free.
///
/// # Errors
/// When a read failed, brought other content, or came from another tier than it was counted for; when
/// the thread cannot be pinned, or what is on the disk stays in the page cache.
pub fn measure(plan: &Plan, mut all: Arms) -> Result<Vec<Row>, Failure> {
    let _here = all.arms.first().map(|arm| Pinned::to(arm.cpu)).transpose()?;
    let popular = Popular::new(plan.objects.seed, plan.objects.count, plan.zipf);
    let count = all.arms.len();
    for round in 0..=plan.rounds as usize {
        for turn in 0..count {
            let arm = &mut all.arms[(round + turn) % count];
            let name = arm.way.name();
            arm.turn(plan, &popular, round > 0).map_err(|failure| format!("{name}: {failure}"))?;
        }
    }
    Ok(all.arms.iter().flat_map(|arm| arm.rows(plan)).collect())
}

impl Arm {
    /// One round. Only the reads are timed: content is checked and the disk's tier taken out of the page
    /// cache between them, counts are checked after all. When it is over, nothing of it goes on.
    fn turn(&mut self, plan: &Plan, popular: &Popular, counts: bool) -> Result<(), Failure> {
        let (before, fetched) = (self.path.served(), self.remote.fetched());
        let (mut time, mut reads, mut seen) = (Duration::ZERO, 0, Served::default());
        self.path.cool()?;
        while match plan.effort {
            Effort::Reads(all) => reads < all,
            Effort::Time(all) => time < all,
        } {
            let object = popular.object(self.next);
            let start = Instant::now();
            let (tier, content) = self.path.read(object)?;
            let took = start.elapsed();
            plan.objects.payload(object).verify_all(&content)?;
            self.path.cool()?;
            seen.count(tier, content.len());
            (self.next, reads, time) = (self.next + 1, reads + 1, time + took);
            if counts {
                self.latency_ns.record(u64::try_from(took.as_nanos())?)?;
            }
        }
        self.path.rest();
        let from_remote = seen.reads[Tier::Remote as usize];
        let fetched = self.remote.fetched() - fetched;
        if self.path.served().since(before) != seen || fetched != from_remote {
            return Err(format!("{fetched} objects were fetched for {from_remote} reads").into());
        }
        if counts {
            self.times_ns.push(time.as_nanos() as f64);
            self.reads.push(reads);
            self.served = self.served.and(seen);
        }
        Ok(())
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
mod tests {
    use std::fs::{self, File};
    use std::sync::Mutex;

    use bench_core::fixture::cpus::allowed;
    use bench_core::scale::Scale;
    use bench_core::units::ByteSize;
    use bench_storage::residency::Witness;
    use bytes::Bytes;

    use super::super::table::table;
    use super::*;

    fn count(rows: &[Row], arm: &str, metric: &str) -> u64 {
        let row = rows.iter().find(|row| row.id.ends_with(arm) && row.metric.name() == metric);
        match row.and_then(|row| row.data.as_ref()) {
            Some(Data::Count { value }) => *value,
            _ => panic!("no {metric} of {arm}"),
        }
    }

    #[test]
    fn tiers_serve_reads_and_every_read_is_counted_once() {
        let plan = Plan::of(Scale::Smoke);
        let rows = rows(&plan).expect("rows");
        for way in Way::ALL {
            let arm = format!("/{}", way.name());
            let of = |metric: &str| count(&rows, &arm, metric);
            let all = of("reads_memory") + of("reads_disk") + of("reads_remote");
            assert_eq!(all, 16, "8 reads in each of two rounds");
            assert_eq!(of("bytes_remote"), of("reads_remote") * plan.objects.size.bytes());
        }
        assert_eq!(count(&rows, "/none", "reads_remote"), 16);
        assert!(count(&rows, "/own", "reads_memory") > 0);
        let latency =
            rows.iter().find(|row| row.id.ends_with("/none") && row.metric == Metric::Latency);
        let latency =
            latency.and_then(|row| row.data.as_ref()?.histogram().ok()).expect("a histogram");
        let wait = plan.delay.latency.as_nanos() as u64;
        // Three digits are kept.
        assert!(latency.len() == 16 && latency.min() >= wait / 1000 * 999, "{}", latency.min());
        let ids = rows.iter().all(|row| row.id.starts_with("tiers/read/64KiB/"));
        assert!(ids && rows.iter().all(|row| row.ok));
    }

    #[test]
    fn what_an_earlier_run_left_on_the_disk_is_found() {
        let folder = ScratchDirectory::create().expect("a folder");
        let mut plan = Plan::of(Scale::Smoke);
        plan.folder = Some(folder.path().to_owned());
        plan.ways = vec![Way::Own];
        plan.tiers.disk = ByteSize::mib(4);
        plan.effort = Effort::Reads(60);
        let found = |rows: Vec<Row>| rows[0].dimensions["found_on_disk"].clone();
        assert_eq!(found(rows(&plan).expect("rows")), "0");
        let left = fs::read_dir(folder.path().join("own")).expect("list").count();
        assert!(left > 0);
        assert_eq!(found(rows(&plan).expect("rows")), left.to_string());
        let mut again = arms(&plan).expect("arms");
        let popular = Popular::new(plan.objects.seed, plan.objects.count, plan.zipf);
        again.arms[0].turn(&plan, &popular, true).expect("a round");
        let served = again.arms[0].served;
        assert_eq!(served.reads[Tier::Remote as usize], 0, "all that it reads is there");
        assert!(served.reads[Tier::Disk as usize] > 0);
    }

    #[test]
    fn rows_say_how_the_disk_is_met_and_claim_no_tiers_that_are_not_there() {
        let rows = rows(&Plan::of(Scale::Smoke)).expect("rows");
        for row in &rows {
            let disk = ["l0", "l1", "page_cache", "file_system", "found_on_disk"];
            let has_disk = !row.id.ends_with("/none");
            for name in disk {
                assert_eq!(row.dimensions.contains_key(name), has_disk, "{name} of {}", row.id);
            }
            let reader = format!("reader {}", available().expect("CPUs")[0]);
            assert_eq!(row.dimensions["cpus"], reader);
        }
        assert_eq!(count(&rows, "/own", REFUSED), 0);
        assert!(!table(&rows).contains("could not be written"), "{}", table(&rows));
    }

    #[test]
    fn no_file_of_ours_is_in_the_page_cache_after_a_turn() {
        let folder = ScratchDirectory::create().expect("a folder");
        let plan = Plan { folder: Some(folder.path().to_owned()), ..Plan::of(Scale::Smoke) };
        let plan = Plan { ways: vec![Way::Own], ..plan };
        let mut arms = arms(&plan).expect("arms");
        let popular = Popular::new(plan.objects.seed, plan.objects.count, plan.zipf);
        arms.arms[0].turn(&plan, &popular, true).expect("a round");
        if arms.arms[0].path.on_disk().expect("a disk").page_cache == "memory" {
            return;
        }
        let files = fs::read_dir(folder.path().join("own")).expect("list");
        let files: Vec<_> = files.map(|file| file.expect("an entry").path()).collect();
        assert!(!files.is_empty());
        for path in files {
            let file = File::open(&path).expect("open");
            assert!(Witness::Mincore.residency(&file).expect("mincore").is_cold(), "{path:?}");
        }
    }

    /// Remembers where its reader may run.
    #[derive(Debug)]
    struct Spy(Uncached, Arc<Mutex<Vec<Vec<usize>>>>);

    impl ReadPath for Spy {
        fn read(&mut self, object: u64) -> Result<(Tier, Bytes), bench_storage::Error> {
            self.1.lock().expect("no panic").push(allowed().expect("CPUs"));
            self.0.read(object)
        }

        fn served(&self) -> Served {
            self.0.served()
        }

        fn backend(&self) -> String {
            self.0.backend()
        }
    }

    #[test]
    fn the_reader_stays_on_its_cpu_while_it_measures_and_no_longer() {
        let before = allowed().expect("CPUs");
        let plan = Plan { ways: vec![Way::None], ..Plan::of(Scale::Smoke) };
        let mut all = arms(&plan).expect("arms");
        let seen = Arc::new(Mutex::new(Vec::new()));
        let inner = Uncached::new(Arc::clone(&all.arms[0].remote)).expect("a path");
        all.arms[0].path = Box::new(Spy(inner, Arc::clone(&seen)));
        measure(&plan, all).expect("rows");
        let seen = seen.lock().expect("no panic").clone();
        assert!(!seen.is_empty() && seen.iter().all(|cpus| *cpus == [before[0]]), "{seen:?}");
        assert_eq!(allowed().expect("CPUs"), before);
    }

    #[test]
    fn a_disk_that_takes_nothing_is_told() {
        let folder = ScratchDirectory::create().expect("a folder");
        let plan = Plan { folder: Some(folder.path().to_owned()), ..Plan::of(Scale::Smoke) };
        let plan = Plan { ways: vec![Way::Own], ..plan };
        let all = arms(&plan).expect("arms");
        fs::remove_dir_all(folder.path().join("own")).expect("remove");
        let rows = measure(&plan, all).expect("rows");
        let refused = count(&rows, "/own", REFUSED);
        assert!(refused > 0 && count(&rows, "/own", "reads_disk") == 0);
        let said = format!("own: {refused} objects could not be written to the disk; is it full?");
        assert!(table(&rows).contains(&said), "{}", table(&rows));
    }

    #[test]
    fn wrong_content_is_found_and_the_arm_named() {
        let plan = Plan::of(Scale::Smoke);
        let arms = arms(&plan).expect("arms");
        let mut other = plan.clone();
        other.objects.seed += 1000;
        let text = measure(&other, arms).expect_err("others than it expects").to_string();
        assert!(text.starts_with("own: wrong content at offset 0"), "{text}");
    }

    #[test]
    fn what_cannot_be_served_is_refused_before_the_first_read() {
        let folder = ScratchDirectory::create().expect("a folder");
        let file = folder.path().join("file");
        std::fs::write(&file, "x").expect("write");
        let plan = || Plan { ways: vec![Way::Own], ..Plan::of(Scale::Smoke) };
        let mut cases = [plan(), plan(), plan()];
        cases[0].tiers.memory = ByteSize::kib(32);
        cases[1].tiers.disk = ByteSize::new(0);
        cases[2].folder = Some(file);
        let starts = [
            "the memory tier of 32KiB cannot hold one object",
            "the disk tier of 0B cannot hold one object",
            "failed to create ",
        ];
        for (plan, start) in cases.iter().zip(starts) {
            let text = arms(plan).expect_err(start).to_string();
            assert!(text.starts_with(start), "{text}");
        }
    }
}
