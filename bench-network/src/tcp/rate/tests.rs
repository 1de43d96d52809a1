//! That connections are made and counted, and that nothing of them stays.

use std::net::{Ipv4Addr, TcpListener};

use bench_core::workload::{conforms, id, run_once};

use super::*;
use crate::socket_table::{TIME_WAIT, known, left_by};
use crate::tcp::ports;

/// `None` where this machine cannot have it, which is told.
fn start(security: Security) -> Option<Connections> {
    if let Err(reason) = security.available() {
        crate::tcp::skipped(&reason);
        return None;
    }
    Some(Connections::start(security).expect("start"))
}

#[test]
fn every_kind_conforms_and_names_what_made_it() {
    for security in Security::ALL {
        let Some(connections) = start(security) else { continue };
        drop(connections);
        conforms::<Connections>(&security).unwrap_or_else(|error| panic!("{security}: {error}"));
        let connections = run_once::<Connections>(&security).expect("connections");
        let names: Vec<_> = connections.dimensions().into_iter().map(|(name, _)| name).collect();
        assert!(
            names.starts_with(&["backend", "congestion_control", "cpus", "close"]),
            "{names:?}"
        );
        assert_eq!(names.contains(&"key_exchange"), security != Security::Plain);
        assert_eq!(security.name().parse(), Ok(security));
        assert_eq!(id::<Connections>(&security), format!("network/tcp/connections/{security}"));
    }
    assert!("ssl".parse::<Security>().expect_err("unknown").to_string().contains("write plain"));
}

#[test]
fn handshakes_are_what_was_asked_for() {
    for (security, full, resumed) in [
        (Security::Plain, 0, 0),
        (Security::Tls, OPERATION, 0),
        (Security::TlsResumed, 0, OPERATION),
    ] {
        let Some(mut connections) = start(security) else { continue };
        let before = connections.client.counts();
        connections.make(OPERATION).expect("connections");
        let after = connections.client.counts();
        assert_eq!(after.done - before.done, OPERATION);
        assert_eq!((after.full - before.full, after.resumed - before.resumed), (full, resumed));
    }
}

#[test]
fn a_client_that_should_resume_and_has_no_ticket_is_caught() {
    let Some(mut connections) = start(Security::Tls) else { return };
    connections.security = Security::TlsResumed;
    let error = connections.make(3).expect_err("three full handshakes").to_string();
    assert_eq!(error, "0 of 3 connections were resumed and all should be: tickets ran out");
}

#[test]
fn no_connection_leaves_a_socket_behind() {
    for security in Security::ALL {
        let before = known();
        let Some(mut connections) = start(security) else { continue };
        connections.make(1_000).expect("connections");
        let port = connections.server.address().port();
        drop(connections); // Waits for the server.
        let mut left = left_by(port, &before);
        left.retain(|socket| socket.state == TIME_WAIT);
        assert!(left.is_empty(), "{security}: {left:?}");
    }
}

#[test]
fn connections_that_are_not_counted_are_caught() {
    let mut connections = run_once::<Connections>(&Security::Plain).expect("connections");
    connections.prepare().expect("prepare");
    connections.run();
    // Somebody else's.
    drop(std::net::TcpStream::connect(connections.server.address()).expect("connect"));
    connections.make(1).expect("one more, behind that one");
    let error = connections.check().expect_err("one too many").to_string();
    assert_eq!(error, "the client made 529 connections and the server accepted 530");
}

#[test]
fn ports_that_run_out_end_it_with_their_sentence() {
    // Nobody answers here, so that four ports stay taken by four connections.
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("listen");
    let mut client = Client::new(ClientConfig {
        address: listener.local_addr().expect("port"),
        tls: None,
        window: 8,
        ports: ports::last(4, 4),
    });
    let error = client.run(8).expect_err("four ports").to_string();
    if error.contains("since Linux 6.3") {
        return crate::tcp::skipped(&error);
    }
    assert!(error.starts_with("no local port is left for a connection to 127.0.0.1:"), "{error}");
}
