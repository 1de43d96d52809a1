//! The ceiling of a layout: the same bytes over a bare socket, between the same kind of runtimes as
//! gRPC has. What gRPC is slower by is what HTTP/2, gRPC and their implementation cost.
//!
//! A transfer is a request of a few bytes, the content, and for [`Operation::Write`] a reply that
//! counts it, so that it takes as many turns as a call. Content is sent from where it lies and
//! received into one buffer that is used again and again, as [`Sink::Discard`] lets gRPC do.
//!
//! It differs from a call: no frames and no messages, hence Read and Stream are the same transfer;
//! no flow control but the kernel's. A [`Layout`] of more than two threads has the ceiling of two
//! threads, since one socket has no use for more.

use std::fmt;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::sync::mpsc;
use std::thread::JoinHandle;

use bench_core::fixture::cpus::Pinned;
use bench_core::fixture::{Mismatch, Payload};
use bench_core::units::{ByteSize, MIB};
use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::runtime::{Builder, Runtime};

use crate::error::Error;
use crate::intake::{Sink, compare};
use crate::layout::Pins;
use crate::operation::{Operation, expect_length};
use crate::transport::socket::{set_buffers, unpace};
use crate::{Layout, Wire};

/// What one read or write asks the kernel for. Larger ones leave the cache, smaller ones are more
/// system calls; on the machines that this was tried on nothing was faster.
const PIECE_BYTES: usize = MIB as usize;

/// What the thread of the other end is called, in the layouts in which it has one.
pub const PEER_THREAD: &str = "ceiling-peer";

/// What to start.
#[derive(Clone, Copy, Debug)]
pub struct CeilingConfig {
    /// Who runs where.
    pub layout: Layout,
    /// Keeps the two threads where [`Loopback`](crate::Loopback) keeps its own when pinned.
    pub pinned: bool,
    /// What connects the two.
    pub wire: Wire,
    /// What a transfer moves.
    pub payload: Payload,
    /// `SO_SNDBUF` and `SO_RCVBUF` of both ends, as far as the kernel's limits allow; `None` lets
    /// the kernel resize them. The kernel's buffers decide how much of a transfer lies in caches,
    /// so they must be those of the gRPC that this is the ceiling of.
    pub socket_buffer: Option<ByteSize>,
}

/// Two ends of a connection. Dropping it ends both.
///
/// ```
/// use bench_core::fixture::Payload;
/// use bench_core::units::ByteSize;
/// use bench_grpc::ceiling::{Ceiling, CeilingConfig};
/// use bench_grpc::{Layout, Operation, Wire};
///
/// let mut ceiling = Ceiling::start(CeilingConfig {
///     layout: Layout::OneThread,
///     pinned: true,
///     wire: Wire::Tcp,
///     payload: Payload::seeded(42, ByteSize::kib(256)),
///     socket_buffer: None,
/// })?;
/// ceiling.transfer(Operation::Write)?; // measure this
/// # Ok::<(), bench_grpc::Error>(())
/// ```
#[must_use = "dropping it ends the other end"]
#[derive(Debug)]
pub struct Ceiling {
    // Dropped in this order: the peer ends when nobody is connected to it any more.
    end: End,
    runtime: Runtime,
    _peer: Option<Peer>,
    _pins: Pins,
}

impl Ceiling {
    /// Connects two sockets and moves the payload each way once, verified.
    ///
    /// # Errors
    /// What the machine refused, or what was wrong with the content.
    pub fn start(config: CeilingConfig) -> Result<Self, Error> {
        Self::start_with(config, config.payload.to_bytes())
    }

    /// The same with content that the caller has already, so that it is in memory only once. It
    /// must be the payload's.
    ///
    /// # Errors
    /// Those of [`start`](Self::start).
    pub fn start_with(config: CeilingConfig, content: Bytes) -> Result<Self, Error> {
        Self::connect(config, content.clone(), content)
    }

    /// The same over a link: `link` is given the address of the far end and returns the one that
    /// leads there. The wire is TCP.
    ///
    /// # Errors
    /// Those of [`start`](Self::start), and what `link` refused.
    pub fn start_through(
        config: CeilingConfig,
        content: Bytes,
        link: impl FnOnce(SocketAddr) -> io::Result<SocketAddr>,
    ) -> Result<Self, Error> {
        let pair = Socket::tcp_pair(config.socket_buffer, link);
        let config = CeilingConfig { wire: Wire::Tcp, ..config };
        Self::over(config, pair, content.clone(), content)
    }

    /// The same with other content at the peer than here.
    fn connect(config: CeilingConfig, here: Bytes, there: Bytes) -> Result<Self, Error> {
        Self::over(config, Socket::pair(config.wire, config.socket_buffer), here, there)
    }

    fn over(
        config: CeilingConfig,
        pair: io::Result<(Socket, Socket)>,
        here: Bytes,
        there: Bytes,
    ) -> Result<Self, Error> {
        let (near, far) = pair.map_err(Error::machine("connect two sockets"))?;
        let pins = Pins::choose(config.layout, config.pinned)?;
        let runtime = runtime()?;
        let peer = if config.layout == Layout::OneThread {
            runtime.spawn(End::over(far, there, &runtime)?.serve());
            None
        } else {
            Some(Peer::start(far, there, pins.server)?)
        };
        let end = End::over(near, here, &runtime)?;
        let mut ceiling = Self { end, runtime, _peer: peer, _pins: pins };
        for operation in Operation::ALL {
            ceiling.transfer_verified(operation)?;
        }
        Ok(ceiling)
    }

    /// Moves the payload in the direction of this operation and checks that all of it came.
    ///
    /// # Errors
    /// A socket that broke, or [`Error::Length`].
    ///
    /// # Panics
    /// When called from inside another runtime.
    pub fn transfer(&mut self, operation: Operation) -> Result<(), Error> {
        self.runtime.block_on(self.end.transfer(operation, Sink::Discard))
    }

    /// The same, and compares the content where it arrives.
    ///
    /// # Errors
    /// Also [`Error::Content`]; a Write says only how many bytes came before the first wrong one.
    ///
    /// # Panics
    /// When called from inside another runtime.
    pub fn transfer_verified(&mut self, operation: Operation) -> Result<(), Error> {
        self.runtime.block_on(self.end.transfer(operation, Sink::Verify))
    }
}

fn runtime() -> Result<Runtime, Error> {
    Builder::new_current_thread().enable_all().build().map_err(Error::machine("build the runtime"))
}

/// The far end on a thread of its own. Its thread ends when the near end is dropped.
#[derive(Debug)]
struct Peer(Option<JoinHandle<()>>);

impl Peer {
    fn start(socket: Socket, content: Bytes, cpu: Option<usize>) -> Result<Self, Error> {
        let runtime = runtime()?;
        let end = End::over(socket, content, &runtime)?;
        let (tell, told) = mpsc::channel();
        let body = move || {
            let _pinned = match cpu.map(Pinned::to).transpose() {
                Ok(pinned) => pinned,
                Err(error) => return drop(tell.send(Err(error.into()))),
            };
            drop(tell.send(Ok(())));
            runtime.block_on(end.serve());
        };
        let thread = std::thread::Builder::new()
            .name(PEER_THREAD.to_owned())
            .spawn(body)
            .map_err(Error::machine("spawn the peer's thread"))?;
        told.recv().unwrap_or(Err(Error::ServerGone))?;
        Ok(Self(Some(thread)))
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        if let Some(thread) = self.0.take() {
            // Its panic would have failed the transfer that met it.
            drop(thread.join());
        }
    }
}

/// A socket that no runtime knows yet.
enum Socket {
    Tcp(TcpStream),
    Unix(UnixStream),
}

impl Socket {
    fn pair(wire: Wire, buffer: Option<ByteSize>) -> io::Result<(Self, Self)> {
        match wire {
            Wire::Tcp => Self::tcp_pair(buffer, Ok),
            Wire::Unix => {
                let (near, far) = UnixStream::pair()?;
                for socket in [&near, &far] {
                    set_buffers(socket, buffer)?;
                    socket.set_nonblocking(true)?;
                }
                Ok((Self::Unix(near), Self::Unix(far)))
            }
        }
    }

    /// Two ends, with whatever `link` puts between them.
    fn tcp_pair(
        buffer: Option<ByteSize>,
        link: impl FnOnce(SocketAddr) -> io::Result<SocketAddr>,
    ) -> io::Result<(Self, Self)> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let near = TcpStream::connect(link(listener.local_addr()?)?)?;
        let (far, _) = listener.accept()?;
        for socket in [&near, &far] {
            set_buffers(socket, buffer)?;
            unpace(socket, socket.peer_addr()?);
            socket.set_nodelay(true)?;
            socket.set_nonblocking(true)?;
        }
        Ok((Self::Tcp(near), Self::Tcp(far)))
    }

    /// Call it inside a runtime.
    fn register(self) -> io::Result<Box<dyn Duplex>> {
        Ok(match self {
            Self::Tcp(socket) => Box::new(tokio::net::TcpStream::from_std(socket)?),
            Self::Unix(socket) => Box::new(tokio::net::UnixStream::from_std(socket)?),
        })
    }
}

/// A connected socket of either kind.
trait Duplex: AsyncRead + AsyncWrite + Send + Unpin + fmt::Debug {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin + fmt::Debug> Duplex for S {}

/// One of the two.
#[derive(Debug)]
struct End {
    socket: Box<dyn Duplex>,
    content: Bytes,
    buffer: Vec<u8>,
}

/// Which way the content goes, and whether the receiver compares it.
type Request = [u8; 2];

impl End {
    fn over(socket: Socket, content: Bytes, runtime: &Runtime) -> Result<Self, Error> {
        let _guard = runtime.enter();
        let socket = socket.register().map_err(Error::machine("register a socket"))?;
        let buffer = vec![0; PIECE_BYTES.min(content.len())];
        Ok(Self { socket, content, buffer })
    }

    async fn transfer(&mut self, operation: Operation, sink: Sink) -> Result<(), Error> {
        let upload = operation == Operation::Write;
        let request: Request = [upload.into(), (sink == Sink::Verify).into()];
        self.socket.write_all(&request).await.map_err(broken)?;
        let moved = if upload {
            self.send().await.map_err(broken)?;
            self.socket.read_u64().await.map_err(broken)?
        } else {
            self.receive(operation, sink).await?
        };
        expect_length(operation, self.content.len() as u64, moved)
    }

    /// Answers requests until the other end is gone.
    async fn serve(mut self) {
        let mut request = Request::default();
        while self.socket.read_exact(&mut request).await.is_ok() {
            // The other end sees a failure as a socket that is closed.
            let Ok(()) = self.answer(request).await else { return };
        }
    }

    async fn answer(&mut self, [upload, verify]: Request) -> Result<(), Error> {
        if upload == 0 {
            return self.send().await.map_err(broken);
        }
        let sink = if verify == 0 { Sink::Discard } else { Sink::Verify };
        let right = match self.receive(Operation::Write, sink).await {
            Err(Error::Content { source: Mismatch::Byte { offset, .. }, .. }) => offset,
            received => received?,
        };
        self.socket.write_u64(right).await.map_err(broken)
    }

    async fn send(&mut self) -> io::Result<()> {
        for piece in self.content.chunks(PIECE_BYTES) {
            self.socket.write_all(piece).await?;
        }
        Ok(())
    }

    /// Takes as many bytes as there should be, or fewer if there are no more.
    async fn receive(&mut self, operation: Operation, sink: Sink) -> Result<u64, Error> {
        let (mut received, mut wrong) = (0, None);
        while received < self.content.len() {
            let room = self.buffer.len().min(self.content.len() - received);
            let read = self.socket.read(&mut self.buffer[..room]).await.map_err(broken)?;
            if read == 0 {
                break;
            }
            if sink == Sink::Verify && wrong.is_none() {
                // All the same all is received, so that the next transfer begins at its beginning.
                wrong = compare(&self.content, received as u64, &self.buffer[..read]).err();
            }
            received += read;
        }
        wrong.map_or(Ok(received as u64), |source| Err(Error::Content { operation, source }))
    }
}

fn broken(source: io::Error) -> Error {
    Error::machine("use a socket")(source)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(layout: Layout, wire: Wire, size: u64) -> CeilingConfig {
        let payload = Payload::seeded(3, ByteSize::new(size));
        CeilingConfig { layout, pinned: true, wire, payload, socket_buffer: None }
    }

    #[test]
    fn every_direction_is_verified_on_every_layout_and_wire() {
        for layout in [Layout::OneThread, Layout::TwoThreads] {
            for wire in Wire::ALL {
                for size in [1, 1000, PIECE_BYTES as u64 + 1] {
                    let mut ceiling = Ceiling::start(config(layout, wire, size)).expect("start");
                    for operation in Operation::ALL {
                        ceiling.transfer(operation).expect("transfer");
                        ceiling.transfer_verified(operation).expect("content");
                    }
                }
            }
        }
    }

    #[test]
    fn other_content_is_caught_where_it_arrives() {
        let config = config(Layout::TwoThreads, Wire::Tcp, 3_000_000);
        let content = config.payload.to_bytes();
        let mut other = content.to_vec();
        other[2_500_000] ^= 1;
        let error = Ceiling::connect(config, content, other.into()).expect_err("other content");
        assert_eq!(error.to_string(), "write moved 2500000 bytes instead of 3000000");
    }

    #[test]
    fn a_peer_that_is_gone_is_an_error() {
        let config = config(Layout::OneThread, Wire::Unix, 1000);
        let (near, far) = Socket::pair(config.wire, Some(ByteSize::kib(64))).expect("pair");
        let runtime = runtime().expect("runtime");
        let mut end = End::over(near, config.payload.to_bytes(), &runtime).expect("end");
        drop(far);
        let transfer = |operation| runtime.block_on(end.transfer(operation, Sink::Discard));
        for error in Operation::ALL.map(transfer) {
            let error = error.expect_err("nobody is there").to_string();
            assert!(error.starts_with("failed to use a socket"), "{error}");
        }
    }
}
