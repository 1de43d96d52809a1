//! Large payloads over gRPC: a loopback server and client, and the three operations that move
//! bytes between them.
//!
//! - [`profile`]: the HTTP/2 settings of a connection, applied to both of its ends.
//! - [`link`]: what a window is worth over a round trip.
//! - [`mod@serve`] and [`connection`]: a server at any address, and connections to one.
//! - [`standalone`]: a server that runs until it is told to end.
//! - [`compat`]: a blob cache of another make, in its own calls.
//! - [`process`]: a server in a process of its own.
//! - [`effective`]: the settings that both ends really announced, read from the wire.
//! - [`loopback`]: the fixture: server and client on a free port, in any [`layout`], on any [`wire`].
//! - [`fault`]: a server whose calls go wrong, which the checks have to notice.
//! - [`ceiling`]: the same bytes over a bare socket, in the same layout.
//! - [`path`]: how the bytes go between application and HTTP/2.
//! - [`operation`]: Write, Read and Stream, and the checks of what they delivered.
//! - [`workloads`]: these three as workloads, `grpc/write/default/1MiB`.
//! - [`blob`]: the service as generated from the proto file.
//!
//! Start with [`Loopback::start`].

pub mod blob;
pub mod ceiling;
mod client;
pub mod compat;
pub mod connection;
pub mod effective;
mod error;
pub mod fault;
mod intake;
pub mod layout;
mod limits;
pub mod link;
pub mod loopback;
mod memory;
pub mod operation;
pub mod path;
pub mod process;
pub mod profile;
mod segments;
pub mod serve;
mod server;
#[cfg(test)]
mod settings_tests;
pub mod standalone;
mod transport;
pub mod wire;
pub mod workloads;

pub use client::Client;
pub use compat::{CacheClient, CacheClients};
pub use connection::{ConnectConfig, Connections};
pub use effective::{Effective, EndSettings};
pub use error::Error;
pub use fault::Fault;
pub use intake::Sink;
pub use layout::Layout;
pub use loopback::{Loopback, LoopbackConfig};
pub use operation::{Delivery, Operation};
pub use path::DataPath;
pub use process::Launch;
pub use profile::{ProfileError, TransportProfile};
pub use serve::{Server, ServerConfig};
pub use standalone::{Until, serve};
pub use transport::dial::Spoke;
pub use transport::{SERVER_THREADS, SocketFacts};
pub use wire::{Bind, Target, Wire};
