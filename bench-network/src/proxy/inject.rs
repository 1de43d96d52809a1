//! Faults from outside: the guard, and its proof.

use std::sync::mpsc;

use super::DelayProxy;
use super::engine::Command;
use crate::error::Error;
use crate::fault::Proof;
use crate::fault::stream::{StreamFault, judge};

/// A fault that every connection of a proxy has until this is dropped or ended.
#[derive(Debug)]
#[must_use = "the fault is gone as soon as this guard is dropped"]
pub struct Injected<'a> {
    proxy: &'a DelayProxy,
    fault: StreamFault,
    number: u64,
}

impl DelayProxy {
    /// Injects a fault into all connections of this proxy, those that are open included. It has begun
    /// when this returns, and several of other kinds, or on other ways, may be there at once.
    ///
    /// ```
    /// use std::io::{Read, Write};
    /// use std::net::{TcpListener, TcpStream};
    /// use std::time::{Duration, Instant};
    ///
    /// use bench_network::fault::{StreamFault, Ways};
    /// use bench_network::link::LinkProfile;
    /// use bench_network::proxy::DelayProxy;
    ///
    /// let server = TcpListener::bind("127.0.0.1:0")?;
    /// let proxy =
    ///     DelayProxy::start(server.local_addr()?, &LinkProfile::round_trip(Duration::ZERO))?;
    /// let mut client = TcpStream::connect(proxy.address())?;
    /// let (mut accepted, _) = server.accept()?;
    ///
    /// let (ways, delay) = (Ways::Up, Duration::from_millis(20));
    /// let fault = proxy.inject(StreamFault::Latency { ways, delay, jitter: Duration::ZERO })?;
    /// let sent = Instant::now();
    /// client.write_all(b"!")?;
    /// accepted.read_exact(&mut [0])?;
    /// assert!(sent.elapsed() >= delay);
    /// assert_eq!(fault.end()?.times, 1);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// Numbers that make no sense, and a fault of the same kind that is already on the same way;
    /// [`Error::Gone`] where the proxy's thread has panicked.
    pub fn inject(&self, fault: StreamFault) -> Result<Injected<'_>, Error> {
        let (answer, answered) = mpsc::channel();
        let number = self.ask(Command::Inject(fault, answer), &answered)??;
        Ok(Injected { proxy: self, fault, number })
    }
}

impl Injected<'_> {
    /// What was injected.
    pub fn fault(&self) -> StreamFault {
        self.fault
    }

    /// That it has happened by now, as the proxy saw it.
    ///
    /// # Errors
    /// [`FaultError::NotShown`](crate::fault::FaultError::NotShown) with what is missing;
    /// [`Error::Gone`].
    pub fn proof(&self) -> Result<Proof, Error> {
        let (answer, answered) = mpsc::channel();
        let seen = self.proxy.ask(Command::Observe(self.number, answer), &answered)?;
        Ok(judge(&self.fault, &seen)?)
    }

    /// Ends it; that it happened.
    ///
    /// # Errors
    /// As [`proof`](Self::proof); it has ended all the same.
    pub fn end(self) -> Result<Proof, Error> {
        self.proof()
    }
}

impl Drop for Injected<'_> {
    fn drop(&mut self) {
        let (answer, answered) = mpsc::channel();
        // Where the thread is gone, so is the fault.
        let _gone = self.proxy.ask(Command::End(self.number, answer), &answered);
    }
}

#[cfg(test)]
#[path = "fault_tests.rs"]
mod tests;
