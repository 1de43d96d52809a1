//! Whole runs over real links: what holds however busy the machine is.

use super::*;
use crate::backend::{Choice, Kind};
use crate::register::check::linearizable;
use crate::register::history::{Kind as Entry, parse, print};
use crate::topology::file;
use crate::tun::TunLink;

const TEXT: &str = "region eu\nregion us\nregion asia\nrtt eu us 4ms\nrtt eu asia 6ms\n\
                    rtt us asia 8ms\nat 100ms partition eu us\nat 100ms partition eu asia\n\
                    at 400ms heal eu us\nat 400ms heal eu asia\nat 500ms set us asia rtt_20ms\n";
const MS: Duration = Duration::from_millis(1);

fn config(mode: Mode) -> RunConfig {
    let timing = Timing::of(8 * MS, 10 * MS);
    RunConfig { mode, timing, every: 10 * MS, writes: 0.5, length: 900 * MS, seed: 42 }
}

fn over(kind: Kind, mode: Mode) -> Run {
    let (topology, script) = file::parse("t", TEXT).expect("sound");
    let mut net = Net::start(Choice::Exact(kind), &topology, &script, 42).expect("start");
    run(&mut net, &script, config(mode)).expect("run")
}

fn holds(kind: Kind) {
    for mode in Mode::ALL {
        let run = over(kind, mode);
        // One operation every 10 ms but the first and the last, by each of three.
        assert_eq!(run.samples.len(), 89 * 3, "{kind} {mode}: none is left out");
        let ended = run.history.iter().filter(|entry| entry.kind != Entry::Invoke);
        assert_eq!(ended.count(), run.samples.len(), "{kind} {mode}");
        assert!(run.samples.iter().any(|sample| sample.served), "{kind} {mode}");
        assert!(run.replicated.iter().flatten().all(|after| *after >= 4 * MS), "{kind} {mode}");
        if mode == Mode::Quorum {
            linearizable(&run.history).unwrap_or_else(|anomaly| panic!("{kind}: {anomaly}"));
        }
        assert_eq!(parse("h", &print(&run.history)), Ok(run.history));
        assert_eq!((run.applied.len(), run.outages.len()), (5, 1), "{kind} {mode}");
        assert!(run.applied.iter().all(|applied| applied.by >= applied.event.at));
        // Four ways cut and whole again, two with another link.
        assert_eq!(run.effects.len(), 10, "{kind} {mode}: {:?}", run.effects);
        for effect in run.effects {
            // A machine that stood still may have shown nothing; a link that leaks is never right.
            let shown = effect.shown.unwrap_or_else(|why| why);
            assert!(
                !shown.contains("messages came that"),
                "{kind} {mode}: {}: {shown}",
                effect.what
            );
        }
    }
}

#[test]
fn a_run_over_the_proxy_is_whole() {
    holds(Kind::Proxy);
}

#[test]
fn a_run_over_the_tun_emulator_is_whole() {
    if TunLink::available().is_ok() {
        holds(Kind::Tun);
    }
}

#[test]
fn a_script_that_outlasts_the_run_is_refused() {
    let (topology, script) = file::parse("t", TEXT).expect("sound");
    let mut net = Net::start(Choice::Exact(Kind::Proxy), &topology, &script, 42).expect("start");
    let short = RunConfig { length: 500 * MS, ..config(Mode::Quorum) };
    let error = run(&mut net, &script, short).expect_err("too short").to_string();
    assert_eq!(
        error,
        "the script has an event at 500ms and the run is over at 500ms; take a longer run, or events \
         that come before its end"
    );
}
