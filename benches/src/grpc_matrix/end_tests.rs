//! Whose settings are looked at, and what becomes of a link.

use bench_grpc::{DataPath, Wire};

use super::super::watch::Unwatched;
use super::*;

fn behind(link: Between) -> Setup {
    Setup {
        place: Place::Here { layout: Layout::TwoThreads, wire: Wire::Tcp },
        link: Some(link),
        path: DataPath::Segments,
        chunk: ByteSize::mib(4),
        concurrency: 1,
        connections: 1,
        protocol: Protocol::Ours,
    }
}

#[test]
fn a_server_of_ours_behind_a_link_has_to_announce_the_profile() {
    let link = Between::round_trip(Duration::from_millis(1));
    let setup = behind(link.clone());
    let payload = Payload::seeded(7, ByteSize::kib(64));
    let content = payload.to_bytes();
    let opened = |served: TransportProfile, ours: bool| {
        let config = ServerConfig {
            profile: served,
            address: Bind::Tcp((Ipv4Addr::LOCALHOST, 0).into()),
            path: setup.path,
            payload,
            workers: 1,
            cpu: None,
            socket_buffer: None,
        };
        let server = Server::start(config).expect("serves");
        let target = server.address().clone();
        let placement = Placement::choose().expect("CPUs");
        let pinned = Pinned::to(placement.client).expect("pinned");
        let (server, kept) = match ours {
            true => (Some((server, placement, pinned)), None),
            false => (None, Some(server)),
        };
        let asked = (TransportProfile::DEFAULT, (payload, content.clone()));
        let before = link.before(&target).expect("a link");
        let end =
            There::open(&setup, (target, Some(before)), asked.0, asked.1, (server, &Unwatched));
        drop(kept);
        end.map(drop).map_err(|error| error.to_string())
    };
    let error = opened(TransportProfile::CONSERVATIVE, true).expect_err("another profile");
    assert!(error.starts_with("the server announced a stream_window"), "{error}");
    opened(TransportProfile::CONSERVATIVE, false).expect("somebody else's settings are its own");
    opened(TransportProfile::DEFAULT, true).expect("the same on both ends");
}

#[test]
fn a_link_is_looked_at_before_it_is_measured_where_it_is_judged_and_reported_in_any_case() {
    let payload = Payload::seeded(7, ByteSize::kib(64));
    let opened = |judged: bool| {
        let link = Between { judged, ..Between::round_trip(Duration::from_millis(2)) };
        End::open(
            &behind(link),
            TransportProfile::DEFAULT,
            (payload, payload.to_bytes()),
            &Unwatched,
        )
    };
    let end = opened(false).expect("opens");
    let dimensions = end.dimensions();
    assert_eq!(dimensions["link_calibrated"], "no");
    for name in ["link_lateness_p99", "link_overflows", "link_cpu", "link_spoiled"] {
        assert!(dimensions.contains_key(name), "{name}");
    }
    let spoiled = end.spoiled().expect("it tells").unwrap_or_else(|| "no".to_owned());
    assert!(!spoiled.is_empty());
    match opened(true) {
        Ok(end) => {
            let found = &end.dimensions()["link_calibrated"];
            assert!(found.starts_with('2') && found.ends_with("ms"), "{found}");
        }
        // On a busy machine that is the right answer.
        Err(error) => assert!(error.to_string().contains("was asked for"), "{error}"),
    }
}
