//! A client of what the server speaks: our service, or a blob cache's calls.

use std::time::Duration;

use bench_grpc::compat::CacheClient;
use bench_grpc::{Client, DataPath, Delivery, Error, Operation, Sink};

use super::part::Part;

/// What is spoken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// The blob service of bench-grpc.
    Ours,
    /// The three calls of a blob cache.
    BlobCache,
}

impl Protocol {
    /// How content goes between a cache's client and HTTP/2.
    pub const CACHE_PATH: DataPath = DataPath::ProstBytes;
}

/// A client of either protocol.
#[derive(Clone, Debug)]
pub enum Caller {
    /// Of our service.
    Ours(Client),
    /// Of a cache.
    Cache(CacheClient),
}

impl Caller {
    /// The same, whose calls do this with content and are given up after this time.
    #[must_use]
    pub fn with(self, sink: Sink, limit: Duration) -> Self {
        match self {
            Self::Ours(client) => Self::Ours(client.with_sink(sink).with_time_limit(limit)),
            Self::Cache(client) => Self::Cache(client.with_sink(sink).with_time_limit(limit)),
        }
    }

    /// Runs one operation on this part of the content; `None` is all.
    ///
    /// # Errors
    /// What the call ended with.
    pub async fn call(&self, operation: Operation, part: Option<Part>) -> Result<Delivery, Error> {
        match (self, part.map(Part::range)) {
            (Self::Ours(client), None) => client.call(operation).await,
            (Self::Ours(client), Some(range)) => client.call_range(operation, range).await,
            (Self::Cache(client), None) => client.call(operation).await,
            (Self::Cache(client), Some(range)) => client.call_range(operation, range).await,
        }
    }
}
