//! A connection made and closed. One operation: the client connects, the server accepts and sends
//! one byte, the client sees it and closes with RST (`SO_LINGER` 0).
//!
//! An ordinary close leaves the port of whoever closes first in TIME_WAIT for a minute: after
//! 28,000 connections, two seconds, the ephemeral ports are used up and the benchmark measures
//! that. RST leaves nothing at either end and costs one system call. Spreading the connections
//! over the addresses of 127.0.0.0/8 would only put the end off, and would fill the kernel's
//! tables with what earlier operations left.
//!
//! Only the client closes. Where the server does too, one or two sockets in a thousand stay at the
//! server's end in FIN_WAIT2 (seen in `/proc/net/tcp`), presumably because its FIN and the client's
//! RST cross on two CPUs; they would pile up over a long run.
//!
//! The byte is there so that the client knows it was accepted. Otherwise it would run ahead until
//! the accept queue overflows and drops a SYN, which costs a second and not microseconds.

pub mod one_thread;
pub mod pinned;

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bench_core::workload::{Failure, Workload};

use crate::error::Error;
use crate::layout::Layout;

/// One connection made and closed; `network/connect/pinned`.
#[derive(Debug)]
pub struct Connect {
    ends: Ends,
    connected: u64,
    /// How many there were when the operation was prepared.
    before: u64,
    accepted: Arc<AtomicU64>,
    failure: Option<io::Error>,
    dimensions: Vec<(&'static str, String)>,
}

#[derive(Debug)]
enum Ends {
    Pinned(pinned::Server),
    OneThread(one_thread::Server),
}

impl Workload for Connect {
    const NAME: &'static str = "network/connect";
    type Parameter = Layout;

    fn set_up(layout: &Layout) -> Result<Self, Failure> {
        let accepted = Arc::new(AtomicU64::new(0));
        let ends = match layout {
            Layout::Pinned => Ends::Pinned(pinned::Server::start(Arc::clone(&accepted))?),
            Layout::OneThread => Ends::OneThread(one_thread::Server::start(Arc::clone(&accepted))?),
        };
        let mut dimensions = match &ends {
            Ends::Pinned(server) => server.dimensions()?,
            Ends::OneThread(server) => server.dimensions()?,
        };
        dimensions.push(("close", "reset by the client (SO_LINGER 0)".to_owned()));
        let mut this = Self { ends, connected: 0, before: 0, accepted, failure: None, dimensions };
        // Once outside the clock, where tasks and threads start.
        this.prepare()?;
        this.run();
        this.check()?;
        Ok(this)
    }

    fn prepare(&mut self) -> Result<(), Failure> {
        // Without this the connections of earlier operations would do.
        self.before = self.connected;
        match &self.ends {
            Ends::Pinned(server) => Ok(server.assert_pinned()?),
            Ends::OneThread(_) => Ok(()),
        }
    }

    fn run(&mut self) {
        if self.failure.is_some() {
            return; // The server may be gone.
        }
        let connected = match &self.ends {
            Ends::Pinned(server) => server.connect(),
            Ends::OneThread(server) => server.connect(),
        };
        match connected {
            Ok(()) => self.connected += 1,
            Err(error) => self.failure = Some(error),
        }
    }

    fn check(&mut self) -> Result<(), Failure> {
        if let Some(error) = &self.failure {
            return Err(Error::measured(error).into());
        }
        if self.connected == self.before {
            return Err(Error::NotConnected.into());
        }
        let accepted = self.accepted.load(Ordering::Acquire);
        if accepted == self.connected {
            return Ok(());
        }
        Err(Error::Count { connected: self.connected, accepted }.into())
    }

    fn dimensions(&self) -> Vec<(&'static str, String)> {
        self.dimensions.clone()
    }
}

/// What the server sends as soon as it has accepted.
const GREETING: [u8; 1] = [0x57];

/// Whether the client got the greeting.
fn greeted(byte: [u8; 1]) -> io::Result<()> {
    if byte == GREETING {
        return Ok(());
    }
    Err(io::Error::new(
        io::ErrorKind::InvalidData,
        "the server sent another byte than its greeting",
    ))
}

#[cfg(test)]
mod tests;
