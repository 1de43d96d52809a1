//! What a connection leaves behind, and what happens when an end goes.

use std::io::Read;
use std::net::TcpStream;
use std::panic;

use bench_core::workload::{conforms, id, run_once};

use super::*;
use crate::socket_table::{TIME_WAIT, known, left_by};

fn port(connect: &Connect) -> u16 {
    match &connect.ends {
        Ends::Pinned(server) => server.address().port(),
        Ends::OneThread(server) => server.address().port(),
    }
}

#[test]
fn two_thousand_connections_leave_no_socket_behind() {
    for layout in Layout::ALL {
        let mut connect = run_once::<Connect>(&layout).expect("connect");
        let before = known();
        for _ in 0..2_000 {
            connect.run();
        }
        connect.check().expect("all accepted and closed");
        assert!(connect.connected > 2_000);
        let port = port(&connect);
        drop(connect); // Waits for the server, which may still be at the last RST.
        let left = left_by(port, &before);
        assert!(left.is_empty(), "{layout}: {left:?}");
    }
}

#[test]
fn an_ordinary_close_would_leave_time_wait_behind() {
    // Proves that the test above would see what it looks for.
    let connect = Connect::set_up(&Layout::Pinned).expect("set up");
    let before = known();
    for _ in 0..5 {
        let mut client = TcpStream::connect(("127.0.0.1", port(&connect))).expect("connect");
        client.read_exact(&mut [0]).expect("the greeting");
    }
    let port = port(&connect);
    drop(connect);
    let left = left_by(port, &before);
    assert!(left.iter().filter(|socket| socket.state == TIME_WAIT).count() >= 4, "{left:?}");
}

#[test]
fn a_connection_that_is_not_counted_is_caught() {
    let mut connect = run_once::<Connect>(&Layout::Pinned).expect("connect");
    connect.connected += 1;
    let error = connect.check().expect_err("one is missing").to_string();
    assert_eq!(error, "the client made 3 connections and the server accepted 2");
}

#[test]
fn an_operation_that_did_not_run_does_not_pass() {
    for layout in Layout::ALL {
        conforms::<Connect>(&layout).expect("conforms");
        let mut connect = run_once::<Connect>(&layout).expect("connect");
        connect.prepare().expect("prepare");
        let error = connect.check().expect_err("nothing was connected").to_string();
        assert_eq!(error, "no connection was made since the operation was prepared");
    }
}

#[test]
fn a_server_that_is_gone_is_an_error_and_no_hang() {
    let mut connect = run_once::<Connect>(&Layout::Pinned).expect("connect");
    if let Ends::Pinned(server) = &connect.ends {
        server.stop();
    }
    connect.run();
    let error = connect.check().expect_err("nobody listens").to_string();
    assert!(error.starts_with("the connection failed while it was measured: "), "{error}");
}

#[test]
fn a_panic_of_the_bench_ends_the_server_and_does_not_hang() {
    for layout in Layout::ALL {
        let unwound = panic::catch_unwind(|| {
            let mut connect = Connect::set_up(&layout).expect("set up");
            connect.run();
            panic!("the bench dies, as this test wants");
        });
        assert!(unwound.is_err());
    }
}

#[test]
fn results_name_what_made_them() {
    let connect = Connect::set_up(&Layout::Pinned).expect("set up");
    let names: Vec<&str> = connect.dimensions().into_iter().map(|(name, _)| name).collect();
    assert_eq!(names, ["backend", "congestion_control", "cpus", "close"]);
    assert_eq!(id::<Connect>(&Layout::OneThread), "network/connect/one_thread");
}
