//! One suite that every backend passes, held against what it says it models; and how one is chosen.
//! Bounds in time are lower bounds only.

use bench_core::record::watched::OF_THIS_NETWORK;

use super::*;
use crate::calibrate::{self, LinkCalibration, WayCalibration, rate, round_trip};
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
        // The only one that does a part of what the suite asks for otherwise.
        Err(error @ Error::NotModelled { .. }) if kind == Kind::Netem => {
            eprintln!("skipped {kind}: {error}");
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
    datagrams_are_delayed_and_lost_as_asked_or_refused(kind);
    goodput_is_below_the_rate(kind);
    a_congestion_control_is_taken_and_told_or_refused(kind);
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
    let text = format!("{:?}", started.dimensions().expect("it can tell"));
    for said in [kind.title(), "rtt_0ns", "link_source", "it was asked for", "link_valid"] {
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

fn datagrams_are_delayed_and_lost_as_asked_or_refused(kind: Kind) {
    let mut link = rtt(4);
    if kind.fidelity().loss {
        link.down.loss = Loss::Script([1, 3].into());
    }
    let Some(mut started) = over(kind, &link) else { return };
    let train = Train { count: 5, payload_bytes: 36, interval: MS, burst: 1 };
    if !kind.fidelity().loss {
        let error = started.backend.train(Way::Down, train).expect_err("refused").to_string();
        return assert!(error.contains("cannot do the datagrams of link 'rtt_4ms'"), "{error}");
    }
    let found = started.backend.train(Way::Down, train).expect("sent");
    let numbers: Vec<u64> = found.arrived.iter().map(|(number, _)| *number).collect();
    assert_eq!((found.sent, &numbers[..]), (5, &[0, 2, 4][..]), "{kind}");
    // The sender's clock starts after the receiver's.
    assert!(found.arrived[2].1 >= 2_000_000, "{kind}: {found:?}");
    let found = started.backend.train(Way::Up, train).expect("sent");
    assert_eq!(found.arrived.len(), 5, "{kind}: nothing is lost that way");
}

fn goodput_is_below_the_rate(kind: Kind) {
    let mut link = rtt(2);
    link.down.capacity = Capacity::kbit(20_000);
    link.down.queue = Queue::Bytes(ByteSize::new(60_000));
    let Some(mut started) = over(kind, &link) else { return };
    let plan = Bulk { warm_up: 50 * MS, duration: 200 * MS };
    let found = started.backend.goodput(Way::Down, plan).expect("goodput");
    let bits = found.bits_per_second();
    // What a socket held back for a moment arrives at once, so that a busy machine has no bound.
    assert!(bits > 0.0, "{kind}: {bits}");
    assert!(kind.fidelity().real || bits <= 20e6 * 1448.0 / 1500.0 * 1.01, "{kind}: {bits}");
}

fn a_congestion_control_is_taken_and_told_or_refused(kind: Kind) {
    let start = |control: &str| {
        let config = Config { seed: 42, congestion_control: Some(control.to_owned()) };
        start_with_config(Choice::Exact(kind), &rtt(1), &config)
    };
    match start("reno") {
        Ok(started) => {
            let dimensions = started.dimensions().expect("it can tell");
            assert!(dimensions.contains(&("congestion_control", "reno".to_owned())), "{kind}");
        }
        Err(Error::Unavailable { .. }) => return,
        Err(error) => panic!("{kind}: {error}"),
    }
    let error = start("carrier-pigeon").expect_err("unknown").to_string();
    assert!(error.contains("'carrier-pigeon'"), "{kind}: {error}");
}

/// Probes round trip, and rate and loss of both ways. Where a backend has no datagrams, a connection says
/// what the rate is.
fn calibrate(started: &mut Started, link: &LinkProfile) -> Result<LinkCalibration, Error> {
    let echoes = started.backend.echoes(round_trip::count(link))?;
    let round_trip = round_trip::judge(link, echoes)?;
    let ways = if started.used.fidelity().loss {
        calibrate::ways(link, |way, train| started.backend.train(way, train))?
    } else {
        let mut way = |way: Way| -> Result<WayCalibration, Error> {
            let none = WayCalibration { rate: None, loss: None };
            let Some(plan) = rate::bulk(link, way) else { return Ok(none) };
            let found = rate::look_at_bulk(link, way, started.backend.goodput(way, plan)?);
            Ok(WayCalibration { rate: Some(rate::judge(link, way, found)?), ..none })
        };
        [way(Way::Up)?, way(Way::Down)?]
    };
    started.refuse_spoiled()?;
    Ok(LinkCalibration { round_trip, ways })
}

/// Both ways at a rate and with a loss, and the probes' answer in every case: of what it is, of a rate
/// that it is not, of a loss that it is not.
fn what_a_link_is_not_is_refused_by_its_calibration(kind: Kind) {
    // Few echoes fit the time, so that few of them wait for a retransmission.
    let mut link = rtt(40);
    for way in [&mut link.up, &mut link.down] {
        way.capacity = Capacity::kbit(8_000);
        way.queue = Queue::Bytes(ByteSize::new(60_000));
        if kind.fidelity().loss {
            way.loss = Loss::Bernoulli(0.02);
        }
    }
    let Some(mut started) = over(kind, &link) else { return };
    match calibrate(&mut started, &link) {
        Ok(LinkCalibration { ways: [up, down], .. }) => {
            assert!(up.rate.is_some() && down.loss.is_some() == kind.fidelity().loss, "{kind}");
        }
        // On a busy machine that is the right answer.
        Err(Error::OutOfTolerance { .. } | Error::Spoiled { .. }) if kind.fidelity().real => (),
        Err(error) => panic!("{kind}: {error}"),
    }
    let mut faster = link.clone();
    faster.up.capacity = Capacity::kbit(16_000);
    let error = calibrate(&mut started, &faster).expect_err("half as fast").to_string();
    // 1472 of 1500 bytes less a fiftieth, or 1448 of them; or the round trip of a busy machine.
    let said = if kind.fidelity().loss { "15.387 Mbit/s was" } else { "15.445 Mbit/s was" };
    assert!(kind.fidelity().real || error.contains("rate up") && error.contains(said), "{error}");
    if !kind.fidelity().loss {
        return;
    }
    let mut sound = link.clone();
    sound.down.loss = Loss::None;
    // The rate is too small, too, and would be refused first.
    sound.down.capacity = Capacity::Unlimited;
    let error = calibrate(&mut started, &sound).expect_err("it loses").to_string();
    assert!(kind.fidelity().real || error.contains("number of lost packets down"), "{error}");
}

#[test]
fn the_tun_emulator_is_refused_where_it_is_another_link() {
    what_a_link_is_not_is_refused_by_its_calibration(Kind::Tun);
}

#[test]
fn the_packet_emulator_is_refused_where_it_is_another_link() {
    what_a_link_is_not_is_refused_by_its_calibration(Kind::Packet);
}

#[test]
fn the_proxy_is_refused_where_it_is_another_link() {
    what_a_link_is_not_is_refused_by_its_calibration(Kind::Proxy);
}

#[test]
fn a_ceiling_is_measured_of_what_carries_and_of_nothing_else() {
    let config = Config { seed: 1, congestion_control: Some("reno".to_owned()) };
    assert_eq!(ceiling(Kind::Simulation, &config).expect("nothing to do"), None);
    let found = ceiling(Kind::Proxy, &config).expect("measured").expect("it carries");
    assert!(found.bits > 0.0, "{found:?}");
    let mut absurd = rtt(1);
    absurd.up.capacity = Capacity::kbit(900_000_000);
    let error = found.allows(&absurd).expect_err("nothing carries 900 Gbit/s here").to_string();
    assert!(error.contains("868800.000 Mbit/s"), "{error}");
}

#[test]
fn the_simulation_is_refused_where_it_is_another_link() {
    what_a_link_is_not_is_refused_by_its_calibration(Kind::Simulation);
}

#[test]
fn the_tun_emulator_conforms() {
    conforms(Kind::Tun);
}

#[test]
fn the_packet_emulator_conforms() {
    conforms(Kind::Packet);
}

#[test]
fn netem_conforms() {
    conforms(Kind::Netem);
}

#[test]
fn the_proxy_conforms() {
    conforms(Kind::Proxy);
}

#[test]
fn the_simulation_conforms() {
    conforms(Kind::Simulation);
}

/// Which is the first that this machine can have, and that does this link.
fn first(link: &LinkProfile) -> Kind {
    let does = |kind: &Kind| start(Choice::Exact(*kind), link, 42).is_ok();
    Kind::ALL.into_iter().find(does).expect("the simulation does all")
}

#[test]
fn auto_takes_the_first_that_can_and_says_why() {
    let started = start(Choice::Auto, &rtt(1), 42).expect("the proxy at least");
    assert_eq!(started.used, first(&rtt(1)));
    if started.used == Kind::Tun {
        assert_eq!(started.reason, "nothing is closer to a real link here");
    } else {
        assert!(started.reason.contains("the TUN emulator is not available"), "{}", started.reason);
    }
    let wifi = named::find("wifi").expect("known");
    let lossy = start(Choice::Auto, &wifi, 42).expect("started");
    assert_eq!(lossy.used, first(&wifi));
    if lossy.used == Kind::Simulation {
        assert!(lossy.reason.contains("not available here"), "{}", lossy.reason);
        assert!(lossy.reason.contains("cannot do the loss"), "{}", lossy.reason);
    }
    let text = format!("{:?}", lossy.dimensions().expect("it can tell"));
    assert!(text.contains("\"link_backend_asked\", \"auto\""), "{text}");
}

/// The table at the head of this module has a line for each, in the order in which they are taken.
#[test]
fn the_table_names_every_backend_in_its_order() {
    let lines = include_str!("mod.rs").lines().filter_map(|line| line.strip_prefix("//! | "));
    let titles: Vec<&str> = lines.skip(1).filter_map(|line| line.split(" |").next()).collect();
    let known = Kind::ALL.map(|kind| kind.title().trim_start_matches("seeded "));
    assert_eq!(titles.len(), known.len(), "{titles:?}");
    for (title, known) in titles.iter().zip(known) {
        assert!(known.contains(title), "{title} stands where {known} is taken");
    }
}

/// What a watch over a scenario says it did not look into is right only as long as it knows these.
#[test]
fn a_watch_knows_which_links_have_networks_of_their_own() {
    for kind in Kind::ALL {
        let fidelity = kind.fidelity();
        let apart = fidelity.real && fidelity.handshake;
        assert_eq!(OF_THIS_NETWORK.contains(&kind.title()), !apart, "{kind:?}");
    }
    assert!(OF_THIS_NETWORK.contains(&crate::register::simulate::BACKEND));
}

#[test]
fn a_choice_is_read_as_it_is_printed() {
    for choice in Kind::ALL.map(Choice::Exact).into_iter().chain([Choice::Auto]) {
        assert_eq!(choice.to_string().parse::<Choice>().expect("known"), choice);
    }
    let error = "exact:pigeon".parse::<Choice>().expect_err("unknown").to_string();
    assert!(error.contains("'exact:pigeon'") && error.contains("exact:simulation"), "{error}");
}
