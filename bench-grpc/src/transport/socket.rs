//! A socket of either kind, its options set, and read back as the kernel has them.

use std::io::{self, IoSlice};
use std::net::SocketAddr;
use std::os::fd::AsFd;
use std::path::Path;
use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll};

use bench_core::units::ByteSize;
use rustix::net::sockopt;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpSocket, TcpStream, UnixStream};
use tonic::transport::server::Connected;

use crate::error::Error;

/// Socket options as the kernel has them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SocketFacts {
    /// `TCP_NODELAY`. A Unix socket never delays.
    pub nodelay: bool,
    /// `TCP_CONGESTION`; `None` where it cannot be read, and for a Unix socket.
    pub congestion_control: Option<String>,
    /// `SO_SNDBUF`: twice what was asked for, or less where `net.core.wmem_max` is small.
    pub send_buffer_bytes: Option<usize>,
    /// `SO_RCVBUF`, in the same way.
    pub receive_buffer_bytes: Option<usize>,
}

impl SocketFacts {
    /// Both ends as dimensions of a row: the client's sends what is written, the server's what is
    /// read. Buffers are what the kernel granted, not what was asked for; of a server that somebody
    /// else runs, nothing is readable.
    pub fn dimensions(client: &Self, server: Option<&Self>) -> Vec<(&'static str, String)> {
        let unknown = || "not readable".to_owned();
        let size = |bytes: usize| ByteSize::new(bytes as u64).to_string();
        let control = |facts: Option<&Self>| facts?.congestion_control.clone();
        let send = |facts: Option<&Self>| facts?.send_buffer_bytes.map(size);
        let receive = |facts: Option<&Self>| facts?.receive_buffer_bytes.map(size);
        let own = Some(client);
        [
            ("nodelay_client", Some(client.nodelay.to_string())),
            ("nodelay_server", server.map(|facts| facts.nodelay.to_string())),
            ("congestion_control", control(own)),
            ("send_buffer", send(own)),
            ("receive_buffer", receive(own)),
            ("server_congestion_control", control(server)),
            ("server_send_buffer", send(server)),
            ("server_receive_buffer", receive(server)),
        ]
        .map(|(name, value)| (name, value.unwrap_or_else(unknown)))
        .into()
    }
}

/// The options of the first accepted socket, once there is one.
pub(crate) type SocketReport = Arc<OnceLock<SocketFacts>>;

/// A connected stream socket.
#[derive(Debug)]
pub(crate) enum Socket {
    Tcp(TcpStream),
    Unix(UnixStream),
}

impl Socket {
    pub(crate) async fn tcp(address: SocketAddr, buffer: Option<ByteSize>) -> io::Result<Self> {
        let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
        set_buffers(&socket, buffer)?;
        socket.connect(address).await.map(Self::Tcp)
    }

    pub(crate) async fn unix(path: &Path, buffer: Option<ByteSize>) -> io::Result<Self> {
        let socket = UnixStream::connect(path).await?;
        set_buffers(&socket, buffer)?;
        Ok(Self::Unix(socket))
    }

    /// Sets what a profile says about sockets, and reads back what holds.
    pub(crate) fn configure(&self, nodelay: bool) -> io::Result<SocketFacts> {
        let facts = |socket: &dyn AsFdObject, nodelay, congestion_control| SocketFacts {
            nodelay,
            congestion_control,
            send_buffer_bytes: sockopt::socket_send_buffer_size(socket.fd()).ok(),
            receive_buffer_bytes: sockopt::socket_recv_buffer_size(socket.fd()).ok(),
        };
        match self {
            Self::Tcp(socket) => {
                socket.set_nodelay(nodelay)?;
                unpace(socket, socket.peer_addr()?);
                Ok(facts(socket, socket.nodelay()?, sockopt::tcp_congestion(socket).ok()))
            }
            Self::Unix(socket) => Ok(facts(socket, true, None)),
        }
    }
}

/// Takes a congestion control from a connection within this machine that has no path to find out
/// about. BBR, the default of some machines, sends at the rate that it has measured and measures
/// anew after a pause: behind a link emulator, which ends the connection here, each burst of a
/// window then begins at 150 MiB/s. Reno is there on every Linux and allowed to everybody, and
/// nothing gets lost that it would slow down for.
pub(crate) fn unpace(socket: impl AsFd, peer: SocketAddr) {
    if peer.ip().is_loopback() {
        // Where the kernel refuses, the rows tell which one ran.
        let _refused = sockopt::set_tcp_congestion(socket, "reno");
    }
}

/// [`AsFd`] as an object.
trait AsFdObject {
    fn fd(&self) -> std::os::fd::BorrowedFd<'_>;
}

impl<S: AsFd> AsFdObject for S {
    fn fd(&self) -> std::os::fd::BorrowedFd<'_> {
        self.as_fd()
    }
}

/// Fixes the kernel's buffers of a socket; those of a TCP listener are inherited.
pub(crate) fn set_buffers(socket: impl AsFd, size: Option<ByteSize>) -> io::Result<()> {
    let Some(size) = size else { return Ok(()) };
    sockopt::set_socket_send_buffer_size(&socket, size.len())?;
    Ok(sockopt::set_socket_recv_buffer_size(&socket, size.len())?)
}

/// The same, as an error of the fixture.
pub(crate) fn fix_buffers(socket: impl AsFd, size: Option<ByteSize>) -> Result<(), Error> {
    set_buffers(socket, size).map_err(Error::machine("set the socket buffers"))
}

/// One and the same expression for either kind.
macro_rules! either {
    ($self:expr, $socket:ident => $body:expr) => {
        match $self.get_mut() {
            Self::Tcp($socket) => $body,
            Self::Unix($socket) => $body,
        }
    };
}

impl AsyncRead for Socket {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        either!(self, socket => Pin::new(socket).poll_read(cx, buffer))
    }
}

// Vectored writes are passed on: without them h2 copies every payload.
impl AsyncWrite for Socket {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        either!(self, socket => Pin::new(socket).poll_write(cx, bytes))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        pieces: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        either!(self, socket => Pin::new(socket).poll_write_vectored(cx, pieces))
    }

    fn is_write_vectored(&self) -> bool {
        match self {
            Self::Tcp(socket) => socket.is_write_vectored(),
            Self::Unix(socket) => socket.is_write_vectored(),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        either!(self, socket => Pin::new(socket).poll_flush(cx))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        either!(self, socket => Pin::new(socket).poll_shutdown(cx))
    }
}

impl Connected for Socket {
    type ConnectInfo = ();

    fn connect_info(&self) {}
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn either_kind_writes_vectored() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("bind");
        let address = listener.local_addr().expect("address");
        let tcp = Socket::tcp(address, Some(ByteSize::kib(64))).await.expect("connect");
        let (unix, _peer) = UnixStream::pair().expect("pair");
        let unix = Socket::Unix(unix);
        assert!(tcp.is_write_vectored() && unix.is_write_vectored());
        let facts = tcp.configure(false).expect("options");
        assert!(!facts.nodelay);
        assert_eq!(facts.congestion_control.as_deref(), Some("reno"), "whatever the default is");
        let facts = unix.configure(false).expect("options");
        assert!(facts.nodelay && facts.congestion_control.is_none());
        assert!(facts.send_buffer_bytes.is_some());
    }
}
