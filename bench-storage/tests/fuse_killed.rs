//! A process that is killed while it serves a mount leaves it mounted: the next start in the same place
//! removes that one and no other. Alone in its executable, which it starts again as the process to kill.

#![expect(clippy::print_stderr, reason = "a test that checks nothing has to say so")]
#![expect(clippy::print_stdout, reason = "the process to kill tells where it mounted")]

use std::env;
use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;

use bench_core::units::ByteSize;
use bench_storage::Error;
use bench_storage::fuse::{FuseMount, FuseOptions, SeededTree};
use bench_storage::scratch::ScratchDirectory;
use rustix::mount::{MountFlags, UnmountFlags, mount, unmount};

const PLACE: &str = "FUSE_KILLED_TEST_PLACE";
const NAME: &str = "a_killed_run_s_mount_is_cleaned_by_the_next_start_and_no_other";
const TREE: SeededTree = SeededTree { files: 2, size: ByteSize::kib(64), seed: 5 };

fn mounts_below(place: &Path) -> Vec<String> {
    let table = fs::read_to_string("/proc/self/mountinfo").expect("the table of mounts");
    let point = |line: &str| Some(line.split(' ').nth(4)?.replace("\\040", " "));
    let points = table.lines().filter_map(point);
    points.filter(|point| Path::new(point).starts_with(place)).collect()
}

fn start(place: &Path) -> Result<(FuseMount, ScratchDirectory), Error> {
    let scratch = ScratchDirectory::create_in(place).expect("scratch");
    let mount = FuseMount::start(&scratch, "mount", TREE, FuseOptions::UNCACHED)?;
    Ok((mount, scratch))
}

/// The process to kill: mounts, says where, and waits.
fn victim(place: &Path) -> ! {
    let (mount, _scratch) = start(place).expect("mount");
    println!("\nmounted {}", mount.path().display());
    loop {
        thread::park();
    }
}

/// The process to kill, killed at the latest when the test is over, whichever way.
struct Victim(Child);

impl Victim {
    fn kill(&mut self) {
        let _ended = self.0.kill();
        self.0.wait().expect("it was started");
    }
}

impl Drop for Victim {
    fn drop(&mut self) {
        self.kill();
    }
}

/// A mount of another kind, unmounted at the latest when the test is over.
struct Foreign(PathBuf);

impl Drop for Foreign {
    fn drop(&mut self) {
        let _unmounted = unmount(&self.0, UnmountFlags::NOFOLLOW | UnmountFlags::DETACH);
    }
}

fn start_victim(place: &Path) -> (Victim, PathBuf) {
    let mut command = Command::new(env::current_exe().expect("this executable"));
    command.args(["--exact", NAME, "--nocapture"]).env(PLACE, place).stdout(Stdio::piped());
    let mut victim = Victim(command.spawn().expect("start"));
    let lines = BufReader::new(victim.0.stdout.take().expect("a pipe")).lines();
    let path = lines
        .map(|line| line.expect("text"))
        .find_map(|line| line.strip_prefix("mounted ").map(PathBuf::from));
    (victim, path.expect("it mounts"))
}

#[test]
fn a_killed_run_s_mount_is_cleaned_by_the_next_start_and_no_other() {
    if let Some(place) = env::var_os(PLACE) {
        victim(Path::new(&place));
    }
    let own = ScratchDirectory::create().expect("scratch");
    let place = own.path().join("place of runs").canonicalize().unwrap_or_else(|_| {
        let place = own.path().join("place of runs");
        fs::create_dir(&place).expect("create");
        place.canonicalize().expect("it is there")
    });
    let (live, _live_scratch) = match start(&place) {
        Ok(live) => live,
        Err(error @ Error::NoFuse { .. }) => return eprintln!("skipped: {error}"),
        Err(error) => panic!("{error}"),
    };
    let (mut victim, dead) = start_victim(&place);
    fs::metadata(dead.join(SeededTree::name(0))).expect("it serves");
    victim.kill();
    fs::metadata(dead.join(SeededTree::name(0))).expect_err("nobody serves it");
    let run = dead.parent().expect("its scratch directory").to_owned();

    // Not ours, although it lies in a directory that nobody holds.
    let foreign = place.join("run-foreign").join("mount");
    fs::create_dir_all(&foreign).expect("create");
    let tmpfs = mount("weighbridge", &foreign, "tmpfs", MountFlags::empty(), None);
    let tmpfs = tmpfs.map(|()| Foreign(foreign.clone()));
    fs::write(foreign.join("theirs"), "content").expect("write");
    assert_eq!(mounts_below(&place).len(), 2 + usize::from(tmpfs.is_ok()));

    let next = ScratchDirectory::create_in(&place).expect("the next start");
    assert!(!run.exists() && !mounts_below(&run).iter().any(|_| true));
    fs::metadata(live.path().join(SeededTree::name(0))).expect("a live run is left alone");
    match tmpfs {
        Ok(_mounted) => {
            assert_eq!(mounts_below(&foreign).len(), 1, "what is not ours is left alone");
            let theirs = fs::read_to_string(foreign.join("theirs")).expect("it is still there");
            assert_eq!(theirs, "content");
        }
        Err(errno) => eprintln!("skipped the mount of another kind: {errno}"),
    }
    drop((next, live));
    assert_eq!(mounts_below(&place), Vec::<String>::new());
}
