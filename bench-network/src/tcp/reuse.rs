//! Connections that are used again: a pool before a server that closes each after so many requests, as
//! servers do that keep connections alive.
//!
//! The pool is deadpool (MIT or Apache): the one that most clients of databases and caches are built
//! on, and 200 lines around a semaphore and a queue. What it does with an idle connection is ours:
//! before one is used again it is looked at, and left where the server has closed it. The look asks what
//! the runtime has heard, so that a close can be a moment too new for it; then the request fails, is sent
//! once more over another connection, and counted as stale.
//!
//! Client and server are each one thread on a CPU of its own. Taking a free connection costs some hundred
//! nanoseconds; what decides is how often there is none. So a pool is described by how many connections
//! its requests took and how long they waited for one.

use std::future::Future;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::num::NonZeroU64;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use bench_core::fixture::Payload;
use bench_core::fixture::cpus::{Pinned, Placement, spawn_pinned};
use bench_core::units::ByteSize;
use bytes::Bytes;
use deadpool::Runtime;
use deadpool::managed::{
    Manager, Metrics, Object, Pool, PoolError, RecycleError, RecycleResult, TimeoutType,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;

use crate::error::Error;
use crate::socket;

const REQUEST_SEED: u64 = 42;
const RESPONSE_SEED: u64 = 43;

/// How often a request is sent: once more where the server had closed the connection meanwhile, and
/// for each of the pool's connections it may have.
const fn attempts(config: &ReuseConfig) -> usize {
    config.connections + 1
}

/// A pool and what it is used for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReuseConfig {
    /// How many the pool holds at most: one at least.
    pub connections: usize,
    /// After how many requests the server closes a connection; nothing for never.
    pub requests_per_connection: Option<NonZeroU64>,
    /// Bytes to the server.
    pub request: ByteSize,
    /// Bytes from it.
    pub response: ByteSize,
    /// How long a request waits for a connection.
    pub wait_limit: Duration,
}

/// A pool of connections and the server that they are made to. Dropping it closes all, waits for the
/// server's thread and frees the calling thread from its CPU.
#[derive(Debug)]
pub struct Reuse {
    config: ReuseConfig,
    pool: Pool<Maker>,
    request: Bytes,
    response: Bytes,
    stale: AtomicU64,
    served: Arc<Served>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
    dimensions: Vec<(&'static str, String)>,
    _pinned: Pinned,
}

/// What the server counts.
#[derive(Debug, Default)]
struct Served {
    connections: AtomicU64,
    requests: AtomicU64,
}

/// How a request got its connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Checkout {
    /// How long it waited until one was free, the making of a new one not counted.
    pub waited: Duration,
    /// How long a new one took to make; nothing where one was used again.
    pub connecting: Option<Duration>,
}

/// What became of all requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Counts {
    /// Connections made, by the server's count.
    pub connections: u64,
    /// Requests answered, by the server's count.
    pub requests: u64,
    /// Requests that met a connection which the server had closed, and were sent once more.
    pub stale: u64,
}

/// Makes connections for the pool.
#[derive(Debug)]
struct Maker {
    address: SocketAddr,
}

#[derive(Debug)]
struct Connection {
    stream: TcpStream,
    /// How long it took to make, until somebody has been told.
    connecting: Option<Duration>,
}

impl Manager for Maker {
    type Type = Connection;
    type Error = io::Error;

    async fn create(&self) -> io::Result<Connection> {
        let begun = Instant::now();
        let stream = TcpStream::connect(self.address).await?;
        stream.set_nodelay(true)?;
        // Nothing stays of those that the server has closed.
        socket::set_reset_on_close(&stream)?;
        Ok(Connection { stream, connecting: Some(begun.elapsed()) })
    }

    async fn recycle(&self, idle: &mut Connection, _: &Metrics) -> RecycleResult<io::Error> {
        match idle.stream.try_read(&mut [0]) {
            Ok(0) => Err(RecycleError::message("the server has closed it")),
            Ok(_) => Err(RecycleError::message("the server says what nobody asked for")),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(()),
            Err(error) => Err(RecycleError::Backend(error)),
        }
    }
}

impl Reuse {
    /// Starts the server and an empty pool, and pins the calling thread, on whose runtime requests are
    /// made.
    ///
    /// # Errors
    /// A pool or a message of nothing; what the system refused.
    pub fn start(config: ReuseConfig) -> Result<Self, Error> {
        if config.request.is_empty() || config.response.is_empty() || config.connections == 0 {
            return Err(Error::Empty);
        }
        let placement = Placement::choose()?;
        let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0));
        let listener = listener.map_err(Error::io("listen on loopback"))?;
        let address = listener.local_addr().map_err(Error::io("read the port"))?;
        listener.set_nonblocking(true).map_err(Error::io("listen on loopback"))?;
        socket::set_nodelay(&listener)?;
        let pinned = Pinned::to(placement.client)?;
        let pool = Pool::builder(Maker { address }).max_size(config.connections);
        let pool = pool.runtime(Runtime::Tokio1).wait_timeout(Some(config.wait_limit)).build();
        let pool = pool.map_err(|error| Error::io("build a pool")(io::Error::other(error)))?;
        let mut dimensions = socket::dimensions(&listener, placement.describe())?;
        let limit =
            config.requests_per_connection.map_or_else(|| "none".to_owned(), |n| n.to_string());
        dimensions.extend([
            ("pool", "deadpool".to_owned()),
            ("pool_size", config.connections.to_string()),
            ("requests_per_connection", limit),
            ("request", config.request.to_string()),
            ("response", config.response.to_string()),
        ]);
        let request = Payload::seeded(REQUEST_SEED, config.request).to_bytes();
        let response = Payload::seeded(RESPONSE_SEED, config.response).to_bytes();
        let served = Arc::<Served>::default();
        let (stop, stopped) = oneshot::channel();
        let (answer, counts) = (response.clone(), Arc::clone(&served));
        let work = move || {
            // Where it fails, clients are refused and say so.
            let _ = serve(listener, config, answer, counts, stopped);
        };
        let thread = Some(spawn_pinned("reuse-server", placement.server, work)?);
        let (stale, stop, _pinned) = (AtomicU64::new(0), Some(stop), pinned);
        Ok(Self {
            config,
            pool,
            request,
            response,
            stale,
            served,
            stop,
            thread,
            dimensions,
            _pinned,
        })
    }

    /// Takes a connection, sends a request, receives the response, and puts the connection back. In the
    /// room of a tokio runtime with timers.
    ///
    /// # Errors
    /// [`Error::PoolWait`] when none was free in time; what a socket call failed with; another response.
    pub async fn request(&self) -> Result<Checkout, Error> {
        let mut received = vec![0; self.response.len()];
        let mut last = io::Error::other("nothing was tried");
        for _ in 0..attempts(&self.config) {
            let begun = Instant::now();
            let mut connection = self.pool.get().await.map_err(|error| self.refused(error))?;
            let taken = begun.elapsed();
            let connecting = connection.connecting.take();
            let waited = taken.saturating_sub(connecting.unwrap_or_default());
            let exchanged = exchange(&mut connection.stream, &self.request, &mut received).await;
            let Err(error) = exchanged else {
                if received != self.response {
                    return Err(Error::io("read a response")(io::Error::other(
                        "it is another one",
                    )));
                }
                return Ok(Checkout { waited, connecting });
            };
            // Nobody shall get it again.
            drop(Object::take(connection));
            if connecting.is_some() {
                return Err(Error::Measured(error));
            }
            self.stale.fetch_add(1, Ordering::Relaxed);
            last = error;
        }
        Err(Error::Measured(last))
    }

    fn refused(&self, error: PoolError<io::Error>) -> Error {
        match error {
            PoolError::Timeout(TimeoutType::Wait) => {
                let ReuseConfig { connections, wait_limit: limit, .. } = self.config;
                Error::PoolWait { connections, limit }
            }
            PoolError::Backend(error) => Error::io("connect for the pool")(error),
            other => {
                Error::io("take a connection from the pool")(io::Error::other(other.to_string()))
            }
        }
    }

    /// What became of all requests up to now.
    pub fn counts(&self) -> Counts {
        Counts {
            connections: self.served.connections.load(Ordering::Acquire),
            requests: self.served.requests.load(Ordering::Acquire),
            stale: self.stale.load(Ordering::Relaxed),
        }
    }

    /// What made the number.
    pub fn dimensions(&self) -> Vec<(&'static str, String)> {
        self.dimensions.clone()
    }
}

impl Drop for Reuse {
    fn drop(&mut self) {
        // Fails only where the thread has ended.
        let _ = self.stop.take().map(|stop| stop.send(()));
        if let Some(thread) = self.thread.take() {
            // Bounded: the runtime stops with its one task, and drops all others.
            let _ = thread.join();
        }
    }
}

async fn exchange(stream: &mut TcpStream, request: &[u8], response: &mut [u8]) -> io::Result<()> {
    stream.write_all(request).await?;
    stream.read_exact(response).await.map(drop)
}

fn serve(
    listener: std::net::TcpListener,
    config: ReuseConfig,
    response: Bytes,
    served: Arc<Served>,
    stopped: oneshot::Receiver<()>,
) -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build()?;
    runtime.block_on(async {
        let listener = TcpListener::from_std(listener)?;
        let accepting = accept_all(listener, config, response, served);
        until(stopped, accepting).await
    })
}

/// Runs it until it ends or the sender says stop, or is gone.
async fn until(
    mut stopped: oneshot::Receiver<()>,
    work: impl Future<Output = io::Result<()>>,
) -> io::Result<()> {
    let mut work = std::pin::pin!(work);
    std::future::poll_fn(|context| {
        if std::pin::Pin::new(&mut stopped).poll(context).is_ready() {
            return std::task::Poll::Ready(Ok(()));
        }
        work.as_mut().poll(context)
    })
    .await
}

async fn accept_all(
    listener: TcpListener,
    config: ReuseConfig,
    response: Bytes,
    served: Arc<Served>,
) -> io::Result<()> {
    loop {
        let (stream, _) = listener.accept().await?;
        served.connections.fetch_add(1, Ordering::Release);
        let (response, served) = (response.clone(), Arc::clone(&served));
        tokio::spawn(async move {
            // The client meets the same failure at its own end and reports it.
            let _ = answer(stream, config, &response, &served).await;
        });
    }
}

async fn answer(
    mut stream: TcpStream,
    config: ReuseConfig,
    response: &[u8],
    served: &Served,
) -> io::Result<()> {
    let mut request = vec![0; config.request.len()];
    let mut left = config.requests_per_connection.map_or(u64::MAX, NonZeroU64::get);
    while left > 0 {
        stream.read_exact(&mut request).await?;
        // Before the response, after which the client may ask for the count.
        served.requests.fetch_add(1, Ordering::Release);
        stream.write_all(response).await?;
        left -= 1;
    }
    Ok(())
}

#[cfg(test)]
#[path = "reuse_tests.rs"]
mod tests;
