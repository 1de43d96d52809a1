//! A cache of the same make, to try the client against. It keeps everything in memory until it
//! ends, and refuses what it has no room for, as a real one does whose disk is full; a real one has
//! tiers below, evicts, and shares content with other hosts.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::{Bytes, BytesMut};
use tokio_stream::StreamExt;
use tonic::{Request, Response, Status, Streaming};

use super::proto::blob_cache_server::{BlobCache, BlobCacheServer};
use super::proto::{
    GetContentRequest, GetContentResponse, StoreContentRequest, StoreContentResponse,
};
use crate::error::Error;
use crate::limits;
use crate::operation::slices;
use crate::serve::{Server, ServerConfig};
use crate::server::Stored;

/// How such caches cut a stream.
const CHUNK_BYTES: usize = 4 << 20;

/// How many contents of the payload's size there is room for.
const CONTENTS_MAX: usize = 4;

/// Starts an empty cache. Of the payload only the size counts, which limits messages and contents:
/// a StoreContent that is longer, or for which four of that size leave no room, ends with
/// `ResourceExhausted` as soon as it is.
///
/// # Errors
/// Those of [`Server::start`].
pub fn start(config: &ServerConfig) -> Result<Server, Error> {
    limits::check("a payload", config.payload.size)?;
    let limit = limits::message_limit(config.payload.size);
    let size = config.payload.size.len();
    let service = BlobCacheServer::new(Cache { size, content: Arc::default() })
        .max_decoding_message_size(limit)
        .max_encoding_message_size(limit);
    Server::with_service(config, service, Stored::default(), None)
}

/// Content by hash.
#[derive(Clone)]
struct Cache {
    /// Bytes of the largest content.
    size: usize,
    content: Arc<Mutex<BTreeMap<String, Bytes>>>,
}

impl Cache {
    /// The range, or nothing where the cache does not have it.
    fn range(&self, request: &GetContentRequest) -> Option<Bytes> {
        let content = self.content.lock().unwrap_or_else(PoisonError::into_inner);
        let content = content.get(&request.hash)?;
        let start = usize::try_from(request.offset).ok()?;
        let end = start.checked_add(usize::try_from(request.length).ok()?)?;
        (start < end && end <= content.len()).then(|| content.slice(start..end))
    }

    /// Whether a content may have so many bytes.
    fn within(&self, length: usize) -> Result<(), Status> {
        if length <= self.size {
            return Ok(());
        }
        Err(Status::resource_exhausted(format!(
            "a content of {length} bytes or more is over the cache's size of {} bytes",
            self.size
        )))
    }

    fn keep(&self, hash: String, content: Bytes) -> Result<(), Status> {
        let mut kept = self.content.lock().unwrap_or_else(PoisonError::into_inner);
        let others = kept.iter().filter(|(other, _)| **other != hash);
        let taken: usize = others.map(|(_, content)| content.len()).sum();
        let room = CONTENTS_MAX.saturating_mul(self.size);
        if taken + content.len() > room {
            return Err(Status::resource_exhausted(format!(
                "the cache has {taken} bytes of {room} and no room for {} more",
                content.len()
            )));
        }
        kept.insert(hash, content);
        Ok(())
    }
}

const MISS: GetContentResponse = GetContentResponse { ok: false, content: Bytes::new() };

#[tonic::async_trait]
impl BlobCache for Cache {
    async fn get_content(
        &self,
        request: Request<GetContentRequest>,
    ) -> Result<Response<GetContentResponse>, Status> {
        let content = self.range(request.get_ref());
        Ok(Response::new(content.map_or(MISS, |content| GetContentResponse { ok: true, content })))
    }

    type GetContentStreamStream =
        tokio_stream::Iter<std::vec::IntoIter<Result<GetContentResponse, Status>>>;

    async fn get_content_stream(
        &self,
        request: Request<GetContentRequest>,
    ) -> Result<Response<Self::GetContentStreamStream>, Status> {
        let messages: Vec<_> = match self.range(request.get_ref()) {
            Some(content) => slices(content, CHUNK_BYTES)
                .map(|content| Ok(GetContentResponse { ok: true, content }))
                .collect(),
            None => vec![Ok(MISS)],
        };
        Ok(Response::new(tokio_stream::iter(messages)))
    }

    async fn store_content(
        &self,
        request: Request<Streaming<StoreContentRequest>>,
    ) -> Result<Response<StoreContentResponse>, Status> {
        let mut messages = request.into_inner();
        let mut content = BytesMut::new();
        while let Some(message) = messages.next().await {
            let piece = message?.content;
            // A stream is longer than any message, so the limit of messages does not bound it.
            self.within(content.len() + piece.len())?;
            content.extend_from_slice(&piece);
        }
        let content = content.freeze();
        let hash = super::hash(&content);
        self.keep(hash.clone(), content)?;
        Ok(Response::new(StoreContentResponse { ok: true, hash }))
    }
}
