//! Whether kernel TCP meets the link that was asked for, over every carrier. Where no such link can be made the tests
//! say why and check that the reason is one sentence. Bounds in time are lower bounds only.

use std::io::{Read, Write};
use std::time::Instant;

use bench_core::fixture::Payload;
use bench_core::units::ByteSize;

use super::*;
use crate::af_packet::AfPacket;
use crate::link::{Capacity, Loss, Queue};
use crate::tun::Tun;

const MS: Duration = Duration::from_millis(1);

/// Each of these tests over each carrier.
macro_rules! over_every_carrier {
    ($($test:ident)+) => {
        mod tun {
            $(#[test] fn $test() { super::$test::<super::Tun>() })+
        }
        mod packet {
            $(#[test] fn $test() { super::$test::<super::AfPacket>() })+
        }
    };
}

over_every_carrier! {
    connecting_takes_a_round_trip_and_so_does_an_echo
    every_byte_arrives_over_a_link_that_loses_doubles_and_corrupts
    every_byte_of_large_packets_arrives_though_many_are_on_their_way
    a_rate_is_not_exceeded
    the_packet_of_the_script_is_lost_and_no_other
    two_links_at_once_do_not_meet
    dropping_a_link_ends_its_threads_and_leaves_the_host_alone
    a_calibration_is_within_tolerance_or_refused_with_both_numbers
    another_link_is_met_by_the_next_packet_and_what_was_counted_stays
    a_cut_drops_what_comes_and_tcp_sends_it_again_once_it_is_whole
}

/// The link, or `None` where this machine cannot have one.
#[expect(clippy::print_stderr, reason = "a test that checks nothing has to say so")]
fn link<C: Carrier>(profile: &LinkProfile) -> Option<EmulatedLink<C>> {
    match EmulatedLink::<C>::available() {
        Ok(()) => Some(EmulatedLink::start(profile, 42).expect("start")),
        Err(error) => {
            let text = error.to_string();
            let start = format!("the {} is not available here: failed to ", C::BACKEND);
            assert!(text.starts_with(&start), "{text}");
            eprintln!("skipped: {text}");
            None
        }
    }
}

fn rtt(round_trip: Duration) -> LinkProfile {
    LinkProfile::round_trip(round_trip)
}

fn pair<C: Carrier>(link: &EmulatedLink<C>) -> (TcpStream, TcpStream) {
    let listener = link.listen().expect("listen");
    let client = link.connect(listener.local_addr().expect("port")).expect("connect");
    let (server, _) = listener.accept().expect("accept");
    for end in [&client, &server] {
        end.set_nodelay(true).expect("nodelay");
        end.set_read_timeout(Some(Duration::from_secs(60))).expect("time limit");
    }
    (client, server)
}

/// Sends a payload and receives it at the other end; returns how long that took.
fn transfer(mut from: TcpStream, mut to: TcpStream, size: ByteSize) -> Duration {
    let payload = Payload::seeded(1, size);
    let start = Instant::now();
    let sender = thread::spawn(move || from.write_all(&payload.to_bytes()).map(|()| from));
    let mut received = vec![0; size.len()];
    to.read_exact(&mut received).expect("receive");
    let took = start.elapsed();
    payload.verify_all(&received).expect("every byte in its place");
    drop(sender.join().expect("sender").expect("send"));
    took
}

fn connecting_takes_a_round_trip_and_so_does_an_echo<C: Carrier>() {
    let Some(link) = link::<C>(&rtt(20 * MS)) else { return };
    let listener = link.listen().expect("listen");
    let to = listener.local_addr().expect("port");
    let start = Instant::now();
    let mut client = link.connect(to).expect("connect");
    assert!(start.elapsed() >= 20 * MS, "{:?}", start.elapsed());
    let (mut server, _) = listener.accept().expect("accept");
    let start = Instant::now();
    client.write_all(b"?").expect("send");
    server.read_exact(&mut [0]).expect("receive");
    assert!(start.elapsed() >= 10 * MS, "{:?}", start.elapsed());
    let report = link.report().expect("alive");
    assert!(report.up.segments.offered >= 3 && report.down.segments.offered >= 1, "{report:?}");
    assert_eq!((report.up.overflowed, report.up.refused, report.down.refused), (0, 0, 0));
}

fn every_byte_arrives_over_a_link_that_loses_doubles_and_corrupts<C: Carrier>() {
    let mut profile = rtt(4 * MS);
    for way in [&mut profile.up, &mut profile.down] {
        way.loss = Loss::Bernoulli(0.01);
        (way.duplicate, way.corrupt) = (0.01, 0.01);
    }
    let Some(link) = link::<C>(&profile) else { return };
    let (client, server) = pair(&link);
    transfer(client, server, ByteSize::mib(2));
    let up = link.report().expect("alive").up;
    // 1,449 segments at least, and one in a hundred of each.
    assert!(up.segments.offered >= 1_449 && up.segments.lost > 0, "{up:?}");
    assert!(up.segments.duplicated > 0 && up.segments.corrupted > 0, "{up:?}");
}

fn every_byte_of_large_packets_arrives_though_many_are_on_their_way<C: Carrier>() {
    let Some(link) = link::<C>(&rtt(20 * MS)) else { return };
    let (client, server) = pair(&link);
    transfer(client, server, ByteSize::mib(16));
    let up = link.report().expect("alive").up;
    assert!(up.segments.offered >= 11_586 && up.refused == 0, "{up:?}");
}

fn a_rate_is_not_exceeded<C: Carrier>() {
    let mut profile = rtt(2 * MS);
    profile.up.capacity = Capacity::kbit(80_000);
    profile.up.queue = Queue::Bytes(ByteSize::new(60_000));
    let Some(link) = link::<C>(&profile) else { return };
    let (client, server) = pair(&link);
    let took = transfer(client, server, ByteSize::new(2_896_000));
    // 2000 full packets of 1500 bytes, each 0.15 ms.
    assert!(took >= 300 * MS, "{took:?}");
}

fn the_packet_of_the_script_is_lost_and_no_other<C: Carrier>() {
    let mut profile = rtt(2 * MS);
    profile.up.loss = Loss::Script([0].into());
    let Some(link) = link::<C>(&profile) else { return };
    let start = Instant::now();
    let (client, server) = pair(&link);
    // Packet 0 is the first SYN, and the kernel sends it again after a second.
    assert!(start.elapsed() >= Duration::from_secs(1), "{:?}", start.elapsed());
    transfer(client, server, ByteSize::kib(100));
    assert_eq!(link.report().expect("alive").up.segments.lost, 1);
}

fn two_links_at_once_do_not_meet<C: Carrier>() {
    let (Some(one), Some(two)) = (link::<C>(&rtt(MS)), link::<C>(&rtt(MS))) else { return };
    let listener = one.listen().expect("listen");
    let to = listener.local_addr().expect("port");
    let error = two.connect(to).expect_err("another network").to_string();
    assert!(error.starts_with("failed to connect over the link"), "{error}");
    let (client, server) = pair(&one);
    transfer(client, server, ByteSize::kib(10));
}

fn dropping_a_link_ends_its_threads_and_leaves_the_host_alone<C: Carrier>() {
    let interfaces = || std::fs::read_to_string("/proc/net/dev").expect("proc").lines().count();
    let before = interfaces();
    let Some(link) = link::<C>(&rtt(50 * MS)) else { return };
    let (client, _server) = pair(&link);
    assert_eq!(interfaces(), before, "the link is not in this network");
    drop(link); // Would hang if a thread did not end.
    drop(client);
    assert_eq!(interfaces(), before);
}

fn a_calibration_is_within_tolerance_or_refused_with_both_numbers<C: Carrier>() {
    let Some(link) = link::<C>(&rtt(20 * MS)) else { return };
    match link.calibrate() {
        Ok(found) => assert!(found.round_trip_p50 >= 20 * MS, "{found:?}"),
        // On a busy machine that is the right answer.
        Err(error @ Error::OutOfTolerance { .. }) => {
            assert!(error.to_string().contains("where 20ms was asked for"), "{error}");
        }
        Err(error) => panic!("{error}"),
    }
}

/// Sends a byte and receives it; returns how long that took.
fn one_way(from: &mut TcpStream, to: &mut TcpStream) -> Duration {
    let start = Instant::now();
    from.write_all(b"?").expect("send");
    to.read_exact(&mut [0]).expect("receive");
    start.elapsed()
}

fn another_link_is_met_by_the_next_packet_and_what_was_counted_stays<C: Carrier>() {
    let Some(link) = link::<C>(&rtt(2 * MS)) else { return };
    let (mut client, mut server) = pair(&link);
    one_way(&mut client, &mut server);
    let before = link.report().expect("alive").up.segments.offered;
    link.set(&rtt(80 * MS), 1).expect("set");
    for _ in 0..2 {
        assert!(one_way(&mut client, &mut server) >= 40 * MS);
        assert!(one_way(&mut server, &mut client) >= 40 * MS);
    }
    let after = link.report().expect("alive").up.segments.offered;
    assert!(after >= before + 2, "{before} and then {after}");
    let mut absurd = rtt(MS);
    absurd.up.loss = Loss::Bernoulli(2.0);
    link.set(&absurd, 1).expect_err("a probability of 2");
}

fn a_cut_drops_what_comes_and_tcp_sends_it_again_once_it_is_whole<C: Carrier>() {
    let Some(link) = link::<C>(&rtt(4 * MS)) else { return };
    let (mut client, mut server) = pair(&link);
    one_way(&mut client, &mut server);
    link.cut([true, false]);
    client.write_all(b"?").expect("into the socket");
    while link.report().expect("alive").up.cut == 0 {
        thread::sleep(MS);
    }
    server.set_nonblocking(true).expect("non-blocking");
    let nothing = server.read(&mut [0]).expect_err("nothing has come").kind();
    assert_eq!(nothing, std::io::ErrorKind::WouldBlock);
    server.set_nonblocking(false).expect("blocking");
    // The other way is whole: data arrives, though its acknowledgement does not come back.
    one_way(&mut server, &mut client);
    link.cut([false; 2]);
    server.read_exact(&mut [0]).expect("the kernel sends it again");
    let report = link.report().expect("alive");
    assert!(report.up.cut > 0 && report.down.cut == 0, "{report:?}");
}
