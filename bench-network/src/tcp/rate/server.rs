//! The server that connections are made to: HTTP/1.1, one request and one response on each, then a
//! reset.
//!
//! It serves one connection after the other, on a thread that is pinned: four system calls each, so
//! that what makes the connections has to work for it. It answers every request alike and reads no
//! header; any HTTP client can use it, which is how wrk is measured against the same server.
//!
//! A reset (`SO_LINGER` 0, set on the listener, whose connections inherit it) leaves nothing of a
//! connection at either end: no TIME_WAIT, no port that is taken. The response is in the client's queue
//! by then, since loopback delivers while it sends; over a network a reset could overtake it.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use rustls::{ServerConfig, ServerConnection};

use super::Security;
use crate::connect::pinned;
use crate::error::Error;
use crate::socket;
use crate::tcp::tls::Tls;

/// What the client sends. wrk sends other headers; the server looks at the empty line only.
pub(super) const REQUEST: &[u8] = b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
/// What it gets.
pub(super) const RESPONSE: &[u8] =
    b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok";

/// No header is longer.
const REQUEST_BYTES_MAX: usize = 4096;
/// A client that says nothing for this long is left.
const PATIENCE: Duration = Duration::from_secs(10);

/// A listener and the thread that answers. Dropping it ends the thread and frees the calling thread
/// from its CPU.
#[derive(Debug)]
pub struct Server {
    inner: pinned::Server,
    accepted: Arc<AtomicU64>,
    answered: Arc<AtomicU64>,
    tls: Option<Tls>,
}

impl Server {
    /// Listens on an ephemeral port and pins the calling thread to another CPU than its own.
    ///
    /// # Errors
    /// What the system refused; with TLS as [`Tls::for_this_run`].
    pub fn start(security: Security) -> Result<Self, Error> {
        let tls = match security {
            Security::Plain => None,
            Security::Tls => Some(Tls::for_this_run(false)?),
            Security::TlsResumed => Some(Tls::for_this_run(true)?),
        };
        let (accepted, answered) = (Arc::default(), Arc::<AtomicU64>::default());
        let count = Arc::clone(&answered);
        let config = tls.as_ref().map(|tls| Arc::clone(&tls.server));
        let mut request = vec![0; REQUEST_BYTES_MAX];
        let serve = move |stream| {
            // The client meets the same failure at its own end and reports it.
            if respond(stream, config.as_ref(), &mut request).is_ok() {
                count.fetch_add(1, Ordering::Release);
            }
        };
        let configure = |listener: &std::net::TcpListener| {
            socket::set_reset_on_close(listener).map_err(Error::io("set SO_LINGER"))?;
            socket::set_nodelay(listener)?;
            let limit = rustix::net::sockopt::Timeout::Recv;
            rustix::net::sockopt::set_socket_timeout(listener, limit, Some(PATIENCE))
                .map_err(Error::io("set a time limit"))
        };
        let inner = pinned::Server::serving(Arc::clone(&accepted), configure, serve)?;
        Ok(Self { inner, accepted, answered, tls })
    }

    /// Where it listens.
    pub const fn address(&self) -> SocketAddr {
        self.inner.address()
    }

    /// Connections that it accepted.
    pub fn accepted(&self) -> u64 {
        self.accepted.load(Ordering::Acquire)
    }

    /// Requests that it answered. It is a moment behind what clients have got.
    pub fn answered(&self) -> u64 {
        self.answered.load(Ordering::Acquire)
    }

    /// What a client of it needs.
    pub const fn tls(&self) -> Option<&Tls> {
        self.tls.as_ref()
    }

    /// Asserts that the calling thread is still on its CPU.
    ///
    /// # Errors
    /// [`Error::Cpu`].
    pub fn assert_pinned(&self) -> Result<(), Error> {
        self.inner.assert_pinned()
    }

    /// What made the number.
    ///
    /// # Errors
    /// What the system refused to tell.
    pub fn dimensions(&self) -> Result<Vec<(&'static str, String)>, Error> {
        let mut dimensions = self.inner.dimensions()?;
        dimensions.push(("close", "reset by the server (SO_LINGER 0)".to_owned()));
        Ok(dimensions)
    }
}

fn respond(
    mut stream: TcpStream,
    tls: Option<&Arc<ServerConfig>>,
    request: &mut [u8],
) -> io::Result<()> {
    let Some(config) = tls else { return answer(&mut stream, request) };
    let mut connection = ServerConnection::new(Arc::clone(config)).map_err(io::Error::other)?;
    answer(&mut rustls::Stream::new(&mut connection, &mut stream), request)
}

fn answer(stream: &mut (impl Read + Write), request: &mut [u8]) -> io::Result<()> {
    let mut filled = 0;
    while !request[..filled].ends_with(b"\r\n\r\n") {
        let free = request.get_mut(filled..).filter(|free| !free.is_empty());
        let free = free.ok_or_else(|| io::Error::other("a request without an end"))?;
        match stream.read(free)? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            read => filled += read,
        }
    }
    stream.write_all(RESPONSE)?;
    stream.flush()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_in_pieces_is_one_and_another_client_gets_the_same_answer() {
        let server = Server::start(Security::Plain).expect("start");
        for headers in ["", "Host: x\r\nUser-Agent: curl\r\n"] {
            let mut client = TcpStream::connect(server.address()).expect("connect");
            client.write_all(b"GET / HTTP/1.1\r\n").expect("send");
            client.write_all(headers.as_bytes()).expect("send");
            client.write_all(b"\r\n").expect("send");
            let mut got = vec![0; RESPONSE.len()];
            client.read_exact(&mut got).expect("a response");
            assert_eq!(got, RESPONSE);
            let error = client.read(&mut [0]).expect_err("a reset and no end");
            assert_eq!(error.kind(), io::ErrorKind::ConnectionReset);
        }
        assert_eq!(server.accepted(), 2);
    }

    #[test]
    fn a_client_that_goes_without_a_word_is_not_counted_as_answered() {
        let server = Server::start(Security::Plain).expect("start");
        drop(TcpStream::connect(server.address()).expect("connect"));
        let mut endless = TcpStream::connect(server.address()).expect("connect");
        // The server resets in the middle of it.
        let _ = endless.write_all(&[b'x'; 2 * REQUEST_BYTES_MAX]);
        assert!(endless.read(&mut [0]).is_err());
        assert_eq!((server.accepted(), server.answered()), (2, 0));
    }
}
