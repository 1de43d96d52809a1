//! Whether faults strike real connections as they say. Bounds in time are lower bounds only, which no
//! busy machine breaks.

use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use bench_core::fixture::Payload;
use bench_core::units::ByteSize;

use super::*;
use crate::fault::{FaultError, StreamFault, Ways};
use crate::link::LinkProfile;

const MS: Duration = Duration::from_millis(1);
const UP: Ways = Ways::Up;

struct Bench {
    proxy: DelayProxy,
    listener: TcpListener,
}

impl Bench {
    fn new() -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("listen");
        let link = LinkProfile::round_trip(Duration::ZERO);
        let proxy = DelayProxy::start(listener.local_addr().expect("port"), &link).expect("start");
        Self { proxy, listener }
    }

    /// A client and its server.
    fn pair(&self) -> (TcpStream, TcpStream) {
        let client = TcpStream::connect(self.proxy.address()).expect("connect");
        let (server, _) = self.listener.accept().expect("accept");
        for end in [&client, &server] {
            end.set_nodelay(true).expect("nodelay");
            end.set_read_timeout(Some(Duration::from_secs(60))).expect("time limit");
        }
        (client, server)
    }

    /// A connection that is made now gets a byte through.
    fn works(&self) {
        let (client, server) = self.pair();
        ping(&client, &server);
    }
}

/// One byte from end to end, and how long that took.
fn ping(mut from: &TcpStream, mut to: &TcpStream) -> Duration {
    let start = Instant::now();
    from.write_all(b"!").expect("send");
    to.read_exact(&mut [0]).expect("receive");
    start.elapsed()
}

/// A payload from end to end, checked; how long it took.
fn transfer(mut from: &TcpStream, mut to: &TcpStream, size: usize) -> Duration {
    let payload = Payload::seeded(1, ByteSize::new(size as u64));
    let (sent, mut received, start) = (payload.to_bytes(), vec![0; size], Instant::now());
    thread::scope(|scope| {
        scope.spawn(move || from.write_all(&sent).expect("send"));
        to.read_exact(&mut received).expect("receive");
    });
    payload.verify_all(&received).expect("every byte in its place");
    start.elapsed()
}

fn not_shown(result: Result<Proof, Error>) -> String {
    match result {
        Err(Error::Fault(error @ FaultError::NotShown { .. })) => error.to_string(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn latency_delays_its_way_and_not_the_other_and_ends_with_its_guard() {
    let bench = Bench::new();
    let (client, server) = bench.pair();
    let (ways, delay, jitter) = (UP, 40 * MS, 10 * MS);
    let fault = bench.proxy.inject(StreamFault::Latency { ways, delay, jitter }).expect("injected");
    assert!(not_shown(fault.proof()).contains("no byte came through"));
    for _ in 0..5 {
        assert!(ping(&client, &server) >= 30 * MS);
    }
    ping(&server, &client);
    let proof = fault.end().expect("shown");
    assert_eq!(proof.times, 5, "{proof:?}");
    assert!(proof.fault == "latency 40ms ± 10ms up", "{proof:?}");
    let report = bench.proxy.report().expect("alive");
    transfer(&client, &server, 100_000);
    assert!(bench.proxy.report().expect("alive").handed_on > report.handed_on);
}

#[test]
fn bytes_that_a_fault_delayed_are_not_overtaken_when_it_ends() {
    let bench = Bench::new();
    let (mut client, mut server) = bench.pair();
    let (ways, delay, jitter) = (UP, 60 * MS, Duration::ZERO);
    let fault = bench.proxy.inject(StreamFault::Latency { ways, delay, jitter }).expect("injected");
    client.write_all(b"first").expect("send");
    // What the proxy has not read by then is not delayed, which is all right, too.
    drop(fault);
    client.write_all(b"second").expect("send");
    let mut received = [0; 11];
    server.read_exact(&mut received).expect("receive");
    assert_eq!(&received, b"firstsecond");
}

#[test]
fn bandwidth_holds_a_sender_to_its_rate() {
    let bench = Bench::new();
    let (client, server) = bench.pair();
    let bytes_per_second = 2_000_000;
    let fault = StreamFault::Bandwidth { ways: UP, bytes_per_second };
    let fault = bench.proxy.inject(fault).expect("injected");
    ping(&client, &server);
    assert!(not_shown(fault.proof()).contains("no sender had more"));
    let took = transfer(&client, &server, 400_000);
    // 200 ms, but for the first chunk and what a late turn makes up for.
    assert!(took >= 190 * MS, "{took:?}");
    transfer(&server, &client, 400_000);
    let proof = fault.end().expect("shown");
    assert!(proof.times > 10 && proof.measured.contains("/s while"), "{proof:?}");
}

#[test]
fn an_end_comes_late_and_its_bytes_do_not() {
    let bench = Bench::new();
    let (mut client, mut server) = bench.pair();
    let fault = bench.proxy.inject(StreamFault::SlowClose { ways: UP, delay: 50 * MS });
    let fault = fault.expect("injected");
    let start = Instant::now();
    client.write_all(b"bye").expect("send");
    assert!(not_shown(fault.proof()).contains("no end closed"));
    drop(client);
    let mut received = Vec::new();
    server.read_to_end(&mut received).expect("the end");
    assert!(received == b"bye" && start.elapsed() >= 50 * MS);
    assert_eq!(fault.end().expect("shown").times, 1);
}

#[test]
fn a_reset_is_one_of_the_kernel_at_both_ends() {
    let bench = Bench::new();
    let unused = bench.proxy.inject(StreamFault::Reset { after: MS }).expect("injected");
    assert!(not_shown(unused.end()).contains("no connection was open"));
    let pairs = [bench.pair(), bench.pair()];
    let fault = bench.proxy.inject(StreamFault::Reset { after: 20 * MS }).expect("injected");
    for (mut client, mut server) in pairs {
        for end in [&mut client, &mut server] {
            let error = end.read(&mut [0]).expect_err("reset");
            assert_eq!(error.kind(), ErrorKind::ConnectionReset);
        }
    }
    let proof = fault.end().expect("shown");
    assert_eq!((proof.times, proof.unit), (2, "connections"), "{proof:?}");
    bench.works();
}

#[test]
fn a_time_out_stops_all_bytes_and_then_closes() {
    let bench = Bench::new();
    let (mut client, mut server) = bench.pair();
    let fault = StreamFault::TimeOut { ways: Ways::Both, after: 60 * MS };
    let fault = bench.proxy.inject(fault).expect("injected");
    let start = Instant::now();
    client.write_all(&[7; 1000]).expect("send");
    assert_eq!(server.read(&mut [0; 10]).expect("an end and no error"), 0);
    assert!(start.elapsed() >= 60 * MS, "{:?}", start.elapsed());
    assert_eq!(client.read(&mut [0; 10]).expect("an end and no error"), 0);
    let proof = fault.end().expect("shown");
    assert_eq!((proof.times, proof.measured.as_str()), (1, "1000B held back"));
}

#[test]
fn a_time_out_that_ends_early_lets_everything_on() {
    let bench = Bench::new();
    let (mut client, mut server) = bench.pair();
    let fault = StreamFault::TimeOut { ways: UP, after: Duration::from_secs(3000) };
    let fault = bench.proxy.inject(fault).expect("injected");
    assert!(not_shown(fault.proof()).contains("no connection had anything to say"));
    client.write_all(b"held").expect("send");
    ping(&server, &client);
    while fault.proof().is_err() {
        thread::sleep(MS);
    }
    server.set_read_timeout(Some(20 * MS)).expect("time limit");
    let error = server.read(&mut [0]).expect_err("nothing gets through").kind();
    assert!([ErrorKind::WouldBlock, ErrorKind::TimedOut].contains(&error), "{error}");
    assert_eq!(fault.end().expect("shown").measured, "4B held back");
    server.set_read_timeout(Some(Duration::from_secs(60))).expect("time limit");
    let mut received = [0; 4];
    server.read_exact(&mut received).expect("it was not lost");
    assert_eq!(&received, b"held");
}

#[test]
fn slices_are_small_and_apart_and_lose_nothing() {
    let bench = Bench::new();
    let (client, server) = bench.pair();
    let fault = StreamFault::Slicer { ways: UP, bytes: 100, pause: 2 * MS };
    let fault = bench.proxy.inject(fault).expect("injected");
    ping(&client, &server);
    assert!(not_shown(fault.proof()).contains("nothing larger than one slice"));
    let took = transfer(&client, &server, 2_000);
    // Twenty slices with nineteen pauses.
    assert!(took >= 38 * MS, "{took:?}");
    let proof = fault.end().expect("shown");
    assert!(proof.times >= 10 && proof.measured.contains("slices of 100B at most"), "{proof:?}");
    transfer(&client, &server, 1_000_000);
}

#[test]
fn a_limit_ends_a_connection_to_the_byte() {
    let bench = Bench::new();
    let (mut client, mut server) = bench.pair();
    ping(&client, &server);
    let fault = StreamFault::LimitData { ways: UP, bytes: 4096 };
    let fault = bench.proxy.inject(fault).expect("injected");
    ping(&client, &server);
    assert!(not_shown(fault.proof()).contains("no connection got as far"));
    // What is beyond the limit may meet a connection that is closed already.
    let _reset = client.write_all(&[7; 10_000]);
    let mut received = Vec::new();
    server.read_to_end(&mut received).expect("an end and no error");
    assert_eq!(received.len(), 4095, "one came before");
    assert!(matches!(client.read(&mut [0]), Ok(0) | Err(_)));
    let proof = fault.end().expect("shown");
    assert_eq!((proof.times, proof.measured.as_str()), (1, "4KiB came through at most"));
}

#[test]
fn clients_are_accepted_one_after_another() {
    let bench = Bench::new();
    let fault = bench.proxy.inject(StreamFault::SlowAccept { delay: 40 * MS }).expect("injected");
    assert!(not_shown(fault.proof()).contains("no connection came"));
    let start = Instant::now();
    let clients = [0; 3].map(|_| TcpStream::connect(bench.proxy.address()).expect("the handshake"));
    for number in 1..=3 {
        bench.listener.accept().expect("accept");
        assert!(start.elapsed() >= number * 40 * MS, "{number}: {:?}", start.elapsed());
    }
    assert_eq!(fault.end().expect("shown").times, 3);
    drop(clients);
    bench.works();
}

#[test]
fn whoever_waits_when_a_slow_accept_ends_is_accepted_then() {
    let bench = Bench::new();
    let delay = Duration::from_secs(3000);
    let fault = bench.proxy.inject(StreamFault::SlowAccept { delay }).expect("injected");
    let waiting = TcpStream::connect(bench.proxy.address()).expect("the handshake");
    assert!(not_shown(fault.end()).contains("no connection came"));
    let (server, _) = bench.listener.accept().expect("accept");
    ping(&waiting, &server);
}

#[test]
fn faults_compose_and_one_of_a_kind_is_enough_on_one_way() {
    let bench = Bench::new();
    let (client, server) = bench.pair();
    let (delay, jitter) = (20 * MS, Duration::ZERO);
    let latency = |ways| StreamFault::Latency { ways, delay, jitter };
    let up = bench.proxy.inject(latency(UP)).expect("injected");
    let down = bench.proxy.inject(latency(Ways::Down)).expect("on the other way");
    let slicer = StreamFault::Slicer { ways: UP, bytes: 500, pause: MS };
    let slicer = bench.proxy.inject(slicer).expect("of another kind");
    let error = bench.proxy.inject(latency(Ways::Both)).expect_err("twice").to_string();
    assert!(error.contains("'latency 20ms up' is injected there already"), "{error}");
    let nothing = StreamFault::Bandwidth { ways: UP, bytes_per_second: 0 };
    let error = bench.proxy.inject(nothing).expect_err("no rate").to_string();
    assert!(error.contains("at least 1 B/s"), "{error}");
    assert!(transfer(&client, &server, 5_000) >= 29 * MS);
    assert!(ping(&server, &client) >= 20 * MS);
    for fault in [up, down, slicer] {
        let fault_name = fault.fault().to_string();
        assert_eq!(fault.end().expect("shown").fault, fault_name);
    }
}
