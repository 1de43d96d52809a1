//! The server's side of the blob service: serves one content, keeps what was written last.

use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use tokio_stream::{Iter, StreamExt};
use tonic::metadata::{MetadataMap, MetadataValue};
use tonic::{Request, Response, Status, Streaming};

use crate::blob::blob_server::Blob;
use crate::blob::{Chunk, ReadRequest, StreamRequest, WriteReply};
use crate::operation::slices;

/// What the last Write delivered. Shared with the fixture, which verifies it outside the clock.
pub(crate) type Stored = Arc<Mutex<Vec<Bytes>>>;

/// The messages of one Stream.
pub(crate) type Chunks = Box<dyn Iterator<Item = Result<Chunk, Status>> + Send>;

/// Serves slices of `content` without copying them.
pub(crate) struct BlobService {
    pub(crate) content: Bytes,
    pub(crate) stored: Stored,
}

impl BlobService {
    fn range(&self, offset: u64, length: u64) -> Result<Bytes, Status> {
        let end = offset.checked_add(length).filter(|&end| end <= self.content.len() as u64);
        let end = end.ok_or_else(|| {
            let size = self.content.len();
            Status::out_of_range(format!("{length} bytes from {offset} of a content of {size}"))
        })?;
        Ok(self.content.slice(offset as usize..end as usize))
    }
}

#[tonic::async_trait]
impl Blob for BlobService {
    async fn write(
        &self,
        request: Request<Streaming<Chunk>>,
    ) -> Result<Response<WriteReply>, Status> {
        // The last content is freed first, so that only one is in memory.
        self.stored.lock().unwrap_or_else(PoisonError::into_inner).clear();
        let mut messages = request.into_inner();
        let mut chunks = Vec::new();
        let mut length = 0;
        while let Some(message) = messages.next().await {
            let data = message?.data;
            length += data.len() as u64;
            chunks.push(data);
        }
        let messages = chunks.len() as u64;
        *self.stored.lock().unwrap_or_else(PoisonError::into_inner) = chunks;
        Ok(dated(WriteReply { length, messages }))
    }

    async fn read(&self, request: Request<ReadRequest>) -> Result<Response<Chunk>, Status> {
        let ReadRequest { offset, length } = request.into_inner();
        Ok(dated(Chunk { data: self.range(offset, length)? }))
    }

    type StreamStream = Iter<Chunks>;

    async fn stream(
        &self,
        request: Request<StreamRequest>,
    ) -> Result<Response<Self::StreamStream>, Status> {
        let StreamRequest { offset, length, chunk } = request.into_inner();
        let chunk = usize::try_from(chunk).ok().filter(|&chunk| chunk > 0);
        let chunk = chunk.ok_or_else(|| Status::invalid_argument("a chunk has at least a byte"))?;
        let chunks = slices(self.range(offset, length)?, chunk).map(|data| Ok(Chunk { data }));
        let chunks: Chunks = Box::new(chunks);
        Ok(dated(tokio_stream::iter(chunks)))
    }
}

/// A response with a date of its own. hyper adds the current one to responses that have none: it
/// changes each second, and with it the header table of the connection, so that two runs of the
/// same code would not execute the same instructions.
pub(crate) fn dated<T>(message: T) -> Response<T> {
    let mut metadata = MetadataMap::with_capacity(1);
    metadata.insert("date", MetadataValue::from_static("Thu, 01 Jan 1970 00:00:00 GMT"));
    Response::from_parts(metadata, message, tonic::Extensions::new())
}
