//! A server that goes wrong in a way of one's choice: what a benchmark has to notice, so that a
//! number never stands for content that did not arrive.
//!
//! It listens and speaks as [`Server`] does, by way of prost whatever the data path: on the wire
//! all paths are the same. It differs from a server that breaks by itself in that every call goes
//! wrong, and each in the same place.

mod body;
mod content;

use std::convert::Infallible;
use std::fmt;
use std::task::{Context, Poll};

use bytes::Bytes;
use tonic::body::Body;
use tonic::codegen::{BoxFuture, Service, http};

use crate::blob::blob_server::BlobServer;
use crate::error::Error;
use crate::limits;
use crate::serve::{Server, ServerConfig};
use crate::server::{BlobService, Stored};
use body::Spoiled;
use content::Faulty;

/// What goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Fault {
    /// The last byte is another one.
    FlippedByte,
    /// The last byte is missing.
    ShortStream,
    /// The first two chunks, or halves of the only one, are the other way round. Content of equal
    /// bytes does not show it.
    WrongOrder,
    /// All chunks come as one message. Read has one anyway, and one chunk is one.
    Merged,
    /// Everything arrives, and then nobody says whether that was all.
    MissingTrailers,
    /// Everything arrives, and then the status says that it went wrong.
    WrongStatus,
    /// The half of it arrives, or of a Write its first message, and then nothing ever again. Only
    /// a client with a time limit gets to know.
    Stall,
}

impl Fault {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::FlippedByte,
        Self::ShortStream,
        Self::WrongOrder,
        Self::Merged,
        Self::MissingTrailers,
        Self::WrongStatus,
        Self::Stall,
    ];

    /// In words, for messages.
    pub const fn name(self) -> &'static str {
        match self {
            Self::FlippedByte => "flipped byte",
            Self::ShortStream => "short stream",
            Self::WrongOrder => "wrong order",
            Self::Merged => "merged messages",
            Self::MissingTrailers => "missing trailers",
            Self::WrongStatus => "wrong status",
            Self::Stall => "stall",
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// Starts a server whose every call goes wrong.
///
/// # Errors
/// Those of [`Server::start`].
pub fn start(config: &ServerConfig, fault: Fault) -> Result<Server, Error> {
    limits::check("a payload", config.payload.size)?;
    let stored = Stored::default();
    let limit = limits::message_limit(config.payload.size);
    let service = service(fault, config.payload.to_bytes(), stored.clone(), limit);
    Server::with_service(config, service, stored, None)
}

/// The blob service with this fault.
pub(crate) fn service(fault: Fault, content: Bytes, stored: Stored, limit: usize) -> FaultyService {
    let inner = BlobService { content, stored };
    let server = BlobServer::new(Faulty { inner, fault })
        .max_decoding_message_size(limit)
        .max_encoding_message_size(limit);
    FaultyService { server, fault }
}

/// Faults of the content are the inner service's, those of the stream are put on here.
#[derive(Clone)]
pub(crate) struct FaultyService {
    server: BlobServer<Faulty>,
    fault: Fault,
}

impl Service<http::Request<Body>> for FaultyService {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<Self::Response, Infallible>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        let (answer, fault) = (self.server.call(request), self.fault);
        Box::pin(async move { Ok(answer.await?.map(|body| Body::new(Spoiled::new(body, fault)))) })
    }
}

#[cfg(test)]
#[path = "fault_tests.rs"]
mod tests;
