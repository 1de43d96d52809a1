//! Other implementations of gRPC and HTTP/2 against ours, content compared: Python's grpcio in both
//! roles, and nghttp2's h2load. What cannot be installed here is left out, and says so.

use std::io::{BufRead, BufReader, Write};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

use bench_core::fixture::Payload;
use bench_core::units::ByteSize;
use bench_grpc::{
    Bind, ConnectConfig, Connections, DataPath, Operation, Server, ServerConfig, Sink, Target,
    TransportProfile,
};
use benches::grpcio;

const SIZE: ByteSize = ByteSize::mib(16);
const CHUNK: ByteSize = ByteSize::mib(4);

fn payload() -> Payload {
    Payload::seeded(42, SIZE)
}

fn serve(path: DataPath) -> (Server, SocketAddr) {
    let config = ServerConfig {
        profile: TransportProfile::DEFAULT,
        address: Bind::Tcp((Ipv4Addr::LOCALHOST, 0).into()),
        path,
        payload: payload(),
        workers: 1,
        cpu: None,
        socket_buffer: None,
    };
    let server = Server::start(config).expect("serves");
    let address = server.address().tcp().expect("TCP");
    (server, address)
}

/// The interpreter, or nothing where there is none; that is said.
fn python() -> Option<PathBuf> {
    let python = grpcio::python();
    if let Err(why) = &python {
        skipped(&format!("grpcio: {why}"));
    }
    python.ok()
}

fn skipped(why: &str) {
    let _unread = writeln!(std::io::stderr(), "NOT TESTED, {why}");
}

#[test]
fn grpcio_writes_reads_and_streams_against_our_server() {
    let Some(python) = python() else { return };
    let content = grpcio::content_file(&payload().to_bytes()).expect("a file");
    for path in DataPath::ALL {
        let (_server, address) = serve(path);
        let outcome = Command::new(&python)
            .args([grpcio::SCRIPT, "check", &address.to_string()])
            .arg(content.path())
            .arg(CHUNK.bytes().to_string())
            .output()
            .expect("python runs");
        let said = String::from_utf8_lossy(&outcome.stderr);
        assert!(outcome.status.success(), "{path}: {said}");
        assert!(String::from_utf8_lossy(&outcome.stdout).contains("written, read and streamed"));
    }
}

#[test]
fn grpcio_notices_other_content() {
    let Some(python) = python() else { return };
    let other = Payload::seeded(43, SIZE).to_bytes();
    let content = grpcio::content_file(&other).expect("a file");
    let (_server, address) = serve(DataPath::Segments);
    let outcome = Command::new(&python)
        .args([grpcio::SCRIPT, "check", &address.to_string()])
        .arg(content.path())
        .arg(CHUNK.bytes().to_string())
        .output()
        .expect("python runs");
    assert!(!outcome.status.success());
    let said = String::from_utf8_lossy(&outcome.stderr);
    assert!(said.contains("read other content"), "{said}");
}

#[test]
fn our_client_writes_reads_and_streams_against_grpcio() {
    let Some(python) = python() else { return };
    let content = grpcio::content_file(&payload().to_bytes()).expect("a file");
    let mut server = Command::new(&python)
        .args([grpcio::SCRIPT, "serve"])
        .arg(content.path())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("python runs");
    let mut line = String::new();
    let mut output = BufReader::new(server.stdout.take().expect("a pipe"));
    output.read_line(&mut line).expect("it says its port");
    let port: u16 = line.trim().parse().expect("a port");
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    for path in DataPath::ALL {
        let config = ConnectConfig {
            target: Target::Tcp((Ipv4Addr::LOCALHOST, port).into()),
            profile: TransportProfile::DEFAULT,
            path,
            payload: payload(),
            chunk: CHUNK,
            connections: 1,
            socket_buffer: None,
            retry: Duration::from_secs(10),
        };
        runtime.block_on(async {
            let connections = Connections::open(config).await.expect("connects");
            let client = connections.client(0).with_time_limit(Duration::from_secs(60));
            for operation in Operation::ALL {
                // The other side compares what is written, and ends it with a status if it differs.
                let delivery = client.clone().with_sink(Sink::Verify).call(operation).await;
                delivery.unwrap_or_else(|error| panic!("{path} {operation}: {error}"));
            }
        });
    }
    drop(server.stdin.take());
    assert!(server.wait().expect("it ends").success());
}

/// A Read of the whole content as gRPC has it: flag, length, then the protobuf message.
fn read_request() -> Vec<u8> {
    let mut message = vec![0x10];
    let mut length = SIZE.bytes();
    while length >= 0x80 {
        message.push(length as u8 & 0x7f | 0x80);
        length >>= 7;
    }
    message.push(length as u8);
    let mut request = vec![0];
    request.extend((message.len() as u32).to_be_bytes());
    request.extend(message);
    request
}

#[test]
fn h2load_fetches_every_byte() {
    if Command::new("h2load").arg("--version").output().is_err() {
        return skipped("h2load: it is not installed; Debian has it in nghttp2-client");
    }
    let request = grpcio::content_file(&read_request()).expect("a file");
    for path in DataPath::ALL {
        let (_server, address) = serve(path);
        let outcome = Command::new("h2load")
            .args(["-n", "4", "-c", "1", "-m", "1", "-w", "30", "-W", "30", "--header"])
            .args(["content-type: application/grpc", "--header", "te: trailers", "--data"])
            .arg(request.path())
            .arg(format!("http://{address}/weighbridge.blob.v1.Blob/Read"))
            .output()
            .expect("h2load runs");
        let said = String::from_utf8_lossy(&outcome.stdout).into_owned();
        assert!(said.contains("4 succeeded, 0 failed"), "{path}: {said}");
        // The prefix of gRPC is 5 bytes; the field's tag and length of 16 MiB are 1 and 4.
        let expected = 4 * (SIZE.bytes() + 10);
        assert!(said.contains(&format!("({expected}) data")), "{path}, {expected} bytes: {said}");
    }
}
