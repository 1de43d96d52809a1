//! Calls by way of prost, once with `Bytes` payloads and once with `Vec<u8>`: different types of
//! the same shape, hence a macro.

macro_rules! blob_calls {
    ($name:ident, $proto:path) => {
        pub(super) mod $name {
            use std::time::Instant;

            use tokio_stream::StreamExt;
            use tonic::Request;
            use tonic::metadata::MetadataValue;
            use tonic::transport::Channel;
            use $proto as proto;

            use crate::client::{Client, Order};
            use crate::error::Error;
            use crate::intake::{Intake, Sink};
            use crate::operation::{Operation, slices};
            use proto::blob_client::BlobClient;

            /// Runs the call; returns when its first content was here.
            pub(in crate::client) async fn transfer(
                client: &Client,
                order: &Order,
                intake: &mut Intake,
            ) -> Result<Option<Instant>, Error> {
                let limit = client.plan.limit;
                let blob = BlobClient::new(client.channel.clone())
                    .max_decoding_message_size(limit)
                    .max_encoding_message_size(limit);
                match order.operation {
                    Operation::Write => write(blob, client, order, intake).await,
                    Operation::Read => read(blob, order, intake).await,
                    Operation::Stream => stream(blob, client, order, intake).await,
                }
            }

            async fn write(
                mut blob: BlobClient<Channel>,
                client: &Client,
                order: &Order,
                intake: &mut Intake,
            ) -> Result<Option<Instant>, Error> {
                let chunks = slices(client.plan.content.clone(), client.plan.chunk)
                    .map(|data| proto::Chunk { data: data.into() });
                let mut request = Request::new(tokio_stream::iter(chunks));
                if let Some(sink) = client.sink.told() {
                    let sink = MetadataValue::from_static(sink);
                    request.metadata_mut().insert(Sink::METADATA, sink);
                }
                let reply = blob.write(request).await.map_err(order.status())?.into_inner();
                (intake.length, intake.messages) = (reply.length, reply.messages);
                Ok(None)
            }

            async fn read(
                mut blob: BlobClient<Channel>,
                order: &Order,
                intake: &mut Intake,
            ) -> Result<Option<Instant>, Error> {
                let (offset, length) = (order.range.start, order.length());
                let reply = blob.read(proto::ReadRequest { offset, length }).await;
                let data = reply.map_err(order.status())?.into_inner().data;
                let first_byte = Instant::now();
                intake.message(data.into()).map_err(order.content())?;
                Ok(Some(first_byte))
            }

            async fn stream(
                mut blob: BlobClient<Channel>,
                client: &Client,
                order: &Order,
                intake: &mut Intake,
            ) -> Result<Option<Instant>, Error> {
                let (offset, length) = (order.range.start, order.length());
                let chunk = client.plan.chunk as u64;
                let reply = blob.stream(proto::StreamRequest { offset, length, chunk }).await;
                let mut messages = reply.map_err(order.status())?.into_inner();
                let mut first_byte = None;
                while let Some(message) = messages.next().await {
                    let data = message.map_err(order.status())?.data;
                    first_byte.get_or_insert_with(Instant::now);
                    intake.message(data.into()).map_err(order.content())?;
                }
                Ok(first_byte)
            }
        }
    };
}

blob_calls!(bytes, crate::blob);
blob_calls!(vec, crate::blob::vec);
