//! What a client is told when there is no gRPC server where it calls: one sentence each.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::thread::JoinHandle;

use super::*;
use crate::transport::thread;

fn call(target: Target, within: Duration) -> Error {
    let line = Dial { target: &target, profile: &TransportProfile::DEFAULT, buffer: None, within };
    let runtime = thread::runtime(0, "").expect("runtime");
    runtime.block_on(dial(&line)).expect_err("no gRPC server")
}

/// A server that sends `answer` once it was addressed and then lets go, or holds the connection
/// until the client does.
fn server(answer: &'static [u8], hold: bool) -> (Target, JoinHandle<()>) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("bind");
    let target = Target::Tcp(listener.local_addr().expect("address"));
    let thread = std::thread::spawn(move || {
        let (mut socket, _) = listener.accept().expect("accept");
        // All of the client's opening is read, so that closing does not reset the connection.
        let mut opening = [0; 24];
        socket.read_exact(&mut opening).expect("preface");
        socket.set_read_timeout(Some(Duration::from_millis(50))).expect("option");
        while socket.read(&mut opening).is_ok_and(|read| read > 0) {}
        socket.write_all(answer).expect("answer");
        if hold {
            socket.set_read_timeout(None).expect("option");
            while socket.read(&mut opening).is_ok_and(|read| read > 0) {}
        }
    });
    (target, thread)
}

fn told(answer: &'static [u8], hold: bool) -> String {
    let (target, thread) = server(answer, hold);
    let error = call(target.clone(), Duration::ZERO).to_string();
    thread.join().expect("server");
    error.replace(&target.to_string(), "ADDRESS")
}

fn nobody() -> SocketAddr {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("bind");
    listener.local_addr().expect("address")
}

#[test]
fn a_server_that_is_not_there_is_tried_again_and_then_named() {
    let address = nobody();
    match call(Target::Tcp(address), Duration::from_millis(200)) {
        // With pauses of 10, 20, 40 and 80 ms, in 200 ms.
        error @ Error::Unreachable { attempts: 2..=5, .. } => {
            let error = error.to_string();
            assert!(error.starts_with(&format!("no server answered at {address} (")), "{error}");
            assert!(error.contains("Connection refused"), "{error}");
            assert!(error.ends_with("start it or correct the address"), "{error}");
        }
        other => panic!("{other}"),
    }
    let error = call(Target::Tcp(address), Duration::ZERO);
    assert!(matches!(error, Error::Unreachable { attempts: 1, .. }), "{error}");
    let error = call(Target::Unix("/no/such/socket".into()), Duration::ZERO).to_string();
    assert!(
        error.starts_with("no server answered at unix:/no/such/socket (attempts: 1 "),
        "{error}"
    );
    let error = call(Target::Host("no-such-host.invalid:50051".to_owned()), Duration::ZERO);
    let error = error.to_string();
    assert!(error.starts_with("no server answered at no-such-host.invalid:50051 ("), "{error}");
}

#[test]
fn a_server_that_comes_up_late_is_found() {
    let address = nobody();
    let target = Target::Tcp(address);
    let late = std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(50));
        let payload = bench_core::fixture::Payload::seeded(1, ByteSize::kib(1));
        crate::Server::start(crate::ServerConfig {
            profile: TransportProfile::DEFAULT,
            address: crate::Bind::Tcp(address),
            path: crate::DataPath::ProstBytes,
            payload,
            workers: 1,
            cpu: None,
            socket_buffer: None,
        })
        .expect("start")
    });
    let profile = TransportProfile::DEFAULT;
    let within = Duration::from_secs(20);
    let line = Dial { target: &target, profile: &profile, buffer: None, within };
    let connection = thread::runtime(0, "").expect("runtime").block_on(dial(&line));
    drop((connection.expect("there by now"), late.join().expect("server")));
}

#[test]
fn a_server_that_speaks_http_1_is_named() {
    let error = told(b"<!DOCTYPE HTML>\n<html lang=\"en\">\n", false);
    assert!(error.ends_with("it speaks HTTP/1 ('<!DOCTYPE HTML>')"), "{error}");
    let error = told(b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n", false);
    assert_eq!(
        error,
        "what listens at ADDRESS is no gRPC server that can be called: \
         it speaks HTTP/1 ('HTTP/1.1 400 Bad Request')"
    );
}

#[test]
fn a_server_that_wants_tls_is_named() {
    // Alerts (protocol version, decode error) as TLS servers send them, held open or not, and a
    // handshake record.
    for (answer, hold) in [
        (&[0x15, 3, 1, 0, 2, 2, 70][..], false),
        (&[0x15, 3, 3, 0, 2, 2, 50], true),
        (&[0x16, 3, 3, 0, 4, 14, 0, 0, 0, 0, 0, 0], false),
    ] {
        let error = told(answer, hold);
        assert!(error.ends_with("it speaks TLS, and calls are made in plain text only"), "{error}");
    }
}

/// A server that closes whatever does not begin as `answers` says, and answers that.
fn closing(answers: Option<(&'static [u8], &'static [u8])>, connections: usize) -> String {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("bind");
    let target = Target::Tcp(listener.local_addr().expect("address"));
    let thread = std::thread::spawn(move || {
        for _ in 0..connections {
            let (mut socket, _) = listener.accept().expect("accept");
            let mut beginning = [0; 10];
            socket.read_exact(&mut beginning).expect("a beginning");
            if let Some((to, answer)) = answers
                && beginning.starts_with(to)
            {
                socket.write_all(answer).expect("answer");
            }
        }
    });
    let error = call(target, Duration::ZERO).to_string();
    thread.join().expect("server");
    error
}

#[test]
fn a_server_that_closes_without_a_word_is_asked_what_it_speaks() {
    let error = closing(Some((&[0x16, 3, 1], &[0x15, 3, 3, 0, 2, 2, 50])), 2);
    assert!(error.ends_with("it speaks TLS, and calls are made in plain text only"), "{error}");
    let error = closing(Some((b"GET / HTTP", b"HTTP/1.1 200 OK\r\n")), 3);
    assert!(error.ends_with("it speaks HTTP/1 ('HTTP/1.1 200 OK')"), "{error}");
    let error = closing(None, 3);
    assert!(error.contains("it accepted the connection and closed it without a word"), "{error}");
}

#[test]
fn a_server_that_speaks_something_else_is_named_by_its_first_bytes() {
    let error = told(b"SSH-2.0-OpenSSH_9.2p1\r\n", false);
    assert!(error.ends_with("it began with 'SSH-2.0-OpenSSH_'"), "{error}");
    let error = told(&[0, 0xFF, b'\n', 7, 7, 7, 7, 7, 7, 7, 7, 7], true);
    assert!(error.contains("it began with '\\x00\\xff\\n\\x07"), "{error}");
}

#[test]
fn a_server_that_says_nothing_is_given_up() {
    let error = told(b"", true);
    assert!(error.ends_with("it accepted and said nothing within 1s"), "{error}");
}

#[test]
fn an_http_2_server_that_answers_no_call_is_named() {
    // SETTINGS, and then either silence or the end.
    const SETTINGS: &[u8] = &[0, 0, 0, 4, 0, 0, 0, 0, 0];
    for hold in [true, false] {
        let error = told(SETTINGS, hold);
        assert!(error.contains("it speaks HTTP/2 but answered no call ("), "{error}");
    }
}
