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

/// Threads, once those that have ended are out of the kernel's table as well.
fn threads(expected: Option<usize>) -> usize {
    let settled = |_: &u32| expected.is_none_or(|expected| entries("/proc/self/task") == expected);
    let _ = (0..10_000).find(|look| {
        thread::sleep(Duration::from_millis(1));
        settled(look)
    });
    entries("/proc/self/task")
}

#[test]
fn nothing_is_left_of_a_mount() {
    let scratch = ScratchDirectory::create().expect("scratch");
    let mut before: Option<(usize, usize)> = None;
    // The first round is thrown away: what a process does once is no leak.
    for round in 0..5 {
        let mount = match FuseMount::start(&scratch, "mount", TREE, FuseOptions::UNCACHED) {
            Ok(mount) => mount,
            Err(error @ Error::NoFuse { .. }) => return eprintln!("skipped: {error}"),
            Err(error) => panic!("{error}"),
        };
        let path = mount.path().join(SeededTree::name(0));
        let open = (round % 2 == 1).then(|| File::open(&path).expect("open"));
        let how = if open.is_some() { Ended::ByForce } else { Ended::Cleanly };
        assert_eq!(mount.unmount().expect("unmount"), how);
        drop(open);
        let left = (entries("/proc/self/fd"), threads(before.map(|(_, threads)| threads)));
        assert_eq!(*before.get_or_insert(left), left, "round {round}");
        assert_eq!(mounts_below(scratch.path()), 0);
        assert_eq!(fs::read_dir(scratch.path()).expect("list").count(), 0);
    }
}
