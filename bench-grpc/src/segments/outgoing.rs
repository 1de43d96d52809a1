//! The body that sends payloads as they are.

use std::iter::Empty;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::{Bytes, BytesMut};
use http_body::{Body, Frame};
use tonic::Status;
use tonic::codegen::http::HeaderMap;

use super::{COALESCE_BYTES, HEAD_BYTES_MAX, put_head};

/// What a server says after its last message.
enum End {
    /// Nothing: a client's body.
    Silent,
    /// The status of a call that went well, unless sending it did not.
    Status,
    /// It has been said.
    Said,
}

/// Messages with these payloads, one after the other.
pub(super) struct Outgoing<I: Iterator<Item = Bytes>> {
    payloads: I,
    /// Looked at ahead, so that the last frame is known to be the last.
    next: Option<Bytes>,
    /// The next frame: a payload, when its head was in the last one.
    payload: Option<Bytes>,
    buffer: BytesMut,
    limit: usize,
    end: End,
}

impl Outgoing<Empty<Bytes>> {
    /// A client's body of one message, framed already.
    pub(super) fn request_of(message: Bytes) -> Self {
        Self { payload: Some(message), ..Self::request(std::iter::empty(), 0) }
    }

    /// A server's body of one message, framed already, with the status behind it.
    pub(super) fn response_of(message: Bytes) -> Self {
        Self { payload: Some(message), ..Self::response(std::iter::empty(), 0) }
    }
}

impl<I: Iterator<Item = Bytes>> Outgoing<I> {
    /// A client's body.
    pub(super) fn request(payloads: I, limit: usize) -> Self {
        Self::new(payloads, limit, End::Silent)
    }

    /// A server's body, with the status behind it.
    pub(super) fn response(payloads: I, limit: usize) -> Self {
        Self::new(payloads, limit, End::Status)
    }

    fn new(mut payloads: I, limit: usize, end: End) -> Self {
        let next = payloads.next();
        Self { payloads, next, payload: None, buffer: BytesMut::new(), limit, end }
    }

    /// The next frame of data. Small messages share one; a large payload is one of its own.
    fn data(&mut self) -> Result<Option<Bytes>, Status> {
        if let Some(payload) = self.payload.take() {
            return Ok(Some(payload));
        }
        while let Some(payload) = self.next.take() {
            self.next = self.payloads.next();
            if self.buffer.capacity() == 0 {
                self.buffer.reserve(self.capacity(payload.len()));
            }
            put_head(payload.len(), self.limit, &mut self.buffer)?;
            if payload.len() > COALESCE_BYTES {
                self.payload = Some(payload);
                break;
            }
            self.buffer.extend_from_slice(&payload);
            if self.buffer.len() >= COALESCE_BYTES {
                break;
            }
        }
        let frame = self.buffer.split().freeze();
        Ok((!frame.is_empty()).then_some(frame))
    }

    /// For what the coming frame holds at least; a lone message needs no more.
    fn capacity(&self, payload: usize) -> usize {
        match payload {
            payload if payload > COALESCE_BYTES => HEAD_BYTES_MAX,
            payload if self.next.is_none() => HEAD_BYTES_MAX + payload,
            payload => COALESCE_BYTES + HEAD_BYTES_MAX + payload,
        }
    }

    fn trailers(&mut self, status: &Status) -> Option<Result<Frame<Bytes>, Status>> {
        self.end = End::Said;
        let mut trailers = HeaderMap::with_capacity(2);
        Some(status.add_header(&mut trailers).map(|()| Frame::trailers(trailers)))
    }
}

impl<I: Iterator<Item = Bytes> + Unpin> Body for Outgoing<I> {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let this = self.get_mut();
        if let End::Said = this.end {
            return Poll::Ready(None);
        }
        Poll::Ready(match (this.data(), &this.end) {
            (Ok(Some(data)), _) => Some(Ok(Frame::data(data))),
            (Ok(None), End::Status) => this.trailers(&Status::ok("")),
            (Ok(None), _) => None,
            // A client can only break its stream off; a server says why.
            (Err(status), End::Silent) => Some(Err(status)),
            (Err(status), _) => this.trailers(&status),
        })
    }

    fn is_end_stream(&self) -> bool {
        match self.end {
            End::Silent => self.next.is_none() && self.payload.is_none() && self.buffer.is_empty(),
            End::Status => false,
            End::Said => true,
        }
    }
}
