//! Sockets, runtimes and threads: how the two ends of a connection come to life, what they say to
//! each other before the first call, and how they end in bounded time.
//!
//! - [`socket`]: TCP or Unix, their options set and read back.
//! - [`listen`]: the server's socket, and serving until told to stop.
//! - [`dial`]: the client's connection, with retries, and what answered when it was no gRPC server.
//! - [`frames`], [`observe`]: what both ends announced, read from the wire.
//! - [`thread`]: runtimes, and the server's thread.

pub(crate) mod dial;
pub(crate) mod frames;
pub(crate) mod listen;
pub(crate) mod observe;
pub(crate) mod socket;
pub(crate) mod thread;

pub use socket::SocketFacts;
pub use thread::SERVER_THREADS;
