//! The blob service with hand-framed bodies, for tonic's stock server.

use std::convert::Infallible;
use std::sync::Arc;
use std::task::{Context, Poll};

use tonic::Status;
use tonic::body::Body;
use tonic::codegen::{BoxFuture, Service, http};

use super::incoming::{Incoming, numbers};
use super::outgoing::Outgoing;
use super::parser::Event;
use super::{READ, STREAM, WRITE, framed};
use crate::blob::{ReadRequest, StreamRequest, WriteReply};
use crate::intake::Sink;
use crate::server::{BlobService, DATE, take};

/// The blob service. Clones serve the same content.
#[derive(Clone)]
pub(crate) struct SegmentsServer {
    service: Arc<BlobService>,
    limit: usize,
}

impl SegmentsServer {
    /// With messages of up to `limit` bytes.
    pub(crate) fn new(service: BlobService, limit: usize) -> Self {
        Self { service: Arc::new(service), limit }
    }

    async fn write(self, request: http::Request<Body>) -> Result<Body, Status> {
        let sink = request.headers().get(Sink::METADATA).map(http::HeaderValue::as_bytes);
        let mut intake = self.service.intake(sink);
        let mut incoming = Incoming::new(request.into_body(), self.limit);
        while let Some(event) = incoming.next().await? {
            match event {
                Event::Piece(piece) => take(&mut intake, piece)?,
                Event::MessageEnd => intake.messages += 1,
            }
        }
        let (length, messages) = (intake.length, intake.messages);
        self.service.store(intake);
        Ok(Body::new(Outgoing::response_of(framed(&WriteReply { length, messages }))))
    }

    async fn read(self, request: http::Request<Body>) -> Result<Body, Status> {
        let (request, _) = numbers::<ReadRequest>(request.into_body()).await?;
        let content = self.service.range(request.offset, request.length)?;
        Ok(Body::new(Outgoing::response(std::iter::once(content), self.limit)))
    }

    async fn stream(self, request: http::Request<Body>) -> Result<Body, Status> {
        let (request, _) = numbers::<StreamRequest>(request.into_body()).await?;
        let chunks = self.service.chunks(request.offset, request.length, request.chunk)?;
        Ok(Body::new(Outgoing::response(chunks, self.limit)))
    }

    async fn answer(
        self,
        request: http::Request<Body>,
    ) -> Result<http::Response<Body>, Infallible> {
        let body = match request.uri().path() {
            WRITE => self.write(request).await,
            READ => self.read(request).await,
            STREAM => self.stream(request).await,
            path => Err(Status::unimplemented(format!("there is no {path} here"))),
        };
        Ok(body.map_or_else(Status::into_http, response))
    }
}

fn response(body: Body) -> http::Response<Body> {
    let mut response = http::Response::new(body);
    let headers = response.headers_mut();
    headers.insert(http::header::DATE, http::HeaderValue::from_static(DATE));
    headers.insert(http::header::CONTENT_TYPE, http::HeaderValue::from_static("application/grpc"));
    response
}

impl Service<http::Request<Body>> for SegmentsServer {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<Self::Response, Infallible>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        Box::pin(self.clone().answer(request))
    }
}
