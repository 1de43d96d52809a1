//! The blob service by way of prost: what tonic generates calls these, once with `Bytes` payloads
//! and once with `Vec<u8>`. The two are different types of the same shape, hence a macro.

use tokio_stream::{Iter, StreamExt};
use tonic::{Request, Response, Status, Streaming};

use super::{BlobService, dated, take};
use crate::blob;
use crate::intake::Sink;

/// The messages of one Stream.
pub(crate) type Chunks<C = blob::Chunk> = Box<dyn Iterator<Item = Result<C, Status>> + Send>;

macro_rules! blob_service {
    ($($proto:ident)::+) => {
        #[tonic::async_trait]
        impl $($proto)::+::blob_server::Blob for BlobService {
            async fn write(
                &self,
                request: Request<Streaming<$($proto)::+::Chunk>>,
            ) -> Result<Response<$($proto)::+::WriteReply>, Status> {
                let sink = request.metadata().get(Sink::METADATA);
                let mut intake = self.intake(sink.map(|sink| sink.as_encoded_bytes()));
                let mut messages = request.into_inner();
                while let Some(message) = messages.next().await {
                    intake.messages += 1;
                    take(&mut intake, message?.data.into())?;
                }
                let (length, messages) = (intake.length, intake.messages);
                self.store(intake);
                Ok(dated($($proto)::+::WriteReply { length, messages }))
            }

            async fn read(
                &self,
                request: Request<$($proto)::+::ReadRequest>,
            ) -> Result<Response<$($proto)::+::Chunk>, Status> {
                let request = request.into_inner();
                let data = self.range(request.offset, request.length)?.into();
                Ok(dated($($proto)::+::Chunk { data }))
            }

            type StreamStream = Iter<Chunks<$($proto)::+::Chunk>>;

            async fn stream(
                &self,
                request: Request<$($proto)::+::StreamRequest>,
            ) -> Result<Response<Self::StreamStream>, Status> {
                let request = request.into_inner();
                let chunks = self.chunks(request.offset, request.length, request.chunk)?;
                let chunks = chunks.map(|data| Ok($($proto)::+::Chunk { data: data.into() }));
                let chunks: Chunks<$($proto)::+::Chunk> = Box::new(chunks);
                Ok(dated(tokio_stream::iter(chunks)))
            }
        }
    };
}

blob_service!(blob);
blob_service!(blob::vec);
