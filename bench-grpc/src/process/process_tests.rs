//! Servers in processes of their own: what they serve, and that nothing is left of them.

use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::Path;

use bench_core::fixture::Payload;
use bench_core::units::ByteSize;
use tokio_stream::StreamExt;

use super::*;
use crate::blob::StreamRequest;
use crate::blob::blob_client::BlobClient;
use crate::{
    Bind, ConnectConfig, Connections, DataPath, Layout, Loopback, LoopbackConfig, Operation, Sink,
    TransportProfile, Wire,
};

/// Where a child of the test harness begins. In the harness itself it does nothing.
#[test]
fn entry_of_a_child() {
    entry();
}

/// The test harness, which runs nothing but the entry.
fn launch() -> Launch {
    let arguments = ["--exact", "process::tests::entry_of_a_child", "--nocapture"];
    let arguments = arguments.map(OsString::from).to_vec();
    Launch { arguments, ..Launch::itself().expect("executable") }
}

fn config(wire: Wire, profile: TransportProfile, size: ByteSize) -> LoopbackConfig {
    LoopbackConfig {
        profile,
        layout: Layout::Processes,
        pinned: false,
        wire,
        path: DataPath::ProstBytes,
        payload: Payload::seeded(7, size),
        chunk: ByteSize::kib(64),
        socket_buffer: Some(ByteSize::kib(64)),
    }
}

fn start(config: LoopbackConfig) -> Result<Loopback, Error> {
    Loopback::start_process(config, config.payload.to_bytes(), &launch())
}

/// Whether there is such a process, zombies included.
fn exists(process: u32) -> bool {
    Path::new(&format!("/proc/{process}")).exists()
}

#[test]
fn a_process_serves_verified_content_and_tells_its_settings() {
    for wire in Wire::ALL {
        let config = config(wire, TransportProfile::AGGRESSIVE, ByteSize::kib(300));
        let mut loopback = start(config).expect("start");
        for operation in Operation::ALL {
            loopback.call_verified(operation).expect("verified");
        }
        assert_eq!(loopback.effective().server.stream_window, 16 << 20);
        let server = loopback.server_socket().expect("told").clone();
        assert_eq!(&server, loopback.client_socket());
        let process = loopback.server().process_id().expect("its own");
        assert_ne!(process, std::process::id());
        assert!(loopback.dimensions().contains(&("layout", "processes".to_owned())));
        loopback.shutdown(Duration::from_secs(20)).expect("nobody is left");
        assert!(!exists(process));
    }
}

#[test]
fn a_write_that_arrives_damaged_in_a_process_is_noticed_there() {
    let config = config(Wire::Tcp, TransportProfile::DEFAULT, ByteSize::kib(100));
    let mut other = config.payload.to_bytes().to_vec();
    other[70_000] ^= 1;
    let loopback = start(config).expect("start");
    let open = crate::ConnectConfig {
        target: loopback.address().clone(),
        profile: config.profile,
        path: config.path,
        payload: config.payload,
        chunk: config.chunk,
        connections: 1,
        socket_buffer: None,
        retry: Duration::ZERO,
    };
    let error = loopback.block_on(async {
        let damaged = crate::Connections::open_with(open, other.into()).await.expect("open");
        damaged.client(0).with_sink(Sink::Verify).call(Operation::Write).await
    });
    let error = error.expect_err("another byte").to_string();
    assert!(error.contains("at offset 70000"), "{error}");
}

#[test]
fn a_dropped_fixture_leaves_neither_process_nor_port() {
    let config = config(Wire::Tcp, TransportProfile::DEFAULT, ByteSize::kib(1));
    let mut loopback = start(config).expect("start");
    let process = loopback.server().process_id().expect("its own");
    let address = loopback.address().tcp().expect("TCP");
    assert!(exists(process));
    drop(loopback);
    assert!(!exists(process));
    assert!(TcpStream::connect(address).is_err());
}

#[test]
fn a_panic_ends_the_process_too() {
    let config = config(Wire::Unix, TransportProfile::DEFAULT, ByteSize::kib(1));
    let mut loopback = start(config).expect("start");
    let process = loopback.server().process_id().expect("its own");
    let caught = std::panic::catch_unwind(std::panic::AssertUnwindSafe(move || {
        let _loopback = loopback;
        std::panic::resume_unwind(Box::new("the bench failed"));
    }));
    assert!(caught.is_err());
    assert!(!exists(process));
}

#[test]
fn a_child_ends_when_its_input_closes() {
    let config = config(Wire::Tcp, TransportProfile::DEFAULT, ByteSize::kib(1));
    let server = ServerConfig {
        profile: config.profile,
        address: Bind::Tcp(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))),
        path: config.path,
        payload: config.payload,
        workers: 2,
        cpu: None,
        socket_buffer: None,
    };
    let (mut process, _) = ServerProcess::start(&launch(), &server).expect("start");
    // As it does when the parent dies.
    drop(process.input.take());
    assert!(process.child.wait().expect("ended").success());
}

#[test]
fn a_server_that_is_killed_in_the_middle_of_a_stream_fails_the_call() {
    // More than windows and sockets hold, so that the stream is under way when the server dies.
    let config = config(Wire::Tcp, TransportProfile::CONSERVATIVE, ByteSize::mib(4));
    let mut loopback = start(config).expect("start");
    let mut blob = BlobClient::new(loopback.client().channel);
    let request = StreamRequest { offset: 0, length: 4 << 20, chunk: 64 << 10 };
    let mut messages = loopback.block_on(blob.stream(request)).expect("begun").into_inner();
    loopback.block_on(messages.next()).expect("a message").expect("content");
    loopback.server().stop();
    let mut received = 1;
    let status = loopback.block_on(async {
        loop {
            match messages.next().await {
                Some(Ok(_)) => received += 1,
                Some(Err(status)) => return status,
                None => panic!("a stream that was cut ended as if it were whole"),
            }
        }
    });
    assert!(received < 64, "{received} messages");
    let codes = [tonic::Code::Unavailable, tonic::Code::Unknown, tonic::Code::Internal];
    assert!(codes.contains(&status.code()), "{status}");
    // And so does every later one, without a new connection in silence.
    let error = loopback.call(Operation::Read).expect_err("nobody is there").to_string();
    assert!(error.starts_with("read ended with status"), "{error}");
}

#[test]
fn a_client_whose_server_is_killed_while_it_streams_gets_an_error_within_a_bound() {
    let config = config(Wire::Tcp, TransportProfile::CONSERVATIVE, ByteSize::mib(16));
    let address = Bind::Tcp(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)));
    let LoopbackConfig { profile, payload, chunk, .. } = config;
    for path in DataPath::ALL {
        let (workers, cpu, socket_buffer) = (1, None, None);
        let address = address.clone();
        let server = ServerConfig { profile, address, path, payload, workers, cpu, socket_buffer };
        let mut server = Server::start_process(&server, &launch()).expect("start");
        let target = server.address().clone();
        let (connections, retry) = (1, Duration::from_secs(60));
        let open = ConnectConfig {
            target,
            profile,
            path,
            payload,
            chunk,
            connections,
            socket_buffer,
            retry,
        };
        let runtime = crate::transport::thread::runtime(0, "").expect("runtime");
        let connections = runtime.block_on(Connections::open(open)).expect("open");
        let client = connections.client(0).with_sink(Sink::Verify);
        let client = client.with_time_limit(Duration::from_secs(60));
        let (streams, streaming) = std::sync::mpsc::channel();
        // Kills it after two whole streams, somewhere in the next ones.
        let killer = std::thread::spawn(move || {
            for _ in 0..2 {
                streaming.recv().expect("a stream was whole");
            }
            server.stop();
        });
        let error = runtime.block_on(async {
            loop {
                match client.call(Operation::Stream).await {
                    // Nobody listens any more when it is being killed.
                    Ok(_) => drop(streams.send(())),
                    Err(error) => break error,
                }
            }
        });
        assert!(matches!(error, Error::Status { .. }), "{path}: {error}");
        killer.join().expect("killed");
        // And so does every later call, without a new connection in silence.
        for operation in Operation::ALL {
            let error = runtime.block_on(client.call(operation)).expect_err("nobody is there");
            assert!(matches!(error, Error::Status { .. }), "{path}, {operation}: {error}");
        }
    }
}

#[test]
fn a_child_that_cannot_serve_says_why() {
    let taken = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("bind");
    let address = taken.local_addr().expect("address");
    let config = config(Wire::Tcp, TransportProfile::DEFAULT, ByteSize::kib(1));
    let server = ServerConfig {
        profile: config.profile,
        address: Bind::Tcp(address),
        path: config.path,
        payload: config.payload,
        workers: 1,
        cpu: None,
        socket_buffer: None,
    };
    let error = Server::start_process(&server, &launch()).expect_err("taken").to_string();
    let expected = format!("failed to listen on {address}: Address already in use");
    assert!(error.contains(&expected), "{error}");
}

#[test]
fn a_program_without_the_entry_is_told_about_it() {
    let config = config(Wire::Tcp, TransportProfile::DEFAULT, ByteSize::kib(1));
    let content = config.payload.to_bytes();
    for program in ["true", "/no/such/program"] {
        let launch = Launch { program: program.into(), arguments: Vec::new() };
        let error = Loopback::start_process(config, content.clone(), &launch);
        let error = error.expect_err(program).to_string();
        assert!(
            error.contains("process::entry first") || error.contains("No such file"),
            "{error}"
        );
    }
}
