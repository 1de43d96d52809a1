//! The three ways that large payloads go over gRPC, and the checks of what arrived.
//!
//! Length, number of messages and status are checked inside the operation: they cost nothing.
//! The content is checked by [`Delivery::verify`] outside the clock, because a checksum in the
//! measured region would cap every number at the checksum's own speed.

use std::fmt;

use bench_core::fixture::Payload;
use bytes::Bytes;
use tokio_stream::StreamExt;
use tonic::transport::Channel;

use crate::blob::blob_client::BlobClient;
use crate::blob::{Chunk, ReadRequest, StreamRequest};
use crate::error::Error;

/// One way to move the whole content.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Operation {
    /// Client stream: content to the server in chunks.
    Write,
    /// Unary: content to the client in one message.
    Read,
    /// Server stream: content to the client in chunks.
    Stream,
}

impl Operation {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Write, Self::Read, Self::Stream];

    /// The name in ids.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Write => "write",
            Self::Read => "read",
            Self::Stream => "stream",
        }
    }
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// What one operation delivered, as it came: not concatenated, so nothing is copied.
#[derive(Clone, Debug)]
pub struct Delivery {
    operation: Operation,
    chunks: Vec<Bytes>,
}

impl Delivery {
    pub(crate) fn new(operation: Operation, chunks: Vec<Bytes>) -> Self {
        Self { operation, chunks }
    }

    /// What was called.
    pub fn operation(&self) -> Operation {
        self.operation
    }

    /// The messages, in the order in which they came.
    pub fn chunks(&self) -> &[Bytes] {
        &self.chunks
    }

    /// Whether the delivery is the whole payload, in order.
    ///
    /// # Errors
    /// The first byte that is not the payload's, or that bytes are missing.
    pub fn verify(&self, payload: &Payload) -> Result<(), Error> {
        let operation = self.operation;
        let mut offset = 0;
        for chunk in &self.chunks {
            payload.verify(offset, chunk).map_err(|source| Error::Content { operation, source })?;
            offset += chunk.len() as u64;
        }
        expect_length(operation, payload.size.bytes(), offset)
    }
}

/// Sends operations over one connection. Clones share it.
#[derive(Clone, Debug)]
pub struct Client {
    pub(crate) blob: BlobClient<Channel>,
    pub(crate) content: Bytes,
    pub(crate) chunk: usize,
}

impl Client {
    /// Runs one operation and checks status, length and number of messages. What Write delivered
    /// is at the server; the delivery returned here is then empty.
    ///
    /// # Errors
    /// [`Error::Status`], [`Error::Length`] or [`Error::Messages`].
    pub async fn call(&self, operation: Operation) -> Result<Delivery, Error> {
        let chunks = match operation {
            Operation::Write => self.write().await?,
            Operation::Read => self.read().await?,
            Operation::Stream => self.stream().await?,
        };
        Ok(Delivery { operation, chunks })
    }

    async fn write(&self) -> Result<Vec<Bytes>, Error> {
        let operation = Operation::Write;
        let chunks = slices(self.content.clone(), self.chunk).map(|data| Chunk { data });
        let reply = self.blob.clone().write(tokio_stream::iter(chunks)).await;
        let reply = reply.map_err(status(operation))?.into_inner();
        expect_length(operation, self.content.len() as u64, reply.length)?;
        expect_messages(operation, self.messages(), reply.messages)?;
        Ok(Vec::new())
    }

    async fn read(&self) -> Result<Vec<Bytes>, Error> {
        let operation = Operation::Read;
        let length = self.content.len() as u64;
        let reply = self.blob.clone().read(ReadRequest { offset: 0, length }).await;
        let data = reply.map_err(status(operation))?.into_inner().data;
        expect_length(operation, length, data.len() as u64)?;
        Ok(vec![data])
    }

    async fn stream(&self) -> Result<Vec<Bytes>, Error> {
        let operation = Operation::Stream;
        let length = self.content.len() as u64;
        let request = StreamRequest { offset: 0, length, chunk: self.chunk as u64 };
        let reply = self.blob.clone().stream(request).await;
        let mut messages = reply.map_err(status(operation))?.into_inner();
        let mut chunks = Vec::with_capacity(self.messages() as usize);
        let mut received = 0;
        while let Some(message) = messages.next().await {
            let data = message.map_err(status(operation))?.data;
            received += data.len() as u64;
            chunks.push(data);
        }
        expect_length(operation, length, received)?;
        expect_messages(operation, self.messages(), chunks.len() as u64)?;
        Ok(chunks)
    }

    fn messages(&self) -> u64 {
        self.content.len().div_ceil(self.chunk) as u64
    }
}

/// The content in pieces of `chunk` bytes, the last one maybe shorter. Nothing is copied.
pub(crate) fn slices(mut content: Bytes, chunk: usize) -> impl Iterator<Item = Bytes> {
    std::iter::from_fn(move || {
        let len = content.len().min(chunk);
        (len > 0).then(|| content.split_to(len))
    })
}

fn status(operation: Operation) -> impl Fn(tonic::Status) -> Error {
    move |status| Error::Status { operation, status: Box::new(status) }
}

fn expect_length(operation: Operation, expected: u64, found: u64) -> Result<(), Error> {
    if expected == found { Ok(()) } else { Err(Error::Length { operation, expected, found }) }
}

fn expect_messages(operation: Operation, expected: u64, found: u64) -> Result<(), Error> {
    if expected == found { Ok(()) } else { Err(Error::Messages { operation, expected, found }) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn slices_are_the_content_in_order(len in 0_usize..5000, chunk in 1_usize..600) {
            let content: Bytes = (0..len).map(|i| i as u8).collect::<Vec<_>>().into();
            let pieces: Vec<Bytes> = slices(content.clone(), chunk).collect();
            prop_assert_eq!(pieces.len(), len.div_ceil(chunk));
            prop_assert!(pieces.iter().rev().skip(1).all(|piece| piece.len() == chunk));
            prop_assert_eq!(pieces.concat(), content);
        }
    }
}
