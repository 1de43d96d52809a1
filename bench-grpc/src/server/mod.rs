//! The server's side of the blob service: serves one content, keeps what was written last.
//!
//! What it does is here, once; how its messages become bytes is the data path's: [`prost`] for the
//! two that prost encodes, [`segments`](crate::segments) for the third.

pub(crate) mod prost;

use std::convert::Infallible;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use bench_core::fixture::Mismatch;
use bytes::Bytes;
use tonic::body::Body;
use tonic::codegen::{BoxFuture, Service, http};
use tonic::metadata::{MetadataMap, MetadataValue};
use tonic::{Response, Status};

use crate::blob;
use crate::intake::{Intake, Sink};
use crate::operation::slices;
use crate::path::DataPath;
use crate::segments::server::SegmentsServer;

/// What the last Write delivered. Shared with the fixture, which verifies it outside the clock.
pub(crate) type Stored = Arc<Mutex<Vec<Bytes>>>;

/// The blob service on one data path, for tonic's stock server.
///
/// `limit` is the largest message that it takes or sends, its header included.
pub(crate) fn service(path: DataPath, content: Bytes, stored: Stored, limit: usize) -> PathService {
    let service = BlobService { content, stored };
    match path {
        DataPath::ProstVec => PathService::Vec(
            blob::vec::blob_server::BlobServer::new(service)
                .max_decoding_message_size(limit)
                .max_encoding_message_size(limit),
        ),
        DataPath::ProstBytes => PathService::Bytes(
            blob::blob_server::BlobServer::new(service)
                .max_decoding_message_size(limit)
                .max_encoding_message_size(limit),
        ),
        DataPath::Segments => PathService::Segments(SegmentsServer::new(service, limit)),
    }
}

/// What tonic's stock server can serve.
pub(crate) trait Serving:
    Service<
        http::Request<Body>,
        Response = http::Response<Body>,
        Error = Infallible,
        Future: Send + 'static,
    > + Clone
    + Send
    + 'static
{
}

impl<S> Serving for S where
    S: Service<
            http::Request<Body>,
            Response = http::Response<Body>,
            Error = Infallible,
            Future: Send + 'static,
        > + Clone
        + Send
        + 'static
{
}

/// What [`service`] makes.
#[derive(Clone)]
pub(crate) enum PathService {
    Vec(blob::vec::blob_server::BlobServer<BlobService>),
    Bytes(blob::blob_server::BlobServer<BlobService>),
    Segments(SegmentsServer),
}

impl Service<http::Request<Body>> for PathService {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<Self::Response, Infallible>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        match self {
            Self::Vec(server) => server.call(request),
            Self::Bytes(server) => server.call(request),
            Self::Segments(server) => server.call(request),
        }
    }
}

/// Serves slices of `content` without copying them.
pub(crate) struct BlobService {
    pub(crate) content: Bytes,
    pub(crate) stored: Stored,
}

impl BlobService {
    pub(crate) fn range(&self, offset: u64, length: u64) -> Result<Bytes, Status> {
        let end = offset.checked_add(length).filter(|&end| end <= self.content.len() as u64);
        let end = end.ok_or_else(|| {
            let size = self.content.len();
            Status::out_of_range(format!("{length} bytes from {offset} of a content of {size}"))
        })?;
        Ok(self.content.slice(offset as usize..end as usize))
    }

    pub(crate) fn chunks(
        &self,
        offset: u64,
        length: u64,
        chunk: u64,
    ) -> Result<impl Iterator<Item = Bytes> + Send + use<>, Status> {
        let chunk = usize::try_from(chunk).ok().filter(|&chunk| chunk > 0);
        let chunk = chunk.ok_or_else(|| Status::invalid_argument("a chunk has at least a byte"))?;
        Ok(slices(self.range(offset, length)?, chunk))
    }

    /// Begins a Write.
    pub(crate) fn intake(&self, sink: Option<&[u8]>) -> Intake {
        // The last content is freed first, so that only one is in memory.
        self.stored.lock().unwrap_or_else(PoisonError::into_inner).clear();
        Intake::new(Sink::asked(sink), &self.content, 0)
    }

    /// Ends a Write.
    pub(crate) fn store(&self, intake: Intake) {
        *self.stored.lock().unwrap_or_else(PoisonError::into_inner) = intake.pieces;
    }
}

/// The date of every response. hyper adds the current one to responses that have none: it changes
/// each second, and with it the header table of the connection, so that two runs of the same code
/// would not execute the same instructions.
pub(crate) const DATE: &str = "Thu, 01 Jan 1970 00:00:00 GMT";

/// Takes the next bytes of a Write. A stream is longer than any message, so the limit of messages
/// does not bound it: without this, a client could fill the server's memory.
///
/// # Errors
/// `OutOfRange` with both numbers, when it is longer than the server's content; `DataLoss` when it
/// is compared and differs.
pub(crate) fn take(intake: &mut Intake, piece: Bytes) -> Result<(), Status> {
    let (length, size) = (intake.length + piece.len() as u64, intake.size());
    if length > size {
        return Err(Status::out_of_range(format!(
            "a Write of {length} bytes or more is over the server's size of {size} bytes"
        )));
    }
    intake.piece(piece).map_err(data_loss)
}

/// Content that is not what it should be, as a status.
fn data_loss(mismatch: Mismatch) -> Status {
    Status::data_loss(mismatch.to_string())
}

/// A response with [`DATE`].
pub(crate) fn dated<T>(message: T) -> Response<T> {
    let mut metadata = MetadataMap::with_capacity(1);
    metadata.insert("date", MetadataValue::from_static(DATE));
    Response::from_parts(metadata, message, tonic::Extensions::new())
}
