//! Whether a seed has one outcome in every process: nothing may come from where memory lies, from
//! the order of a hash map, or from the clock.

use std::env;
use std::fmt::Write;
use std::fs;
use std::process::Command;
use std::time::Duration;

use bench_core::units::ByteSize;
use bench_network::link::model::{Cause, Fate, LinkModel};
use bench_network::link::named;
use bench_network::register::history::print;
use bench_network::register::run::RunConfig;
use bench_network::register::simulate::simulate;
use bench_network::register::{Mode, Timing};
use bench_network::sim::{CongestionControl, TcpConfig, bulk};
use bench_network::topology::file;

/// Tells the second process where to write what it found.
const OUTCOME_FILE: &str = "WEIGHBRIDGE_TEST_OUTCOME";

/// Regions whose links lose, flap and change.
const REGIONS: &str = "region eu\nregion us\nregion asia\nlink eu us wifi\nrtt eu asia 120ms\n\
                       rtt us asia 180ms\nat 500ms flap eu asia every 200ms until 1.5s\n\
                       at 1s set us asia satellite_leo\n";

/// What a register in regions was asked and answered.
fn history() -> String {
    let (topology, script) = file::parse("regions", REGIONS).expect("sound");
    let timing = Timing::of(Duration::from_millis(180), Duration::from_millis(50));
    let mut text = String::new();
    for mode in Mode::ALL {
        let (every, length) = (Duration::from_millis(10), Duration::from_secs(3));
        let config = RunConfig { mode, timing, every, writes: 0.5, length, seed: 7 };
        let run = simulate(&topology, &script, config).expect("simulated");
        let shown = run.effects.iter().filter(|effect| effect.shown.is_ok()).count();
        assert_eq!(shown, 6, "two ways cut and whole again, two set: {:?}", run.effects);
        text += &print(&run.history);
    }
    text
}

/// Which packets are dropped and why, and what a transfer comes to.
fn outcome() -> String {
    let link = named::find("lossy_mobile").expect("known");
    let [mut up, _] = LinkModel::both(&link, 7).expect("sound");
    let mut text = String::new();
    for number in 0..20_000_u64 {
        match up.offer(number * 15_000_000, 1500) {
            Fate::Dropped(Cause::Queue) => write!(text, "{number}q ").expect("memory"),
            Fate::Dropped(Cause::Loss) => write!(text, "{number}l ").expect("memory"),
            Fate::Delivered(_) => (),
        }
    }
    for congestion_control in CongestionControl::ALL {
        let receive_window = ByteSize::mib(1);
        let tcp = TcpConfig { congestion_control, receive_window, seed: 7 };
        let done = bulk(&link, tcp, ByteSize::mib(1)).expect("done");
        write!(text, "{congestion_control} {done:?} ").expect("memory");
    }
    text + &history()
}

#[test]
fn a_seed_has_one_outcome_in_two_processes() {
    let here = outcome();
    if let Ok(file) = env::var(OUTCOME_FILE) {
        return fs::write(file, here).expect("write the outcome");
    }
    assert!(here.contains("l ") && here.contains("q "), "nothing was dropped: {here}");
    let folder = env!("CARGO_TARGET_TMPDIR");
    let file = format!("{folder}/outcome-{}", std::process::id());
    let status = Command::new(env::current_exe().expect("this test"))
        .args(["--exact", "a_seed_has_one_outcome_in_two_processes"])
        .env(OUTCOME_FILE, &file)
        .status()
        .expect("run this test again");
    assert!(status.success(), "{status}");
    let there = fs::read_to_string(&file).expect("the other process wrote it");
    fs::remove_file(&file).expect("remove it");
    assert_eq!(here, there);
}
