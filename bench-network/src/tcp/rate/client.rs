//! What makes the connections.
//!
//! Over loopback a blocking connect is done when it returns: the handshake takes place in it. So one
//! thread can have many connections under way without waiting for events: it opens some, and then
//! collects the responses of the oldest. The server answers in the order in which they were made. When
//! the last response of a batch is there, all are: waiting for that one first, the thread sleeps once
//! for a batch and not once for each connection.
//!
//! Under TLS both ends have to do something for a handshake, so that connections are collected one by
//! one. Not more are under way at once than the window: without it the client would run ahead until
//! the queue of the listener overflows and a SYN is dropped, which costs a second.

use std::collections::VecDeque;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use rustls::{ClientConnection, HandshakeKind};

use super::server::{REQUEST, RESPONSE};
use crate::error::Error;
use crate::tcp::ports::LocalPorts;
use crate::tcp::tls::{Agreed, Tls};

/// A server that says nothing for this long is an error and no hang.
const PATIENCE: Duration = Duration::from_secs(10);

/// How connections are made.
#[derive(Clone, Debug)]
pub struct ClientConfig {
    /// To where.
    pub address: SocketAddr,
    /// Nothing for plain ones.
    pub tls: Option<Tls>,
    /// Under way at once, at most: one to 128, the queue of the listener.
    pub window: usize,
    /// From where.
    pub ports: LocalPorts,
}

/// Connections, one after the other.
#[derive(Debug)]
pub struct Client {
    config: ClientConfig,
    open: VecDeque<Session>,
    response: Vec<u8>,
    counts: Counts,
    agreed: Option<Agreed>,
}

/// How many there were.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// With a response that is right.
    pub done: u64,
    /// Of them, with a full handshake of TLS.
    pub full: u64,
    /// Of them, with a resumed one.
    pub resumed: u64,
}

#[derive(Debug)]
struct Session {
    socket: TcpStream,
    tls: Option<Box<ClientConnection>>,
}

impl Client {
    /// Connects to nowhere yet.
    pub fn new(config: ClientConfig) -> Self {
        let open = VecDeque::with_capacity(config.window);
        let response = vec![0; RESPONSE.len()];
        Self { config, open, response, counts: Counts::default(), agreed: None }
    }

    /// How many there were.
    pub const fn counts(&self) -> Counts {
        self.counts
    }

    /// What the last full handshake agreed on.
    pub const fn agreed(&self) -> Option<&Agreed> {
        self.agreed.as_ref()
    }

    /// Makes so many connections, each with its request and response, and waits for all of them.
    ///
    /// # Errors
    /// [`Error::PortsExhausted`]; [`Error::NoAnswer`] after ten seconds; what a socket call failed
    /// with; another response. Connections that
    /// were under way are closed.
    pub fn run(&mut self, connections: u64) -> Result<(), Error> {
        let made = self.make(connections);
        if made.is_err() {
            self.open.clear();
        }
        made
    }

    fn make(&mut self, connections: u64) -> Result<(), Error> {
        let mut left = connections;
        let batch = if self.config.tls.is_some() { 1 } else { self.config.window.div_ceil(2) };
        while left > 0 || !self.open.is_empty() {
            while left > 0 && self.open.len() < self.config.window {
                let session = self.open()?;
                self.open.push_back(session);
                left -= 1;
            }
            // The last of the batch first.
            for at in (0..batch.min(self.open.len())).rev() {
                self.collect(at)?;
            }
            self.open.drain(..batch.min(self.open.len()));
        }
        Ok(())
    }

    fn open(&self) -> Result<Session, Error> {
        let made = self.counts.done + self.open.len() as u64;
        let mut socket = self.config.ports.connect(self.config.address, made)?;
        socket.set_read_timeout(Some(PATIENCE)).map_err(Error::io("set a time limit"))?;
        let Some(tls) = &self.config.tls else {
            socket.write_all(REQUEST).map_err(Error::Measured)?;
            return Ok(Session { socket, tls: None });
        };
        let mut tls = tls.connect()?;
        // Kept until the handshake is done.
        tls.writer().write_all(REQUEST).map_err(Error::Measured)?;
        while tls.wants_write() {
            tls.write_tls(&mut socket).map_err(Error::Measured)?;
        }
        Ok(Session { socket, tls: Some(Box::new(tls)) })
    }

    fn collect(&mut self, at: usize) -> Result<(), Error> {
        let Session { socket, tls } = &mut self.open[at];
        self.response.fill(0);
        let read = match tls {
            None => socket.read_exact(&mut self.response),
            Some(tls) => rustls::Stream::new(tls.as_mut(), socket).read_exact(&mut self.response),
        };
        read.map_err(|error| match error.kind() {
            io::ErrorKind::WouldBlock => {
                Error::NoAnswer { peer: self.config.address, what: "answer", limit: PATIENCE }
            }
            _ => Error::Measured(error),
        })?;
        if self.response != RESPONSE {
            let wrong = "the server sent another response than its own";
            return Err(Error::Measured(io::Error::new(io::ErrorKind::InvalidData, wrong)));
        }
        self.counts.done += 1;
        match tls.as_ref().and_then(|tls| tls.handshake_kind()) {
            Some(HandshakeKind::Resumed) => self.counts.resumed += 1,
            Some(_) => {
                self.counts.full += 1;
                if self.agreed.is_none() {
                    self.agreed = tls.as_ref().and_then(|tls| Agreed::of(tls));
                }
            }
            None => {}
        }
        Ok(())
    }
}
