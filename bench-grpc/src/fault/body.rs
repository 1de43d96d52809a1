//! Faults of a stream, whatever is in it: its trailers, and whether it goes on.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::Frame;
use tonic::Status;
use tonic::body::Body;
use tonic::codegen::http::{HeaderMap, HeaderValue};

use super::Fault;

/// A body that goes wrong.
#[derive(Debug)]
pub(super) struct Spoiled {
    body: Body,
    fault: Fault,
    /// There will be nothing more, and no end.
    stalled: bool,
}

impl Spoiled {
    pub(super) fn new(body: Body, fault: Fault) -> Self {
        Self { body, fault, stalled: false }
    }
}

impl http_body::Body for Spoiled {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let this = self.get_mut();
        if this.stalled {
            // Nobody will wake it.
            return Poll::Pending;
        }
        let polled = Pin::new(&mut this.body).poll_frame(cx);
        let Poll::Ready(Some(Ok(frame))) = polled else { return polled };
        let frame = match (this.fault, frame.into_data()) {
            (Fault::Stall, Ok(data)) => {
                this.stalled = true;
                Some(Frame::data(data.slice(..data.len() / 2)))
            }
            (_, Ok(data)) => Some(Frame::data(data)),
            (Fault::MissingTrailers, Err(_)) => None,
            (Fault::WrongStatus, Err(_)) => Some(Frame::trailers(lost())),
            (_, Err(trailers)) => Some(trailers),
        };
        Poll::Ready(frame.map(Ok))
    }
}

fn lost() -> HeaderMap {
    let mut trailers = HeaderMap::new();
    trailers.insert(Status::GRPC_STATUS, HeaderValue::from_static("15"));
    trailers.insert(Status::GRPC_MESSAGE, HeaderValue::from_static("a disk lost it"));
    trailers
}
