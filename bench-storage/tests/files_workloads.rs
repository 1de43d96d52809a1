//! Every cell of the files room does what its id says, and none of its checks can be passed by an
//! operation that did not run or that brought other bytes.

use std::os::unix::fs::FileExt;

use bench_core::fixture::cpus::available;
use bench_core::units::ByteSize;
use bench_core::workload::{Failure, Workload, conforms, id, run_once};
use bench_storage::Error;
use bench_storage::cache_state::{Cold, Direct, Warm};
use bench_storage::file_system::lives_in_memory;
use bench_storage::files::cell::{Engine, Pattern, ReadCell, SyncPolicy, WriteCell};
use bench_storage::files::{
    Concurrent, FileRead, FileWrite, ReadState, Storm, StormCell, StormKind, WriteState,
};

const SIZE: ByteSize = ByteSize::kib(192);
const BLOCK: ByteSize = ByteSize::kib(8);

/// Whether this failure says that the machine lacks what the cell needs, and nothing else.
fn lacks(failure: &Failure) -> bool {
    let Some(error) = failure.downcast_ref::<Error>() else { return false };
    match error {
        Error::NoDirect { .. } | Error::NoUring(_) => true,
        // On a disk every file can be made cold, whichever engine reads it.
        Error::StayedResident { file_system, .. } => lives_in_memory(file_system),
        _ => false,
    }
}

fn check<W: Workload>(parameter: &W::Parameter) {
    match conforms::<W>(parameter) {
        Err(failure) if !lacks(&failure) => panic!("{}: {failure}", id::<W>(parameter)),
        _ => {}
    }
}

fn reads<S: ReadState>(engines: &[Engine]) {
    for &engine in engines {
        for &pattern in Pattern::ALL {
            for depth in [1, 3] {
                let cell = ReadCell { engine, pattern, block: BLOCK, depth, size: SIZE };
                check::<FileRead<S>>(&cell);
            }
        }
    }
}

#[test]
fn reads_conform_by_every_engine_order_depth_and_state() {
    reads::<Cold>(Engine::ALL);
    reads::<Warm>(Engine::ALL);
    reads::<Direct>(&[Engine::Psync, Engine::IoUring]);
}

fn writes<S: WriteState>(engines: &[Engine]) {
    for &engine in engines {
        for &pattern in Pattern::ALL {
            for &sync in SyncPolicy::ALL {
                for depth in [1, 3] {
                    let cell = WriteCell { engine, pattern, sync, block: BLOCK, depth, size: SIZE };
                    check::<FileWrite<S>>(&cell);
                }
            }
        }
    }
}

#[test]
fn writes_conform_by_every_engine_order_depth_and_policy() {
    writes::<Warm>(&[Engine::Psync, Engine::IoUring, Engine::Tokio]);
    writes::<Direct>(&[Engine::Psync, Engine::IoUring]);
}

#[test]
fn storms_and_concurrent_work_conform() {
    for kind in StormKind::ALL {
        check::<Storm>(&StormCell { kind, files: 20 });
    }
    for cell in ["2r0w/one/bs8KiB/192KiB", "0r2w/many/bs8KiB/192KiB", "2r1w/one/bs8KiB/192KiB"] {
        check::<Concurrent>(&cell.parse().expect(cell));
    }
    check::<Concurrent>(&"2r2w/many/bs64KiB/192KiB".parse().expect("a cell"));
}

#[test]
fn ids_name_block_depth_and_policy() {
    let read: ReadCell = "io_uring/random/bs4KiB/qd32/16MiB".parse().expect("a cell");
    assert_eq!(
        id::<FileRead<Direct>>(&read),
        "files/read_direct/io_uring/random/bs4KiB/qd32/16MiB"
    );
    let write: WriteCell = "psync/sequential/fdatasync/bs1MiB/qd1/16MiB".parse().expect("a cell");
    assert_eq!(
        id::<FileWrite<Warm>>(&write),
        "files/write_cached/psync/sequential/fdatasync/bs1MiB/qd1/16MiB"
    );
}

#[test]
fn the_state_reached_is_in_the_record() {
    let cell = "psync/sequential/bs8KiB/qd1/192KiB".parse().expect("a cell");
    let said = |dimensions: Vec<(&'static str, String)>, name: &str| {
        let found = dimensions.into_iter().find(|(known, _)| *known == name);
        found.unwrap_or_else(|| panic!("no dimension {name}")).1
    };
    let warm = run_once::<FileRead<Warm>>(&cell).expect("read");
    assert_eq!(said(warm.dimensions(), "page_cache"), "warm");
    assert_eq!(said(warm.dimensions(), "resident_pages"), "48 of 48");
    assert_eq!(said(warm.dimensions(), "queue_depth"), "1");
    match run_once::<FileRead<Cold>>(&cell) {
        Ok(cold) => assert_eq!(said(cold.dimensions(), "resident_pages"), "0 of 48"),
        Err(failure) => assert!(lacks(&failure), "{failure}"),
    }
    // Alone it goes where the scheduler puts it; threads that work together are pinned, and say so.
    assert!(warm.dimensions().iter().all(|(name, _)| *name != "cpus"));
    let all = available().expect("CPUs");
    let two: Vec<String> = all.iter().take(2).map(usize::to_string).collect();
    let together = run_once::<Concurrent>(&"1r1w/one/bs8KiB/192KiB".parse().expect("a cell"));
    assert_eq!(said(together.expect("both").dimensions(), "cpus"), two.join(","));
    let deep =
        run_once::<FileRead<Warm>>(&"psync/sequential/bs8KiB/qd2/192KiB".parse().expect("a cell"));
    assert_eq!(said(deep.expect("read").dimensions(), "cpus"), two.join(","));
    let deep = "psync/sequential/nosync/bs8KiB/qd2/192KiB".parse().expect("a cell");
    let deep = run_once::<FileWrite<Warm>>(&deep).expect("written");
    assert_eq!(said(deep.dimensions(), "cpus"), two.join(","));
    const { assert!(FileRead::<Cold>::ISOLATED && !FileRead::<Warm>::ISOLATED) };
}

#[test]
fn a_flipped_byte_a_short_file_and_a_lost_state_are_caught() {
    let cell: ReadCell = "psync/sequential/bs8KiB/qd1/192KiB".parse().expect("a cell");
    let mut read = run_once::<FileRead<Warm>>(&cell).expect("read");
    // In the last block, which is the one that is kept.
    let place = SIZE.bytes() - 10;
    let flipped = read.file().payload().byte_at(place) ^ 1;
    read.file().cached().file().write_all_at(&[flipped], place).expect("flip");
    read.prepare().expect("warm");
    read.run();
    let error = read.check().expect_err("flipped").to_string();
    assert!(error.contains(&format!("offset {place} ")), "{error}");
    // A state that is lost besides is no excuse for it.
    read.prepare().expect("warm");
    read.run();
    let _stays_in_memory = read.file().cached().evict();
    let error = read.check().expect_err("flipped and lost");
    assert!(error.to_string().contains(&format!("offset {place} ")), "{error}");
    assert!(!FileRead::<Warm>::is_disturbed(&error));

    read.file().cached().file().set_len(100_000).expect("truncate");
    read.prepare().expect("warm");
    read.run();
    read.run();
    let error = read.check().expect_err("short").to_string();
    assert_eq!(error, "the file ended at offset 100000 while 6496 more bytes were due");

    let mut read = run_once::<FileRead<Warm>>(&cell).expect("read");
    read.prepare().expect("warm");
    read.run();
    if read.file().cached().evict().is_ok() {
        let error = read.check().expect_err("cold by now");
        assert!(error.to_string().contains("is no longer warm"), "{error}");
        assert!(FileRead::<Warm>::is_disturbed(&error));
        read.prepare().expect("warm again");
        read.run();
        read.check().expect("as if nothing had been");
    }
}

#[test]
fn cells_that_cannot_be_are_refused_in_one_sentence() {
    let refused = |text: &str| {
        let cell: ReadCell = text.parse().expect("a cell");
        FileRead::<Warm>::set_up(&cell).expect_err("refused").to_string()
    };
    let error = refused("psync/random/bs64KiB/qd1/4KiB");
    assert_eq!(error, "a block of 64KiB does not fit a file of 4KiB; choose a smaller block");
    let direct = |text: &str| {
        let cell: ReadCell = text.parse().expect("a cell");
        FileRead::<Direct>::set_up(&cell).expect_err("refused")
    };
    for engine in ["mmap", "tokio"] {
        let failure = direct(&format!("{engine}/sequential/bs4KiB/qd1/64KiB"));
        let expected = format!("the engine {engine} cannot go past the page cache");
        assert!(lacks(&failure) || failure.to_string().starts_with(&expected), "{failure}");
    }
    let failure = direct("psync/sequential/bs1000B/qd1/64KiB");
    assert!(lacks(&failure) || failure.to_string().contains("needs blocks and sizes in multiples"));
    let cell: WriteCell = "mmap/sequential/nosync/bs4KiB/qd1/64KiB".parse().expect("a cell");
    let error = FileWrite::<Warm>::set_up(&cell).expect_err("refused").to_string();
    assert!(error.starts_with("the engine mmap only reads"), "{error}");
    for text in ["0r0w/one/bs4KiB/64KiB", "300r1w/one/bs4KiB/64KiB", "2r/one/bs4KiB/64KiB"] {
        text.parse::<bench_storage::files::ConcurrentCell>().expect_err(text);
    }
    for text in ["stat/0", "chmod/10", "stat"] {
        text.parse::<StormCell>().expect_err(text);
    }
}
