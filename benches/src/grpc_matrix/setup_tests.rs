//! What a setup says of itself.

use super::*;

fn setup(place: Place) -> Setup {
    Setup {
        place,
        link: None,
        path: DataPath::Segments,
        chunk: ByteSize::mib(4),
        concurrency: 1,
        connections: 1,
        protocol: Protocol::Ours,
    }
}

fn here(layout: Layout) -> Setup {
    setup(Place::Here { layout, wire: Wire::Tcp })
}

fn there(target: &str) -> Setup {
    setup(Place::Elsewhere(target.parse().expect("a target")))
}

#[test]
fn a_raw_socket_is_a_ceiling_of_one_transfer_at_a_time() {
    let plain = here(Layout::TwoThreads);
    assert_eq!(plain.ceiling(), Ok((Layout::TwoThreads, Wire::Tcp)));
    let one = Err("no ceiling: it has one connection");
    assert_eq!(Setup { concurrency: 2, ..plain.clone() }.ceiling(), one);
    assert_eq!(Setup { connections: 2, ..plain.clone() }.ceiling(), one);
    let link = Some(Between::round_trip(Duration::from_millis(1)));
    let behind = Setup { link, ..plain };
    assert_eq!(behind.ceiling(), Ok((Layout::TwoThreads, Wire::Tcp)), "it passes the link, too");
    assert!(there("cache-3:1").ceiling().expect_err("theirs").contains("somebody else's"));
}

#[test]
fn rows_say_what_ran_and_not_what_was_asked_for() {
    let of = |setup: &Setup, name: &str| {
        setup.dimensions(ByteSize::mib(1), Operation::Read)[name].clone()
    };
    let many = here(Layout::MultiThread { server: 2, client: 2 });
    assert_eq!(of(&many, "layout"), "multi-thread, server 2, client 2");
    let link = Some(Between::round_trip(Duration::from_millis(20)));
    let behind = Setup { link, connections: 3, ..many };
    assert_eq!(of(&behind, "layout"), Layout::TwoThreads.to_string());
    assert_eq!(
        (of(&behind, "rtt_added"), of(&behind, "connections")),
        ("20 ms".into(), "3".into())
    );
    assert_eq!((of(&behind, "chunk"), of(&behind, "path")), ("1MiB".into(), "segments".into()));
    let rtt = |setup: &Setup| rtt_of(&setup.dimensions(ByteSize::mib(1), Operation::Read));
    assert_eq!((rtt(&behind), rtt(&there("cache-3:1"))), (Some(Duration::from_millis(20)), None));
    assert_eq!(of(&there("cache-3:1"), "server_address"), "host name");
    assert_eq!(of(&there("10.0.0.1:1"), "server_address"), "IP address");
    let file = there("unix:/run/socket");
    assert_eq!(
        (of(&file, "server_address"), of(&file, "wire")),
        ("socket file".into(), "unix".into())
    );
    assert_eq!(of(&file, "layout"), "client alone");
}

#[test]
fn a_call_over_a_link_may_take_as_long_as_its_window_makes_it() {
    let (size, window) = (ByteSize::mib(256), ByteSize::kib(64));
    let limit = |setup: &Setup| setup.time_limit(size, window, Operation::Read);
    let plain = here(Layout::TwoThreads);
    let link = Some(Between::round_trip(Duration::from_secs(1)));
    let far = Setup { link, ..plain.clone() };
    // 256 MiB in windows of 64 KiB are 4096 round trips.
    assert!(limit(&far) > Duration::from_secs(4096), "{:?}", limit(&far));
    assert!(limit(&plain) < limit(&there("cache-3:1")) && limit(&plain).as_secs() < 120);
}
