//! Every client path against every server path, and the segments client against servers that do
//! not keep to the protocol.

use std::convert::Infallible;
use std::future::{Ready, ready};
use std::net::Ipv4Addr;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bench_core::fixture::Payload;
use bench_core::units::ByteSize;
use bytes::Bytes;
use http_body::Frame;
use tokio::net::TcpListener;
use tokio::runtime::{Builder, Runtime};
use tokio_stream::StreamExt;
use tokio_stream::wrappers::TcpListenerStream;
use tonic::body::Body;
use tonic::codegen::Service;
use tonic::codegen::http::{self, HeaderMap};
use tonic::transport::{Endpoint, Server};
use tonic::{Code, Status};

use crate::client::{Client, Plan};
use crate::server::{Serving, Stored, service};
use crate::{DataPath, Error, Operation, Sink};

/// Frames of the smallest size that HTTP/2 has, so that messages are many.
const FRAME_BYTES: u32 = 16 << 10;
/// Nothing that should end takes so long.
const LONG: Duration = Duration::from_secs(60);

fn runtime() -> Runtime {
    Builder::new_current_thread().enable_all().build().expect("runtime")
}

/// A client of this server. Both live on the runtime.
async fn client(server: impl Serving, path: DataPath, plan: Plan) -> Client {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("bind");
    let address = listener.local_addr().expect("address");
    let incoming = TcpListenerStream::new(listener).map(|socket| {
        let socket = socket?;
        socket.set_nodelay(true)?;
        Ok::<_, std::io::Error>(socket)
    });
    tokio::spawn(
        Server::builder().max_frame_size(FRAME_BYTES).serve_with_incoming(server, incoming),
    );
    let endpoint = Endpoint::from_shared(format!("http://{address}")).expect("address");
    let channel = endpoint.max_frame_size(FRAME_BYTES).connect().await.expect("connect");
    Client::over(channel, path, plan)
}

/// Status, length and number of messages are checked by the call itself.
async fn every_operation(client: &Client, stored: &Stored, payload: &Payload, chunk: u64) {
    let size = payload.size.bytes();
    for operation in Operation::ALL {
        let delivery = client.call(operation).await.expect("call");
        if operation == Operation::Write {
            let kept = stored.lock().expect("not poisoned").concat();
            payload.verify_all(&kept).expect("content at the server");
        } else {
            delivery.verify(payload).expect("content");
            let messages = if operation == Operation::Read { 1 } else { size.div_ceil(chunk) };
            assert_eq!(delivery.messages(), messages);
            assert!(delivery.first_byte().is_some());
        }
        for sink in [Sink::Verify, Sink::Discard] {
            let client = client.clone().with_sink(sink);
            assert!(client.call(operation).await.expect("call").chunks().is_empty());
            assert!(
                stored.lock().expect("not poisoned").is_empty() || operation != Operation::Write
            );
        }
    }
    for range in [0..0, size..size, 0..1, size - 1..size, size / 3..size / 2 + 1] {
        for operation in [Operation::Read, Operation::Stream] {
            for sink in [Sink::Keep, Sink::Verify] {
                let client = client.clone().with_sink(sink);
                let delivery = client.call_range(operation, range.clone()).await.expect("range");
                delivery.verify(payload).expect("content of the range");
            }
        }
    }
}

#[test]
fn every_client_path_works_with_every_server_path() {
    // The chunk sizes lie around one and two bytes of length, the size up to which messages are
    // put together, and the size of a frame.
    let cases = [
        (1, 1),
        (1000, 7),
        (5000, 127),
        (5000, 128),
        (100_003, 16_383),
        (100_003, 16_384),
        (150_000, 32_767),
        (150_000, 32_768),
        (150_000, 32_769),
        (1_234_567, 300_000),
        (1_234_567, 1_234_567),
    ];
    for (size, chunk) in cases {
        let payload = Payload::seeded(size, ByteSize::new(size));
        let content = payload.to_bytes();
        let limit = content.len() + 64;
        for (at_server, at_client) in pairs() {
            let (stored, content) = (Stored::default(), content.clone());
            let server = service(at_server, content.clone(), stored.clone(), limit);
            let plan = Plan { content, chunk: chunk as usize, limit };
            runtime().block_on(async {
                let client = client(server, at_client, plan).await;
                every_operation(&client, &stored, &payload, chunk).await;
            });
        }
    }
}

fn pairs() -> impl Iterator<Item = (DataPath, DataPath)> {
    DataPath::ALL.into_iter().flat_map(|a| DataPath::ALL.map(|b| (a, b)))
}

fn code(error: Error) -> (Code, String) {
    match error {
        Error::Status { status, .. } => (status.code(), status.message().to_owned()),
        other => panic!("{other}"),
    }
}

#[test]
fn what_a_server_refuses_is_the_same_status_on_every_path() {
    let content = Bytes::from(vec![1; 1000]);
    for (at_server, at_client) in pairs() {
        let server = service(at_server, content.clone(), Stored::default(), 2000);
        let plan = Plan { content: content.clone(), chunk: 100, limit: 2000 };
        runtime().block_on(async {
            let client = client(server, at_client, plan).await;
            for operation in [Operation::Read, Operation::Stream] {
                for range in [0..1001, 1000..1001, u64::MAX - 1..u64::MAX] {
                    let error = client.call_range(operation, range).await.expect_err("outside");
                    let (code, message) = code(error);
                    assert_eq!(code, Code::OutOfRange);
                    assert!(message.ends_with("of a content of 1000"), "{message}");
                }
                let backwards = std::ops::Range { start: 5, end: 4 };
                let error = client.call_range(operation, backwards).await.expect_err("backwards");
                assert!(error.to_string().contains("of bytes 5 to 4 is no call"), "{error}");
            }
            let error = client.call_range(Operation::Write, 0..5).await.expect_err("no ranges");
            assert!(matches!(error, Error::Range { .. }), "{error}");
            // The connection has survived all of that.
            client.call(Operation::Read).await.expect("call");
        });
    }
}

#[test]
fn a_message_over_the_limit_is_told_with_both_numbers_on_every_path() {
    let content = Bytes::from(vec![1; 100_000]);
    for (at_server, at_client) in pairs() {
        for (server_limit, client_limit) in [(100_003, 200_000), (200_000, 100_003)] {
            let server = service(at_server, content.clone(), Stored::default(), server_limit);
            let plan = Plan { content: content.clone(), chunk: 100_000, limit: client_limit };
            runtime().block_on(async {
                let client = client(server, at_client, plan).await;
                for operation in Operation::ALL {
                    let (code, message) = code(client.call(operation).await.expect_err("over"));
                    let what = format!("{at_client} to {at_server}, {operation}: {message}");
                    assert_eq!(code, Code::OutOfRange, "{what}");
                    assert!(message.contains("100004") && message.contains("100003"), "{what}");
                }
            });
        }
    }
}

#[test]
fn a_write_that_is_longer_than_the_servers_content_is_ended_with_both_numbers() {
    for (at_server, at_client) in pairs() {
        let stored = Stored::default();
        let server = service(at_server, Bytes::from(vec![1; 5000]), stored.clone(), 10_000);
        // Longer than what the windows hold, so that the server does not get to see all of it.
        let content = Bytes::from(vec![1; 4 << 20]);
        let plan = Plan { content, chunk: 900, limit: 10_000 };
        runtime().block_on(async {
            let client = client(server, at_client, plan).await;
            for sink in [Sink::Keep, Sink::Discard, Sink::Verify] {
                let call = client.clone().with_sink(sink).with_time_limit(LONG);
                let (code, message) = code(call.call(Operation::Write).await.expect_err("over"));
                let what = format!("{at_client} to {at_server}, {sink:?}: {message}");
                assert_eq!(code, Code::OutOfRange, "{what}");
                assert!(message.ends_with("is over the server's size of 5000 bytes"), "{what}");
                let length = message.split_whitespace().nth(3).map(str::parse::<u64>);
                assert!(matches!(length, Some(Ok(5001..))), "{what}");
                assert!(stored.lock().expect("not poisoned").is_empty(), "{what}");
            }
            // The connection has survived all of that.
            client.call_range(Operation::Read, 0..5000).await.expect("call");
        });
    }
}

#[test]
fn content_that_is_not_the_servers_ends_a_verified_write() {
    for (at_server, at_client) in pairs() {
        let server = service(at_server, Bytes::from(vec![1; 500]), Stored::default(), 1000);
        let mut content = vec![1; 500];
        content[321] = 2;
        let plan = Plan { content: content.into(), chunk: 100, limit: 1000 };
        runtime().block_on(async {
            let client = client(server, at_client, plan).await.with_sink(Sink::Verify);
            let (code, message) = code(client.call(Operation::Write).await.expect_err("other"));
            assert_eq!(code, Code::DataLoss);
            assert!(message.starts_with("wrong content at offset 321"), "{message}");
            for operation in [Operation::Read, Operation::Stream] {
                let error = client.call(operation).await.expect_err("other").to_string();
                let place = "delivered other content: wrong content at offset 321 of the payload";
                assert!(error.contains(place), "{error}");
            }
        });
    }
}

/// Answers every call with these bytes and these trailers.
#[derive(Clone)]
struct Canned {
    status: u16,
    headers: HeaderMap,
    body: Bytes,
    trailers: Option<HeaderMap>,
}

impl http_body::Body for Canned {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let this = self.get_mut();
        let data = std::mem::take(&mut this.body);
        let frame = if data.is_empty() {
            this.trailers.take().map(Frame::trailers)
        } else {
            Some(Frame::data(data))
        };
        Poll::Ready(frame.map(Ok))
    }
}

impl Service<http::Request<Body>> for Canned {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = Ready<Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: http::Request<Body>) -> Self::Future {
        let mut response = http::Response::new(Body::new(self.clone()));
        *response.headers_mut() = self.headers.clone();
        *response.status_mut() = http::StatusCode::from_u16(self.status).expect("a status");
        ready(Ok(response))
    }
}

fn map(entries: &[(&'static str, &'static str)]) -> HeaderMap {
    let parsed = entries.iter().map(|&(name, value)| {
        (http::HeaderName::from_static(name), http::HeaderValue::from_static(value))
    });
    parsed.collect()
}

/// A chunk of three bytes.
const THREE: &[u8] = &[0, 0, 0, 0, 5, 0x0A, 3, 1, 1, 1];

/// What the call ends with.
fn call(operation: Operation, canned: Canned) -> Result<(), Error> {
    let plan = Plan { content: Bytes::from_static(&[1; 3]), chunk: 3, limit: 1000 };
    runtime().block_on(async {
        let client = client(canned, DataPath::Segments, plan).await;
        client.call(operation).await.map(drop)
    })
}

fn right() -> Canned {
    Canned {
        status: 200,
        headers: map(&[("content-type", "application/grpc")]),
        body: Bytes::from_static(THREE),
        trailers: Some(map(&[("grpc-status", "0")])),
    }
}

#[test]
fn a_server_that_breaks_the_protocol_is_a_clear_error() {
    let downloads = [Operation::Read, Operation::Stream];
    let fails = |operation, canned| call(operation, canned).expect_err("broken").to_string();
    for operation in downloads {
        call(operation, right()).expect("this one keeps to it");
        let body = |bytes: &'static [u8]| Canned { body: Bytes::from_static(bytes), ..right() };
        let cases: [(Canned, &str); 8] = [
            (body(&THREE[..9]), "the stream ends inside a message, 1 bytes before its end"),
            (body(&[1, 0, 0, 0, 0]), "a message is flagged 1"),
            (body(&[0, 0, 1, 0, 0]), "a message of 65536 bytes is over the limit of 1000 bytes"),
            (body(&[0, 0, 0, 0, 2, 0x12, 0]), "a message begins with field 2 of wire type 2"),
            (body(b"HTTP/1.1 400 Bad Request"), "a message is flagged 72"),
            (Canned { trailers: None, ..right() }, "missing grpc-status trailer"),
            (
                Canned { status: 502, headers: map(&[("content-type", "text/html")]), ..right() },
                "speaks HTTP, but not gRPC: status 502 Bad Gateway, content type text/html",
            ),
            (
                Canned { headers: HeaderMap::new(), ..right() },
                "speaks HTTP, but not gRPC: status 200 OK, content type none",
            ),
        ];
        for (canned, expected) in cases {
            let error = fails(operation, canned);
            assert!(error.contains(expected), "{operation}: {error}");
        }
    }
    assert_eq!(
        fails(Operation::Read, Canned { body: [THREE, THREE].concat().into(), ..right() }),
        "read moved 6 bytes instead of 3"
    );
}

#[test]
fn a_status_is_believed_wherever_it_stands() {
    for operation in Operation::ALL {
        let denied = [("grpc-status", "7"), ("grpc-message", "not%20you")];
        let alone = [&denied[..], &[("content-type", "application/grpc")]].concat();
        let trailers_only =
            Canned { headers: map(&alone), body: Bytes::new(), trailers: None, ..right() };
        let behind = Canned { trailers: Some(map(&denied)), ..right() };
        // The status says why the message was cut short.
        let cut = Canned { body: Bytes::from_static(&THREE[..8]), ..behind.clone() };
        for canned in [trailers_only, behind, cut] {
            let error = call(operation, canned).expect_err("denied").to_string();
            assert_eq!(error, format!("{operation} ended with status PermissionDenied: not you"));
        }
    }
}

#[test]
fn a_reply_to_a_write_that_is_none_is_a_clear_error() {
    let fails = |body: &'static [u8]| {
        let canned = Canned { body: Bytes::from_static(body), ..right() };
        call(Operation::Write, canned).expect_err("no reply").to_string()
    };
    assert!(fails(&[]).contains("the stream ends inside a message, 5 bytes"));
    assert!(fails(&[0, 0, 0, 0, 4, 8, 3]).contains("one message of 4 bytes was due, and 2 bytes"));
    assert!(fails(&[1, 0, 0, 0, 0]).contains("a message is flagged 1"));
    assert!(fails(&[0, 0, 0, 0, 2, 0xFF, 0xFF]).contains("protocol error"));
    assert!(fails(&[0; 2000]).contains("a message of 2000 bytes is over the limit of 1024 bytes"));
    assert!(fails(&[0, 0, 0, 0, 2, 8, 2]).contains("write moved 2 bytes instead of 3"));
    let canned = Canned {
        body: Bytes::from_static(&[0, 0, 0, 0, 4, 8, 3, 16, 1]),
        trailers: None,
        ..right()
    };
    let error = call(Operation::Write, canned).expect_err("no status").to_string();
    assert!(error.contains("missing grpc-status trailer"), "{error}");
}
