//! Calls of another make: a blob cache that is deployed somewhere, spoken to in its own three
//! calls. Write is its `StoreContent`, Read its `GetContent`, Stream its `GetContentStream`.
//!
//! Content is checked on every call that moves it: a stored one by the SHA-256 that the cache
//! answers with, which it computes itself, and a fetched one as any other. It differs from
//! [`Client`](crate::Client): messages of a Stream are cut as the cache likes, so their number is
//! not checked; content goes by way of prost; and the time of a Write contains the cache's hashing.
//! Not modelled: tokens, and the cache's choice of a host by hash.

pub mod proto;
mod server;

use std::ops::Range;
use std::sync::Arc;
use std::time::{Duration, Instant};

use sha2::{Digest, Sha256};
use tokio::time::timeout;
use tokio_stream::StreamExt;
use tonic::Status;
use tonic::transport::Channel;

use crate::client::Plan;
use crate::connection::Connections;
use crate::error::Error;
use crate::intake::{Intake, Sink};
use crate::operation::{Delivery, Operation, expect_length, slices};
use proto::blob_cache_client::BlobCacheClient;
use proto::{GetContentRequest, GetContentResponse, StoreContentRequest};

pub use server::start;

/// The SHA-256 of the content as the cache writes it: 64 lower-case hexadecimal digits.
pub fn hash(content: &[u8]) -> String {
    Sha256::digest(content).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Clients of a cache, one for each connection to it.
#[derive(Clone, Debug)]
pub struct CacheClients {
    clients: Vec<CacheClient>,
}

impl CacheClients {
    /// Speaks the cache's calls over open connections. Hashes the content once.
    pub fn over(connections: &Connections) -> Self {
        let mut hashed: Option<Arc<str>> = None;
        let clients = (0..connections.count()).map(|number| {
            let client = connections.client(number);
            let plan = client.plan;
            let hash = hashed.get_or_insert_with(|| hash(&plan.content).into()).clone();
            CacheClient { channel: client.channel, plan, hash, sink: Sink::Keep, time_limit: None }
        });
        Self { clients: clients.collect() }
    }

    /// A client; numbers beyond the connections begin again with the first.
    pub fn client(&self, number: usize) -> CacheClient {
        self.clients[number % self.clients.len()].clone()
    }
}

/// Sends the cache's calls over one connection. Clones share it.
#[derive(Clone, Debug)]
pub struct CacheClient {
    channel: Channel,
    plan: Plan,
    hash: Arc<str>,
    sink: Sink,
    time_limit: Option<Duration>,
}

impl CacheClient {
    /// The same client, whose calls do this with content that they fetch.
    #[must_use]
    pub fn with_sink(self, sink: Sink) -> Self {
        Self { sink, ..self }
    }

    /// The same client, whose calls are given up after this time.
    #[must_use]
    pub fn with_time_limit(self, limit: Duration) -> Self {
        Self { time_limit: Some(limit), ..self }
    }

    /// The name under which the cache keeps the content.
    pub fn hash(&self) -> &str {
        &self.hash
    }

    /// Runs one operation on the whole content. Read and Stream need one that was written before,
    /// by whomever. A delivery of Write has been verified by its hash.
    ///
    /// # Errors
    /// [`Error::Status`], [`Error::Length`], [`Error::TimeLimit`]; [`Error::NotStored`] when the
    /// cache has no such content; [`Error::Hash`] when it received another; [`Error::Content`]
    /// with [`Sink::Verify`].
    pub async fn call(&self, operation: Operation) -> Result<Delivery, Error> {
        self.transfer(operation, 0..self.plan.content.len() as u64).await
    }

    /// Reads or streams a range of the content, which lies in it.
    ///
    /// # Errors
    /// Those of [`call`](Self::call); [`Error::Range`] for a range that is not in the content or
    /// is empty, which the cache takes for a miss, and for Write.
    pub async fn call_range(
        &self,
        operation: Operation,
        range: Range<u64>,
    ) -> Result<Delivery, Error> {
        let inside = range.start < range.end && range.end <= self.plan.content.len() as u64;
        if operation == Operation::Write || !inside {
            return Err(Error::Range { operation, range });
        }
        self.transfer(operation, range).await
    }

    async fn transfer(&self, operation: Operation, range: Range<u64>) -> Result<Delivery, Error> {
        let Some(limit) = self.time_limit else { return self.unlimited(operation, range).await };
        let call = timeout(limit, self.unlimited(operation, range)).await;
        call.unwrap_or(Err(Error::TimeLimit { operation, limit }))
    }

    async fn unlimited(&self, operation: Operation, range: Range<u64>) -> Result<Delivery, Error> {
        let length = range.end - range.start;
        let (intake, first_byte) = match operation {
            Operation::Write => (self.store().await?, None),
            Operation::Read | Operation::Stream => self.fetch(operation, &range).await?,
        };
        expect_length(operation, length, intake.length)?;
        Ok(Delivery::new(operation, range, intake, first_byte))
    }

    fn cache(&self) -> BlobCacheClient<Channel> {
        BlobCacheClient::new(self.channel.clone())
            .max_decoding_message_size(self.plan.limit)
            .max_encoding_message_size(self.plan.limit)
    }

    async fn store(&self) -> Result<Intake, Error> {
        let content = &self.plan.content;
        let chunks =
            slices(content.clone(), self.plan.chunk).map(|content| StoreContentRequest { content });
        let reply = self.cache().store_content(tokio_stream::iter(chunks)).await;
        // Whether it says `ok` depends on its age; the hash says it in any case.
        let found = reply.map_err(status(Operation::Write))?.into_inner().hash;
        if *found != *self.hash {
            return Err(Error::Hash { expected: self.hash.to_string(), found });
        }
        let mut intake = Intake::new(Sink::Verify, content, 0);
        intake.length = content.len() as u64;
        intake.messages = content.len().div_ceil(self.plan.chunk) as u64;
        Ok(intake)
    }

    async fn fetch(
        &self,
        operation: Operation,
        range: &Range<u64>,
    ) -> Result<(Intake, Option<Instant>), Error> {
        let mut intake = Intake::new(self.sink, &self.plan.content, range.start);
        let mut first_byte = None;
        let mut take = |reply: GetContentResponse| {
            if !reply.ok {
                return Err(Error::NotStored { operation, hash: self.hash.to_string() });
            }
            first_byte.get_or_insert_with(Instant::now);
            intake.message(reply.content).map_err(|source| Error::Content { operation, source })
        };
        // Sizes are below 4 GiB.
        let (offset, length) = (range.start as i64, (range.end - range.start) as i64);
        let request = GetContentRequest { hash: self.hash.to_string(), offset, length };
        let mut cache = self.cache();
        if operation == Operation::Read {
            take(cache.get_content(request).await.map_err(status(operation))?.into_inner())?;
        } else {
            let messages = cache.get_content_stream(request).await;
            let mut messages = messages.map_err(status(operation))?.into_inner();
            while let Some(message) = messages.next().await {
                take(message.map_err(status(operation))?)?;
            }
        }
        Ok((intake, first_byte))
    }
}

fn status(operation: Operation) -> impl Fn(Status) -> Error {
    move |status| Error::Status { operation, status: Box::new(status) }
}

#[cfg(test)]
#[path = "compat_tests.rs"]
mod tests;
