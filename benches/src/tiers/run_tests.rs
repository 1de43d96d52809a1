//! Reads and rows of the arms, on a scratch directory.

use std::cell::Cell;
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
    let latency = latency.and_then(|row| row.data.as_ref()?.histogram().ok()).expect("a histogram");
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
    again.arms[0].turn(&plan, &popular, true, &|| false).expect("a round");
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
    arms.arms[0].turn(&plan, &popular, true, &|| false).expect("a round");
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

/// Remembers where its reader may run, and fails a read while the one before still goes on.
#[derive(Debug)]
struct Spy {
    path: Uncached,
    seen: Arc<Mutex<Vec<Vec<usize>>>>,
    under_way: bool,
}

impl ReadPath for Spy {
    fn read(&mut self, object: u64) -> Result<(Tier, Bytes), bench_storage::Error> {
        assert!(!std::mem::replace(&mut self.under_way, true), "the last read still goes on");
        self.seen.lock().expect("no panic").push(allowed().expect("CPUs"));
        self.path.read(object)
    }

    fn cool(&mut self) -> Result<(), bench_storage::Error> {
        assert!(!self.under_way, "what is written later stays in the page cache");
        Ok(())
    }

    fn rest(&mut self) {
        self.under_way = false;
    }

    fn served(&self) -> Served {
        self.path.served()
    }

    fn backend(&self) -> String {
        self.path.backend()
    }
}

#[test]
fn the_reader_stays_on_its_cpu_and_no_read_begins_while_the_last_goes_on() {
    let before = allowed().expect("CPUs");
    let plan = Plan { ways: vec![Way::None], ..Plan::of(Scale::Smoke) };
    let mut all = arms(&plan).expect("arms");
    let seen = Arc::new(Mutex::new(Vec::new()));
    let path = Uncached::new(Arc::clone(&all.arms[0].remote)).expect("a path");
    all.arms[0].path = Box::new(Spy { path, seen: Arc::clone(&seen), under_way: false });
    measure(&plan, all, &|| false).expect("rows");
    let seen = seen.lock().expect("no panic").clone();
    assert!(!seen.is_empty() && seen.iter().all(|cpus| *cpus == [before[0]]), "{seen:?}");
    assert_eq!(allowed().expect("CPUs"), before);
}

#[test]
fn what_was_read_before_it_was_stopped_is_kept() {
    let plan = Plan { ways: vec![Way::Own, Way::None], ..Plan::of(Scale::Smoke) };
    let looks = Cell::new(0);
    // A round of two arms that does not count; of the next, which the second begins, three reads.
    let stop = || looks.replace(looks.get() + 1) >= 2 * 8 + 3;
    let rows = measure(&plan, arms(&plan).expect("arms"), &stop).expect("stopped");
    assert!(rows.iter().all(|row| row.id.ends_with("/none")));
    assert_eq!(count(&rows, "/none", "reads_remote"), 3);
    let time = rows.iter().find(|row| row.metric == Metric::WallTime).expect("a row");
    let Some(Data::Samples { iterations, .. }) = &time.data else { panic!("samples") };
    assert_eq!(iterations, &[3]);
}

#[test]
fn a_disk_that_takes_nothing_is_told() {
    let folder = ScratchDirectory::create().expect("a folder");
    let plan = Plan { folder: Some(folder.path().to_owned()), ..Plan::of(Scale::Smoke) };
    let plan = Plan { ways: vec![Way::Own], ..plan };
    let all = arms(&plan).expect("arms");
    fs::remove_dir_all(folder.path().join("own")).expect("remove");
    let rows = measure(&plan, all, &|| false).expect("rows");
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
    let text = measure(&other, arms, &|| false).expect_err("others than it expects").to_string();
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
