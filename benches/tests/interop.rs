//! Other implementations of gRPC and HTTP/2 against ours, content compared: Python's grpcio in both
//! roles, and nghttp2's h2load. What cannot be installed here is left out, and says so.

use std::io::Write;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use bench_core::fixture::Payload;
use bench_core::units::ByteSize;
use bench_core::workload::Failure;
use bench_grpc::{
    Bind, ConnectConfig, Connections, DataPath, Operation, Server, ServerConfig, Sink, Target,
    TransportProfile,
};
use benches::grpcio::{self, peer::Peer};

const SIZE: ByteSize = ByteSize::mib(16);
const CHUNK: ByteSize = ByteSize::mib(4);
/// How long a program of another make may take. The script gives up its calls after less.
const LONG: Duration = Duration::from_secs(600);

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

/// Lets grpcio compare this content with what a server of ours serves and takes.
fn check(python: &Path, content: &Path, path: DataPath) -> Result<String, Failure> {
    let (_server, address) = serve(path);
    let mut script = Command::new(python);
    script.args([grpcio::SCRIPT, "check", &address.to_string()]);
    script.arg(content).arg(CHUNK.bytes().to_string());
    Peer::start(&mut script)?.finish(LONG)
}

#[test]
fn grpcio_writes_reads_and_streams_against_our_server() {
    let Some(python) = python() else { return };
    let content = grpcio::content_file(&payload().to_bytes()).expect("a file");
    for path in DataPath::ALL {
        let said = check(&python, content.path(), path);
        let said = said.unwrap_or_else(|error| panic!("{path}: {error}"));
        assert!(said.contains("written, read and streamed"), "{path}: {said}");
    }
}

#[test]
fn grpcio_notices_other_content() {
    let Some(python) = python() else { return };
    let other = Payload::seeded(43, SIZE).to_bytes();
    let content = grpcio::content_file(&other).expect("a file");
    let error = check(&python, content.path(), DataPath::Segments).expect_err("other content");
    assert!(error.to_string().ends_with("ValueError: read other content"), "{error}");
}

/// Writes other content to the plain-bytes server of the peer, once as it is measured and once as it
/// is checked.
const OTHER_CONTENT: &str = r#"
import grpc, grpcio_peer as peer
server, port = peer.start(b"0123456789", 4, False)
write, _, _ = peer.methods(grpc.insecure_channel(f"127.0.0.1:{port}"))
write(iter([b"0123", b"45x7", b"89"]), timeout=60)
write(iter([b"0123", b"4567", b"89"]), timeout=60, metadata=peer.VERIFY)
try:
    write(iter([b"0123", b"45x7", b"89"]), timeout=60, metadata=peer.VERIFY)
except grpc.RpcError as error:
    print(error.code().name, error.details())
server.stop(None)
"#;

#[test]
fn the_server_that_grpcio_is_measured_with_notices_other_content_when_it_is_checked() {
    let Some(python) = python() else { return };
    let folder = Path::new(grpcio::SCRIPT).parent().expect("a folder");
    let mut script = Command::new(python);
    script.args(["-B", "-c", OTHER_CONTENT]).env("PYTHONPATH", folder);
    let said = Peer::start(&mut script).expect("python runs").finish(LONG).expect("it ends");
    assert_eq!(said.trim(), "DATA_LOSS other content was written");
}

#[test]
fn our_client_writes_reads_and_streams_against_grpcio() {
    let Some(python) = python() else { return };
    let content = grpcio::content_file(&payload().to_bytes()).expect("a file");
    let mut script = Command::new(&python);
    script.args([grpcio::SCRIPT, "serve"]).arg(content.path());
    let mut server = Peer::start(&mut script).expect("python runs");
    let port: u16 = server.line(LONG).expect("it says its port").parse().expect("a port");
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
    server.finish(LONG).expect("it ends");
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

/// What h2load calls succeeded is HTTP's 200, which every gRPC response has, even one that is an
/// error; and it does not look at trailers, where the status is. What is checked is that exactly
/// the bytes of the answers came: an error has none.
#[test]
fn h2load_fetches_every_byte() {
    if Command::new("h2load").arg("--version").output().is_err() {
        return skipped("h2load: it is not installed; Debian has it in nghttp2-client");
    }
    let request = grpcio::content_file(&read_request()).expect("a file");
    for path in DataPath::ALL {
        let (_server, address) = serve(path);
        let mut h2load = Command::new("h2load");
        h2load
            .args(["-n", "4", "-c", "1", "-m", "1", "-w", "30", "-W", "30", "--header"])
            .args(["content-type: application/grpc", "--header", "te: trailers", "--data"])
            .arg(request.path())
            .arg(format!("http://{address}/weighbridge.blob.v1.Blob/Read"));
        let said = Peer::start(&mut h2load).and_then(|h2load| h2load.finish(LONG));
        let said = said.unwrap_or_else(|error| panic!("{path}: {error}"));
        assert!(said.contains("4 succeeded, 0 failed"), "{path}: {said}");
        // The prefix of gRPC is 5 bytes; the field's tag and length of 16 MiB are 1 and 4.
        let expected = 4 * (SIZE.bytes() + 10);
        assert!(said.contains(&format!("({expected}) data")), "{path}, {expected} bytes: {said}");
    }
}
