//! A connection made and closed. One operation: the client connects, the server accepts and
//! closes, the client sees that and closes too.
//!
//! An ordinary close leaves the port of whoever closes first in TIME_WAIT for a minute: after
//! 28,000 connections, two seconds, the ephemeral ports are used up and the benchmark measures
//! that. Here the client closes with RST (`SO_LINGER` 0), which leaves nothing at either end and
//! costs one system call. Spreading the connections over the addresses of 127.0.0.0/8 would only
//! put the end off, and would fill the kernel's tables with what earlier operations left.
//!
//! The client waits for the server's close so that the accept queue never holds more than one
//! connection: a queue that overflows drops a SYN, which costs a second and not microseconds.

pub mod one_thread;
pub mod pinned;

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bench_core::units::ByteSize;
use bench_core::workload::{Failure, Workload};

use crate::error::Error;
use crate::layout::Layout;

/// One connection made and closed; `network/connect/pinned`.
#[derive(Debug)]
pub struct Connect {
    ends: Ends,
    connected: u64,
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
        Ok(Self { ends, connected: 0, accepted, failure: None, dimensions })
    }

    fn bytes(&self) -> Option<ByteSize> {
        None
    }

    fn prepare(&mut self) -> Result<(), Failure> {
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
            let kept = io::Error::new(error.kind(), error.to_string());
            return Err(Error::Measured(kept).into());
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

/// What the client must see of a server that sends nothing and closes.
fn closed(read: usize) -> io::Result<()> {
    if read == 0 {
        return Ok(());
    }
    Err(io::Error::new(io::ErrorKind::InvalidData, "the server sent data instead of closing"))
}

#[cfg(test)]
mod tests;
