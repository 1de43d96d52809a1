//! The cache's calls: the same bytes on the wire as its own, content checked both ways.

use std::net::{Ipv4Addr, SocketAddr};

use bench_core::fixture::Payload;
use bench_core::units::ByteSize;
use bytes::Bytes;
use prost::Message;
use tokio::runtime::Runtime;

use super::proto::StoreContentResponse;
use super::*;
use crate::transport::thread;
use crate::{Bind, ConnectConfig, DataPath, Server, ServerConfig, TransportProfile};

const RETRY: Duration = Duration::from_secs(10);

fn server(payload: Payload) -> ServerConfig {
    ServerConfig {
        profile: TransportProfile::DEFAULT,
        address: Bind::Tcp(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))),
        path: DataPath::ProstBytes,
        payload,
        workers: 1,
        cpu: None,
        socket_buffer: None,
    }
}

fn clients(server: &Server, payload: Payload) -> (Runtime, CacheClients) {
    let open = ConnectConfig {
        target: server.address().clone(),
        profile: TransportProfile::DEFAULT,
        path: DataPath::ProstBytes,
        payload,
        chunk: ByteSize::mib(1),
        connections: 2,
        socket_buffer: None,
        retry: RETRY,
    };
    let runtime = thread::runtime(0, "").expect("runtime");
    let connections = runtime.block_on(Connections::open(open)).expect("open");
    (runtime, CacheClients::over(&connections))
}

#[test]
fn content_is_stored_and_fetched_whole_and_in_ranges() {
    let payload = Payload::seeded(7, ByteSize::mib(9));
    let server = start(&server(payload)).expect("start");
    let (runtime, clients) = clients(&server, payload);
    for number in [0, 3] {
        let client = clients.client(number);
        for operation in Operation::ALL {
            for sink in [Sink::Keep, Sink::Verify] {
                let client = client.clone().with_sink(sink);
                let delivery = runtime.block_on(client.call(operation)).expect("call");
                delivery.verify(&payload).expect("content");
                let messages = match operation {
                    Operation::Write => 9,
                    Operation::Read => 1,
                    Operation::Stream => 3, // of 4 MiB, the cache's choice
                };
                assert_eq!(delivery.messages(), messages);
                assert_eq!(delivery.first_byte().is_some(), operation != Operation::Write);
            }
        }
        for range in [0..1, 5..5 << 20, (9 << 20) - 1..9 << 20] {
            for operation in [Operation::Read, Operation::Stream] {
                let call = client.call_range(operation, range.clone());
                runtime.block_on(call).expect("call").verify(&payload).expect("content");
            }
        }
        for (operation, range) in
            [(Operation::Write, 0..1), (Operation::Read, 1..1), (Operation::Stream, 0..10 << 20)]
        {
            let call = runtime.block_on(client.call_range(operation, range));
            assert!(matches!(call.expect_err("no range"), Error::Range { .. }));
        }
    }
}

#[test]
fn what_was_never_stored_is_named_by_its_hash() {
    let payload = Payload::seeded(7, ByteSize::kib(3));
    let server = start(&server(payload)).expect("start");
    let (runtime, clients) = clients(&server, payload);
    let client = clients.client(0);
    for operation in [Operation::Read, Operation::Stream] {
        let error = runtime.block_on(client.call(operation)).expect_err("a miss").to_string();
        assert!(error.contains(client.hash()) && error.contains("write it first"), "{error}");
    }
}

#[test]
fn a_hash_of_other_content_is_noticed() {
    let (payload, other) =
        (Payload::seeded(7, ByteSize::kib(3)), Payload::seeded(8, ByteSize::kib(3)));
    let server = start(&server(payload)).expect("start");
    let (runtime, clients) = clients(&server, payload);
    let mut client = clients.client(0);
    client.plan.content = other.to_bytes();
    let error = runtime.block_on(client.call(Operation::Write)).expect_err("another hash");
    assert!(matches!(error, Error::Hash { .. }), "{error}");
    // And what comes back is compared with what should.
    let written = clients.client(0);
    runtime.block_on(written.call(Operation::Write)).expect("stored");
    for operation in [Operation::Read, Operation::Stream] {
        let client = client.clone().with_sink(Sink::Verify);
        let error = runtime.block_on(client.call(operation)).expect_err("other content");
        assert!(matches!(error, Error::Content { .. }), "{error}");
    }
}

#[test]
fn a_content_without_room_is_refused_in_one_sentence() {
    let (small, large) = (ByteSize::kib(64), ByteSize::mib(3));
    let server = start(&server(Payload::seeded(7, small))).expect("start");
    let refused = |payload: Payload| {
        let (runtime, clients) = clients(&server, payload);
        match runtime.block_on(clients.client(0).call(Operation::Write)) {
            Err(Error::Status { status, .. }) => {
                assert_eq!(status.code(), tonic::Code::ResourceExhausted);
                Some(status.message().to_owned())
            }
            other => other.map(|_| None).expect("stored"),
        }
    };
    // Cut off by the limit of messages where one is longer, and else by the length of all.
    let cut = Payload::seeded(7, ByteSize::new(small.bytes() + 1));
    let told = refused(cut).expect("one byte too many");
    assert_eq!(told, "a content of 65537 bytes or more is over the cache's size of 65536 bytes");
    for seed in 0..4 {
        assert_eq!(refused(Payload::seeded(seed, small)), None);
        assert_eq!(refused(Payload::seeded(seed, small)), None, "the same takes no more room");
    }
    let told = refused(Payload::seeded(4, small)).expect("a fifth");
    assert_eq!(told, "the cache has 262144 bytes of 262144 and no room for 65536 more");
    let (runtime, clients) = clients(&server, Payload::seeded(7, large));
    let error = runtime.block_on(clients.client(0).call(Operation::Write)).expect_err("too much");
    assert!(matches!(error, Error::Status { .. }), "{error}");
}

#[test]
fn a_server_without_these_calls_says_so() {
    let payload = Payload::seeded(7, ByteSize::kib(3));
    let server = Server::start(server(payload)).expect("start");
    let (runtime, clients) = clients(&server, payload);
    for operation in Operation::ALL {
        let error = runtime.block_on(clients.client(0).call(operation)).expect_err("other calls");
        let error = error.to_string();
        assert!(error.starts_with(&format!("{operation} ended with status Unimpl")), "{error}");
    }
}

#[test]
fn messages_are_on_the_wire_as_the_cache_has_them() {
    // By the numbers of its proto: hash 1, offset 2, length 3; ok 1, content 2; content 1; hash 2.
    let request = GetContentRequest { hash: "ab".to_owned(), offset: 300, length: 5 };
    assert_eq!(request.encode_to_vec(), [0x0A, 2, b'a', b'b', 0x10, 0xAC, 2, 0x18, 5]);
    let response = GetContentResponse { ok: true, content: Bytes::from_static(b"xy") };
    assert_eq!(response.encode_to_vec(), [8, 1, 0x12, 2, b'x', b'y']);
    let store = StoreContentRequest { content: Bytes::from_static(b"z") };
    assert_eq!(store.encode_to_vec(), [0x0A, 1, b'z']);
    // An older cache never sets `ok`.
    let stored = StoreContentResponse { ok: false, hash: "c".to_owned() };
    assert_eq!(stored.encode_to_vec(), [0x12, 1, b'c']);
    assert_eq!(super::proto::blob_cache_server::SERVICE_NAME, "blobcache.BlobCache");
}

#[test]
fn the_hash_is_sha_256_in_hexadecimal() {
    // The example of FIPS 180-2, appendix B.1.
    assert_eq!(hash(b"abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}
