//! Calls with hand-framed bodies, over tonic's stock channel.

use std::future::poll_fn;
use std::time::Instant;

use prost::Message;
use tonic::body::Body;
use tonic::codegen::{Service, http};
use tonic::transport::Channel;
use tonic::{Code, Status};

use super::incoming::{Incoming, numbers};
use super::outgoing::Outgoing;
use super::parser::Event;
use super::{READ, STREAM, WRITE, framed};
use crate::blob::{ReadRequest, StreamRequest, WriteReply};
use crate::client::{Client, Order};
use crate::error::Error;
use crate::intake::{Intake, Sink};
use crate::operation::{Operation, slices};

/// Runs the call; returns when its first content was here.
pub(crate) async fn transfer(
    client: &Client,
    order: &Order,
    intake: &mut Intake,
) -> Result<Option<Instant>, Error> {
    let (offset, length) = (order.range.start, order.length());
    match order.operation {
        Operation::Write => {
            let reply = write(client).await.map_err(order.status())?;
            (intake.length, intake.messages) = (reply.length, reply.messages);
            Ok(None)
        }
        Operation::Read => {
            let request = ReadRequest { offset, length };
            receive(client, READ, &request, order, intake).await
        }
        Operation::Stream => {
            let request = StreamRequest { offset, length, chunk: client.plan.chunk as u64 };
            receive(client, STREAM, &request, order, intake).await
        }
    }
}

async fn write(client: &Client) -> Result<WriteReply, Status> {
    let plan = &client.plan;
    let chunks = slices(plan.content.clone(), plan.chunk);
    let mut request = request(WRITE);
    if let Some(sink) = client.sink.told() {
        request = request.header(Sink::METADATA, sink);
    }
    let body = Body::new(Outgoing::request(chunks, plan.limit));
    let body = send(client.channel.clone(), request, body).await?;
    let (reply, trailers) = numbers(body).await?;
    status_of(trailers.as_ref())?;
    Ok(reply)
}

async fn receive(
    client: &Client,
    method: &'static str,
    message: &impl Message,
    order: &Order,
    intake: &mut Intake,
) -> Result<Option<Instant>, Error> {
    let body = Body::new(Outgoing::request_of(framed(message)));
    let body = send(client.channel.clone(), request(method), body).await;
    let mut incoming = Incoming::new(body.map_err(order.status())?, client.plan.limit);
    let mut first_byte = None;
    while let Some(event) = incoming.next().await.map_err(order.status())? {
        match event {
            Event::Piece(piece) => {
                first_byte.get_or_insert_with(Instant::now);
                intake.piece(piece).map_err(order.content())?;
            }
            Event::MessageEnd => intake.messages += 1,
        }
    }
    status_of(incoming.trailers()).map_err(order.status())?;
    Ok(first_byte)
}

fn request(method: &'static str) -> http::request::Builder {
    http::Request::post(method)
        .version(http::Version::HTTP_2)
        .header(http::header::TE, "trailers")
        .header(http::header::CONTENT_TYPE, "application/grpc")
}

/// Sends the request and looks at the head of the response.
async fn send(
    mut channel: Channel,
    request: http::request::Builder,
    body: Body,
) -> Result<Body, Status> {
    let request = request.body(body).expect("all parts are constants");
    let failed = |error: tonic::transport::Error| Status::from_error(error.into());
    poll_fn(|context| channel.poll_ready(context)).await.map_err(failed)?;
    let (head, body) = channel.call(request).await.map_err(failed)?.into_parts();
    // A call that fails at once has its status in the head, and no body.
    if let Some(status) =
        Status::from_header_map(&head.headers).filter(|status| status.code() != Code::Ok)
    {
        return Err(status);
    }
    let kind = head.headers.get(http::header::CONTENT_TYPE).map(http::HeaderValue::as_bytes);
    if head.status != http::StatusCode::OK
        || !kind.is_some_and(|kind| kind.starts_with(b"application/grpc"))
    {
        let kind = kind.map_or("none".into(), String::from_utf8_lossy);
        return Err(Status::unknown(format!(
            "the peer speaks HTTP, but not gRPC: status {}, content type {kind}",
            head.status
        )));
    }
    Ok(body)
}

/// Whether the server said that all went well. Without a word of it nobody knows.
fn status_of(trailers: Option<&http::HeaderMap>) -> Result<(), Status> {
    let status = trailers.and_then(Status::from_header_map).ok_or_else(|| {
        Status::unknown(
            "protocol error: missing grpc-status trailer, the stream ended without a final status",
        )
    })?;
    if status.code() == Code::Ok { Ok(()) } else { Err(status) }
}
