//! A link in this process: a TCP proxy that hands every byte on after the link's delay, at the
//! link's rate, and needs no privileges.
//!
//! What it does *not* model, because the kernel of this machine ends both connections:
//!
//! - the handshake: `connect` takes no round trip, and the client is connected before the server;
//! - loss, and therefore neither retransmission nor any time-out of TCP;
//! - congestion control: no slow start, no window that grows by round trips. What a sender may have
//!   in flight is bounded by the queue of the link and by the proxy's memory, not by TCP. The proxy's
//!   own sockets have reno, which does nothing where nothing is lost; an end whose socket has BBR is
//!   paced by what that measures of its leg to the proxy.
//!
//! A profile that asks for loss, reordering, duplicates or corruption is refused. A rate counts
//! bytes as if they came in full segments of 1448 bytes with 52 of headers, and a full queue holds
//! the sender up instead of dropping. A receiver that does not read is noticed at once and not
//! after a delay.
//!
//! A way that is cut lets nothing in, and lets it in as soon as it is whole again: the time that
//! TCP waits before it sends lost segments once more is not modelled either. What is not bytes passes
//! a cut: new connections, and the reset that a sender gets when its receiver is gone.
//!
//! [`DelayProxy::start`] and [`DelayProxy::address`] are all that a client needs;
//! [`DelayProxy::calibrate`] says whether this machine keeps the time now, and [`DelayProxy::inject`]
//! adds [faults](crate::fault) to the link while it is used.

mod connection;
mod engine;
mod faults;
mod inject;
mod pipe;
mod report;

use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread::{self, JoinHandle};

use bench_core::fixture::cpus;
use bench_core::units::ByteSize;
use rustix::event::{EventfdFlags, eventfd};

use self::engine::{Command, Engine};
pub use self::inject::Injected;
pub use self::report::Report;
use crate::calibrate::{Calibration, at_last, calibrate};
use crate::error::Error;
use crate::link::model::LinkModel;
use crate::link::{Direction, LinkProfile, Loss};
use crate::socket;

/// How ids and rows call this backend.
pub const BACKEND: &str = "in-process proxy";

/// What its thread is called, so that its processor time can be told from that of the ends.
pub const THREAD: &str = "delay-proxy";

/// What it does not model, as rows say it.
pub const NOT_MODELLED: &str = "handshake, loss, congestion control";

/// Why it cannot.
pub(crate) const BYTE_STREAM: &str =
    "it hands on a byte stream of which nothing may be missing or out of order";

/// How a proxy is set up, beside its link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProxyConfig {
    /// Of the jitter.
    pub seed: u64,
    /// How much may be on its way in one direction of one connection. More than a window and what a
    /// link carries in a round trip: beyond it the sender is held up, which the report tells.
    pub held_max: ByteSize,
}

/// A link before a server. Dropping it closes its listener and all connections, and waits for its
/// thread.
///
/// ```
/// use std::io::{Read, Write};
/// use std::net::{TcpListener, TcpStream};
/// use std::time::{Duration, Instant};
///
/// use bench_network::link::LinkProfile;
/// use bench_network::proxy::DelayProxy;
///
/// let server = TcpListener::bind("127.0.0.1:0")?;
/// let round_trip = Duration::from_millis(10);
/// let link = DelayProxy::start(server.local_addr()?, &LinkProfile::round_trip(round_trip))?;
///
/// let sent = Instant::now();
/// let mut client = TcpStream::connect(link.address())?;
/// client.write_all(b"!")?;
/// let (mut accepted, _) = server.accept()?;
/// accepted.read_exact(&mut [0])?;
/// assert!(sent.elapsed() >= round_trip / 2);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
#[must_use = "the link is gone as soon as this guard is dropped"]
pub struct DelayProxy {
    address: SocketAddr,
    link: LinkProfile,
    /// `None` only while it is dropped, which is how the thread learns of it.
    commands: Option<Sender<Command>>,
    bell: Arc<OwnedFd>,
    thread: Option<JoinHandle<()>>,
}

impl DelayProxy {
    /// Puts a link before the server at `to`, with a fixed seed and room for 256 MiB on its way.
    ///
    /// # Errors
    /// That the profile makes no sense, or asks for what a byte stream cannot have
    /// ([`Error::NotModelled`]); what the system refused.
    pub fn start(to: SocketAddr, link: &LinkProfile) -> Result<Self, Error> {
        Self::start_with_seed(to, link, 42)
    }

    /// As [`start`](Self::start), with a seed.
    ///
    /// # Errors
    /// As [`start`](Self::start).
    pub fn start_with_seed(to: SocketAddr, link: &LinkProfile, seed: u64) -> Result<Self, Error> {
        let config = ProxyConfig { seed, held_max: ByteSize::mib(256) };
        Self::start_with_config(to, link, config)
    }

    /// As [`start`](Self::start), with a seed and another bound of memory.
    ///
    /// # Errors
    /// As [`start`](Self::start).
    pub fn start_with_config(
        to: SocketAddr,
        link: &LinkProfile,
        config: ProxyConfig,
    ) -> Result<Self, Error> {
        can_carry(link)?;
        let models = LinkModel::both(link, config.seed)?;
        let bell = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK);
        let bell = Arc::new(bell.map_err(Error::io("make an eventfd"))?);
        let (commands, received) = mpsc::channel();
        let delays = [link.up.delay, link.down.delay];
        let held_max = config.held_max.len();
        let engine = Engine::new(Arc::clone(&bell), received, models, delays, held_max)?;
        let thread = thread::Builder::new().name(THREAD.to_owned());
        let work = move || {
            // Not beside an end that is pinned where the caller is; where the system refuses, it is
            // slower, and as late as the report says.
            let _refused = cpus::unpin();
            engine.run();
        };
        let thread = thread.spawn(work).map_err(Error::io("start a thread"))?;
        let (commands, thread) = (Some(commands), Some(thread));
        // From here on dropping ends the thread, also where the route fails.
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let mut this = Self { address, link: link.clone(), commands, bell, thread };
        this.address = this.route(to)?;
        Ok(this)
    }

    /// What it was started as.
    pub fn profile(&self) -> &LinkProfile {
        &self.link
    }

    /// Where clients connect.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Measures the round trip of one byte over this link and through this proxy's thread, for about
    /// a second, and up to twice again where it is not the link's.
    ///
    /// # Errors
    /// [`Error::OutOfTolerance`] with both numbers; what the system refused.
    pub fn calibrate(&self) -> Result<Calibration, Error> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0));
        let listener = listener.map_err(Error::io("listen on loopback"))?;
        let to = listener.local_addr().map_err(Error::io("read the port"))?;
        let route = self.route(to)?;
        at_last(|| {
            let client = TcpStream::connect(route);
            let client = client.map_err(Error::io("connect to the delay proxy"))?;
            let server = socket::accept(&listener, socket::ACCEPT_LIMIT)?;
            calibrate(&self.link, client, server)
        })
    }

    /// Makes this another link, in force when the call returns: bytes that enter from then on meet it.
    /// What is on its way arrives when it was to arrive, and nothing overtakes it; the new link's queue
    /// is empty. What is cut stays so.
    ///
    /// # Errors
    /// As [`start`](Self::start).
    pub fn set(&self, link: &LinkProfile, seed: u64) -> Result<(), Error> {
        can_carry(link)?;
        let models = LinkModel::both(link, seed)?;
        let (answer, answered) = mpsc::channel();
        self.ask(
            Command::Set(Box::new(models), [link.up.delay, link.down.delay], answer),
            &answered,
        )
    }

    /// Lets nothing in any more up, down or both, or lets it in again; in force when the call returns.
    /// What is on its way arrives.
    ///
    /// # Errors
    /// [`Error::Gone`] where the thread has panicked.
    pub fn cut(&self, up_and_down: [bool; 2]) -> Result<(), Error> {
        let (answer, answered) = mpsc::channel();
        self.ask(Command::Cut(up_and_down, answer), &answered)
    }

    /// What it did since it was started.
    ///
    /// # Errors
    /// [`Error::Gone`] where the thread has panicked.
    pub fn report(&self) -> Result<Report, Error> {
        let (answer, answered) = mpsc::channel();
        self.ask(Command::Report(answer), &answered)
    }

    /// What rows record about the link and who makes it.
    pub fn dimensions(&self) -> Vec<(&'static str, String)> {
        let mut dimensions = self.link.dimensions();
        dimensions.push(("link_backend", BACKEND.to_owned()));
        dimensions.push(("link_not_modelled", NOT_MODELLED.to_owned()));
        dimensions
    }

    /// A further address of the same link that leads to `to`.
    fn route(&self, to: SocketAddr) -> Result<SocketAddr, Error> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0));
        let listener = listener.map_err(Error::io("listen on loopback"))?;
        let address = listener.local_addr().map_err(Error::io("read the port"))?;
        let (answer, answered) = mpsc::channel();
        self.ask(Command::Route(listener, to, answer), &answered)??;
        Ok(address)
    }

    fn ask<T>(&self, command: Command, answered: &Receiver<T>) -> Result<T, Error> {
        let gone = || Error::Gone("delay proxy");
        let commands = self.commands.as_ref().ok_or_else(gone)?;
        commands.send(command).map_err(|_| gone())?;
        self.ring();
        answered.recv().map_err(|_| gone())
    }

    fn ring(&self) {
        // Fails only where the counter is at its end, and then the bell rings already.
        let _ = rustix::io::write(&self.bell, &1_u64.to_ne_bytes());
    }
}

impl Drop for DelayProxy {
    fn drop(&mut self) {
        drop(self.commands.take());
        self.ring();
        if let Some(thread) = self.thread.take() {
            // Bounded: the thread waits for nothing but what the bell ends.
            let _ = thread.join();
        }
    }
}

/// Whether a byte stream can have what this profile asks for.
///
/// # Errors
/// [`Error::NotModelled`] with the first thing that it cannot.
pub fn can_carry(link: &LinkProfile) -> Result<(), Error> {
    let asked = |way: &Direction| {
        [
            ("loss", way.loss != Loss::None),
            ("reordering", way.reorder.probability > 0.0),
            ("duplication", way.duplicate > 0.0),
            ("corruption", way.corrupt > 0.0),
        ]
    };
    let asked = [asked(&link.up), asked(&link.down)].concat();
    match asked.into_iter().find(|(_, asked)| *asked) {
        None => Ok(()),
        Some((what, _)) => {
            let (link, reason) = (link.name.to_string(), BYTE_STREAM);
            Err(Error::NotModelled { backend: BACKEND, what, link, reason })
        }
    }
}

#[cfg(test)]
mod tests;
