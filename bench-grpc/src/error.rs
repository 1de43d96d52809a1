//! What the loopback fixture and its operations fail with.

use std::io;
use std::ops::Range;
use std::path::PathBuf;
use std::time::Duration;

use bench_core::fixture::Mismatch;
use bench_core::fixture::cpus::CpuError;
use bench_core::units::ByteSize;

use crate::operation::Operation;
use crate::profile::ProfileError;
use crate::transport::dial::Spoke;
use crate::wire::{Bind, Target};

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
    /// A thread could not be kept on its CPU.
    #[error(transparent)]
    Cpu(#[from] CpuError),
    /// A runtime without threads.
    #[error("the {end} was to run on 0 threads; give it 1 or more")]
    NoThreads {
        /// Client or server.
        end: &'static str,
    },
    /// A client without connections.
    #[error("the client was to have 0 connections; give it 1 or more")]
    NoConnections,
    /// The server's address cannot be had.
    #[error(
        "failed to listen on {address}: {source}; stop what listens there or choose another address (port 0 takes a free one)"
    )]
    Listen {
        /// What was asked for.
        address: Bind,
        /// What the machine answered.
        source: io::Error,
    },
    /// Nobody answered.
    #[error(
        "no server answered at {target} (attempts: {attempts} within {within:?}; the last one: {source}); start it or correct the address"
    )]
    Unreachable {
        /// What was called.
        target: Target,
        /// How often.
        attempts: u32,
        /// For how long.
        within: Duration,
        /// Why the last attempt failed.
        source: io::Error,
    },
    /// Somebody else answered.
    #[error("what listens at {target} is no gRPC server that can be called: {spoke}")]
    Foreign {
        /// What was called.
        target: Target,
        /// What it said.
        spoke: Spoke,
    },
    /// A profile that did not arrive.
    #[error(
        "the {end} announced a {setting} of {effective} where profile '{profile}' asks for {asked}: the profile did not reach this end, and what was measured would be something else"
    )]
    Settings {
        /// Client or server.
        end: &'static str,
        /// The profile's name.
        profile: &'static str,
        /// The field.
        setting: &'static str,
        /// Its value in the profile.
        asked: u32,
        /// What was announced.
        effective: String,
    },
    /// Connections to one address that are not alike.
    #[error(
        "connection {number} to {target} differs from the first: {setting}; measure one server at a time"
    )]
    Mixed {
        /// What was called.
        target: Target,
        /// Which connection, counted from 1.
        number: usize,
        /// The first setting that differs, with both values.
        setting: String,
    },
    /// The server's process did not serve.
    #[error("the server process of {} does not serve: {problem}", program.display())]
    Process {
        /// Its executable.
        program: PathBuf,
        /// What it said, or what happened to it.
        problem: String,
    },
    /// Connections outlived the server's end.
    #[error("the server had calls or connections left after {bound:?} and was cut off")]
    Shutdown {
        /// How long it waited.
        bound: Duration,
    },
    /// The call ended with another status than OK.
    #[error("{operation} ended with status {:?}: {}", status.code(), status.message())]
    Status {
        /// The operation.
        operation: Operation,
        /// Boxed, because it is large and errors are rare.
        status: Box<tonic::Status>,
    },
    /// The call took longer than the caller wanted to wait.
    #[error("{operation} had not ended after {limit:?} and was given up")]
    TimeLimit {
        /// The operation.
        operation: Operation,
        /// What the caller set.
        limit: Duration,
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
    /// A cache has no such content.
    #[error("{operation} found nothing under hash {hash} in the cache; write it first")]
    NotStored {
        /// The operation.
        operation: Operation,
        /// What was asked for.
        hash: String,
    },
    /// A cache received other content than was sent, or hashes it in another way.
    #[error("the cache keeps what was written under hash {found}, and its SHA-256 is {expected}")]
    Hash {
        /// The content's.
        expected: String,
        /// What the cache answered.
        found: String,
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
