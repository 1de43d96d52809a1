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

/// Whether this machine lacks what the job needs.
fn lacks(report: &Report) -> bool {
    report.failure.as_ref().is_some_and(|(why, _)| {
        ["cannot use io_uring", "past the page cache", "stayed resident"]
            .iter()
            .any(|told| why.contains(told))
    })
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
    let said = |name: &str| {
        let found = report.dimensions.iter().find(|(known, _)| *known == name);
        found.map(|(_, value)| value.as_str())
    };
    assert_eq!(said("page_cache"), Some("cold"));
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
fn failures_are_reports_with_their_sentence_and_number() {
    let [mut report] = <[Report; 1]>::try_from(reports("[a]\ndirectory=/proc/nowhere\n"))
        .map_err(|_| "one")
        .expect("one");
    let (why, number) = report.failure.take().expect("refused");
    assert!(why.starts_with("failed to create /proc/nowhere"), "{why}");
    assert_eq!(number, Some(2));
    if std::path::Path::new("/dev/shm").is_dir() {
        let memory = "directory=/dev/shm\nsize=64k\n";
        for (more, told) in [
            ("direct=1", "stayed resident"),
            ("direct=1\nioengine=io_uring", "stayed resident"),
            ("invalidate=1", "stayed resident"),
        ] {
            let failed = reports(&format!("[a]\n{memory}{more}\n")).pop().expect("one");
            let (why, _) = failed.failure.clone().expect("memory has no other place");
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
    let why = |report: &Report| report.failure.clone().expect("failed").0;
    assert!(why(&reports[1]).contains("blocks in multiples of"), "{}", why(&reports[1]));
    assert!(why(&reports[0]).starts_with("it was not begun"), "{}", why(&reports[0]));
}
