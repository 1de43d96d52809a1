//! Bodies as they come: streams of payloads, and single messages of numbers.

use std::future::poll_fn;
use std::pin::Pin;

use bytes::{Buf, Bytes, BytesMut};
use http_body::{Body, Frame};
use prost::Message;
use tonic::Status;
use tonic::codegen::StdError;
use tonic::codegen::http::HeaderMap;

use super::parser::{Event, Malformed, Parser};
use super::{NUMBERS_BYTES_MAX, PREFIX_BYTES, over_limit};

/// A stream of `Chunk` messages.
pub(super) struct Incoming<B> {
    body: B,
    frame: Bytes,
    parser: Parser,
    trailers: Option<HeaderMap>,
}

impl<B: Body<Data = Bytes, Error: Into<StdError>> + Unpin> Incoming<B> {
    /// Of messages of up to `limit` bytes.
    pub(super) fn new(body: B, limit: usize) -> Self {
        Self { body, frame: Bytes::new(), parser: Parser::new(limit), trailers: None }
    }

    /// The next of the stream; `None` at its end.
    ///
    /// # Errors
    /// What broke the stream, or that it is none of `Chunk` messages.
    pub(super) async fn next(&mut self) -> Result<Option<Event>, Status> {
        loop {
            if let Some(event) = self.parser.next(&mut self.frame)? {
                return Ok(Some(event));
            }
            // Let go of first, so that h2 can read the next frame into the same memory.
            self.frame = Bytes::new();
            match frame(&mut self.body).await? {
                Some(Received::Data(data)) => self.frame = data,
                Some(Received::Trailers(trailers)) => self.trailers = Some(trailers),
                None => return self.ended().map(|()| None),
            }
        }
    }

    /// What came behind the last message.
    pub(super) fn trailers(&self) -> Option<&HeaderMap> {
        self.trailers.as_ref()
    }

    /// A status tells more than that a message is not whole.
    fn ended(&self) -> Result<(), Status> {
        match self.trailers().and_then(Status::from_header_map) {
            Some(status) if status.code() != tonic::Code::Ok => Err(status),
            _ => Ok(self.parser.finish()?),
        }
    }
}

/// The one message of a body, and what came behind it.
///
/// # Errors
/// What broke the stream; no message or more than one; one that is not of this type, or longer
/// than a few numbers are.
pub(super) async fn numbers<M: Message + Default>(
    mut body: impl Body<Data = Bytes, Error: Into<StdError>> + Unpin,
) -> Result<(M, Option<HeaderMap>), Status> {
    let mut bytes = BytesMut::new();
    let mut trailers = None;
    while let Some(received) = frame(&mut body).await? {
        match received {
            Received::Data(data) if bytes.len() + data.len() > NUMBERS_BYTES_MAX => {
                return Err(over_limit((bytes.len() + data.len()) as u64, NUMBERS_BYTES_MAX));
            }
            Received::Data(data) => bytes.extend_from_slice(&data),
            Received::Trailers(map) => trailers = Some(map),
        }
    }
    if let Some(status) = trailers.as_ref().and_then(Status::from_header_map)
        && status.code() != tonic::Code::Ok
    {
        return Err(status);
    }
    if bytes.len() < PREFIX_BYTES {
        let missing = (PREFIX_BYTES - bytes.len()) as u64;
        return Err(Malformed::Truncated { missing }.into());
    }
    let (flag, length) = (bytes.get_u8(), bytes.get_u32() as usize);
    if flag != 0 {
        return Err(Malformed::Flag { flag }.into());
    }
    if length != bytes.len() {
        let found = bytes.len();
        return Err(Status::internal(format!(
            "protocol error: one message of {length} bytes was due, and {found} bytes came"
        )));
    }
    let message =
        M::decode(bytes).map_err(|error| Status::internal(format!("protocol error: {error}")))?;
    Ok((message, trailers))
}

enum Received {
    Data(Bytes),
    Trailers(HeaderMap),
}

async fn frame(
    body: &mut (impl Body<Data = Bytes, Error: Into<StdError>> + Unpin),
) -> Result<Option<Received>, Status> {
    loop {
        let frame = poll_fn(|context| Pin::new(&mut *body).poll_frame(context)).await;
        let Some(frame) = frame else { return Ok(None) };
        let frame = frame.map_err(|error| Status::from_error(error.into()))?;
        match frame.into_data().map_err(Frame::into_trailers) {
            Ok(data) => return Ok(Some(Received::Data(data))),
            Err(Ok(trailers)) => return Ok(Some(Received::Trailers(trailers))),
            // Neither data nor trailers: of a kind that came after this was written.
            Err(Err(_)) => {}
        }
    }
}
