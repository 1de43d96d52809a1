//! What the loopback fixture promises: verified content, faults that are caught, an end in
//! bounded time.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, mpsc};

use bench_core::fixture::cpus::{self, Placement};
use tokio::sync::oneshot;
use tonic::{Request, Response, Status, Streaming};

use super::*;
use crate::blob::blob_server::{Blob, BlobServer};
use crate::blob::{Chunk, ReadRequest, StreamRequest, WriteReply};
use crate::server::prost::Chunks;

const CHUNK: ByteSize = ByteSize::new(1000);
const LAYOUTS: [Layout; 3] =
    [Layout::OneThread, Layout::TwoThreads, Layout::MultiThread { server: 2, client: 2 }];

fn config(layout: Layout, size: ByteSize, chunk: ByteSize) -> LoopbackConfig {
    let payload = Payload::seeded(7, size);
    LoopbackConfig {
        profile: TransportProfile::DEFAULT,
        layout,
        pinned: false,
        wire: Wire::Tcp,
        path: DataPath::ProstBytes,
        payload,
        chunk,
        socket_buffer: None,
    }
}

fn small(layout: Layout) -> LoopbackConfig {
    config(layout, ByteSize::new(4500), CHUNK)
}

#[test]
fn content_of_every_operation_is_verified_at_every_size() {
    let sizes = [
        (ByteSize::new(1), ByteSize::mib(1)),
        (ByteSize::kib(1), ByteSize::new(1000)),
        // Beyond tonic's limit of 4 MiB, in one message and in messages of just that limit.
        (ByteSize::mib(5), ByteSize::mib(4)),
        (ByteSize::mib(5), ByteSize::mib(5)),
    ];
    for layout in LAYOUTS {
        for (size, chunk) in sizes {
            let mut loopback = Loopback::start(config(layout, size, chunk)).expect("start");
            for operation in Operation::ALL {
                loopback.call_verified(operation).expect("verified");
            }
            let stream = loopback.call(Operation::Stream).expect("stream");
            let messages = size.bytes().div_ceil(chunk.bytes());
            assert_eq!(stream.chunks().len() as u64, messages);
            assert_eq!(loopback.stored().chunks().len() as u64, messages);
        }
    }
}

#[test]
fn sizes_that_grpc_cannot_carry_are_clear_errors() {
    let start = |size, chunk| {
        let error = Loopback::start(config(Layout::OneThread, size, chunk)).expect_err("size");
        error.to_string()
    };
    let empty = ByteSize::new(0);
    let huge = ByteSize::mib(4096);
    assert!(start(empty, CHUNK).starts_with("a payload of 0B cannot"));
    assert!(start(huge, CHUNK).starts_with("a payload of 4GiB cannot"));
    assert!(start(CHUNK, empty).starts_with("a chunk of 0B cannot"));
}

#[test]
fn a_profile_that_http2_does_not_allow_is_refused_before_a_socket_is_opened() {
    let profile = TransportProfile { max_frame_size: Some(1 << 24), ..TransportProfile::DEFAULT };
    let config = LoopbackConfig { profile, ..small(Layout::OneThread) };
    assert!(matches!(Loopback::start(config), Err(Error::Profile(_))));
}

#[test]
fn every_layout_works_over_either_wire_and_a_socket_file_is_removed() {
    for layout in LAYOUTS {
        for wire in Wire::ALL {
            let mut loopback =
                Loopback::start(LoopbackConfig { wire, ..small(layout) }).expect("start");
            for operation in Operation::ALL {
                loopback.call_verified(operation).expect("verified");
            }
            let address = loopback.address().clone();
            let Target::Unix(path) = address else { continue };
            assert!(path.exists());
            drop(loopback);
            assert!(!path.parent().expect("a folder of its own").exists());
        }
    }
}

#[test]
fn every_data_path_is_verified_and_recorded() {
    for path in DataPath::ALL {
        let config = LoopbackConfig { path, ..small(Layout::TwoThreads) };
        let dimensions = Loopback::start(config).expect("start").dimensions();
        assert!(dimensions.contains(&("path", path.name().to_owned())));
    }
}

#[test]
fn pinned_threads_stay_where_they_are_until_the_fixture_ends() {
    let before = cpus::allowed().expect("mask");
    let chosen = Placement::choose().expect("cpus");
    for layout in LAYOUTS {
        let config = LoopbackConfig { pinned: true, ..small(layout) };
        let loopback = Loopback::start(config).expect("start");
        let dimensions = loopback.dimensions();
        let recorded = &dimensions.iter().find(|(name, _)| *name == "cpus").expect("recorded").1;
        let expected = match layout {
            Layout::OneThread => format!("both {}", chosen.client),
            Layout::TwoThreads => chosen.describe(),
            _ => "not pinned: this layout has several threads".to_owned(),
        };
        assert_eq!(recorded, &expected);
        let here = cpus::allowed().expect("mask");
        if recorded.starts_with("not") {
            assert_eq!(here, before);
        } else {
            assert_eq!(here, [chosen.client]);
        }
        drop(loopback);
        assert_eq!(cpus::allowed().expect("mask"), before);
    }
}

#[test]
fn a_runtime_without_threads_is_a_clear_error() {
    for (server, client, end) in [(0, 1, "server"), (1, 0, "client")] {
        let error = Loopback::start(small(Layout::MultiThread { server, client }));
        let error = error.expect_err("no threads").to_string();
        assert_eq!(error, format!("the {end} was to run on 0 threads; give it 1 or more"));
    }
}

#[test]
fn a_profile_that_reached_one_end_only_is_noticed() {
    let config = small(Layout::TwoThreads);
    let content = config.payload.to_bytes();
    let place = Place::of(&config).expect("place");
    let server = ServerConfig { profile: TransportProfile::TONIC, ..config.server(&place) };
    let server = Server::start(server).expect("start");
    let error = Loopback::join(config, content, server, place).expect_err("one end");
    assert!(
        matches!(error, Error::Settings { end: "server", setting: "stream_window", .. }),
        "{error}"
    );
}

#[test]
fn every_profile_reaches_both_ends() {
    for profile in TransportProfile::ALL {
        let config = LoopbackConfig { profile, ..small(Layout::OneThread) };
        Loopback::start(config).expect("start").effective().expect(&profile).expect("both ends");
    }
}

#[test]
fn what_both_ends_announced_is_recorded() {
    let loopback = Loopback::start(small(Layout::OneThread)).expect("start");
    let dimensions = loopback.dimensions();
    let value = |key| &dimensions.iter().find(|(name, _)| *name == key).expect(key).1;
    assert_eq!(value("client_stream_window"), "4MiB");
    assert_eq!(value("server_connection_window"), "32MiB");
    assert_eq!(value("server_max_concurrent_streams"), "1024");
    assert_eq!(value("client_max_frame_size"), "16KiB");
}

#[test]
fn further_connections_share_the_server() {
    let loopback = Loopback::start(small(Layout::OneThread)).expect("start");
    let more = loopback.open(3).expect("open");
    assert_eq!(more.count(), 3);
    for number in 0..7 {
        let delivery = loopback.block_on(more.client(number).call(Operation::Stream));
        delivery.expect("call").verify(&loopback.config().payload).expect("content");
    }
    assert!(matches!(loopback.open(0), Err(Error::NoConnections)));
}

#[test]
fn a_shutdown_ends_in_time_and_says_when_it_had_to_cut_off() {
    let bound = Duration::from_secs(20);
    for layout in LAYOUTS {
        Loopback::start(small(layout)).expect("start").shutdown(bound).expect("nobody is left");
    }
    let loopback = Loopback::start(small(Layout::TwoThreads)).expect("start");
    let _left =
        std::net::TcpStream::connect(loopback.address().tcp().expect("TCP")).expect("connect");
    // Accepted before it shuts down.
    drop(loopback.open(1).expect("open"));
    let error = loopback.shutdown(Duration::from_millis(50)).expect_err("somebody is left");
    assert!(matches!(error, Error::Shutdown { .. }), "{error}");
}

#[test]
fn socket_options_reach_both_ends() {
    for layout in LAYOUTS {
        for nodelay in [true, false] {
            let profile = TransportProfile { nodelay, ..TransportProfile::TONIC };
            let socket_buffer = Some(ByteSize::kib(64));
            let config = LoopbackConfig { profile, socket_buffer, ..small(layout) };
            let loopback = Loopback::start(config).expect("start");
            let server = loopback.server_socket().expect("a connection was accepted");
            assert_eq!(loopback.client_socket().nodelay, nodelay);
            assert_eq!(loopback.client_socket(), server);
            // Linux doubles what is asked for, for its own bookkeeping.
            assert_eq!(server.send_buffer_bytes, Some(128 << 10));
            assert_eq!(server.receive_buffer_bytes, Some(128 << 10));
        }
    }
}

#[test]
fn operations_may_run_at_the_same_time() {
    let loopback = Loopback::start(small(Layout::OneThread)).expect("start");
    let (client, other) = (loopback.client(), loopback.client());
    let (read, stream) = loopback.block_on(async {
        tokio::join!(client.call(Operation::Read), other.call(Operation::Stream))
    });
    for delivery in [read, stream] {
        delivery.expect("call").verify(&loopback.config().payload).expect("content");
    }
}

#[test]
fn requests_beyond_the_content_are_refused() {
    let loopback = Loopback::start(small(Layout::OneThread)).expect("start");
    let mut blob = crate::blob::blob_client::BlobClient::new(loopback.client().channel);
    for (offset, length) in [(4500, 1), (0, 4501), (u64::MAX, 2)] {
        let reply = loopback.block_on(blob.read(ReadRequest { offset, length }));
        assert_eq!(reply.expect_err("beyond").code(), tonic::Code::OutOfRange);
    }
    let request = StreamRequest { offset: 0, length: 10, chunk: 0 };
    let reply = loopback.block_on(blob.stream(request));
    assert_eq!(reply.expect_err("no chunk").code(), tonic::Code::InvalidArgument);
}

/// Refuses everything but Read, whose handler blocks the server's thread until it is released.
struct Stuck {
    entered: Mutex<Option<oneshot::Sender<()>>>,
    release: Mutex<mpsc::Receiver<()>>,
}

#[tonic::async_trait]
impl Blob for Stuck {
    async fn write(&self, _: Request<Streaming<Chunk>>) -> Result<Response<WriteReply>, Status> {
        Err(Status::data_loss("no disk"))
    }

    async fn read(&self, _: Request<ReadRequest>) -> Result<Response<Chunk>, Status> {
        drop(self.entered.lock().expect("not poisoned").take());
        self.release.lock().expect("not poisoned").recv().expect_err("the sender is dropped");
        Err(Status::internal("stuck"))
    }

    type StreamStream = tokio_stream::Iter<Chunks>;

    async fn stream(
        &self,
        _: Request<StreamRequest>,
    ) -> Result<Response<Self::StreamStream>, Status> {
        let chunks: Chunks = Box::new(std::iter::once(Err(Status::aborted("half way"))));
        Ok(Response::new(tokio_stream::iter(chunks)))
    }
}

#[test]
fn a_stuck_server_does_not_keep_the_fixture_from_ending_and_its_status_is_told() {
    let (enter, entered) = oneshot::channel();
    let (release, released) = mpsc::channel();
    let stuck = Stuck { entered: Some(enter).into(), release: released.into() };
    let config = small(Layout::TwoThreads);
    let content = config.payload.to_bytes();
    let mut loopback =
        Loopback::connect(config, content, BlobServer::new(stuck), Stored::default())
            .expect("connect");

    let write = loopback.call(Operation::Write).expect_err("refused").to_string();
    assert_eq!(write, "write ended with status DataLoss: no disk");
    let stream = loopback.call(Operation::Stream).expect_err("refused").to_string();
    assert_eq!(stream, "stream ended with status Aborted: half way");

    let client = loopback.client();
    loopback.block_on(async {
        tokio::select! {
            _ = client.call(Operation::Read) => panic!("the handler is stuck"),
            _ = entered => {}
        }
    });
    // Would wait for ever if it waited for the handler, which is released only afterwards.
    drop(loopback);
    drop(release);
}

#[test]
fn a_panic_ends_the_server_too() {
    for layout in LAYOUTS {
        let loopback = Loopback::start(small(layout)).expect("start");
        let server = Arc::downgrade(loopback.server.stored());
        let caught = catch_unwind(AssertUnwindSafe(move || {
            let _loopback = loopback;
            std::panic::resume_unwind(Box::new("the bench failed"));
        }));
        assert!(caught.is_err());
        // The server's service held the other half.
        assert!(server.upgrade().is_none(), "{}", layout.name());
    }
}

#[test]
fn a_fixture_may_be_dropped_inside_a_runtime() {
    let loopback = Loopback::start(small(Layout::TwoThreads)).expect("start");
    let runtime = thread::runtime(0, "").expect("runtime");
    runtime.block_on(async move { drop(loopback) });
}
