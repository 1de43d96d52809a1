//! Mounting and unmounting, cleanly and under an open file, leaves neither mounts nor files nor
//! descriptors nor threads. Alone in its executable: others would open descriptors meanwhile.

#![expect(clippy::print_stderr, reason = "a test that checks nothing has to say so")]

use std::fs::{self, File};
use std::path::Path;
use std::thread;
use std::time::Duration;

use bench_core::units::ByteSize;
use bench_storage::Error;
use bench_storage::fuse::{Ended, FuseMount, FuseOptions, SeededTree};
use bench_storage::scratch::ScratchDirectory;

const TREE: SeededTree = SeededTree { files: 2, size: ByteSize::kib(64), seed: 5 };

fn entries(folder: &str) -> usize {
    fs::read_dir(folder).expect("/proc").count()
}

fn mounts_below(folder: &Path) -> usize {
    let table = fs::read_to_string("/proc/self/mountinfo").expect("/proc");
    let folder = folder.to_str().expect("a path of text");
    table.lines().filter(|line| line.contains(folder)).count()
}

const FILES: &str = "/proc/self/fd";
const THREADS: &str = "/proc/self/task";

/// Mounts, opens a file where it is to be unmounted under one, and unmounts; nothing where none can be
/// mounted.
fn mount_and_unmount(scratch: &ScratchDirectory, in_use: bool) -> Option<()> {
    let mount = match FuseMount::start(scratch, "mount", TREE, FuseOptions::UNCACHED) {
        Ok(mount) => mount,
        Err(error @ Error::NoFuse { .. }) => {
            eprintln!("skipped: {error}");
            return None;
        }
        Err(error) => panic!("{error}"),
    };
    let path = mount.path().join(SeededTree::name(0));
    let _open = in_use.then(|| File::open(&path).expect("open"));
    let by_us = if in_use { Ended::ByForce } else { Ended::Cleanly };
    let ended = mount.unmount().expect("unmount");
    assert!([by_us, Ended::ByHelper].contains(&ended), "{ended:?}");
    Some(())
}

/// Whether no more of these are left, sooner or later: a thread that has ended is in the kernel's table
/// a little longer.
fn shrinks_to(folder: &str, most: usize) -> bool {
    (0..10_000).any(|_| {
        thread::sleep(Duration::from_millis(1));
        entries(folder) <= most
    })
}

/// How many there are once nothing has changed for many looks. Where that comes too early, it is more
/// than there will be, and what leaks in each of some rounds still goes beyond it.
fn settled(folder: &str) -> usize {
    let (mut last, mut same) = (entries(folder), 0);
    while same < 200 {
        thread::sleep(Duration::from_millis(1));
        let now = entries(folder);
        same = if now == last { same + 1 } else { 0 };
        last = now;
    }
    last
}

#[test]
fn nothing_is_left_of_a_mount() {
    let scratch = ScratchDirectory::create().expect("scratch");
    // Thrown away: what a process does once is no leak.
    let Some(()) = mount_and_unmount(&scratch, false) else { return };
    let before = [FILES, THREADS].map(|folder| (folder, settled(folder)));
    for round in 0..6 {
        mount_and_unmount(&scratch, round % 2 == 1).expect("as before");
        for (folder, most) in before {
            assert!(shrinks_to(folder, most), "{} of {most} in {folder}", entries(folder));
        }
        assert_eq!(mounts_below(scratch.path()), 0);
        assert_eq!(fs::read_dir(scratch.path()).expect("list").count(), 0);
    }
}
