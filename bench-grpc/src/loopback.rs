//! A gRPC server and a client of it on this machine, with one transport profile on both ends.
//!
//! The fixture owns the content, the sockets, the runtimes and the server's thread or process. It
//! differs from a real deployment: no TLS, no network, no other client, and in all layouts but
//! [`Layout::Processes`] client and server share one memory and one allocator.

use std::future::Future;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::PoisonError;
use std::time::Duration;

use bench_core::fixture::Payload;
use bench_core::units::ByteSize;
use bytes::Bytes;
use tempfile::TempDir;
use tokio::runtime::Runtime;

use crate::client::Client;
use crate::connection::{ConnectConfig, Connections};
use crate::effective::Effective;
use crate::error::Error;
use crate::intake::{Intake, Sink};
use crate::layout::{Layout, Pins};
use crate::limits;
use crate::operation::{Delivery, Operation};
use crate::path::DataPath;
use crate::process::Launch;
use crate::profile::TransportProfile;
use crate::serve::{Server, ServerConfig};
use crate::server::{self, Serving, Stored};
use crate::transport::SocketFacts;
use crate::transport::thread::{self, CLIENT_THREADS};
use crate::wire::{Bind, Target, Wire};

/// The server listens before the client dials, so this is only for a machine that is very busy.
const RETRY: Duration = Duration::from_secs(10);

/// How long each of the first calls may take: more than 4 GiB need, on a machine that is very busy.
const FIRST_CALL: Duration = Duration::from_secs(300);

/// What to start.
#[derive(Clone, Copy, Debug)]
pub struct LoopbackConfig {
    /// Settings of both ends.
    pub profile: TransportProfile,
    /// Who runs where.
    pub layout: Layout,
    /// Keeps the caller's thread and the server's on a CPU each while the fixture lives: left to
    /// the scheduler, they are sometimes on one and sometimes on two. [`Layout::MultiThread`],
    /// whose threads are more, leaves them where they are.
    pub pinned: bool,
    /// What connects the two.
    pub wire: Wire,
    /// How bytes go between the application and HTTP/2, at both ends.
    pub path: DataPath,
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
/// use bench_grpc::{DataPath, Layout, Loopback, LoopbackConfig, Operation, TransportProfile, Wire};
///
/// let mut loopback = Loopback::start(LoopbackConfig {
///     profile: TransportProfile::AGGRESSIVE,
///     layout: Layout::TwoThreads,
///     pinned: true,
///     wire: Wire::Tcp,
///     path: DataPath::ProstBytes,
///     payload: Payload::seeded(42, ByteSize::kib(256)),
///     chunk: ByteSize::kib(64),
///     socket_buffer: None,
/// })?;
/// let delivery = loopback.call(Operation::Stream)?; // measure this
/// assert_eq!(delivery.messages(), 4);
/// loopback.delivered(delivery).verify(&loopback.config().payload)?; // and not this
/// # Ok::<(), bench_grpc::Error>(())
/// ```
#[must_use = "dropping the fixture ends its server"]
#[derive(Debug)]
pub struct Loopback {
    config: LoopbackConfig,
    content: Bytes,
    connections: Connections,
    // `None` only while it ends.
    runtime: Option<Runtime>,
    server: Server,
    pins: Pins,
    /// Where the Unix socket is; removed last.
    _scratch: Option<TempDir>,
}

impl Loopback {
    /// Starts server and client on a free port, runs and verifies one call of each operation, and
    /// checks that both ends announced the profile.
    ///
    /// # Errors
    /// A profile or size that HTTP/2 or gRPC does not allow, what the machine refused,
    /// [`Error::Settings`], or what was wrong with the first calls, [`Error::TimeLimit`] after five
    /// minutes of one.
    pub fn start(config: LoopbackConfig) -> Result<Self, Error> {
        limits::check("a payload", config.payload.size)?;
        Self::start_with(config, config.payload.to_bytes())
    }

    /// The same with content that the caller has already, so that it is in memory only once. It
    /// must be the payload's. In [`Layout::Processes`] the server is this program, whose `main`
    /// calls [`process::entry`](crate::process::entry) first.
    ///
    /// # Errors
    /// Those of [`start`](Self::start).
    pub fn start_with(config: LoopbackConfig, content: Bytes) -> Result<Self, Error> {
        if config.layout == Layout::Processes {
            return Self::start_process(config, content, &Launch::itself()?);
        }
        let stored = Stored::default();
        let limit = limits::message_limit(config.payload.size);
        let service = server::service(config.path, content.clone(), stored.clone(), limit);
        Self::connect(config, content, service, stored)?.verified(FIRST_CALL)
    }

    /// The same with the server in a process of this program, whatever the layout says.
    ///
    /// # Errors
    /// Those of [`start`](Self::start), and [`Error::Process`].
    pub fn start_process(
        config: LoopbackConfig,
        content: Bytes,
        launch: &Launch,
    ) -> Result<Self, Error> {
        let config = LoopbackConfig { layout: Layout::Processes, ..config };
        let place = Place::of(&config)?;
        let server = Server::start_process(&config.server(&place), launch)?;
        let mut loopback = Self::join(config, content, server, place)?.verified(FIRST_CALL)?;
        loopback.server.learn_socket()?;
        Ok(loopback)
    }

    /// Calls each operation once; none may take longer than the limit.
    pub(crate) fn verified(self, limit: Duration) -> Result<Self, Error> {
        // Compared as it comes, so that the first calls need no more memory than later ones.
        let client = self.client().with_sink(Sink::Verify).with_time_limit(limit);
        for operation in Operation::ALL {
            self.block_on(client.call(operation))?;
        }
        Ok(self)
    }

    /// The same for any implementation of the service; nothing is called. `content` is what the
    /// client writes.
    pub(crate) fn connect(
        config: LoopbackConfig,
        content: Bytes,
        service: impl Serving,
        stored: Stored,
    ) -> Result<Self, Error> {
        let place = Place::of(&config)?;
        let on_ours = Some(&place.runtime).filter(|_| config.layout == Layout::OneThread);
        let server = Server::with_service(&config.server(&place), service, stored, on_ours)?;
        Self::join(config, content, server, place)
    }

    /// Connects to a server that runs already.
    fn join(
        config: LoopbackConfig,
        content: Bytes,
        server: Server,
        place: Place,
    ) -> Result<Self, Error> {
        let Place { runtime, scratch, pins, .. } = place;
        let open = config.connect(server.address().clone(), 1);
        let connections = runtime.block_on(Connections::open_with(open, content.clone()))?;
        connections.effective().expect(&config.profile)?;
        let runtime = Some(runtime);
        Ok(Self { config, content, connections, runtime, server, pins, _scratch: scratch })
    }

    /// Runs one operation to its end; see [`Client::call`].
    ///
    /// # Errors
    /// What [`Client::call`] fails with.
    ///
    /// # Panics
    /// When called from inside another runtime.
    pub fn call(&mut self, operation: Operation) -> Result<Delivery, Error> {
        self.block_on(self.client().call(operation))
    }

    /// Runs one operation and checks every byte that it delivered.
    ///
    /// # Errors
    /// What was wrong with the call or with its content.
    pub fn call_verified(&mut self, operation: Operation) -> Result<(), Error> {
        if operation == Operation::Write && self.config.layout == Layout::Processes {
            // Its memory is out of reach, so the server compares.
            let client = self.client().with_sink(Sink::Verify);
            return self.block_on(client.call(operation)).map(drop);
        }
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

    /// What the last Write left at the server; nothing in [`Layout::Processes`], where a client
    /// with [`Sink::Verify`] lets the server compare. With [`DataPath::Segments`] its messages are
    /// the pieces in which they came; how many there were is checked by the call.
    pub fn stored(&self) -> Delivery {
        let stored = self.server.stored().lock();
        let intake = Intake::kept(stored.unwrap_or_else(PoisonError::into_inner).clone());
        Delivery::new(Operation::Write, 0..self.config.payload.size.bytes(), intake, None)
    }

    /// A client for concurrent operations. Its calls make progress inside [`block_on`](Self::block_on).
    pub fn client(&self) -> Client {
        self.connections.client(0)
    }

    /// So many connections more, for operations that are not to share one.
    ///
    /// # Errors
    /// What [`Connections::open`] fails with; [`Error::Settings`] also where it is the server's end
    /// that the profile did not reach.
    ///
    /// # Panics
    /// When called from inside another runtime.
    pub fn open(&self, connections: usize) -> Result<Connections, Error> {
        let open = self.config.connect(self.address().clone(), connections);
        let connections = self.block_on(Connections::open_with(open, self.content.clone()))?;
        connections.effective().expect(&self.config.profile)?;
        Ok(connections)
    }

    /// Drives the fixture's runtime, and in [`Layout::OneThread`] the server, until the future ends.
    ///
    /// # Panics
    /// When called from inside another runtime.
    pub fn block_on<F: Future>(&self, future: F) -> F::Output {
        self.runtime.as_ref().expect("there until dropped").block_on(future)
    }

    /// Where the server listens.
    pub fn address(&self) -> &Target {
        self.server.address()
    }

    /// What was started.
    pub fn config(&self) -> &LoopbackConfig {
        &self.config
    }

    /// The options of the client's socket, as the kernel has them.
    pub fn client_socket(&self) -> &SocketFacts {
        self.connections.socket()
    }

    /// The options of the server's end of the first connection, as the kernel has them.
    pub fn server_socket(&self) -> Option<&SocketFacts> {
        self.server.socket()
    }

    /// What both ends announced, as read from the wire.
    pub fn effective(&self) -> Effective {
        self.connections.effective()
    }

    /// The server, to be told apart from the client or to be ended before it.
    pub fn server(&mut self) -> &mut Server {
        &mut self.server
    }

    /// Closes the connection and waits for the server to end.
    ///
    /// # Errors
    /// [`Error::Shutdown`] when it had not ended after `bound`, because of a client that is still
    /// somewhere or a handler that hangs; it is cut off then.
    pub fn shutdown(mut self, bound: Duration) -> Result<(), Error> {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
        self.server.drain(bound)
    }

    /// What made the number: backend, layout, payload, settings, socket options.
    pub fn dimensions(&self) -> Vec<(&'static str, String)> {
        let mut dimensions = vec![
            ("backend", "kernel loopback".to_owned()),
            ("layout", self.config.layout.to_string()),
            ("cpus", self.pins.described.clone()),
            ("wire", self.config.wire.to_string()),
            ("path", self.config.path.to_string()),
            ("chunk", self.config.chunk.min(self.config.payload.size).to_string()),
        ];
        dimensions.extend(SocketFacts::dimensions(self.client_socket(), self.server_socket()));
        dimensions.extend(self.config.payload.dimensions());
        dimensions.extend(self.config.profile.dimensions());
        dimensions.extend(self.effective().dimensions());
        dimensions
    }
}

impl LoopbackConfig {
    fn server(&self, place: &Place) -> ServerConfig {
        ServerConfig {
            profile: self.profile,
            address: place.address.clone(),
            path: self.path,
            payload: self.payload,
            workers: self.layout.server_workers(),
            cpu: place.pins.server,
            socket_buffer: self.socket_buffer,
        }
    }

    fn connect(&self, target: Target, connections: usize) -> ConnectConfig {
        ConnectConfig {
            target,
            profile: self.profile,
            path: self.path,
            payload: self.payload,
            chunk: self.chunk,
            connections,
            socket_buffer: self.socket_buffer,
            retry: RETRY,
        }
    }
}

/// What the two ends need before there is a server.
struct Place {
    /// That nobody else has.
    address: Bind,
    scratch: Option<TempDir>,
    pins: Pins,
    runtime: Runtime,
}

impl Place {
    fn of(config: &LoopbackConfig) -> Result<Self, Error> {
        config.layout.check()?;
        let pins = Pins::choose(config.layout, config.pinned)?;
        let runtime = thread::runtime(config.layout.client_workers(), CLIENT_THREADS)?;
        let (address, scratch) = match config.wire {
            Wire::Tcp => (Bind::Tcp(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))), None),
            Wire::Unix => {
                let scratch = tempfile::Builder::new().prefix("weighbridge-").tempdir();
                let scratch = scratch.map_err(Error::machine("make the socket's folder"))?;
                (Bind::Unix(scratch.path().join("grpc.sock")), Some(scratch))
            }
        };
        Ok(Self { address, scratch, pins, runtime })
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
