//! A gRPC server and a client of it on 127.0.0.1, with one transport profile on both ends.
//!
//! The fixture owns the content, the socket, the runtimes and, in [`Layout::TwoThreads`], the
//! server's thread. It differs from a real deployment: no TLS, no network, no other client, and
//! client and server share one memory and one allocator.

use std::future::Future;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::PoisonError;

use bench_core::fixture::Payload;
use bench_core::units::ByteSize;
use bytes::Bytes;
use tokio::runtime::Runtime;

use crate::client::{Client, Plan};
use crate::error::Error;
use crate::intake::Intake;
use crate::operation::{Delivery, Operation};
use crate::path::DataPath;
use crate::profile::TransportProfile;
use crate::server::{self, Serving, Stored};
use crate::transport::{self, ServerThread, SocketFacts, SocketReport};

/// What the protobuf field header and gRPC's bookkeeping may add to a payload. A limit of exactly
/// the payload refuses it: a 4 MiB chunk is 4,194,309 bytes, tonic's default limit 4,194,304.
const MESSAGE_OVERHEAD_BYTES: usize = 64;
/// gRPC has 32 bits for the length of a message.
const PAYLOAD_MAX: ByteSize = ByteSize::new(u32::MAX as u64 - MESSAGE_OVERHEAD_BYTES as u64);

/// Who runs where.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Layout {
    /// Both ends on one current-thread runtime, driven by the caller's thread: nothing runs
    /// between operations and no other thread takes part, so instructions can be counted.
    OneThread,
    /// The server on a thread of its own: closer to two processes, bimodal in time because
    /// wake-ups between cores decide.
    TwoThreads,
}

impl Layout {
    /// The name in dimensions.
    pub const fn name(self) -> &'static str {
        match self {
            Self::OneThread => "one thread",
            Self::TwoThreads => "two threads",
        }
    }
}

/// What to start.
#[derive(Clone, Copy, Debug)]
pub struct LoopbackConfig {
    /// Settings of both ends.
    pub profile: TransportProfile,
    /// Who runs where.
    pub layout: Layout,
    /// What every operation moves, whole.
    pub payload: Payload,
    /// Bytes of one message of Write and Stream; clipped to the payload. Read is one message.
    pub chunk: ByteSize,
    /// `SO_SNDBUF` and `SO_RCVBUF` of both ends, as far as the kernel's limits allow. `None` lets
    /// the kernel resize them by the times it measures: how it splits a transfer into reads, and
    /// so which instructions are executed, then differs from run to run.
    pub socket_buffer: Option<ByteSize>,
}

/// A running server and a connected client. Dropping it ends both without waiting for calls.
///
/// ```
/// use bench_core::fixture::Payload;
/// use bench_core::units::ByteSize;
/// use bench_grpc::{Layout, Loopback, LoopbackConfig, Operation, TransportProfile};
///
/// let mut loopback = Loopback::start(LoopbackConfig {
///     profile: TransportProfile::AGGRESSIVE,
///     layout: Layout::TwoThreads,
///     payload: Payload::seeded(42, ByteSize::kib(256)),
///     chunk: ByteSize::kib(64),
///     socket_buffer: None,
/// })?;
/// let delivery = loopback.call(Operation::Stream)?; // measure this
/// assert_eq!(delivery.chunks().len(), 4);
/// loopback.delivered(delivery).verify(&loopback.config().payload)?; // and not this
/// # Ok::<(), bench_grpc::Error>(())
/// ```
#[must_use = "dropping the fixture ends its server"]
#[derive(Debug)]
pub struct Loopback {
    config: LoopbackConfig,
    address: SocketAddr,
    client: Client,
    stored: Stored,
    client_socket: SocketFacts,
    server_socket: SocketReport,
    // `None` only while dropping.
    runtime: Option<Runtime>,
    _server: Option<ServerThread>,
}

impl Loopback {
    /// Starts server and client on a free port and runs and verifies one call of each operation.
    ///
    /// # Errors
    /// A profile or size that HTTP/2 or gRPC does not allow, what the machine refused, or what
    /// was wrong with the first calls.
    pub fn start(config: LoopbackConfig) -> Result<Self, Error> {
        let stored = Stored::default();
        let content = config.payload_checked()?.to_bytes();
        let limit = config.payload.size.len() + MESSAGE_OVERHEAD_BYTES;
        let path = DataPath::ProstBytes;
        let service = server::service(path, content.clone(), stored.clone(), limit);
        let mut loopback = Self::connect(config, content, service, stored)?;
        for operation in Operation::ALL {
            loopback.call_verified(operation)?;
            // What Write left would else stay in memory beside every Read.
            loopback.stored.lock().unwrap_or_else(PoisonError::into_inner).clear();
        }
        Ok(loopback)
    }

    /// The same for any implementation of the service; nothing is called. `content` is what the
    /// client writes.
    pub(crate) fn connect(
        config: LoopbackConfig,
        content: Bytes,
        service: impl Serving,
        stored: Stored,
    ) -> Result<Self, Error> {
        config.profile.validate()?;
        let payload = config.payload_checked()?;
        let chunk = config.chunk.min(payload.size).len();
        let limit = payload.size.len() + MESSAGE_OVERHEAD_BYTES;
        let runtime = transport::runtime()?;
        let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
            .map_err(Error::machine("bind the port"))?;
        transport::fix_buffers(&listener, config.socket_buffer)?;
        let address = listener.local_addr().map_err(Error::machine("read the address"))?;
        let report = SocketReport::default();
        let serve = transport::Serve { listener, service, report: report.clone() };
        let server = match config.layout {
            Layout::OneThread => {
                let _guard = runtime.enter();
                runtime.spawn(serve.until_dropped(config.profile)?);
                None
            }
            Layout::TwoThreads => Some(ServerThread::start(serve, config.profile)?),
        };
        let dial = transport::connect(address, &config.profile, config.socket_buffer);
        let (channel, client_socket) = runtime.block_on(dial)?;
        let client = Client::over(channel, DataPath::ProstBytes, Plan { content, chunk, limit });
        Ok(Self {
            config,
            address,
            client,
            stored,
            client_socket,
            server_socket: report,
            runtime: Some(runtime),
            _server: server,
        })
    }

    /// Runs one operation to its end; see [`Client::call`].
    ///
    /// # Errors
    /// What [`Client::call`] fails with.
    ///
    /// # Panics
    /// When called from inside another runtime.
    pub fn call(&mut self, operation: Operation) -> Result<Delivery, Error> {
        self.block_on(self.client.call(operation))
    }

    /// Runs one operation and checks every byte that it delivered.
    ///
    /// # Errors
    /// What was wrong with the call or with its content.
    pub fn call_verified(&mut self, operation: Operation) -> Result<(), Error> {
        let delivery = self.call(operation)?;
        self.delivered(delivery).verify(&self.config.payload)
    }

    /// Where the content of an operation arrived: for Write at the server, else in `delivery`.
    pub fn delivered(&self, delivery: Delivery) -> Delivery {
        match delivery.operation() {
            Operation::Write => self.stored(),
            Operation::Read | Operation::Stream => delivery,
        }
    }

    /// What the last Write left at the server.
    pub fn stored(&self) -> Delivery {
        let chunks = self.stored.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let intake = Intake::kept(chunks);
        Delivery::new(Operation::Write, 0..self.config.payload.size.bytes(), intake, None)
    }

    /// A client for concurrent operations. Its calls make progress inside [`block_on`](Self::block_on).
    pub fn client(&self) -> Client {
        self.client.clone()
    }

    /// Drives the fixture's runtime, and in [`Layout::OneThread`] the server, until the future ends.
    ///
    /// # Panics
    /// When called from inside another runtime.
    pub fn block_on<F: Future>(&self, future: F) -> F::Output {
        self.runtime.as_ref().expect("there until dropped").block_on(future)
    }

    /// Where the server listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// What was started.
    pub fn config(&self) -> &LoopbackConfig {
        &self.config
    }

    /// The options of the client's socket, as the kernel has them.
    pub fn client_socket(&self) -> &SocketFacts {
        &self.client_socket
    }

    /// The options of the server's end of the first connection, as the kernel has them.
    pub fn server_socket(&self) -> Option<&SocketFacts> {
        self.server_socket.get()
    }

    /// What made the number: backend, layout, payload, settings, socket options.
    ///
    /// `send_buffer` and `receive_buffer` are what the kernel granted, not what was asked for.
    pub fn dimensions(&self) -> Vec<(&'static str, String)> {
        let server = self.server_socket();
        let unknown = || "not readable".to_owned();
        let buffer = |bytes: Option<usize>| {
            bytes.map_or_else(unknown, |bytes| ByteSize::new(bytes as u64).to_string())
        };
        let mut dimensions = vec![
            ("backend", "kernel loopback".to_owned()),
            ("layout", self.config.layout.name().to_owned()),
            ("chunk", self.config.chunk.min(self.config.payload.size).to_string()),
            ("nodelay_client", self.client_socket.nodelay.to_string()),
            ("nodelay_server", server.map_or_else(unknown, |facts| facts.nodelay.to_string())),
            (
                "congestion_control",
                self.client_socket.congestion_control.clone().unwrap_or_else(unknown),
            ),
            ("send_buffer", buffer(self.client_socket.send_buffer_bytes)),
            ("receive_buffer", buffer(self.client_socket.receive_buffer_bytes)),
        ];
        dimensions.extend(self.config.payload.dimensions());
        dimensions.extend(self.config.profile.dimensions());
        dimensions
    }
}

impl LoopbackConfig {
    fn payload_checked(&self) -> Result<Payload, Error> {
        for (what, size) in [("a payload", self.payload.size), ("a chunk", self.chunk)] {
            if size.is_empty() || size > PAYLOAD_MAX {
                return Err(Error::Size { what, size, max: PAYLOAD_MAX });
            }
        }
        Ok(self.payload)
    }
}

impl Drop for Loopback {
    fn drop(&mut self) {
        // In the background: a graceful shutdown waits for connections, and can wait for ever.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

#[cfg(test)]
#[path = "loopback_tests.rs"]
mod tests;
