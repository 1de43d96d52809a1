//! Sockets, runtimes and the server's thread: how the two ends of the loopback come to life and
//! how they end in bounded time.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::os::fd::AsFd;
use std::sync::mpsc;
use std::sync::{Arc, OnceLock};
use std::thread::JoinHandle;
use std::time::Duration;

use bench_core::units::ByteSize;
use hyper_util::rt::TokioIo;
use rustix::net::sockopt;
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::oneshot;
use tokio_stream::StreamExt;
use tokio_stream::wrappers::TcpListenerStream;
use tonic::transport::{Channel, Endpoint};

use crate::error::Error;
use crate::profile::{self, TransportProfile};
use crate::server::Serving;

/// How long a dropped fixture waits for its server thread before it leaves it behind.
pub(crate) const SHUTDOWN_BOUND: Duration = Duration::from_secs(1);

/// Socket options as the kernel has them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SocketFacts {
    /// `TCP_NODELAY`.
    pub nodelay: bool,
    /// `TCP_CONGESTION`; `None` where it cannot be read.
    pub congestion_control: Option<String>,
    /// `SO_SNDBUF`: twice what was asked for, or less where `net.core.wmem_max` is small.
    pub send_buffer_bytes: Option<usize>,
    /// `SO_RCVBUF`, in the same way.
    pub receive_buffer_bytes: Option<usize>,
}

/// The options of the first accepted socket, once there is one.
pub(crate) type SocketReport = Arc<OnceLock<SocketFacts>>;

/// A current-thread runtime: the only kind whose instructions repeat.
pub(crate) fn runtime() -> Result<Runtime, Error> {
    Builder::new_current_thread().enable_all().build().map_err(Error::machine("build the runtime"))
}

/// Fixes the kernel's buffers of a socket that is not connected yet; a listener's are inherited.
pub(crate) fn fix_buffers(socket: impl AsFd, size: Option<ByteSize>) -> Result<(), Error> {
    let Some(size) = size else { return Ok(()) };
    sockopt::set_socket_send_buffer_size(&socket, size.len())
        .and_then(|()| sockopt::set_socket_recv_buffer_size(&socket, size.len()))
        .map_err(|source| Error::machine("set the socket buffers")(source.into()))
}

/// Connects once. A lost connection is an error and never replaced in silence.
pub(crate) async fn connect(
    address: SocketAddr,
    profile: &TransportProfile,
    socket_buffer: Option<ByteSize>,
) -> Result<(Channel, SocketFacts), Error> {
    let socket = TcpSocket::new_v4().map_err(Error::machine("open the socket"))?;
    fix_buffers(&socket, socket_buffer)?;
    let socket = socket.connect(address).await.map_err(Error::machine("connect the socket"))?;
    let facts =
        configure(&socket, profile.nodelay).map_err(Error::machine("set the socket options"))?;
    let mut socket = Some(TokioIo::new(socket));
    let connector = tower::service_fn(move |_| {
        let lost = || io::Error::other("the loopback connection was lost");
        std::future::ready(socket.take().ok_or_else(lost))
    });
    let endpoint = Endpoint::from_shared(format!("http://{address}"))?;
    let channel = profile::endpoint(profile, endpoint).connect_with_connector(connector).await?;
    Ok((channel, facts))
}

/// What a server needs to begin.
pub(crate) struct Serve<S> {
    pub(crate) listener: std::net::TcpListener,
    pub(crate) service: S,
    pub(crate) report: SocketReport,
}

impl<S: Serving> Serve<S> {
    /// Serves until the future is dropped. Call it inside a runtime.
    pub(crate) fn until_dropped(
        self,
        profile: TransportProfile,
    ) -> Result<impl Future<Output = ()> + Send + 'static, Error> {
        let Self { listener, service, report } = self;
        listener.set_nonblocking(true).map_err(Error::machine("set the listener"))?;
        let listener =
            TcpListener::from_std(listener).map_err(Error::machine("register the listener"))?;
        let incoming = TcpListenerStream::new(listener).map(move |socket| {
            let socket = socket?;
            let facts = configure(&socket, profile.nodelay)?;
            report.get_or_init(|| facts);
            Ok::<_, io::Error>(socket)
        });
        Ok(async move {
            // Serving ends with an error only when the listener does; the client then sees its
            // connection refused, which is the error that counts.
            drop(profile::server(&profile).serve_with_incoming(service, incoming).await);
        })
    }
}

/// A server on a thread and a runtime of its own. Dropping it ends the thread.
#[derive(Debug)]
pub(crate) struct ServerThread {
    stop: Option<oneshot::Sender<()>>,
    ended: mpsc::Receiver<()>,
    thread: Option<JoinHandle<()>>,
}

impl ServerThread {
    pub(crate) fn start<S: Serving>(
        serve: Serve<S>,
        profile: TransportProfile,
    ) -> Result<Self, Error> {
        let (stop, stopped) = oneshot::channel();
        let (end, ended) = mpsc::channel();
        let (report, ready) = mpsc::channel();
        let body = move || {
            // Dropped last, so that the fixture knows the runtime to be gone.
            let _end: mpsc::Sender<()> = end;
            let started = runtime().and_then(|runtime| {
                let guard = runtime.enter();
                let server = serve.until_dropped(profile)?;
                drop(guard);
                Ok((runtime, server))
            });
            let (runtime, server) = match started {
                Ok(started) => started,
                Err(error) => return drop(report.send(Err(error))),
            };
            drop(report.send(Ok(())));
            runtime.block_on(async {
                tokio::select! {
                    () = server => {}
                    _ = stopped => {}
                }
            });
            runtime.shutdown_background();
        };
        let thread = std::thread::Builder::new()
            .name("grpc-server".to_owned())
            .spawn(body)
            .map_err(Error::machine("spawn the server thread"))?;
        ready.recv().unwrap_or(Err(Error::ServerGone))?;
        Ok(Self { stop: Some(stop), ended, thread: Some(thread) })
    }
}

impl Drop for ServerThread {
    fn drop(&mut self) {
        drop(self.stop.take());
        // Never waits without a bound: a handler may block its thread.
        if self.ended.recv_timeout(SHUTDOWN_BOUND) != Err(mpsc::RecvTimeoutError::Timeout)
            && let Some(thread) = self.thread.take()
        {
            // A panic of the server has already failed the call that met it.
            drop(thread.join());
        }
    }
}

fn configure(socket: &TcpStream, nodelay: bool) -> io::Result<SocketFacts> {
    socket.set_nodelay(nodelay)?;
    Ok(SocketFacts {
        nodelay: socket.nodelay()?,
        congestion_control: sockopt::tcp_congestion(socket).ok(),
        send_buffer_bytes: sockopt::socket_send_buffer_size(socket).ok(),
        receive_buffer_bytes: sockopt::socket_recv_buffer_size(socket).ok(),
    })
}
