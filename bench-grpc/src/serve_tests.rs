//! What a server refuses to start with, and that it ends.

use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;

use super::*;
use crate::transport::thread;
use crate::{ConnectConfig, Connections, Operation, ProfileError};

fn config(address: Bind) -> ServerConfig {
    ServerConfig {
        profile: TransportProfile::DEFAULT,
        address,
        path: DataPath::ProstBytes,
        payload: Payload::seeded(7, ByteSize::kib(4)),
        workers: 1,
        cpu: None,
        socket_buffer: None,
    }
}

fn anywhere() -> Bind {
    Bind::Tcp(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))
}

fn refused(config: ServerConfig) -> String {
    Server::start(config).expect_err("cannot be").to_string()
}

fn connect(server: &Server) -> ConnectConfig {
    ConnectConfig {
        target: server.address().clone(),
        profile: TransportProfile::DEFAULT,
        path: DataPath::ProstBytes,
        payload: Payload::seeded(7, ByteSize::kib(4)),
        chunk: ByteSize::kib(1),
        connections: 1,
        socket_buffer: None,
        retry: Duration::from_secs(10),
    }
}

#[test]
fn a_port_that_is_taken_is_one_sentence() {
    let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("bind");
    let address = taken.local_addr().expect("address");
    assert_eq!(
        refused(config(Bind::Tcp(address))),
        format!(
            "failed to listen on {address}: Address already in use (os error 98); stop what \
             listens there or choose another address (port 0 takes a free one)"
        )
    );
}

#[test]
fn a_socket_file_that_is_there_or_cannot_be_is_named_and_left_alone() {
    let folder = tempfile::tempdir().expect("folder");
    let path = folder.path().join("taken");
    std::fs::write(&path, "of somebody").expect("write");
    let error = refused(config(Bind::Unix(path.clone())));
    let expected = format!("failed to listen on unix:{}: Address already in use", path.display());
    assert!(error.starts_with(&expected), "{error}");
    assert_eq!(std::fs::read_to_string(&path).expect("still there"), "of somebody");
    let long = folder.path().join("x".repeat(200));
    let error = refused(config(Bind::Unix(long)));
    assert!(error.contains("path must be shorter"), "{error}");
    let error = refused(config(Bind::Unix(PathBuf::from("/no/such/folder/socket"))));
    assert!(error.contains("No such file or directory"), "{error}");
}

#[test]
fn settings_that_http2_does_not_allow_are_refused_at_both_ends_before_h2_would_panic() {
    let server = Server::start(config(anywhere())).expect("start");
    let runtime = thread::runtime(0, "").expect("runtime");
    let base = TransportProfile::DEFAULT;
    let wrong = [
        TransportProfile { max_frame_size: Some(1 << 24), ..base },
        TransportProfile { stream_window: Some(1 << 31), ..base },
        TransportProfile { connection_window: Some(u32::MAX), ..base },
    ];
    for profile in wrong {
        let error = Server::start(ServerConfig { profile, ..config(anywhere()) });
        let out_of_range = |error| {
            matches!(error, Error::Profile(ProfileError::OutOfRange { profile: "default", .. }))
        };
        assert!(out_of_range(error.expect_err("server")));
        let open = Connections::open(ConnectConfig { profile, ..connect(&server) });
        assert!(out_of_range(runtime.block_on(open).expect_err("client")));
    }
}

#[test]
fn sizes_and_threads_that_cannot_be_are_refused_at_both_ends() {
    let empty = Payload::seeded(7, ByteSize::new(0));
    let told = "a payload of 0B cannot go over gRPC; choose from 1B to 4294967231B";
    assert_eq!(refused(ServerConfig { payload: empty, ..config(anywhere()) }), told);
    let idle = refused(ServerConfig { workers: 0, ..config(anywhere()) });
    assert_eq!(idle, "the server was to run on 0 threads; give it 1 or more");

    let server = Server::start(config(anywhere())).expect("start");
    let runtime = thread::runtime(0, "").expect("runtime");
    let open = |connect| runtime.block_on(Connections::open(connect));
    let error = open(ConnectConfig { payload: empty, ..connect(&server) }).expect_err("empty");
    assert_eq!(error.to_string(), told);
    let chunk = ByteSize::new(0);
    let error = open(ConnectConfig { chunk, ..connect(&server) }).expect_err("empty");
    assert!(error.to_string().starts_with("a chunk of 0B cannot go over gRPC"), "{error}");
    let error = open(ConnectConfig { connections: 0, ..connect(&server) }).expect_err("none");
    assert_eq!(error.to_string(), "the client was to have 0 connections; give it 1 or more");
}

#[test]
fn a_chunk_larger_than_the_content_is_the_content() {
    let server = Server::start(config(anywhere())).expect("start");
    let runtime = thread::runtime(0, "").expect("runtime");
    let open = ConnectConfig { chunk: ByteSize::mib(64), ..connect(&server) };
    let client = runtime.block_on(Connections::open(open)).expect("open").client(0);
    for operation in Operation::ALL {
        let delivery = runtime.block_on(client.call(operation)).expect("call");
        assert_eq!(delivery.messages(), 1, "{operation}");
    }
}

#[test]
fn a_message_over_the_servers_limit_is_told_with_both_numbers() {
    let server = Server::start(config(anywhere())).expect("start");
    let runtime = thread::runtime(0, "").expect("runtime");
    // The server has 4 KiB of content, and so a limit of 4,160 bytes.
    let (payload, chunk) = (Payload::seeded(7, ByteSize::kib(8)), ByteSize::kib(8));
    let open = ConnectConfig { payload, chunk, ..connect(&server) };
    let client = runtime.block_on(Connections::open(open)).expect("open").client(0);
    let error = runtime.block_on(client.call(Operation::Write)).expect_err("over").to_string();
    assert!(error.contains("8195") && error.contains("4160"), "{error}");
}

#[test]
fn a_server_of_several_threads_ends_with_its_port_free_again() {
    let server = Server::start(ServerConfig { workers: 3, ..config(anywhere()) }).expect("start");
    let runtime = thread::runtime(0, "").expect("runtime");
    let connections = runtime.block_on(Connections::open(connect(&server))).expect("open");
    let read = runtime.block_on(connections.client(0).call(Operation::Read)).expect("call");
    read.verify(&Payload::seeded(7, ByteSize::kib(4))).expect("content");
    assert_eq!(server.process_id(), None);
    let address = server.address().tcp().expect("TCP");
    drop((connections, runtime));
    server.shutdown(Duration::from_secs(20)).expect("nobody is left");
    drop(TcpListener::bind(address).expect("free again"));
}

/// An address that leads to one server after the other, a connection each.
fn in_turns(servers: &[&Server]) -> Target {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("bind");
    let address = listener.local_addr().expect("address");
    let servers: Vec<SocketAddr> =
        servers.iter().map(|server| server.address().tcp().expect("TCP")).collect();
    std::thread::spawn(move || {
        for server in servers {
            let (near, far) = (listener.accept()?.0, TcpStream::connect(server)?);
            for (mut from, mut to) in [(near.try_clone()?, far.try_clone()?), (far, near)] {
                std::thread::spawn(move || std::io::copy(&mut from, &mut to));
            }
        }
        std::io::Result::Ok(())
    });
    Target::Tcp(address)
}

#[test]
fn connections_with_other_settings_than_the_first_are_refused() {
    let server =
        |profile| Server::start(ServerConfig { profile, ..config(anywhere()) }).expect("start");
    let usual = server(TransportProfile::DEFAULT);
    let other =
        server(TransportProfile { max_concurrent_streams: Some(7), ..TransportProfile::DEFAULT });
    let runtime = thread::runtime(0, "").expect("runtime");
    let open = |servers: &[&Server]| {
        let (target, connections) = (in_turns(servers), servers.len());
        let config = ConnectConfig { target, connections, ..connect(&usual) };
        runtime.block_on(Connections::open(config))
    };
    assert_eq!(open(&[&usual, &usual, &usual]).expect("all alike").count(), 3);
    let error = open(&[&usual, &usual, &other]).expect_err("a third that differs").to_string();
    assert!(error.starts_with("connection 3 to 127.0.0.1:"), "{error}");
    let told = "differs from the first: server_max_concurrent_streams is 7 and was 1024; measure one \
                server at a time";
    assert!(error.ends_with(told), "{error}");
}
