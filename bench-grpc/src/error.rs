//! What the loopback fixture and its operations fail with.

use std::io;
use std::ops::Range;

use bench_core::fixture::Mismatch;
use bench_core::units::ByteSize;

use crate::operation::Operation;
use crate::profile::ProfileError;

/// Why the fixture did not start, or an operation did not do what it had to.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A profile that HTTP/2 does not allow.
    #[error(transparent)]
    Profile(#[from] ProfileError),
    /// A content or chunk size that gRPC cannot carry.
    #[error("{what} of {size} cannot go over gRPC; choose from 1B to {max}")]
    Size {
        /// Content or chunk.
        what: &'static str,
        /// Its size.
        size: ByteSize,
        /// The largest that fits the 32-bit length of a message.
        max: ByteSize,
    },
    /// The machine refused a socket, a thread or a runtime.
    #[error("failed to {action} of the loopback fixture: {source}")]
    Machine {
        /// What was asked for.
        action: &'static str,
        /// What the machine answered.
        source: io::Error,
    },
    /// The client could not connect.
    #[error("failed to connect to the loopback server: {0}")]
    Connect(#[from] tonic::transport::Error),
    /// The server thread ended before it served.
    #[error("the server thread of the loopback fixture ended before it served")]
    ServerGone,
    /// The call ended with another status than OK.
    #[error("{operation} ended with status {:?}: {}", status.code(), status.message())]
    Status {
        /// The operation.
        operation: Operation,
        /// Boxed, because it is large and errors are rare.
        status: Box<tonic::Status>,
    },
    /// Bytes are missing or too many.
    #[error("{operation} moved {found} bytes instead of {expected}")]
    Length {
        /// The operation.
        operation: Operation,
        /// Bytes asked for.
        expected: u64,
        /// Bytes that arrived.
        found: u64,
    },
    /// The content came in another number of messages.
    #[error("{operation} took {found} messages instead of {expected}")]
    Messages {
        /// The operation.
        operation: Operation,
        /// Messages that the chunk size makes.
        expected: u64,
        /// Messages that arrived.
        found: u64,
    },
    /// The right number of bytes, but not these.
    #[error("{operation} delivered other content: {source}")]
    Content {
        /// The operation.
        operation: Operation,
        /// Where.
        source: Mismatch,
    },
    /// A range that no call can be for.
    #[error(
        "{operation} of bytes {} to {} is no call: Read and Stream take ranges that do not end before they begin, Write takes none",
        range.start, range.end
    )]
    Range {
        /// The operation.
        operation: Operation,
        /// What was asked for.
        range: Range<u64>,
    },
    /// Content was to be looked at that nobody kept.
    #[error(
        "the content of this {operation} was discarded and cannot be verified; call it with another sink"
    )]
    NotKept {
        /// The operation.
        operation: Operation,
    },
}

impl Error {
    pub(crate) fn machine(action: &'static str) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Machine { action, source }
    }
}
