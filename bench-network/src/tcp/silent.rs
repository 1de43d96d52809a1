//! Peers that never answer, and how long they are waited for.
//!
//! A program without a time limit waits for a lost peer for hours: the kernel gives up a connect after
//! two minutes, unanswered data after fifteen, and an idle connection never. Four ways to be lost, each
//! with the kernel's own TCP: the peer does not answer the handshake, does not answer a request, does not
//! read, or is gone without having said so (half-open: RFC 9293, section 3.5.1).
//!
//! A limit here is for the whole of an operation and not for each of its system calls: a peer that sends
//! one byte in a while would keep a limit for each read from ever passing.
//!
//! A half-open connection is found out here when its peer's host, which is this one, resets what belongs
//! to no connection. A host without power says nothing, and is like a peer that does not answer.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::time::{Duration, Instant};

use rustix::net::{AddressFamily, SocketFlags, SocketType, connect, socket_with};

use super::kernel;
use crate::error::Error;
use crate::socket;

/// In which way a peer is lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Silence {
    /// It drops what would begin a connection: its queue is full.
    Handshake,
    /// It is connected, and neither reads nor answers.
    Answer,
}

impl Silence {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Handshake, Self::Answer];

    /// The name as ids carry it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Handshake => "handshake",
            Self::Answer => "answer",
        }
    }
}

/// A peer that is lost from the start.
#[derive(Debug)]
pub struct SilentPeer {
    address: SocketAddr,
    /// What keeps its queue full.
    _waiting: Vec<rustix::fd::OwnedFd>,
    _listener: TcpListener,
}

impl SilentPeer {
    /// Listens on loopback and accepts nobody.
    ///
    /// # Errors
    /// What the system refused.
    pub fn start(silence: Silence) -> Result<Self, Error> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0));
        let listener = listener.map_err(Error::io("listen on loopback"))?;
        let address = listener.local_addr().map_err(Error::io("read the port"))?;
        let mut waiting = Vec::new();
        if silence == Silence::Handshake {
            // To listen again sets the queue anew: one fits into a queue of none.
            rustix::net::listen(&listener, 0).map_err(Error::io("make the queue short"))?;
            for _ in 0..2 {
                waiting.push(knock(address)?);
            }
        }
        Ok(Self { address, _waiting: waiting, _listener: listener })
    }

    /// Where it listens.
    pub const fn address(&self) -> SocketAddr {
        self.address
    }
}

/// Begins a connection and does not wait for it.
fn knock(address: SocketAddr) -> Result<rustix::fd::OwnedFd, Error> {
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket = socket_with(AddressFamily::INET, SocketType::STREAM, flags, None);
    let socket = socket.map_err(Error::io("make a socket"))?;
    match connect(&socket, &address) {
        Ok(()) | Err(rustix::io::Errno::INPROGRESS) => Ok(socket),
        Err(error) => Err(Error::io("fill the queue")(error)),
    }
}

/// A connection whose peer is waited for only so long.
#[derive(Debug)]
pub struct Patient {
    stream: TcpStream,
    peer: SocketAddr,
    limit: Duration,
}

impl Patient {
    /// Connects.
    ///
    /// # Errors
    /// [`Error::NoAnswer`] after the limit; what else the system refused.
    pub fn connect(peer: SocketAddr, limit: Duration) -> Result<Self, Error> {
        let stream =
            TcpStream::connect_timeout(&peer, limit).map_err(|error| match error.kind() {
                ErrorKind::TimedOut => Error::NoAnswer { peer, what: "take a connection", limit },
                _ => Error::io("connect")(error),
            })?;
        socket::set_nodelay(&stream)?;
        Ok(Self { stream, peer, limit })
    }

    /// Sends a request and receives a response of this length.
    ///
    /// # Errors
    /// [`Error::NoAnswer`] after the limit, which is for both; [`Error::Lost`] where the peer has gone or
    /// no longer knows the connection; what else the system refused.
    pub fn exchange(&mut self, request: &[u8], response: &mut [u8]) -> Result<(), Error> {
        let until = Instant::now() + self.limit;
        let mut sent = 0;
        while sent < request.len() {
            let left = self.left(until, "read what it is sent")?;
            self.stream.set_write_timeout(Some(left)).map_err(Error::io("set a time limit"))?;
            let written = self.stream.write(&request[sent..]);
            sent += self.step(written)?;
        }
        let mut got = 0;
        while got < response.len() {
            let left = self.left(until, "answer")?;
            self.stream.set_read_timeout(Some(left)).map_err(Error::io("set a time limit"))?;
            let read = self.stream.read(&mut response[got..]);
            got += self.step(read)?;
        }
        Ok(())
    }

    /// What is left of the limit: never nothing, which a socket would take for no limit.
    fn left(&self, until: Instant, what: &'static str) -> Result<Duration, Error> {
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() { Err(self.silent(what)) } else { Ok(left) }
    }

    fn step(&self, done: io::Result<usize>) -> Result<usize, Error> {
        match done {
            Ok(0) => Err(self.lost(ErrorKind::UnexpectedEof.into())),
            Ok(count) => Ok(count),
            Err(error) => match error.kind() {
                // The kernel's timers go by ticks, and end early where it missed some: whether the limit is
                // over is for the clock to say.
                ErrorKind::Interrupted | ErrorKind::WouldBlock => Ok(0),
                ErrorKind::ConnectionReset | ErrorKind::BrokenPipe => Err(self.lost(error)),
                _ => Err(Error::io("exchange a request")(error)),
            },
        }
    }

    const fn silent(&self, what: &'static str) -> Error {
        Error::NoAnswer { peer: self.peer, what, limit: self.limit }
    }

    const fn lost(&self, source: io::Error) -> Error {
        Error::Lost { peer: self.peer, source }
    }
}

/// A connection whose peer has gone without a word: neither end nor reset was sent.
///
/// # Errors
/// [`Error::Unavailable`] without CAP_NET_ADMIN; what else the system refused.
pub fn half_open(limit: Duration) -> Result<Patient, Error> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0));
    let listener = listener.map_err(Error::io("listen on loopback"))?;
    let address = listener.local_addr().map_err(Error::io("read the port"))?;
    let connection = Patient::connect(address, limit)?;
    let (peer, _) = listener.accept().map_err(Error::io("accept on loopback"))?;
    kernel::set_silent_on_close(&peer).map_err(|error| Error::Unavailable {
        backend: "half-open connection",
        reason: format!("TCP_REPAIR needs CAP_NET_ADMIN ({error})"),
        instead: "run it with that capability, or cut a link of two namespaces",
    })?;
    drop(peer);
    Ok(connection)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: Duration = Duration::from_millis(40);

    /// Asserts that it takes the limit and not much more: no test of the scheduler, but one of limits
    /// that would be taken anew for each system call, or not at all.
    fn after_the_limit<T: std::fmt::Debug>(it: impl FnOnce() -> Result<T, Error>) -> String {
        let begun = Instant::now();
        let error = it().expect_err("nobody answers").to_string();
        let took = begun.elapsed();
        assert!(took >= LIMIT && took < LIMIT + Duration::from_secs(5), "{took:?}: {error}");
        error
    }

    #[test]
    fn a_peer_that_never_answers_is_an_error_with_the_limit() {
        let peer = SilentPeer::start(Silence::Handshake).expect("start");
        let said = after_the_limit(|| Patient::connect(peer.address(), LIMIT));
        let sentence = format!(
            "{} did not take a connection within 40ms: the peer is busy or gone, or the way to it is \
             cut; allow more time, or look there",
            peer.address()
        );
        assert_eq!(said, sentence);

        let peer = SilentPeer::start(Silence::Answer).expect("start");
        let mut connection = Patient::connect(peer.address(), LIMIT).expect("the kernel answers");
        let said = after_the_limit(|| connection.exchange(b"hello", &mut [0]));
        assert!(said.contains("did not answer within 40ms: "), "{said}");
    }

    #[test]
    fn a_peer_that_does_not_read_is_told_from_one_that_does_not_answer() {
        let peer = SilentPeer::start(Silence::Answer).expect("start");
        let mut connection = Patient::connect(peer.address(), LIMIT).expect("the kernel answers");
        // More than both ends' buffers hold.
        let flood = vec![0; 64 << 20];
        let said = after_the_limit(|| connection.exchange(&flood, &mut [0]));
        assert!(said.contains("did not read what it is sent within 40ms: "), "{said}");
    }

    #[test]
    fn a_limit_is_for_the_whole_exchange_however_often_a_byte_comes() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("listen");
        let address = listener.local_addr().expect("port");
        let trickle = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().expect("accept");
            // Until the client has gone.
            while stream.write_all(b"x").is_ok() {
                std::thread::sleep(LIMIT / 8);
            }
        });
        let mut connection = Patient::connect(address, LIMIT).expect("connect");
        let said = after_the_limit(|| connection.exchange(b"hello", &mut [0; 1_000_000]));
        assert!(said.contains("did not answer within 40ms: "), "{said}");
        drop(connection);
        trickle.join().expect("ends when the client has gone");
    }

    #[test]
    fn a_peer_that_answers_in_time_does_and_one_that_closes_is_lost() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("listen");
        let address = listener.local_addr().expect("port");
        let limit = Duration::from_secs(10);
        let mut connection = Patient::connect(address, limit).expect("connect");
        let (mut peer, _) = listener.accept().expect("accept");
        peer.write_all(b"hi").expect("an answer before the question");
        let mut answer = [0; 2];
        connection.exchange(b"hello", &mut answer).expect("in time");
        assert_eq!(&answer, b"hi");
        peer.shutdown(std::net::Shutdown::Write).expect("close");
        let said = connection.exchange(b"more", &mut answer).expect_err("closed").to_string();
        assert!(said.starts_with(&format!("the connection to {address} is lost: ")), "{said}");
    }

    #[test]
    fn a_half_open_connection_is_found_out_by_using_it() {
        let mut connection = match half_open(Duration::from_secs(10)) {
            Ok(connection) => connection,
            Err(reason @ Error::Unavailable { .. }) => return crate::tcp::skipped(&reason),
            Err(error) => panic!("{error}"),
        };
        // Nothing came from the peer, not even an end: the connection looks alive.
        connection.stream.set_nonblocking(true).expect("set");
        let nothing = connection.stream.read(&mut [0]).expect_err("nothing to read");
        assert_eq!(nothing.kind(), ErrorKind::WouldBlock);
        connection.stream.set_nonblocking(false).expect("set");
        let said =
            connection.exchange(b"hello", &mut [0]).expect_err("nobody is there").to_string();
        assert!(said.contains(" is lost: ") && said.contains("reset"), "{said}");
    }
}
