//! The three ways that large payloads go over gRPC, and the checks of what arrived.
//!
//! Length, number of messages and status are checked inside the operation: they cost nothing.
//! The content is checked by [`Delivery::verify`] outside the clock, because a checksum in the
//! measured region would cap every number at the checksum's own speed.

use std::fmt;
use std::ops::Range;
use std::time::Instant;

use bench_core::fixture::Payload;
use bytes::Bytes;

use crate::error::Error;
use crate::intake::{Intake, Sink};

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
    range: Range<u64>,
    sink: Sink,
    chunks: Vec<Bytes>,
    messages: u64,
    first_byte: Option<Instant>,
}

impl Delivery {
    /// Of a call that asked for `range` of the content.
    pub(crate) fn new(
        operation: Operation,
        range: Range<u64>,
        intake: Intake,
        first_byte: Option<Instant>,
    ) -> Self {
        let Intake { sink, pieces: chunks, messages, .. } = intake;
        Self { operation, range, sink, chunks, messages, first_byte }
    }

    /// What was called.
    pub fn operation(&self) -> Operation {
        self.operation
    }

    /// What was kept, in the order in which it came: messages, or pieces of them where the data
    /// path does not put messages together.
    pub fn chunks(&self) -> &[Bytes] {
        &self.chunks
    }

    /// The number of messages, however they were cut.
    pub fn messages(&self) -> u64 {
        self.messages
    }

    /// When the first content of a Read or Stream was in the hands of the client: on the prost
    /// paths that is a whole message. `None` for Write and for empty content.
    pub fn first_byte(&self) -> Option<Instant> {
        self.first_byte
    }

    /// Whether the delivery is that range of the payload, in order. What [`Sink::Verify`] compared
    /// as it came is not looked at again.
    ///
    /// # Errors
    /// The first byte that is not the payload's, or that bytes are missing; [`Error::NotKept`]
    /// when the content was discarded.
    pub fn verify(&self, payload: &Payload) -> Result<(), Error> {
        let operation = self.operation;
        match self.sink {
            Sink::Keep => {}
            Sink::Verify => return Ok(()),
            Sink::Discard => return Err(Error::NotKept { operation }),
        }
        let mut offset = self.range.start;
        for chunk in &self.chunks {
            payload.verify(offset, chunk).map_err(|source| Error::Content { operation, source })?;
            offset += chunk.len() as u64;
        }
        expect_length(operation, self.range.end - self.range.start, offset - self.range.start)
    }
}

/// The content in pieces of `chunk` bytes, the last one maybe shorter. Nothing is copied.
pub(crate) fn slices(mut content: Bytes, chunk: usize) -> impl Iterator<Item = Bytes> {
    std::iter::from_fn(move || {
        let len = content.len().min(chunk);
        (len > 0).then(|| content.split_to(len))
    })
}

pub(crate) fn expect_length(operation: Operation, expected: u64, found: u64) -> Result<(), Error> {
    if expected == found { Ok(()) } else { Err(Error::Length { operation, expected, found }) }
}

pub(crate) fn expect_messages(
    operation: Operation,
    expected: u64,
    found: u64,
) -> Result<(), Error> {
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
