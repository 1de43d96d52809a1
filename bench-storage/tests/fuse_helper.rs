//! Who may mount but not unmount has `fusermount3` do it, which can only be lazy: whoever still reads
//! gets an error all the same. Alone in its executable, which it starts again with a helper of its own in
//! the path.

#![expect(clippy::print_stderr, reason = "a test that checks nothing has to say so")]

use std::env;
use std::fs::{self, File};
use std::io::Read as _;
use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;
use std::thread;

use bench_core::units::ByteSize;
use bench_storage::Error;
use bench_storage::fuse::{Ended, FuseMount, FuseOptions, SeededTree};
use bench_storage::scratch::ScratchDirectory;
use rustix::fs::{Advice, fadvise};
use rustix::io::Errno;
use rustix::thread::{CapabilitySet, capabilities, set_capabilities};

const WITH_HELPER: &str = "FUSE_HELPER_TEST";
const NAME: &str = "a_lazy_unmount_under_a_reader_gives_it_an_error";
const TREE: SeededTree = SeededTree { files: 1, size: ByteSize::mib(1), seed: 5 };
/// Called as `fusermount3 -u -z -q -- PATH`; started by root, it has the right that its caller gave up.
const HELPER: &str = "#!/bin/sh\nexec umount --lazy \"$5\"\n";

/// Unmounts without the right to, under an open file.
fn with_helper() {
    let scratch = ScratchDirectory::create().expect("scratch");
    let mount = match FuseMount::start(&scratch, "mount", TREE, FuseOptions::UNCACHED) {
        Ok(mount) => mount,
        Err(error @ Error::NoFuse { .. }) => return eprintln!("skipped: {error}"),
        Err(error) => panic!("{error}"),
    };
    let path = mount.path().to_owned();
    let mut open = File::open(path.join(SeededTree::name(0))).expect("open");
    open.read_exact(&mut [0; 4096]).expect("it is served");
    let unmount = thread::spawn(|| {
        let mut sets = capabilities(None).expect("capabilities");
        for set in [&mut sets.effective, &mut sets.permitted, &mut sets.inheritable] {
            set.remove(CapabilitySet::SYS_ADMIN);
        }
        // Of this thread alone, for good.
        set_capabilities(None, sets).expect("fewer capabilities");
        mount.unmount()
    });
    let ended = unmount.join().expect("no panic").expect("unmount");
    assert_eq!(ended, Ended::ByHelper);
    let table = fs::read_to_string("/proc/self/mountinfo").expect("the table of mounts");
    assert!(!table.contains(path.to_str().expect("a path of text")) && !path.exists());
    // What is in the page cache stays readable.
    fadvise(&open, 0, None, Advice::DontNeed).expect("advice");
    let error = open.read_to_end(&mut Vec::new()).expect_err("nobody is to be served");
    assert_eq!(error.raw_os_error(), Some(Errno::NOTCONN.raw_os_error()), "{error}");
}

#[test]
fn a_lazy_unmount_under_a_reader_gives_it_an_error() {
    if env::var_os(WITH_HELPER).is_some() {
        return with_helper();
    }
    if !rustix::process::geteuid().is_root() {
        return eprintln!("skipped: only root can give up a right that its helper has");
    }
    let folder = tempfile::tempdir().expect("a folder");
    let helper = folder.path().join("fusermount3");
    fs::write(&helper, HELPER).expect("write");
    fs::set_permissions(&helper, fs::Permissions::from_mode(0o755)).expect("executable");
    let path = env::var_os("PATH").expect("a path");
    let path = [folder.path().to_owned()].into_iter().chain(env::split_paths(&path));
    let run = Command::new(env::current_exe().expect("this executable"))
        .args(["--exact", NAME, "--nocapture"])
        .env(WITH_HELPER, "1")
        .env("PATH", env::join_paths(path).expect("a path"))
        .status();
    assert!(run.expect("start").success());
}
