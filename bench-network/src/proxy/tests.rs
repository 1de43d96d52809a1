//! Whether a proxy is the link it says it is. Bounds in time are lower bounds only, which no busy
//! machine breaks.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddrV4, TcpStream};
use std::time::{Duration, Instant};

use bench_core::fixture::Payload;
use rustix::net::{AddressFamily, SocketFlags, SocketType, bind, getsockname, socket_with};

use super::*;
use crate::calibrate::LatenessMax;
use crate::link::{Capacity, Jitter, Queue, named};

const MS: Duration = Duration::from_millis(1);

/// A client and a server with a link between them.
fn over(link: &LinkProfile) -> (DelayProxy, TcpStream, TcpStream) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("listen");
    let proxy = DelayProxy::start(listener.local_addr().expect("port"), link).expect("start");
    let client = TcpStream::connect(proxy.address()).expect("connect");
    let (server, _) = listener.accept().expect("accept");
    for end in [&client, &server] {
        end.set_nodelay(true).expect("nodelay");
        end.set_read_timeout(Some(Duration::from_secs(60))).expect("time limit");
    }
    (proxy, client, server)
}

fn rtt(round_trip: Duration) -> LinkProfile {
    LinkProfile::round_trip(round_trip)
}

/// Sends a payload and receives it at the other end; returns how long that took.
fn transfer(mut from: TcpStream, mut to: TcpStream, size: ByteSize) -> Duration {
    let payload = Payload::seeded(1, size);
    let start = Instant::now();
    let sender = thread::spawn(move || {
        from.write_all(&payload.to_bytes()).expect("send");
        from
    });
    let mut received = vec![0; size.len()];
    to.read_exact(&mut received).expect("receive");
    let took = start.elapsed();
    payload.verify_all(&received).expect("every byte in its place");
    drop(sender.join().expect("sender"));
    took
}

#[test]
fn each_way_takes_its_delay() {
    let mut link = rtt(Duration::ZERO);
    (link.up.delay, link.down.delay) = (20 * MS, 5 * MS);
    let (proxy, mut client, mut server) = over(&link);
    for _ in 0..3 {
        let start = Instant::now();
        client.write_all(b"?").expect("send");
        server.read_exact(&mut [0]).expect("receive");
        assert!(start.elapsed() >= 20 * MS, "{:?}", start.elapsed());
        let start = Instant::now();
        server.write_all(b"!").expect("send");
        client.read_exact(&mut [0]).expect("receive");
        assert!(start.elapsed() >= 5 * MS, "{:?}", start.elapsed());
    }
    let report = proxy.report().expect("alive");
    assert_eq!((report.connections, report.bytes_up, report.bytes_down), (1, 3, 3));
    assert_eq!((report.handed_on, report.overflows, report.refused), (6, 0, 0));
    assert!(report.lateness_p50 <= report.lateness_p99 && !report.cpu.is_zero(), "{report:?}");
}

#[test]
fn every_byte_arrives_in_its_place_with_and_without_a_delay() {
    for round_trip in [Duration::ZERO, 10 * MS] {
        let (_proxy, client, server) = over(&rtt(round_trip));
        let size = ByteSize::new(9_000_001);
        assert!(transfer(client, server, size) >= round_trip / 2);
        let (_proxy, client, server) = over(&rtt(round_trip));
        transfer(server, client, size);
    }
}

#[test]
fn a_window_of_64_mib_is_on_its_way_at_once() {
    // Whatever is sent arrives no sooner than after 400 ms. All of it was let in before anything
    // arrived, or it would take that long once more.
    let (proxy, mut client, mut server) = over(&rtt(800 * MS));
    client.write_all(&vec![7; ByteSize::mib(64).len()]).expect("send");
    let mut received = vec![0; ByteSize::mib(64).len()];
    server.read_exact(&mut received).expect("receive");
    assert!(received.iter().all(|&byte| byte == 7));
    let report = proxy.report().expect("alive");
    assert_eq!((report.bytes_up, report.overflows), (ByteSize::mib(64).bytes(), 0), "{report:?}");
}

#[test]
fn memory_that_is_full_holds_the_sender_up_and_is_told() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("listen");
    let to = listener.local_addr().expect("port");
    let config = ProxyConfig { seed: 1, held_max: ByteSize::kib(64) };
    let proxy = DelayProxy::start_with_config(to, &rtt(100 * MS), config).expect("start");
    let client = TcpStream::connect(proxy.address()).expect("connect");
    let (server, _) = listener.accept().expect("accept");
    transfer(client, server, ByteSize::mib(1));
    let report = proxy.report().expect("alive");
    assert!(report.overflows > 0);
    assert!(report.spoiled(LatenessMax::ANY).expect("spoiled").contains("memory was full"));
}

#[test]
fn a_rate_is_not_exceeded_and_a_full_queue_loses_nothing() {
    let mut link = rtt(2 * MS);
    link.up.capacity = Capacity::kbit(40_000);
    link.up.queue = Queue::Bytes(ByteSize::new(30_000));
    let (proxy, client, server) = over(&link);
    let took = transfer(client, server, ByteSize::new(1_448_000));
    // A thousand full packets of 1500 bytes, each 0.3 ms; the first needs its millisecond too.
    assert!(took >= 301 * MS, "{took:?}");
    assert_eq!(proxy.report().expect("alive").overflows, 0);
}

#[test]
fn jitter_never_changes_the_order() {
    let mut link = rtt(4 * MS);
    link.up.jitter = Jitter::uniform(2 * MS);
    let (_proxy, client, server) = over(&link);
    transfer(client, server, ByteSize::mib(2));
}

#[test]
fn half_a_close_is_handed_on_after_the_last_byte() {
    let (_proxy, mut client, mut server) = over(&rtt(20 * MS));
    let start = Instant::now();
    client.write_all(b"the end").expect("send");
    client.shutdown(Shutdown::Write).expect("close half");
    let mut received = Vec::new();
    server.read_to_end(&mut received).expect("end of stream, no error");
    assert!(received == b"the end" && start.elapsed() >= 10 * MS);
    // The other half still works.
    server.write_all(b"and yet").expect("send");
    drop(server);
    received.clear();
    client.read_to_end(&mut received).expect("end of stream, no error");
    assert_eq!(received, b"and yet");
}

#[test]
fn a_reset_is_handed_on_after_what_was_sent_before() {
    for delay in [Duration::ZERO, 20 * MS] {
        let (_proxy, mut client, mut server) = over(&rtt(delay));
        client.write_all(b"?").expect("send");
        server.read_exact(&mut [0]).expect("receive");
        crate::socket::set_reset_on_close(&client).expect("linger");
        drop(client);
        let error = server.read(&mut [0]).expect_err("reset");
        assert_eq!(error.kind(), ErrorKind::ConnectionReset);
    }
}

#[test]
fn a_server_that_does_not_listen_resets_the_client() {
    // A port that is taken, so that no other test gets it, and at which nobody listens.
    let (family, kind) = (AddressFamily::INET, SocketType::STREAM);
    let taken = socket_with(family, kind, SocketFlags::CLOEXEC, None).expect("socket");
    bind(&taken, &SocketAddrV4::new(Ipv4Addr::LOCALHOST, 0)).expect("port");
    let to = getsockname(&taken).expect("name").try_into().expect("an address");
    let proxy = DelayProxy::start(to, &rtt(MS)).expect("start");
    // The reset may be there before `connect` has returned.
    let client = TcpStream::connect(proxy.address());
    let error = client.and_then(|mut client| client.read(&mut [0])).expect_err("reset");
    assert_eq!(error.kind(), ErrorKind::ConnectionReset);
    assert_eq!(proxy.report().expect("alive").refused, 1);
}

#[test]
fn many_connections_share_one_link() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("listen");
    let proxy = DelayProxy::start(listener.local_addr().expect("port"), &rtt(6 * MS));
    let proxy = proxy.expect("start");
    let pair = |_| {
        let client = TcpStream::connect(proxy.address()).expect("connect");
        (client, listener.accept().expect("accept").0)
    };
    let transfers: Vec<_> = (0..8)
        .map(pair)
        .map(|(client, server)| thread::spawn(move || transfer(client, server, ByteSize::kib(300))))
        .collect();
    for transfer in transfers {
        assert!(transfer.join().expect("transfer") >= 3 * MS);
    }
    assert_eq!(proxy.report().expect("alive").connections, 8);
}

#[test]
fn connections_share_a_narrow_link_evenly() {
    let mut link = rtt(2 * MS);
    link.up.capacity = Capacity::kbit(20_000);
    link.up.queue = Queue::Bytes(ByteSize::new(6_000));
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("listen");
    let to = listener.local_addr().expect("port");
    let proxy = DelayProxy::start(to, &link).expect("start");
    let connect = |_| {
        let client = TcpStream::connect(proxy.address()).expect("connect");
        (client, listener.accept().expect("accept").0)
    };
    let [(first, mut to_first), (second, mut to_second)] = [0, 1].map(connect);
    // Both have more to send than is waited for; the end of the proxy ends them.
    let senders = [first, second]
        .map(|mut client| thread::spawn(move || drop(client.write_all(&vec![0; 8_000_000]))));
    for to in [&mut to_first, &mut to_second] {
        to.read_exact(&mut [0]).expect("both are on their way");
    }
    to_first.read_exact(&mut vec![0; 300_000]).expect("a part of it");
    drop(proxy);
    let mut shared = vec![];
    let _ = to_second.read_to_end(&mut shared);
    assert!(
        shared.len() > 100_000,
        "{} bytes of the second for 300,000 of the first",
        shared.len()
    );
    senders.into_iter().for_each(|sender| sender.join().expect("sender"));
}

#[test]
fn dropping_the_proxy_ends_every_connection_and_its_listener() {
    let (proxy, mut client, mut server) = over(&rtt(50 * MS));
    client.write_all(&[0; 100_000]).expect("send");
    let address = proxy.address();
    drop(proxy);
    for end in [&mut client, &mut server] {
        assert!(matches!(end.read(&mut [0; 10]), Ok(0) | Err(_)), "closed, and no hang");
    }
    let error = TcpStream::connect(address).expect_err("nobody listens");
    assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
}

#[test]
fn what_a_byte_stream_cannot_have_is_refused() {
    let to = SocketAddr::from((Ipv4Addr::LOCALHOST, 9));
    let refusal =
        |link: &LinkProfile| DelayProxy::start(to, link).expect_err("refused").to_string();
    let error = refusal(&named::find("wifi").expect("known"));
    assert!(error.contains("cannot do the loss of link 'wifi'"), "{error}");
    let mut link = rtt(MS);
    link.down.duplicate = 0.1;
    assert!(refusal(&link).contains("duplication"));
    link = rtt(Duration::from_secs(1000));
    assert!(refusal(&link).contains("at most 60s"));
}

#[test]
fn a_calibration_is_within_tolerance_or_refused_with_both_numbers() {
    let (proxy, ..) = over(&rtt(20 * MS));
    match proxy.calibrate() {
        Ok(found) => {
            assert!(found.round_trip_p50 >= 20 * MS && found.echoes >= 11, "{found:?}");
        }
        // On a busy machine that is the right answer.
        Err(error @ Error::OutOfTolerance { .. }) => {
            assert!(error.to_string().contains("where 20ms was asked for"), "{error}");
        }
        Err(error) => panic!("{error}"),
    }
}

#[test]
fn rows_name_the_link_its_source_and_what_is_not_modelled() {
    let (proxy, ..) = over(&rtt(MS));
    let text = format!("{:?}", proxy.dimensions());
    for said in ["\"link\", \"rtt_1ms\"", "link_source", "in-process proxy", "handshake"] {
        assert!(text.contains(said), "{said}: {text}");
    }
}

/// Sends a byte at once and says how long it was on its way.
fn one_way(from: &mut TcpStream, to: &mut TcpStream) -> Duration {
    let start = Instant::now();
    from.write_all(b"?").expect("send");
    to.read_exact(&mut [0]).expect("receive");
    start.elapsed()
}

#[test]
fn another_link_is_met_by_what_enters_after_it_and_overtakes_nothing() {
    let (proxy, mut client, mut server) = over(&rtt(200 * MS));
    let start = Instant::now();
    client.write_all(b"1").expect("send");
    while proxy.report().expect("alive").bytes_up == 0 {
        thread::yield_now();
    }
    proxy.set(&rtt(2 * MS), 1).expect("set");
    client.write_all(b"2").expect("send");
    let mut received = [0; 2];
    server.read_exact(&mut received).expect("receive");
    assert!(&received == b"12" && start.elapsed() >= 100 * MS, "{:?}", start.elapsed());
    proxy.set(&rtt(80 * MS), 1).expect("set");
    assert!(one_way(&mut client, &mut server) >= 40 * MS);
    let lossy = named::find("wifi").expect("known");
    let error = proxy.set(&lossy, 1).expect_err("refused").to_string();
    assert!(error.contains("cannot do the loss of link 'wifi'"), "{error}");
}

#[test]
fn a_way_that_is_cut_lets_nothing_in_until_it_is_whole_again() {
    let (proxy, mut client, mut server) = over(&rtt(4 * MS));
    one_way(&mut client, &mut server);
    proxy.cut([true, false]).expect("cut");
    client.write_all(b"?").expect("into the socket");
    // The other way is whole, and by then the proxy has seen the byte that it does not let in.
    while proxy.report().expect("alive").stopped_up == 0 {
        one_way(&mut server, &mut client);
    }
    server.set_nonblocking(true).expect("non-blocking");
    let nothing = server.read(&mut [0]).expect_err("nothing has come");
    assert_eq!(nothing.kind(), ErrorKind::WouldBlock);
    let report = proxy.report().expect("alive");
    assert_eq!((report.bytes_up, report.stopped_down), (1, 0));
    server.set_nonblocking(false).expect("blocking");
    proxy.cut([false; 2]).expect("heal");
    server.read_exact(&mut [0]).expect("it comes now");
    assert_eq!(proxy.report().expect("alive").bytes_up, 2);
}
