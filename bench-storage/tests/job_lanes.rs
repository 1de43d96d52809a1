//! Lanes of a job do what their cell says by every engine; what they read and wrote is verified, and
//! a check cannot be passed by what somebody else wrote. A full disk, a file cut short and a file
//! system without direct I/O are told in a sentence.

use std::env;
use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::process::Command;

use bench_core::fixture::Payload;
use bench_core::units::ByteSize;
use bench_storage::Error;
use bench_storage::file::ScratchFile;
use bench_storage::files::cell::{Engine, Pattern};
use bench_storage::files::job::content::{Author, Writers};
use bench_storage::files::job::{Done, JobCell, Kind, Lane, Watch};
use bench_storage::scratch::ScratchDirectory;

const SIZE: ByteSize = ByteSize::kib(256);
const BLOCK: ByteSize = ByteSize::kib(8);
const AUTHOR: Author = Author { run: 7, lane: 0 };

/// Counts; its clock goes on by one with every look.
#[derive(Debug, Default)]
struct Book {
    looks: u64,
    over_at: Option<u64>,
    in_flight: usize,
    most: usize,
    submitted: usize,
    /// The most that one call handed over.
    together: usize,
    reaped: usize,
    waits: usize,
    done: Vec<Done>,
}

impl Book {
    fn of(&self, kind: Kind) -> usize {
        self.done.iter().filter(|done| done.kind == kind).count()
    }
}

impl Watch for Book {
    fn now(&mut self) -> u64 {
        self.looks += 1;
        self.looks
    }

    fn is_over(&self, now: u64) -> bool {
        self.over_at.is_some_and(|end| now >= end)
    }

    fn submitted(&mut self, operations: usize, in_flight: usize) {
        self.submitted += operations;
        self.together = self.together.max(operations);
        self.in_flight += operations;
        assert_eq!(self.in_flight, in_flight);
        self.most = self.most.max(in_flight);
    }

    fn reaped(&mut self, operations: usize) {
        self.reaped += operations;
        self.waits += 1;
        self.in_flight -= operations;
    }

    fn ended(&mut self, done: Done) {
        assert!(done.began <= done.queued && done.queued <= done.ended, "{done:?}");
        self.done.push(done);
    }
}

fn cell(engine: Engine, read_percent: u8) -> JobCell {
    JobCell {
        engine,
        direct: false,
        pattern: Pattern::Random,
        read_percent,
        block: BLOCK,
        depth: 4,
        size: SIZE,
        passes: Some(2),
        sync_every: 0,
        sync_data: false,
        sync_at_end: false,
    }
}

fn file() -> (ScratchFile, ScratchDirectory) {
    let directory = ScratchDirectory::create().expect("scratch");
    let payload = Payload::seeded(1, SIZE);
    (ScratchFile::create(&directory, "file", payload).expect("create"), directory)
}

/// Who writes where this job does nothing else.
fn writers(job: &JobCell, before: Option<Payload>) -> Writers {
    Writers { authors: if job.writes() { vec![AUTHOR] } else { Vec::new() }, before }
}

#[expect(clippy::print_stderr, reason = "a test that checks nothing has to say so")]
fn skip(what: &str, why: &dyn std::fmt::Display) {
    eprintln!("skipped {what}: {why}");
}

/// A lane, where the machine has what it needs.
fn open(cell: &JobCell, path: &Path) -> Option<Lane> {
    match Lane::open(cell, path, AUTHOR, 42) {
        Err(error @ (Error::NoUring(_) | Error::NoDirect { .. })) => {
            assert!(cell.direct || cell.engine == Engine::IoUring, "{cell:?}: {error}");
            skip(cell.engine.to_string().as_str(), &error);
            None
        }
        other => Some(other.expect("opened")),
    }
}

#[test]
fn only_what_the_kernel_can_merge_or_answer_at_once_is_handed_over_together() {
    let (file, _directory) = file();
    let path = file.cached().path();
    let base = JobCell { pattern: Pattern::Sequential, ..cell(Engine::IoUring, 100) };
    for (cell, together) in [
        (JobCell { pattern: Pattern::Random, ..base }, 4),
        (JobCell { direct: true, ..base }, 4),
        (JobCell { direct: true, block: ByteSize::kib(64), ..base }, 1),
        (JobCell { direct: true, pattern: Pattern::Random, ..base }, 1),
    ] {
        let Some(mut lane) = open(&cell, path) else { return };
        let mut book = Book::default();
        lane.run(&mut book).expect("the job");
        assert_eq!(book.together, together, "{cell:?}");
        // By a call each, none has begun before the one before it was handed over.
        book.done.sort_by_key(|done| done.queued);
        let alone = book.done.windows(2).all(|pair| pair[0].queued <= pair[1].began);
        assert_eq!(alone, together == 1, "{cell:?}");
        if alone {
            // Once behind each call, and once at the very first.
            assert_eq!(book.looks as usize, 1 + book.submitted + book.waits, "{cell:?}");
        }
    }
}

#[test]
fn none_is_begun_by_a_call_of_its_own_when_the_time_is_over() {
    let (file, _directory) = file();
    let cell = JobCell { direct: true, passes: None, ..cell(Engine::IoUring, 100) };
    let Some(mut lane) = open(&cell, file.cached().path()) else { return };
    // It looks before the first, and behind it.
    let mut book = Book { over_at: Some(2), ..Book::default() };
    lane.run(&mut book).expect("one");
    assert_eq!((book.done.len(), book.in_flight), (1, 0));
}

#[test]
fn every_engine_does_all_of_its_job_at_its_depth_and_what_it_did_is_verified() {
    let (file, _directory) = file();
    let handle = file.cached().file();
    for &engine in Engine::ALL {
        for read_percent in [100, 0, 60] {
            for direct in [false, true] {
                let job = JobCell {
                    direct,
                    sync_every: 8,
                    sync_data: engine != Engine::Psync,
                    sync_at_end: true,
                    ..cell(engine, read_percent)
                };
                if job.check().is_err() {
                    continue;
                }
                let Some(mut lane) = open(&job, file.cached().path()) else { continue };
                let what = format!("{job:?}, {}", lane.backend());
                lane.check(handle, &Writers::default()).expect_err("nothing was done yet");
                let mut book = Book::default();
                lane.run(&mut book).expect(&what);
                let (reads, writes) = (book.of(Kind::Read), book.of(Kind::Write));
                assert_eq!(reads + writes, 64, "{what}");
                assert_eq!(reads > 0, job.reads(), "{what}");
                assert_eq!(writes > 0, job.writes(), "{what}");
                let syncs = writes / 8 + usize::from(job.writes());
                // One is due only before a further operation.
                assert!(
                    book.of(Kind::Sync).abs_diff(syncs) <= 1,
                    "{what}: {}",
                    book.of(Kind::Sync)
                );
                assert!(book.done.iter().all(|done| {
                    done.bytes == if done.kind == Kind::Sync { 0 } else { BLOCK.len() }
                }));
                assert_eq!((book.submitted, book.in_flight), (book.reaped, 0), "{what}");
                assert_eq!(book.most, job.depth() as usize, "{what}");
                lane.check(handle, &writers(&job, None)).expect(&what);
            }
        }
    }
}

#[test]
fn a_job_without_end_stops_when_it_is_told_and_takes_what_is_under_way() {
    let (file, _directory) = file();
    for &engine in Engine::ALL {
        let job = JobCell { passes: None, ..cell(engine, 100) };
        let Some(mut lane) = open(&job, file.cached().path()) else { continue };
        let mut book = Book { over_at: Some(500), ..Book::default() };
        lane.run(&mut book).expect("read");
        assert!(book.of(Kind::Read) >= 100, "{engine}: {}", book.of(Kind::Read));
        assert_eq!(book.in_flight, 0);
        let mut over = Book { over_at: Some(0), ..Book::default() };
        lane.run(&mut over).expect("nothing");
        assert!(over.done.is_empty(), "{engine}");
    }
}

#[test]
fn what_is_not_on_the_disk_or_was_never_there_is_caught() {
    let (file, _directory) = file();
    let handle = file.cached().file();
    for engine in [Engine::Psync, Engine::IoUring, Engine::Tokio] {
        for read_percent in [100, 0] {
            let job = JobCell { pattern: Pattern::Sequential, ..cell(engine, read_percent) };
            let Some(mut lane) = open(&job, file.cached().path()) else { continue };
            lane.run(&mut Book::default()).expect("done");
            lane.check(handle, &Writers::default()).expect("as it was done");
            let place = SIZE.bytes() - 100;
            let mut byte = [0];
            handle.read_exact_at(&mut byte, place).expect("read");
            handle.write_all_at(&[byte[0] ^ 1], place).expect("flip");
            let error = lane.check(handle, &Writers::default()).expect_err("flipped").to_string();
            let told = format!("offset {}", SIZE.bytes() - BLOCK.bytes());
            assert!(error.contains(&told), "{engine}: {error}");
            handle.write_all_at(&byte, place).expect("flip back");
            if read_percent == 0 {
                let again = Author { run: 8, ..AUTHOR };
                let mut lane = Lane::open(&job, file.cached().path(), again, 42).expect("opened");
                lane.run(&mut Book { over_at: Some(3), ..Book::default() }).expect("some");
                lane.check(handle, &writers(&job, None)).expect("what this one wrote");
            }
        }
    }
}

#[test]
fn a_mixed_lane_that_reads_another_place_is_caught() {
    let (file, _directory) = file();
    let handle = file.cached().file();
    for engine in [Engine::Psync, Engine::IoUring, Engine::Tokio] {
        file.cached().file().write_all_at(&file.payload().to_bytes(), 0).expect("as it was");
        let job = JobCell { passes: Some(1), ..cell(engine, 90) };
        let known = writers(&job, Some(*file.payload()));
        let Some(mut lane) = open(&job, file.cached().path()) else { continue };
        lane.run(&mut Book::default()).expect("done");
        lane.check(handle, &known).expect("as it was done");
        // Had the file held this, every read would have come from another place.
        let elsewhere = Writers { before: Some(Payload::seeded(2, SIZE)), ..known };
        let zeros = vec![0; SIZE.len()];
        let now = fs::read(file.cached().path()).expect("read");
        let mut marked = zeros.clone();
        // What was written stays, what was only read goes.
        for (block, written) in now.chunks(BLOCK.len()).enumerate() {
            let at = block * BLOCK.len();
            if AUTHOR.verify(written, at as u64).is_ok() {
                marked[at..at + BLOCK.len()].copy_from_slice(written);
            }
        }
        handle.write_all_at(&marked, 0).expect("write");
        let error = lane.check(handle, &elsewhere).expect_err("from nowhere").to_string();
        assert!(error.contains("neither stood there"), "{engine}: {error}");
    }
}

#[test]
fn a_file_cut_short_under_the_reader_is_told_with_the_place() {
    let (file, _directory) = file();
    for engine in [Engine::Psync, Engine::IoUring, Engine::Tokio] {
        for direct in [false, true] {
            let job = JobCell { direct, pattern: Pattern::Sequential, ..cell(engine, 100) };
            if job.check().is_err() {
                continue;
            }
            file.cached().file().set_len(SIZE.bytes()).expect("whole");
            let Some(mut lane) = open(&job, file.cached().path()) else { continue };
            lane.run(&mut Book::default()).expect("still whole");
            let mut lane = open(&job, file.cached().path()).expect("it was to be had");
            file.cached().file().set_len(100_000).expect("truncate");
            let mut book = Book::default();
            let error = lane.run(&mut book).expect_err("short").to_string();
            let told = match engine {
                // `read_exact` does not say where.
                Engine::Tokio => "early eof".to_owned(),
                _ => "the file ended at offset 100000 while ".to_owned(),
            };
            assert!(error.contains(&told), "{engine} {direct}: {error}");
            assert!(book.of(Kind::Read) <= 12, "no block behind the end came");
        }
    }
}

#[test]
fn a_file_in_memory_alone_refuses_direct_jobs() {
    let directory = match ScratchDirectory::create_in(Path::new("/dev/shm")) {
        Ok(directory) => directory,
        Err(error) => return skip("a file in memory", &error),
    };
    let file = ScratchFile::create(&directory, "file", Payload::seeded(1, SIZE)).expect("create");
    for engine in [Engine::Psync, Engine::IoUring] {
        let job = JobCell { direct: true, ..cell(engine, 100) };
        let error = Lane::open(&job, file.cached().path(), AUTHOR, 1).expect_err("tmpfs");
        assert!(error.to_string().contains("on tmpfs past the page cache"), "{error}");
    }
}

/// Where the second half of the test below finds its small disk.
const SMALL_DISK: &str = "WEIGHBRIDGE_TEST_SMALL_DISK";

/// A file system of 2 MiB in a mount namespace of its own, which nobody else sees and which goes with the process.
#[test]
fn a_disk_that_gets_full_in_the_middle_of_a_write_is_told_with_the_place() {
    if let Some(disk) = env::var_os(SMALL_DISK) {
        return fill_up(Path::new(&disk));
    }
    let directory = tempfile::tempdir().expect("create");
    let mount = "mount -t tmpfs -o size=2m none \"$0\" && exec \"$@\"";
    let run = |command: &[&str]| {
        let mut unshare = Command::new("unshare");
        unshare.args(["--user", "--map-root-user", "--mount", "sh", "-c", mount]);
        unshare.arg(directory.path()).args(command).env(SMALL_DISK, directory.path());
        unshare.output()
    };
    let tried = run(&["true"]).map_or_else(
        |error| Err(error.to_string()),
        |tried| match tried.status.success() {
            true => Ok(()),
            false => Err(String::from_utf8_lossy(&tried.stderr).into_owned()),
        },
    );
    if let Err(why) = tried {
        // `/dev/full` stands in, in the tests of the library.
        return skip("a full disk in a namespace", &why.trim());
    }
    let this = env::current_exe().expect("this test").display().to_string();
    let name = "a_disk_that_gets_full_in_the_middle_of_a_write_is_told_with_the_place";
    let told = run(&[&this, "--exact", name, "--nocapture"]).expect("started");
    let text = String::from_utf8_lossy(&told.stdout) + String::from_utf8_lossy(&told.stderr);
    assert!(told.status.success() && text.contains("1 passed"), "{text}");
    assert!(fs::read_dir(directory.path()).expect("there").next().is_none(), "nothing is left");
}

fn fill_up(disk: &Path) {
    let path = disk.join("file");
    for engine in [Engine::Psync, Engine::IoUring, Engine::Tokio] {
        // As long as the job wants it, and without a block on the disk.
        let size = ByteSize::mib(4);
        let file = File::create_new(&path).expect("create");
        file.set_len(size.bytes()).expect("a hole");
        let job = JobCell { pattern: Pattern::Sequential, size, ..cell(engine, 0) };
        if let Some(mut lane) = open(&job, &path) {
            let mut book = Book::default();
            let error = lane.run(&mut book).expect_err("full").to_string();
            assert!(error.starts_with("failed to read or write 8192 bytes at offset "), "{error}");
            assert!(error.contains("No space left on device"), "{error}");
            let wrote = book.of(Kind::Write);
            assert!((200..=256).contains(&wrote), "{engine}: {wrote} blocks of 8 KiB in 2 MiB");
        }
        fs::remove_file(&path).expect("remove");
    }
    let directory = ScratchDirectory::create_in(disk).expect("room for that");
    let payload = Payload::seeded(1, ByteSize::mib(4));
    let error = ScratchFile::create(&directory, "file", payload).expect_err("full").to_string();
    assert!(error.contains("No space left on device"), "{error}");
}
