//! The client's side: one call at a time or many, over one HTTP/2 connection and one data path.

mod prost;

use std::ops::Range;
use std::time::Duration;

use bytes::Bytes;
use tokio::time::timeout;
use tonic::transport::Channel;

use crate::error::Error;
use crate::intake::{Intake, Sink};
use crate::operation::{Delivery, Operation, expect_length, expect_messages};
use crate::path::DataPath;
use crate::segments;

/// What a client moves and how it is cut.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    /// What Write sends, and what the server should have.
    pub(crate) content: Bytes,
    /// Bytes of one message of Write and Stream, at least one.
    pub(crate) chunk: usize,
    /// Bytes of the largest message in either direction, its header included.
    pub(crate) limit: usize,
}

/// Sends operations over one connection. Clones share it.
#[derive(Clone, Debug)]
pub struct Client {
    pub(crate) channel: Channel,
    path: DataPath,
    pub(crate) plan: Plan,
    pub(crate) sink: Sink,
    time_limit: Option<Duration>,
}

/// What one call asks for.
pub(crate) struct Order {
    pub(crate) operation: Operation,
    pub(crate) range: Range<u64>,
}

impl Client {
    /// A client of whoever is at the other end of the channel.
    pub(crate) fn over(channel: Channel, path: DataPath, plan: Plan) -> Self {
        Self { channel, path, plan, sink: Sink::Keep, time_limit: None }
    }

    /// The same client, whose calls do this with content where it arrives: for Write at the
    /// server, if it is one of ours, else here.
    #[must_use]
    pub fn with_sink(self, sink: Sink) -> Self {
        Self { sink, ..self }
    }

    /// The same client, whose calls are given up after this time: without a limit, a call to a
    /// server that stalls does not end. A limit costs a timer a call.
    #[must_use]
    pub fn with_time_limit(self, limit: Duration) -> Self {
        Self { time_limit: Some(limit), ..self }
    }

    /// Runs one operation on the whole content and checks status, length and number of messages.
    /// What Write delivered is at the server; the delivery returned here then has no content.
    ///
    /// # Errors
    /// [`Error::Status`], [`Error::Length`] or [`Error::Messages`]; [`Error::Content`] with
    /// [`Sink::Verify`], by which a server of ours ends a Write with status `DataLoss`.
    pub async fn call(&self, operation: Operation) -> Result<Delivery, Error> {
        self.transfer(Order { operation, range: 0..self.plan.content.len() as u64 }).await
    }

    /// Reads or streams a range of the server's content, which may be empty. The server refuses
    /// one that is not in its content with status `OutOfRange`.
    ///
    /// # Errors
    /// Those of [`call`](Self::call); [`Error::Range`] for a range that ends before it begins,
    /// and for Write, which has no ranges.
    pub async fn call_range(
        &self,
        operation: Operation,
        range: Range<u64>,
    ) -> Result<Delivery, Error> {
        if operation == Operation::Write || range.start > range.end {
            return Err(Error::Range { operation, range });
        }
        self.transfer(Order { operation, range }).await
    }

    async fn transfer(&self, order: Order) -> Result<Delivery, Error> {
        let operation = order.operation;
        match self.time_limit {
            None => self.unlimited(order).await,
            Some(limit) => timeout(limit, self.unlimited(order))
                .await
                .unwrap_or(Err(Error::TimeLimit { operation, limit })),
        }
    }

    async fn unlimited(&self, order: Order) -> Result<Delivery, Error> {
        let operation = order.operation;
        self.check_limit(&order)?;
        let mut intake = Intake::new(self.sink, &self.plan.content, order.range.start);
        let first_byte = match self.path {
            DataPath::ProstVec => prost::vec::transfer(self, &order, &mut intake).await?,
            DataPath::ProstBytes => prost::bytes::transfer(self, &order, &mut intake).await?,
            DataPath::Segments => segments::client::transfer(self, &order, &mut intake).await?,
        };
        expect_length(operation, order.length(), intake.length)?;
        expect_messages(operation, self.messages(&order), intake.messages)?;
        Ok(Delivery::new(operation, order.range, intake, first_byte))
    }

    /// tonic's codecs break a stream off at a message over the limit, and the reason is lost.
    fn check_limit(&self, order: &Order) -> Result<(), Error> {
        let Plan { content, chunk, limit } = &self.plan;
        let largest = segments::message_bytes(content.len().min(*chunk));
        if order.operation == Operation::Write && largest > *limit {
            return Err(order.status()(segments::over_limit(largest as u64, *limit)));
        }
        Ok(())
    }

    fn messages(&self, order: &Order) -> u64 {
        match order.operation {
            Operation::Read => 1,
            Operation::Write | Operation::Stream => order.length().div_ceil(self.plan.chunk as u64),
        }
    }
}

impl Order {
    pub(crate) fn length(&self) -> u64 {
        self.range.end - self.range.start
    }

    /// An error for a status of this call.
    pub(crate) fn status(&self) -> impl Fn(tonic::Status) -> Error + use<> {
        let operation = self.operation;
        move |status| Error::Status { operation, status: Box::new(status) }
    }

    /// An error for content of this call.
    pub(crate) fn content(&self) -> impl Fn(bench_core::fixture::Mismatch) -> Error + use<> {
        let operation = self.operation;
        move |source| Error::Content { operation, source }
    }
}
