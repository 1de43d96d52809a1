//! The server's socket, and serving until told to stop.

use std::future::Future;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::path::PathBuf;
use std::pin::Pin;
use std::task::{Context, Poll};

use bench_core::units::ByteSize;
use tokio::net::{TcpListener, UnixListener};
use tokio_stream::Stream;

use super::socket::{Socket, SocketFacts, SocketReport, fix_buffers};
use crate::error::Error;
use crate::profile::{self, TransportProfile};
use crate::server::Serving;
use crate::wire::{Bind, Target};

/// A socket that listens and is not served yet.
#[derive(Debug)]
pub(crate) struct Listener {
    socket: Bound,
    address: Target,
}

#[derive(Debug)]
enum Bound {
    Tcp(std::net::TcpListener),
    Unix(std::os::unix::net::UnixListener),
}

impl AsFd for Bound {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Self::Tcp(listener) => listener.as_fd(),
            Self::Unix(listener) => listener.as_fd(),
        }
    }
}

impl Listener {
    /// Listens with these kernel buffers, as far as the kernel allows them.
    pub(crate) fn bind(address: &Bind, buffer: Option<ByteSize>) -> Result<Self, Error> {
        let listen = || match address {
            Bind::Tcp(address) => {
                let listener = std::net::TcpListener::bind(address)?;
                listener.set_nonblocking(true)?;
                let address = Target::Tcp(listener.local_addr()?);
                Ok((Bound::Tcp(listener), address))
            }
            Bind::Unix(path) => {
                let listener = std::os::unix::net::UnixListener::bind(path)?;
                listener.set_nonblocking(true)?;
                Ok((Bound::Unix(listener), Target::Unix(path.clone())))
            }
        };
        let (socket, address) =
            listen().map_err(|source| Error::Listen { address: address.clone(), source })?;
        fix_buffers(&socket, buffer)?;
        Ok(Self { socket, address })
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> &Target {
        &self.address
    }
}

/// Removes a socket file when it is dropped.
#[derive(Debug)]
#[must_use = "the socket file goes with it"]
pub(crate) struct Unlink(Option<PathBuf>);

impl Unlink {
    /// Of what listens there, if it is a file.
    pub(crate) fn of(address: &Target) -> Self {
        match address {
            Target::Unix(path) => Self(Some(path.clone())),
            Target::Tcp(_) | Target::Host(_) => Self(None),
        }
    }
}

impl Drop for Unlink {
    fn drop(&mut self) {
        if let Some(path) = &self.0 {
            // It may be gone with its folder.
            let _ = std::fs::remove_file(path);
        }
    }
}

/// What a server needs to begin.
pub(crate) struct Serve<S> {
    pub(crate) listener: Listener,
    pub(crate) service: S,
    pub(crate) profile: TransportProfile,
    pub(crate) buffer: Option<ByteSize>,
    pub(crate) report: SocketReport,
}

impl<S: Serving> Serve<S> {
    /// Serves until `stop` is ready and then until the last connection has ended, or until the
    /// future is dropped. Call it inside a runtime; connections live as long as that.
    pub(crate) fn until(
        self,
        stop: impl Future<Output = ()> + Send + 'static,
    ) -> Result<impl Future<Output = ()> + Send + 'static, Error> {
        let Self { listener, service, profile, buffer, report } = self;
        let listener = match listener.socket {
            Bound::Tcp(listener) => TcpListener::from_std(listener).map(Listening::Tcp),
            Bound::Unix(listener) => UnixListener::from_std(listener).map(Listening::Unix),
        };
        let listener = listener.map_err(Error::machine("register the listener"))?;
        let incoming = Incoming { listener, nodelay: profile.nodelay, buffer, report };
        Ok(async move {
            // Serving ends with an error only when the listener does; the client then sees its
            // connection refused, which is the error that counts.
            let server = profile::server(&profile);
            drop(server.serve_with_incoming_shutdown(service, incoming, stop).await);
        })
    }
}

enum Listening {
    Tcp(TcpListener),
    Unix(UnixListener),
}

/// Accepted sockets, with the profile's options.
struct Incoming {
    listener: Listening,
    nodelay: bool,
    buffer: Option<ByteSize>,
    report: SocketReport,
}

impl Incoming {
    fn configured(&self, socket: Socket) -> io::Result<Socket> {
        if let Socket::Unix(socket) = &socket {
            // Unlike TCP's, these are not inherited from the listener.
            super::socket::set_buffers(socket, self.buffer)?;
        }
        let facts: SocketFacts = socket.configure(self.nodelay)?;
        self.report.get_or_init(|| facts);
        Ok(socket)
    }
}

impl Stream for Incoming {
    type Item = io::Result<Socket>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let accepted = match &self.listener {
            Listening::Tcp(listener) => {
                listener.poll_accept(cx).map_ok(|(socket, _)| Socket::Tcp(socket))
            }
            Listening::Unix(listener) => {
                listener.poll_accept(cx).map_ok(|(socket, _)| Socket::Unix(socket))
            }
        };
        accepted.map(|socket| Some(socket.and_then(|socket| self.configured(socket))))
    }
}
