//! Whether a process that is killed in the middle leaves nothing of its link behind.

use std::collections::BTreeSet;
use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::thread;
use std::time::{Duration, Instant};

use bench_network::af_packet::AfPacket;
use bench_network::emulated::{Carrier, EmulatedLink};
use bench_network::link::LinkProfile;
use bench_network::tun::Tun;

/// Tells the second process where to write which networks it has.
const NETWORKS_FILE: &str = "WEIGHBRIDGE_TEST_NETWORKS";
const PATIENCE: Duration = Duration::from_secs(60);

/// Makes a link, writes down its two networks, and stays.
fn stay<C: Carrier>(file: &Path) -> ! {
    let link =
        EmulatedLink::<C>::start(&LinkProfile::round_trip(Duration::ZERO), 1).expect("start");
    let network = || Ok(fs::read_link("/proc/thread-self/ns/net").expect("proc"));
    let networks = [link.in_client(network), link.in_server(network)].map(|it| it.expect("enter"));
    let text = networks.map(|network| network.display().to_string()).join("\n");
    let whole = file.with_extension("part");
    fs::write(&whole, text).expect("write");
    fs::rename(whole, file).expect("rename");
    loop {
        thread::park();
    }
}

/// A second process, which is gone when this is, however the test ends.
struct Killed(Child);

impl Drop for Killed {
    fn drop(&mut self) {
        // Both fail where it is gone already.
        let _ = (self.0.kill(), self.0.wait());
    }
}

/// Every network that a thread is in or that a descriptor holds.
fn held() -> BTreeSet<PathBuf> {
    let list =
        |path: PathBuf| fs::read_dir(path).into_iter().flatten().flatten().map(|it| it.path());
    let tasks = list("/proc".into()).flat_map(|process| list(process.join("task")));
    let links = tasks.flat_map(|task| list(task.join("fd")).chain([task.join("ns/net")]));
    links.filter_map(|link| fs::read_link(link).ok()).collect()
}

#[test]
fn a_killed_process_leaves_no_tun_behind() {
    nothing_is_left_behind::<Tun>("a_killed_process_leaves_no_tun_behind");
}

#[test]
fn a_killed_process_leaves_no_veth_behind() {
    nothing_is_left_behind::<AfPacket>("a_killed_process_leaves_no_veth_behind");
}

/// Runs `test`, which calls this, in a second process and kills that.
#[expect(clippy::print_stderr, reason = "a test that checks nothing has to say so")]
fn nothing_is_left_behind<C: Carrier>(test: &str) {
    if let Ok(file) = env::var(NETWORKS_FILE) {
        stay::<C>(Path::new(&file));
    }
    if let Err(error) = EmulatedLink::<C>::available() {
        return eprintln!("skipped: {error}");
    }
    let interfaces = || fs::read_to_string("/proc/net/dev").expect("proc").lines().count();
    let before = interfaces();
    let file = format!("{}/networks-{test}-{}", env!("CARGO_TARGET_TMPDIR"), std::process::id());
    let child = Command::new(env::current_exe().expect("this test"))
        .args(["--exact", test])
        .env(NETWORKS_FILE, &file)
        .spawn()
        .expect("run this test again");
    let mut child = Killed(child);
    let start = Instant::now();
    while !Path::new(&file).exists() && start.elapsed() < PATIENCE {
        assert!(child.0.try_wait().expect("wait").is_none(), "the child has ended");
        thread::sleep(Duration::from_millis(5));
    }
    let text = fs::read_to_string(&file).expect("the child wrote it");
    let networks: BTreeSet<PathBuf> = text.lines().map(PathBuf::from).collect();
    let seen = held();
    child.0.kill().expect("kill -9");
    child.0.wait().expect("wait");
    fs::remove_file(&file).expect("remove it");
    assert_eq!(networks.len(), 2, "each end has a network of its own");
    assert!(networks.is_subset(&seen), "the search does not find a network that is there");
    let left: Vec<_> = held().intersection(&networks).cloned().collect();
    assert!(left.is_empty(), "{left:?}");
    assert_eq!(interfaces(), before);
}
