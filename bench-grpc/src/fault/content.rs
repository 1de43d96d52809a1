//! Faults of the content: what is in the messages, and how many there are.

use bytes::Bytes;
use tokio_stream::StreamExt;
use tonic::{Request, Response, Status, Streaming};

use super::Fault;
use crate::blob::blob_server::Blob;
use crate::blob::{Chunk, ReadRequest, StreamRequest, WriteReply};
use crate::intake::Sink;
use crate::server::{BlobService, take};

/// Damages whatever passes through it.
pub(super) struct Faulty {
    pub(super) inner: BlobService,
    pub(super) fault: Fault,
}

fn damage(fault: Fault, mut chunks: Vec<Bytes>) -> Vec<Bytes> {
    match (fault, chunks.as_mut_slice()) {
        (Fault::FlippedByte, [.., last]) => {
            let mut bytes = last.to_vec();
            if let Some(byte) = bytes.last_mut() {
                *byte ^= 1;
            }
            *last = bytes.into();
        }
        (Fault::ShortStream, [.., last]) => last.truncate(last.len().saturating_sub(1)),
        (Fault::WrongOrder, [first, second, ..]) => std::mem::swap(first, second),
        (Fault::WrongOrder, [only]) => {
            let (left, right) = only.split_at(only.len() / 2);
            *only = [right, left].concat().into();
        }
        (Fault::Merged, [_, _, ..]) => return vec![chunks.concat().into()],
        _ => {}
    }
    chunks
}

#[tonic::async_trait]
impl Blob for Faulty {
    async fn write(
        &self,
        request: Request<Streaming<Chunk>>,
    ) -> Result<Response<WriteReply>, Status> {
        let sink = request.metadata().get(Sink::METADATA);
        let mut intake = self.inner.intake(sink.map(|sink| sink.as_encoded_bytes()));
        let mut messages = request.into_inner();
        let mut chunks = Vec::new();
        while let Some(message) = messages.next().await {
            chunks.push(message?.data);
            if self.fault == Fault::Stall {
                std::future::pending::<()>().await;
            }
        }
        for chunk in damage(self.fault, chunks) {
            intake.messages += 1;
            take(&mut intake, chunk)?;
        }
        let (length, messages) = (intake.length, intake.messages);
        self.inner.store(intake);
        Ok(Response::new(WriteReply { length, messages }))
    }

    async fn read(&self, request: Request<ReadRequest>) -> Result<Response<Chunk>, Status> {
        let ReadRequest { offset, length } = request.into_inner();
        let content = self.inner.range(offset, length)?;
        Ok(Response::new(Chunk { data: damage(self.fault, vec![content]).concat().into() }))
    }

    type StreamStream = tokio_stream::Iter<std::vec::IntoIter<Result<Chunk, Status>>>;

    async fn stream(
        &self,
        request: Request<StreamRequest>,
    ) -> Result<Response<Self::StreamStream>, Status> {
        let StreamRequest { offset, length, chunk } = request.into_inner();
        let chunks = self.inner.chunks(offset, length, chunk)?.collect();
        let chunks: Vec<_> =
            damage(self.fault, chunks).into_iter().map(|data| Ok(Chunk { data })).collect();
        Ok(Response::new(tokio_stream::iter(chunks)))
    }
}
