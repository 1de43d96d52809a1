//! Large payloads over gRPC: a loopback server and client, and the three operations that move
//! bytes between them.
//!
//! - [`profile`]: the HTTP/2 settings of a connection, applied to both of its ends.
//! - [`loopback`]: the fixture: server and client on an ephemeral port, one thread or two.
//! - [`path`]: how the bytes go between application and HTTP/2.
//! - [`operation`]: Write, Read and Stream, and the checks of what they delivered.
//! - [`workloads`]: these three as workloads, `grpc/write/default/1MiB`.
//! - [`blob`]: the service as generated from the proto file.
//!
//! Start with [`Loopback::start`].

pub mod blob;
mod client;
mod error;
mod intake;
pub mod loopback;
pub mod operation;
pub mod path;
pub mod profile;
mod segments;
mod server;
#[cfg(test)]
mod settings_tests;
#[cfg(test)]
mod trailers_tests;
mod transport;
pub mod workloads;

pub use client::Client;
pub use error::Error;
pub use intake::Sink;
pub use loopback::{Layout, Loopback, LoopbackConfig};
pub use operation::{Delivery, Operation};
pub use path::DataPath;
pub use profile::{ProfileError, TransportProfile};
pub use transport::SocketFacts;
