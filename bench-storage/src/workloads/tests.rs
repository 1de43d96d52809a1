//! Each workload has the effect that its name says, and a wrong answer is caught.

use std::os::unix::fs::FileExt;

use bench_core::workload::{Workload, conforms, id, run_once};

use super::*;
use crate::file_system::lives_in_memory;

/// Over a block border, and no multiple of a page.
const SIZE: ByteSize = ByteSize::new(BLOCK.bytes() + 10_001);

/// Whether this machine's scratch directory can be made cold; where not, that is what is tested.
fn disk() -> bool {
    let file = OnlyFile::create(ByteSize::kib(1)).expect("create").file;
    !lives_in_memory(file.cached().file_system())
}

fn resident(file: &ScratchFile) -> u64 {
    file.cached().residency().expect("residency").resident
}

#[test]
fn a_cold_read_starts_with_no_page_in_memory_and_ends_with_all() {
    if !disk() {
        let error = ReadCold::set_up(&SIZE).expect_err("cannot be cold").to_string();
        assert!(error.contains("stayed resident"), "{error}");
        return;
    }
    let mut read = run_once::<ReadCold>(&SIZE).expect("read");
    for _ in 0..3 {
        read.prepare().expect("evict");
        assert_eq!(resident(read.file()), 0);
        read.run();
        assert_eq!(resident(read.file()), 259, "pages of {SIZE}");
        read.check().expect("content");
    }
    const { assert!(ReadCold::ISOLATED, "the second read would be warm") };
}

#[test]
fn a_warm_read_starts_with_every_page_in_memory() {
    let mut read = run_once::<ReadWarm>(&SIZE).expect("read");
    if disk() {
        read.file().cached().evict().expect("evict");
    }
    read.prepare().expect("warm");
    assert_eq!(resident(read.file()), 259);
    for _ in 0..5 {
        read.run();
    }
    read.check().expect("content");
}

#[test]
fn a_warm_read_whose_pages_left_memory_does_not_pass() {
    if !disk() {
        return; // Nothing ever leaves.
    }
    let mut read = run_once::<ReadWarm>(&SIZE).expect("read");
    read.prepare().expect("warm");
    read.run();
    read.file().cached().evict().expect("evict");
    let error = read.check().expect_err("no longer warm");
    let (said, expected) = (error.to_string(), "is no longer warm: 0 of 259 pages are in memory");
    assert!(said.contains(expected) && ReadWarm::is_disturbed(&error), "{said}");
}

#[test]
fn a_flipped_byte_and_a_short_file_are_caught_by_the_check_of_a_read() {
    let mut read = run_once::<ReadWarm>(&SIZE).expect("read");
    let place = BLOCK.bytes() + 77;
    let flipped = read.file().payload().byte_at(place) ^ 1;
    read.file().cached().file().write_all_at(&[flipped], place).expect("flip");
    read.prepare().expect("warm");
    read.run();
    let error = read.check().expect_err("flipped").to_string();
    assert!(error.contains(&format!("offset {place} ")), "{error}");

    read.file().cached().file().set_len(1000).expect("truncate");
    read.run();
    read.run();
    let error = read.check().expect_err("short").to_string();
    assert_eq!(error, "the file ended at offset 1000 while 1047576 more bytes were due");
}

#[test]
fn an_operation_that_did_not_run_does_not_pass() {
    conforms::<ReadWarm>(&SIZE).expect("warm read");
    conforms::<Write>(&SIZE).expect("write");
    conforms::<WriteSync>(&SIZE).expect("synced write");
    if disk() {
        conforms::<ReadCold>(&SIZE).expect("cold read");
    }
    let mut read = run_once::<ReadWarm>(&SIZE).expect("read");
    read.prepare().expect("warm");
    let error = read.check().expect_err("nothing was read").to_string();
    assert!(error.starts_with("0 of 2 blocks were read"), "{error}");

    let mut write = run_once::<Write>(&SIZE).expect("write");
    write.prepare().expect("erase");
    let error = write.check().expect_err("nothing was written").to_string();
    assert!(error.contains("does not hold what was written"), "{error}");
}

#[test]
fn only_a_synced_write_is_on_the_disk() {
    let mut synced = run_once::<WriteSync>(&SIZE).expect("write");
    synced.run();
    let unwritten = synced.file().cached().residency().expect("residency").unwritten;
    assert_eq!(unwritten.unwrap_or(0), 0);
    if disk() {
        // Read back from the disk and not from memory.
        synced.file().cached().evict().expect("evict");
    }
    synced.check().expect("content");

    let mut cached = run_once::<Write>(&SIZE).expect("write");
    cached.prepare().expect("erase");
    cached.run();
    let seen = cached.file().cached().residency().expect("residency");
    assert_eq!(seen.resident, 259);
    cached.check().expect("content");
}

#[test]
fn every_operation_of_a_write_meets_pages_in_the_same_state() {
    let mut cached = run_once::<Write>(&SIZE).expect("write");
    let mut synced = run_once::<WriteSync>(&SIZE).expect("write");
    let unwritten = |file: &ScratchFile| file.cached().residency().expect("residency").unwritten;
    if !disk() || unwritten(cached.file()).is_none() {
        return; // In memory alone no page is ever dirty, and not every witness knows.
    }
    // The kernel may write a page back at any moment; three times in a row it does not.
    assert!((0..3).any(|_| {
        cached.prepare().expect("dirty");
        unwritten(cached.file()) == Some(259)
    }));
    for _ in 0..2 {
        synced.prepare().expect("clean");
        assert_eq!(unwritten(synced.file()), Some(0));
        synced.run();
        assert_eq!(unwritten(synced.file()), Some(0));
    }
}

#[test]
fn every_size_of_the_ladder_and_odd_ones_run() {
    for bytes in [1, 1 << 10, 4095, 1 << 16, 1 << 20, (4 << 20) + 1] {
        let size = ByteSize::new(bytes);
        run_once::<ReadWarm>(&size).unwrap_or_else(|error| panic!("read {size}: {error}"));
        run_once::<Write>(&size).unwrap_or_else(|error| panic!("write {size}: {error}"));
        run_once::<WriteSync>(&size).unwrap_or_else(|error| panic!("write {size}: {error}"));
        if disk() {
            run_once::<ReadCold>(&size).unwrap_or_else(|error| panic!("cold {size}: {error}"));
        }
    }
    assert!(ReadWarm::set_up(&ByteSize::new(0)).is_err());
}

#[test]
fn results_name_what_made_them() {
    let read = run_once::<ReadWarm>(&ByteSize::kib(64)).expect("read");
    let names: Vec<&str> = read.dimensions().into_iter().map(|(name, _)| name).collect();
    let file = ["backend", "page_cache", "page_cache_witness", "file_system", "read_ahead"];
    let expected = [&file[..], &["block_size", "payload", "seed", "size"]].concat();
    assert_eq!(names, expected);
    let read_ahead = &read.dimensions()[4].1;
    assert!(read_ahead == "not readable" || read_ahead.parse::<ByteSize>().is_ok(), "{read_ahead}");
    let write = run_once::<WriteSync>(&ByteSize::kib(64)).expect("write");
    assert!(write.dimensions().contains(&("sync", "fdatasync".to_owned())));
    assert!(write.dimensions().contains(&("pages", "clean".to_owned())));
    let cached = run_once::<Write>(&ByteSize::kib(64)).expect("write");
    assert!(cached.dimensions().contains(&("pages", "dirty".to_owned())));
    assert!(write.dimensions().contains(&("block_size", "64KiB".to_owned())));
    assert_eq!(id::<ReadCold>(&ByteSize::mib(1)), "storage/read_cold/1MiB");
    assert_eq!(id::<WriteSync>(&ByteSize::mib(1)), "storage/write_sync/1MiB");
}

#[test]
fn the_scratch_directory_is_gone_with_the_workload() {
    let write = run_once::<Write>(&ByteSize::kib(1)).expect("write");
    let path = write.file().cached().path().to_owned();
    assert!(path.exists());
    drop(write);
    assert!(!path.parent().expect("a directory").exists());
}
