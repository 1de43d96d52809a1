//! What goes wrong with sockets and threads, and where.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use bench_core::fixture::Mismatch;
use bench_core::units::ByteSize;

use crate::fault::FaultError;
use crate::link::LinkError;
use crate::topology::TopologyError;

use bench_core::fixture::cpus::CpuError;

/// Why a network fixture could not do its work.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The system refused an operation.
    #[error("failed to {action}: {source}")]
    Io {
        /// What was tried, as in "listen on loopback".
        action: &'static str,
        /// What the system said.
        source: io::Error,
    },
    /// A thread could not be kept where it should be.
    #[error(transparent)]
    Cpu(#[from] CpuError),
    /// An operation failed inside the clock; this is what the check afterwards says.
    #[error("the connection failed while it was measured: {0}")]
    Measured(#[source] io::Error),
    /// The operation was prepared and then not run.
    #[error("no connection was made since the operation was prepared")]
    NotConnected,
    /// The two ends disagree on how much happened.
    #[error("the client made {connected} connections and the server accepted {accepted}")]
    Count {
        /// Connections that the client made.
        connected: u64,
        /// Connections that the server accepted.
        accepted: u64,
    },
    /// A link cannot be what was asked for.
    #[error(transparent)]
    Link(#[from] LinkError),
    /// Regions cannot be connected as they were described.
    #[error(transparent)]
    Topology(#[from] TopologyError),
    /// A fault makes no sense, cannot be had here, or was not shown to happen.
    #[error(transparent)]
    Fault(#[from] FaultError),
    /// A trace could not be read.
    #[error("failed to read the trace {}: {source}", path.display())]
    Trace {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A backend cannot do what the profile asks for, and nothing is left out in silence.
    #[error(
        "the {backend} cannot do the {what} of link '{link}': {reason}; take another backend, or a link \
         without it"
    )]
    NotModelled {
        /// Which backend.
        backend: &'static str,
        /// Which part of the profile.
        what: &'static str,
        /// The profile.
        link: String,
        /// What it does instead.
        reason: &'static str,
    },
    /// A link is not what was asked for, as measured before anything else is.
    #[error(
        "the {what} of link '{link}' is {measured} where {asked} was asked for, and {tolerance} is \
         tolerated; is the machine busy?"
    )]
    OutOfTolerance {
        /// What was measured.
        what: &'static str,
        /// The profile.
        link: String,
        /// What the profile says.
        asked: String,
        /// What it is.
        measured: String,
        /// By how much it may differ.
        tolerance: String,
    },
    /// The machine cannot carry so much.
    #[error(
        "link '{link}' asks for {asked} of payload, and this machine carries {ceiling} without any \
         delay: of that 70 % can be shaped; take a slower link or a faster machine"
    )]
    AboveCeiling {
        /// The profile.
        link: String,
        /// What TCP would get through it.
        asked: String,
        /// What it gets through a link without limit.
        ceiling: String,
    },
    /// Who carries a link was too slow for what was measured over it to mean anything.
    #[error(
        "what was measured is not valid: {reason}; the machine is too busy, or the link too much for \
         the {backend}"
    )]
    Spoiled {
        /// Which backend.
        backend: &'static str,
        /// What it says of itself.
        reason: String,
    },
    /// The thread that a fixture's work is done on has ended before it was told to.
    #[error("the {0} has ended: its thread panicked")]
    Gone(&'static str),
    /// This machine, or this process on it, cannot have a backend.
    #[error("the {backend} is not available here: {reason}; {instead}")]
    Unavailable {
        /// Which backend.
        backend: &'static str,
        /// What was refused.
        reason: String,
        /// What to do.
        instead: &'static str,
    },
    /// No backend can carry this link here.
    #[error("no backend can carry this link here: {0}")]
    NoBackend(String),
    /// A backend that nobody knows.
    #[error(
        "'{0}' is no backend; write auto, exact:tun, exact:packet, exact:netem, exact:proxy or \
         exact:simulation"
    )]
    UnknownBackend(String),
    /// What arrived is not what was sent.
    #[error(transparent)]
    Content(#[from] Mismatch),
    /// A simulated host gave up.
    #[error(
        "a host gave up after {after:?} over link '{link}': what it sent was lost again and again; \
         take a link that loses less"
    )]
    Unreachable {
        /// The profile.
        link: String,
        /// The simulated time since its start.
        after: Duration,
    },
    /// The kernel does not let this process have a congestion control.
    #[error(
        "failed to use congestion control '{control}': {source}; allowed here: {allowed}, and with \
         CAP_NET_ADMIN whatever the kernel has"
    )]
    CongestionControlRefused {
        /// What was asked for.
        control: String,
        /// What a process without privileges may have.
        allowed: String,
        /// What the system said.
        source: io::Error,
    },
    /// An algorithm that the simulation does not have.
    #[error("'{0}' is not simulated; write reno or cubic")]
    CongestionControl(String),
    /// A script that would not be played to its end.
    #[error(
        "the script has an event at {end:?} and the run is over at {length:?}; take a longer run, or \
         events that come before its end"
    )]
    ScriptTooLong {
        /// Its last event.
        end: Duration,
        /// The run.
        length: Duration,
    },
    /// Another copy of the register says what nobody understands.
    #[error("a message of kind {0} came, which there is none of")]
    UnknownMessage(u8),
    /// There is nothing to send.
    #[error("a message of 0 bytes cannot be measured; choose a size of at least 1B")]
    Empty,
    /// What is to be sent is not made of blocks of this size.
    #[error("a block of {block} cannot carry {total}; write a block of 1B to {total}")]
    Block {
        /// Bytes of one write.
        block: ByteSize,
        /// Bytes of one operation.
        total: ByteSize,
    },
    /// The two ends disagree on how much was sent.
    #[error("the client sent {sent} bytes and the server received {got}")]
    Received {
        /// By the client.
        sent: u64,
        /// By the server's count.
        got: u64,
    },
    /// No connection can be made because no port is free for it.
    #[error(
        "no local port is left for a connection to {address} after {made} of them: all of the {ports} \
         are taken, by connections that are open or closed less than a minute ago (TIME_WAIT); make \
         fewer at once, close with a reset, or connect from more addresses"
    )]
    PortsExhausted {
        /// To where.
        address: SocketAddr,
        /// Connections that were made before.
        made: u64,
        /// How many ports there are, and which.
        ports: String,
    },
    /// The kernel would take no notice of a choice of ports.
    #[error(
        "connections cannot come from ports {asked}: the system gives {system} \
         (net.ipv4.ip_local_port_range); choose among these"
    )]
    PortRange {
        /// First and last.
        asked: String,
        /// First and last.
        system: String,
    },
    /// A peer said nothing for as long as it was given.
    #[error(
        "{peer} did not {what} within {limit:?}: the peer is busy or gone, or the way to it is cut; allow \
         more time, or look there"
    )]
    NoAnswer {
        /// Its address.
        peer: SocketAddr,
        /// What it should have done, as in "answer".
        what: &'static str,
        /// How long it was given.
        limit: Duration,
    },
    /// A peer has closed the connection, or its host does not know of it.
    #[error("the connection to {peer} is lost: {source}; the peer has gone, connect again")]
    Lost {
        /// Its address.
        peer: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
    /// All connections of a pool were in use.
    #[error(
        "no connection of a pool of {connections} was free within {limit:?}; make the pool larger, send \
         less at once, or allow more time"
    )]
    PoolWait {
        /// How many it has.
        connections: usize,
        /// How long was waited.
        limit: Duration,
    },
    /// Connections that should take up an earlier session did not.
    #[error("{resumed} of {done} connections were resumed and all should be: tickets ran out")]
    NotResumed {
        /// Connections made.
        done: u64,
        /// Of them, with a ticket.
        resumed: u64,
    },
    /// TLS could not be set up.
    #[error("failed to {action} for TLS: {source}")]
    Tls {
        /// What was tried.
        action: &'static str,
        /// What rustls said.
        source: rustls::Error,
    },
    /// The operation was prepared and then not run.
    #[error("nothing was sent since the operation was prepared")]
    NotRun,
}

impl Error {
    /// What an operation under the clock failed with, which stays where it was kept.
    pub(crate) fn measured(error: &io::Error) -> Self {
        Self::Measured(io::Error::new(error.kind(), error.to_string()))
    }

    /// For `map_err`: what was tried.
    pub(crate) fn tls(action: &'static str) -> impl FnOnce(rustls::Error) -> Self {
        move |source| Self::Tls { action, source }
    }

    /// For `map_err`: what was tried.
    pub(crate) fn io<E: Into<io::Error>>(action: &'static str) -> impl FnOnce(E) -> Self {
        move |source| Self::Io { action, source: source.into() }
    }
}
