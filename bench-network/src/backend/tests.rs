//! One suite that every backend passes, held against what it says it models; and how one is chosen.
//! Bounds in time are lower bounds only.

use super::*;
use crate::link::{Capacity, Loss, Queue, named};

const MS: Duration = Duration::from_millis(1);
const SMALL: ByteSize = ByteSize::new(100);

fn rtt(ms: u32) -> LinkProfile {
    LinkProfile::round_trip(ms * MS)
}

/// The backend over this link; `None` where the machine cannot have it, which is told.
#[expect(clippy::print_stderr, reason = "a test that checks nothing has to say so")]
fn over(kind: Kind, link: &LinkProfile) -> Option<Started> {
    match start(Choice::Exact(kind), link, 42) {
        Ok(started) => Some(started),
        Err(Error::Unavailable { reason, .. }) => {
            eprintln!("skipped {kind}: {reason}");
            None
        }
        Err(error) => panic!("{kind}: {error}"),
    }
}

/// What every backend has to do.
fn conforms(kind: Kind) {
    a_round_trip_takes_the_delay_of_both_ways(kind);
    content_arrives_no_sooner_than_the_rate_lets_it(kind);
    loss_is_repaired_or_refused(kind);
    what_makes_no_sense_is_refused(kind);
}

fn a_round_trip_takes_the_delay_of_both_ways(kind: Kind) {
    let mut link = rtt(0);
    (link.up.delay, link.down.delay) = (12 * MS, 4 * MS);
    let Some(mut started) = over(kind, &link) else { return };
    let error = started.backend.round_trip(SMALL).expect_err("not connected").to_string();
    assert!(error.contains("no connection was made"), "{kind}: {error}");
    for _ in 0..2 {
        let connect = started.backend.connect().expect("connect");
        if kind.fidelity().handshake {
            assert!(connect >= 16 * MS, "{kind}: {connect:?}");
        }
        for _ in 0..3 {
            let round_trip = started.backend.round_trip(SMALL).expect("round trip");
            assert!(round_trip >= 16 * MS, "{kind}: {round_trip:?}");
        }
        let transfer = started.backend.transfer(SMALL).expect("transfer");
        assert!(transfer >= 12 * MS, "{kind}: {transfer:?}");
    }
    started.backend.spoiled().expect("it can tell");
    let text = format!("{:?}", started.dimensions());
    for said in [kind.title(), "rtt_0ns", "link_source", "it was asked for"] {
        assert!(text.contains(said), "{kind}: {said} is not in {text}");
    }
}

fn content_arrives_no_sooner_than_the_rate_lets_it(kind: Kind) {
    let mut link = rtt(2);
    link.up.capacity = Capacity::kbit(80_000);
    link.up.queue = Queue::Bytes(ByteSize::new(60_000));
    let Some(mut started) = over(kind, &link) else { return };
    started.backend.connect().expect("connect");
    let took = started.backend.transfer(ByteSize::new(1_448_000)).expect("transfer");
    // A thousand full packets of 1500 bytes, each 0.15 ms.
    assert!(took >= 150 * MS, "{kind}: {took:?}");
}

fn loss_is_repaired_or_refused(kind: Kind) {
    let mut link = rtt(4);
    link.up.loss = Loss::Bernoulli(0.02);
    if !kind.fidelity().loss {
        let error = start(Choice::Exact(kind), &link, 42).expect_err("refused").to_string();
        return assert!(error.contains("cannot do the loss of link 'rtt_4ms'"), "{error}");
    }
    let Some(mut started) = over(kind, &link) else { return };
    started.backend.connect().expect("connect");
    started.backend.transfer(ByteSize::mib(1)).expect("every byte, in spite of it");
}

fn what_makes_no_sense_is_refused(kind: Kind) {
    let mut link = rtt(4);
    link.down.loss = Loss::Bernoulli(1.5);
    let error = start(Choice::Exact(kind), &link, 42).expect_err("absurd").to_string();
    assert!(error.contains("between 0 and 1"), "{kind}: {error}");
}

#[test]
fn the_tun_emulator_conforms() {
    conforms(Kind::Tun);
}

#[test]
fn the_proxy_conforms() {
    conforms(Kind::Proxy);
}

#[test]
fn the_simulation_conforms() {
    conforms(Kind::Simulation);
}

#[test]
fn auto_takes_the_first_that_can_and_says_why() {
    let started = start(Choice::Auto, &rtt(1), 42).expect("the proxy at least");
    match TunLink::available() {
        Ok(()) => {
            assert_eq!(started.used, Kind::Tun);
            assert_eq!(started.reason, "nothing is closer to a real link here");
        }
        Err(error) => {
            assert_eq!((started.used, &started.reason), (Kind::Proxy, &error.to_string()));
        }
    }
    let lossy = start(Choice::Auto, &named::find("wifi").expect("known"), 42).expect("started");
    if lossy.used != Kind::Tun {
        assert_eq!(lossy.used, Kind::Simulation);
        assert!(lossy.reason.contains("not available here"), "{}", lossy.reason);
        assert!(lossy.reason.contains("cannot do the loss"), "{}", lossy.reason);
    }
    let text = format!("{:?}", lossy.dimensions());
    assert!(text.contains("\"link_backend_asked\", \"auto\""), "{text}");
}

#[test]
fn a_choice_is_read_as_it_is_printed() {
    for choice in Kind::ALL.map(Choice::Exact).into_iter().chain([Choice::Auto]) {
        assert_eq!(choice.to_string().parse::<Choice>().expect("known"), choice);
    }
    let error = "exact:netem".parse::<Choice>().expect_err("unknown").to_string();
    assert!(error.contains("'exact:netem'") && error.contains("exact:simulation"), "{error}");
}
