//! A server that sends every byte and then ends the stream without the trailers that carry the
//! status: whether the call succeeded is then not known, and must not be taken for yes.

use std::convert::Infallible;
use std::future::{Ready, ready};
use std::net::Ipv4Addr;
use std::task::{Context, Poll};

use bench_core::fixture::{Payload, PayloadKind};
use bench_core::units::ByteSize;
use tokio::net::TcpListener;
use tokio_stream::wrappers::TcpListenerStream;
use tonic::body::Body;
use tonic::codegen::{Service, http};
use tonic::server::NamedService;

use crate::client::Plan;
use crate::{Client, DataPath, Error, Operation, TransportProfile, profile, transport};

const SIZE: u8 = 100;

/// Zero bytes, so that a whole gRPC message is ASCII and a string can be the body.
const CONTENT: Payload =
    Payload { seed: 0, size: ByteSize::new(SIZE as u64), kind: PayloadKind::Zero };

/// Answers every call with the one message that is due, and never with trailers.
#[derive(Clone)]
struct Bare;

impl NamedService for Bare {
    const NAME: &'static str = "weighbridge.blob.v1.Blob";
}

impl Service<http::Request<Body>> for Bare {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = Ready<Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        // A reply of two numbers, or a chunk: its one field, the length, and that many bytes.
        let message = if request.uri().path().ends_with("/Write") {
            vec![0x08, SIZE, 0x10, 1]
        } else {
            [vec![0x0A, SIZE], vec![0; SIZE.into()]].concat()
        };
        let framed = [vec![0, 0, 0, 0, message.len() as u8], message].concat();
        let body = Body::new(String::from_utf8(framed).expect("ASCII"));
        let response = http::Response::builder().header("content-type", "application/grpc");
        ready(Ok(response.body(body).expect("a response")))
    }
}

fn call(operation: Operation) -> Result<(), Error> {
    let profile = TransportProfile::DEFAULT;
    let runtime = transport::runtime()?;
    runtime.block_on(async {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("bind");
        let address = listener.local_addr().expect("address");
        let incoming = TcpListenerStream::new(listener);
        tokio::spawn(profile::server(&profile).serve_with_incoming(Bare, incoming));
        let (channel, _) = transport::connect(address, &profile, None).await?;
        let plan = Plan { content: CONTENT.to_bytes(), chunk: SIZE.into(), limit: 1 << 10 };
        let client = Client::over(channel, DataPath::ProstBytes, plan);
        client.call(operation).await.map(drop)
    })
}

#[test]
fn a_stream_that_ends_without_a_status_is_an_error() {
    for operation in Operation::ALL {
        let error = call(operation).expect_err("nobody said that it succeeded").to_string();
        assert!(error.contains("missing grpc-status trailer"), "{operation}: {error}");
    }
}
