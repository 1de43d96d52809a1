//! What a FUSE mount is asked by the kernel under each option, and how it ends. Where nothing can be
//! mounted, each test says so and passes.

#![expect(clippy::print_stderr, reason = "a test that checks nothing has to say so")]

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{Read, Seek as _};
use std::panic::{self, AssertUnwindSafe};
use std::path::Path;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use bench_core::units::ByteSize;
use bench_storage::Error;
use bench_storage::fuse::{
    Caching, Ended, FuseMount, FuseOptions, Negotiated, RequestKind, Requests, SeededTree,
};
use bench_storage::scratch::ScratchDirectory;
use rustix::thread::{CapabilitySet, capabilities, set_capabilities};

const TREE: SeededTree = SeededTree { files: 4, size: ByteSize::mib(2), seed: 3 };
const FILES: u64 = TREE.files as u64;
const FOREVER: FuseOptions = FuseOptions::UNCACHED.with_ttl(Duration::from_secs(3600));

/// A mount in a directory of its own; none, and said why, where this machine has none.
fn mounted(options: FuseOptions) -> Option<(FuseMount, ScratchDirectory)> {
    let scratch = ScratchDirectory::create().expect("scratch");
    match FuseMount::start(&scratch, "mount", TREE, options) {
        Ok(mount) => Some((mount, scratch)),
        Err(error @ Error::NoFuse { .. }) => {
            eprintln!("skipped: {error}");
            None
        }
        Err(error) => panic!("{error}"),
    }
}

/// How a mount ends that nobody uses, or that somebody does: who may not unmount has a helper do it.
fn assert_ended(ended: Ended, by_us: Ended) {
    assert!([by_us, Ended::ByHelper].contains(&ended), "{ended:?}");
}

fn is_mounted(path: &Path) -> bool {
    let table = fs::read_to_string("/proc/self/mountinfo").expect("the table of mounts");
    table.contains(path.to_str().expect("a path of text"))
}

/// What the kernel asked while this ran.
fn asked(mount: &FuseMount, run: impl FnOnce(&Path)) -> Requests {
    let before = mount.settled().expect("nothing is open");
    run(mount.path());
    mount.settled().expect("everything was closed") - before
}

/// Whether one of some passes asked for nothing of this. The kernel may drop what it remembers whenever
/// it needs the memory, so that any single pass may ask again.
fn is_remembered(mount: &FuseMount, pass: fn(&Path), count: fn(&Requests) -> u64) -> bool {
    (0..20).any(|_| count(&asked(mount, pass)) == 0)
}

fn stat_all(folder: &Path) {
    for number in 0..TREE.files {
        let metadata = fs::metadata(folder.join(SeededTree::name(number))).expect("stat");
        assert_eq!(metadata.len(), TREE.size.bytes());
    }
}

fn stat_missing(folder: &Path) {
    for number in 0..TREE.files {
        fs::metadata(folder.join(SeededTree::missing(number))).expect_err("there is none");
    }
}

fn read_all(folder: &Path) {
    for number in 0..TREE.files {
        let content = fs::read(folder.join(SeededTree::name(number))).expect("read");
        TREE.verify(number, &content).expect("the content of the tree");
    }
}

#[test]
fn the_tree_is_there_and_goes_with_its_folder() {
    let Some((mount, scratch)) = mounted(FuseOptions::UNCACHED) else { return };
    read_all(mount.path());
    let names = fs::read_dir(mount.path()).expect("list").map(|entry| entry.expect("an entry"));
    let mut names: Vec<_> = names.map(|entry| entry.file_name()).collect();
    names.sort();
    let expected: Vec<OsString> = (0..TREE.files).map(|n| SeededTree::name(n).into()).collect();
    assert_eq!(names, expected);
    let refused = File::create(mount.path().join("new")).expect_err("read-only");
    assert_eq!(refused.kind(), std::io::ErrorKind::ReadOnlyFilesystem);

    let path = mount.path().to_owned();
    assert!(is_mounted(&path));
    assert_ended(mount.unmount().expect("unmount"), Ended::Cleanly);
    assert!(!is_mounted(&path) && !path.exists() && scratch.path().exists());
}

#[test]
fn names_and_attributes_are_asked_for_each_time_without_a_ttl_and_once_with_one() {
    let Some((mount, _scratch)) = mounted(FuseOptions::UNCACHED) else { return };
    for _ in 0..3 {
        let each = asked(&mount, stat_all);
        // One for the name, one for what stat(2) wants to know.
        assert_eq!((each.of(RequestKind::Lookup), each.metadata()), (FILES, 2 * FILES));
    }
    let Some((mount, _scratch)) = mounted(FOREVER) else { return };
    // The answer to the name has the attributes with it.
    assert_eq!(asked(&mount, stat_all).metadata(), FILES);
    assert!(is_remembered(&mount, stat_all, Requests::all));
}

#[test]
fn an_absence_is_remembered_only_with_a_negative_ttl() {
    let never = FuseOptions { negative_ttl: Duration::ZERO, ..FOREVER };
    let Some((mount, _scratch)) = mounted(never) else { return };
    for _ in 0..3 {
        assert_eq!(asked(&mount, stat_missing).of(RequestKind::Lookup), FILES);
    }
    let Some((mount, _scratch)) = mounted(FOREVER) else { return };
    assert_eq!(asked(&mount, stat_missing).all(), FILES);
    assert!(is_remembered(&mount, stat_missing, Requests::all));
}

#[test]
fn content_is_read_again_at_each_open_unless_the_cache_is_kept() {
    let Some((mount, _scratch)) = mounted(FOREVER) else { return };
    let largest = mount.negotiated().largest_read.bytes();
    for _ in 0..2 {
        let each = asked(&mount, read_all);
        // The kernel may split requests, and never joins them.
        assert!(each.of(RequestKind::Read) >= FILES * TREE.size.bytes().div_ceil(largest));
        assert_eq!((each.of(RequestKind::Open), each.of(RequestKind::Release)), (FILES, FILES));
    }
    let kept = FuseOptions { keep_cache: true, ..FOREVER };
    let Some((mount, _scratch)) = mounted(kept) else { return };
    assert!(asked(&mount, read_all).of(RequestKind::Read) > 0);
    assert!(is_remembered(&mount, read_all, |asked| asked.of(RequestKind::Read) + asked.metadata()));
    assert_eq!(asked(&mount, read_all).of(RequestKind::Open), FILES);
}

#[test]
fn read_requests_are_as_large_as_was_negotiated() {
    let largest = |options| mounted(options).map(|(mount, _)| mount.negotiated().clone());
    let none = FuseOptions::UNCACHED;
    let Some(kernels) = largest(none) else { return };
    assert!(kernels.largest_read > ByteSize::new(0), "{kernels:?}");
    assert_eq!(kernels.read_ahead.unwrap_or(kernels.largest_read), kernels.largest_read);

    let small = FuseOptions { max_read: Some(ByteSize::kib(64)), ..none };
    let taken = largest(small).expect("as before");
    assert_eq!((taken.largest_read, taken.max_read), (ByteSize::kib(64), small.max_read));

    let less = FuseOptions { read_ahead: Some(ByteSize::kib(32)), ..none };
    assert_eq!(largest(less).expect("as before").largest_read, ByteSize::kib(32));
    if !rustix::process::geteuid().is_root() {
        eprintln!("skipped: only root may raise the read-ahead above the kernel's offer");
        return;
    }
    let far = FuseOptions { read_ahead: Some(ByteSize::mib(1)), ..none };
    let taken = largest(far).expect("as before");
    assert_eq!((taken.largest_read, taken.read_ahead), (ByteSize::mib(1), far.read_ahead));
    assert_eq!(taken.read_ahead_offered, ByteSize::kib(128));

    let background = FuseOptions { max_background: Some(7), ..none };
    let Negotiated { max_background, .. } = largest(background).expect("as before");
    assert_eq!(max_background.unwrap_or(7), 7);
    for caching in Caching::ALL {
        largest(caching.options()).expect("as before");
    }
}

#[test]
fn a_panic_unmounts() {
    let Some((mount, scratch)) = mounted(FuseOptions::UNCACHED) else { return };
    let path = mount.path().to_owned();
    let unwound = panic::catch_unwind(AssertUnwindSafe(move || {
        let _mount = mount;
        panic!("a bench failed");
    }));
    assert!(unwound.is_err());
    assert!(!is_mounted(&path) && !path.exists() && scratch.path().exists());
}

#[test]
fn a_place_that_is_taken_is_refused_and_left_as_it_was() {
    let Some((mount, scratch)) = mounted(FuseOptions::UNCACHED) else { return };
    let error = FuseMount::start(&scratch, "mount", TREE, FOREVER).expect_err("taken").to_string();
    assert!(error.starts_with(&format!("cannot mount on {}", mount.path().display())), "{error}");
    assert!(error.contains(": something is mounted there; choose a folder"), "{error}");
    read_all(mount.path());
    fs::create_dir(scratch.path().join("mine")).expect("create");
    let error = FuseMount::start(&scratch, "mine", TREE, FOREVER).expect_err("taken").to_string();
    assert!(error.contains(": it exists; choose a folder"), "{error}");
    assert!(scratch.path().join("mine").exists());
}

#[test]
fn an_unmount_under_a_reader_gives_it_an_error_and_leaves_nothing() {
    let Some((mount, _scratch)) = mounted(FuseOptions::UNCACHED) else { return };
    let path = mount.path().to_owned();
    let mut open = File::open(path.join(SeededTree::name(0))).expect("open");
    let (started, starts) = mpsc::channel();
    let mut other = File::open(path.join(SeededTree::name(1))).expect("open");
    let reader = thread::spawn(move || {
        let mut content = vec![0; 64 << 10];
        loop {
            match other.read(&mut content) {
                Ok(0) => other.rewind().expect("seek"),
                Ok(_) => started.send(()).unwrap_or_default(),
                Err(error) => return error,
            }
            // What is in the page cache stays readable; the end of the mount is what is looked for.
            let _ = rustix::fs::fadvise(&other, 0, None, rustix::fs::Advice::DontNeed);
        }
    });
    starts.recv().expect("it reads");
    assert_ended(mount.unmount().expect("unmount"), Ended::ByForce);
    assert!(!is_mounted(&path) && !path.exists());
    let error = reader.join().expect("no panic");
    let aborted = [rustix::io::Errno::CONNABORTED, rustix::io::Errno::NOTCONN];
    assert!(aborted.iter().any(|e| error.raw_os_error() == Some(e.raw_os_error())), "{error}");
    open.read_to_end(&mut Vec::new()).expect_err("nobody serves it");
}

#[test]
fn without_the_right_to_mount_the_error_says_so() {
    let outcome = thread::spawn(|| {
        let mut sets = capabilities(None).expect("capabilities");
        for set in [&mut sets.effective, &mut sets.permitted, &mut sets.inheritable] {
            set.remove(CapabilitySet::SYS_ADMIN);
        }
        // Of this thread alone, for good.
        set_capabilities(None, sets).expect("fewer capabilities");
        let scratch = ScratchDirectory::create().expect("scratch");
        let started = FuseMount::start(&scratch, "mount", TREE, FuseOptions::UNCACHED);
        let left = fs::read_dir(scratch.path()).expect("list").count();
        (started.map(drop), left)
    });
    match outcome.join().expect("no panic") {
        (Ok(()), _) => eprintln!("skipped: fusermount3 mounts for everybody here"),
        (Err(error), left) => {
            let error = error.to_string();
            assert!(
                error.starts_with("cannot mount a FUSE file system here: failed to"),
                "{error}"
            );
            assert_eq!(left, 0, "the folder is removed");
        }
    }
}
