//! Jobs that run together, on real files.

use bench_core::record::Metric;
use bench_storage::files::job::Kind;

use super::*;
use crate::fio::file::parse;
use crate::fio::rows::rows;

/// The reports of a job file's first group.
fn reports(text: &str) -> Vec<Report> {
    together(&parse(text).expect("a job file").jobs, 7, &AtomicBool::new(false))
}

/// Whether this machine lacks what the job needs, which is told.
#[expect(clippy::print_stderr, reason = "a test that checks nothing has to say so")]
fn lacks(report: &Report) -> bool {
    let Some(failed) = &report.failure else { return false };
    // A disk can empty its page cache; memory that serves as one cannot.
    let in_memory = failed.why.contains("on tmpfs") || failed.why.contains("on ramfs");
    let lacking = ["cannot use io_uring", "past the page cache"];
    let lacks = lacking.iter().any(|told| failed.why.contains(told))
        || (in_memory && failed.why.contains("stayed resident"));
    if lacks {
        eprintln!("skipped {}: {failed}", report.options.label());
    }
    lacks
}

fn said<'a>(report: &'a Report, name: &str) -> Option<&'a str> {
    let found = report.dimensions.iter().find(|(known, _)| *known == name);
    found.map(|(_, value)| value.as_str())
}

#[test]
fn several_ways_of_lanes_are_named_alike_whichever_came_first() {
    let told = |ways: &[&str]| every(&ways.iter().map(|&way| way.to_owned()).collect());
    let (plain, registered) = ("io_uring", "io_uring, registered buffers");
    assert_eq!(told(&[registered, plain]), "io_uring; io_uring, registered buffers");
    assert_eq!(told(&[plain, registered, plain]), told(&[registered, plain]));
}

#[test]
fn threads_do_all_of_their_job_from_a_cold_start_which_is_recorded() {
    let report = reports("[cold]\nsize=256k\nbs=16k\nnumjobs=2\nloops=2\n").pop().expect("one");
    if lacks(&report) {
        return;
    }
    assert_eq!(report.failure, None);
    assert_eq!(report.lanes.len(), 2);
    for lane in &report.lanes {
        let read = lane.meter.book(Kind::Read);
        assert_eq!((read.bytes, read.operations()), (512 << 10, 32));
        assert!(lane.meter.elapsed_ns() > 0 && read.total.max <= lane.meter.elapsed_ns());
        assert_eq!((lane.meter.depths.0[0], read.submission.count), (32, 0));
    }
    let said = |name: &str| said(&report, name);
    assert_eq!((said("page_cache"), said("passes")), (Some("cold, first pass"), Some("2")));
    assert_eq!(said("resident_pages"), Some("0 of 64"));
    assert_eq!((said("backend"), said("pinned")), (Some("pread"), Some("true")));
    let rows = rows(&report);
    let found: Vec<(&str, &Metric)> =
        rows.iter().map(|row| (row.id.as_str(), &row.metric)).collect();
    assert_eq!(
        found,
        [
            ("files/job/cold", &Metric::CpuTime),
            ("files/job/cold/read", &Metric::WallTime),
            ("files/job/cold/read", &Metric::Latency),
        ]
    );
    rows.iter().for_each(|row| row.check().expect("sound"));
}

#[test]
fn only_what_is_touched_once_is_cold() {
    let directory = tempfile::tempdir().expect("create");
    let shared = format!("filename={}/f\n", directory.path().display());
    for (text, state) in [
        ("", "cold"),
        ("rw=write\nnumjobs=2\n", "cold"),
        ("loops=3\n", "cold, first pass"),
        ("time_based\nruntime=10ms\n", "cold, first pass"),
        (&format!("{shared}numjobs=2\n"), "cold, first pass"),
        (&format!("{shared}[b]\n{shared}"), "cold, first pass"),
        ("rw=randread\n", "cold, first touch"),
        ("rw=rw\n", "cold, first touch"),
        ("invalidate=0\nloops=3\n", "warm"),
        ("direct=1\nloops=3\n", "direct"),
    ] {
        let reports = reports(&format!("[global]\nsize=64k\n[a]\n{text}"));
        if reports.iter().any(lacks) {
            continue;
        }
        for report in &reports {
            assert_eq!(report.failure, None, "{text}");
            assert_eq!(said(report, "page_cache"), Some(state), "{text}");
        }
    }
}

#[test]
fn a_mix_is_checked_against_what_may_have_stood_there_in_every_run() {
    let text = "[a]\nrw=randrw\nsize=256k\ninvalidate=0\nloops=4\n\
                [b]\nrw=randrw\nioengine=io_uring\niodepth=8\nsize=256k\ninvalidate=0\nbs=8k\n";
    for job in parse(text).expect("sound").jobs {
        let jobs = std::slice::from_ref(&job);
        let mut site = Site::prepare(jobs).expect("laid out");
        for run in 1..=3 {
            let report = again(&mut site, jobs, run, &AtomicBool::new(false)).pop().expect("one");
            if lacks(&report) {
                break;
            }
            assert_eq!(report.failure, None, "run {run} of {}", job.name);
        }
    }
}

#[test]
fn processor_time_is_that_of_the_threads_where_they_do_all_of_it() {
    let report = reports("[a]\nsize=256k\ninvalidate=0\nnumjobs=2\n").pop().expect("one");
    assert_eq!(report.failure, None);
    let threads: u64 = report.lanes.iter().map(|lane| lane.used.cpu_ns).sum();
    assert!(threads > 0 && report.cpu_ns == threads, "{} of {threads}", report.cpu_ns);
}

#[test]
fn an_interrupted_job_says_so() {
    let stop = std::sync::Arc::new(AtomicBool::new(false));
    let later = std::sync::Arc::clone(&stop);
    let jobs = parse("[a]\nsize=64k\ninvalidate=0\ntime_based\nruntime=1h\n").expect("sound").jobs;
    let timer = thread::spawn(move || {
        thread::sleep(std::time::Duration::from_millis(200));
        later.store(true, Ordering::Relaxed);
    });
    let rows = rows(&together(&jobs, 1, &stop)[0]);
    timer.join().expect("no panic");
    assert!(!rows.is_empty());
    for row in &rows {
        match &row.error {
            // Not even begun in that time.
            Some(error) => assert_eq!(error, "nothing was read or written"),
            None => assert_eq!(row.dimensions["interrupted"], "true"),
        }
    }
    let whole = reports("[a]\nsize=64k\ninvalidate=0\n").pop().expect("one");
    assert!(
        super::super::rows::rows(&whole)
            .iter()
            .all(|row| row.error.is_none() && !row.dimensions.contains_key("interrupted"))
    );
}

#[test]
fn jobs_of_a_group_share_a_file_and_leave_nothing() {
    let directory = tempfile::tempdir().expect("create");
    let text = format!(
        "[global]\nfilename={}/f\nsize=1m\nbs=4k\ninvalidate=0\n\
         [reads]\nrw=randread\nloops=20\n\
         [writes]\nrw=randwrite\nioengine=io_uring\niodepth=8\nfsync=16\n",
        directory.path().display()
    );
    let reports = reports(&text);
    let [reads, writes] = &reports[..] else { panic!("two jobs") };
    if lacks(reads) || lacks(writes) {
        return;
    }
    assert_eq!((&reads.failure, &writes.failure), (&None, &None));
    let (read, wrote) = (reads.total().meter, writes.total().meter);
    assert_eq!(read.book(Kind::Read).operations(), 20 * 256);
    assert_eq!(wrote.book(Kind::Write).operations(), 256);
    assert!(wrote.book(Kind::Sync).operations() >= 15);
    assert!(std::fs::read_dir(directory.path()).expect("there").next().is_none(), "removed");
}

#[test]
fn a_job_by_time_ends_then_and_one_that_is_stopped_before() {
    let text = "[t]\ninvalidate=0\nsize=64k\ntime_based\nruntime=20ms\n";
    let report = reports(text).pop().expect("one");
    let meter = report.total().meter;
    assert!(meter.elapsed_ns() >= 20_000_000 && meter.book(Kind::Read).operations() > 16);
    let stopped = together(&parse(text).expect("sound").jobs, 1, &AtomicBool::new(true));
    let rows = rows(&stopped[0]);
    assert_eq!(rows[0].error.as_deref(), Some("nothing was read or written"));
}

#[test]
fn a_ramp_counts_for_nothing_and_is_not_of_the_time() {
    let text = "[t]\ninvalidate=0\nsize=64k\ntime_based\nruntime=20ms\nramp_time=60ms\n";
    let began = std::time::Instant::now();
    let report = reports(text).pop().expect("one");
    assert!(began.elapsed().as_millis() >= 80);
    let meter = report.total().meter;
    assert!(meter.elapsed_ns() >= 20_000_000 && meter.book(Kind::Read).operations() > 16);
    let all = Options { ramp: std::time::Duration::from_secs(3600), ..report.options };
    let short = Options { time_based: false, runtime: None, ..all };
    let mut short = together(&[short], 1, &AtomicBool::new(false));
    let Failed { why, code, .. } = short[0].failure.take().expect("nothing counted");
    assert!(why.starts_with("ramp_time was not over"), "{why}");
    assert_eq!(code, NOT_MEASURED);
}

#[test]
fn failures_are_reports_with_their_sentence_and_number() {
    let [mut report] = <[Report; 1]>::try_from(reports("[a]\ndirectory=/proc/nowhere\n"))
        .map_err(|_| "one")
        .expect("one");
    let Failed { why, number, code } = report.failure.take().expect("refused");
    assert!(why.starts_with("failed to create /proc/nowhere"), "{why}");
    assert_eq!((number, code), (Some(2), 1));
    if std::path::Path::new("/dev/shm").is_dir() {
        let memory = "directory=/dev/shm\nsize=64k\n";
        for (more, told) in [
            ("direct=1", "stayed resident"),
            ("direct=1\nioengine=io_uring", "stayed resident"),
            ("invalidate=1", "stayed resident"),
        ] {
            let failed = reports(&format!("[a]\n{memory}{more}\n")).pop().expect("one");
            let Failed { why, code, .. } = failed.failure.clone().expect("it has no other place");
            assert_eq!(code, NOT_MEASURED);
            assert!(why.contains("on tmpfs") && why.contains(told), "{why}");
            let rows = rows(&failed);
            assert!(rows.len() == 1 && !rows[0].ok);
        }
        let warm = reports(&format!("[a]\n{memory}invalidate=0\n")).pop().expect("one");
        assert_eq!(warm.failure, None);
    }
}

#[test]
fn one_failed_thread_keeps_the_others_from_being_measured() {
    let text = "[global]\nsize=64k\ninvalidate=0\n[good]\n[bad]\nbs=1000\ndirect=1\n";
    let reports = reports(text);
    if lacks(&reports[1]) {
        return;
    }
    let why = |report: &Report| report.failure.clone().expect("failed").why;
    assert!(why(&reports[1]).contains("blocks in multiples of"), "{}", why(&reports[1]));
    assert!(why(&reports[0]).starts_with("it was not begun"), "{}", why(&reports[0]));
    let codes = reports.iter().filter_map(|report| report.failure.as_ref()).map(|told| told.code);
    assert_eq!(codes.collect::<Vec<_>>(), [NOT_MEASURED, crate::front::USAGE]);
}
