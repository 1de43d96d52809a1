//! A server that sends every byte and then ends the stream without the trailers that carry the
//! status: whether the call succeeded is then not known, and must not be taken for yes.

use std::convert::Infallible;
use std::future::{Ready, ready};
use std::task::{Context, Poll};

use bench_core::fixture::{Payload, PayloadKind};
use bench_core::units::ByteSize;
use tonic::body::Body;
use tonic::codegen::{Service, http};

use crate::server::Stored;
use crate::{DataPath, Error, Layout, Loopback, LoopbackConfig, Operation, TransportProfile, Wire};

const SIZE: u8 = 100;

/// Zero bytes, so that a whole gRPC message is ASCII and a string can be the body.
const CONTENT: Payload =
    Payload { seed: 0, size: ByteSize::new(SIZE as u64), kind: PayloadKind::Zero };

/// Answers every call with the one message that is due, and never with trailers.
#[derive(Clone)]
struct Bare;

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
    let config = LoopbackConfig {
        profile: TransportProfile::DEFAULT,
        layout: Layout::OneThread,
        wire: Wire::Tcp,
        path: DataPath::ProstBytes,
        payload: CONTENT,
        chunk: CONTENT.size,
        socket_buffer: None,
    };
    Loopback::connect(config, CONTENT.to_bytes(), Bare, Stored::default())?
        .call(operation)
        .map(drop)
}

#[test]
fn a_stream_that_ends_without_a_status_is_an_error() {
    for operation in Operation::ALL {
        let error = call(operation).expect_err("nobody said that it succeeded").to_string();
        assert!(error.contains("missing grpc-status trailer"), "{operation}: {error}");
    }
}
