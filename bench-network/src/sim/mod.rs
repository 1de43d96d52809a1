//! A TCP connection over a link, simulated: no socket, no clock, no thread. What takes a minute on
//! the link takes milliseconds here, and with one seed the outcome is the same to the bit on every
//! machine.
//!
//! Modelled, each after the document that defines it or as Linux does it:
//!
//! - the handshake: SYN and SYN-ACK, a second SYN after 1 s, then 2 s, and so on;
//! - segments of 1448 bytes with 52 of headers, an initial window of 10 of them (RFC 6928);
//! - slow start and congestion avoidance by NewReno or CUBIC (RFC 5681, 6582, 9438), with HyStart
//!   in CUBIC, as Linux has it;
//! - which segments are lost: selective acknowledgements, three of them above a segment, or a later
//!   segment that arrived (RFC 2018, 6675, and 8985 without its timer);
//! - the retransmission time-out: smoothed round trip and four deviations of it, 200 ms at least on
//!   top of the first, doubled each time (RFC 6298 with Linux's bounds);
//! - the receiver's window, of a receiver that reads at once;
//! - delayed acknowledgements: of every second segment, or 40 ms after the first, but at once of the
//!   first 16 segments and of whatever is out of order.
//!
//! Not modelled: tail loss probes (a lost last segment costs a time-out), proportional rate
//! reduction (the window falls at once), pacing, restart after idling, closing, hosts that need
//! time, offload that sends bursts. A packet with a flipped bit fails its checksum and counts as
//! lost.
//!
//! [`Simulation`] is the connection; [`bulk`] and [`exchange`] are the two workloads.

mod congestion;
mod receiver;
mod sender;
mod timeout;
mod world;

use std::time::Duration;

use bench_core::units::ByteSize;

pub use self::congestion::CongestionControl;
pub use self::world::{End, Simulation};
use crate::error::Error;
use crate::link::LinkProfile;
use crate::link::model::Counts;

/// How ids and rows call this backend.
pub const BACKEND: &str = "simulation";

/// Payload of a full segment with time stamps, bytes.
pub const SEGMENT_BYTES: u32 = 1448;
/// Headers of every segment: 20 of IP, 20 of TCP, 12 of its time stamps.
pub const HEADER_BYTES: u32 = 52;

/// What the two hosts are set to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TcpConfig {
    /// How the window grows and falls.
    pub congestion_control: CongestionControl,
    /// The most that may be on its way, as the receiver says.
    pub receive_window: ByteSize,
    /// Of the link.
    pub seed: u64,
}

/// What a transfer came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bulk {
    /// From SYN to SYN-ACK.
    pub connect: Duration,
    /// From the first byte written, on a connection that is made, to the last byte received.
    pub transfer: Duration,
    /// Segments that were sent again.
    pub retransmissions: u64,
    /// Retransmission time-outs.
    pub timeouts: u64,
    /// What the link did to the packets, up and down.
    pub link: [Counts; 2],
    /// Of every packet's arrival: equal where two runs are.
    pub digest: u64,
}

/// What request and response came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exchange {
    /// From SYN to SYN-ACK.
    pub connect: Duration,
    /// From the first byte of each request written to the last of its response received.
    pub latencies: Vec<Duration>,
    /// Of every packet's arrival: equal where two runs are.
    pub digest: u64,
}

/// One client sends so many bytes to the server.
///
/// # Errors
/// That the profile makes no sense, or that a host gave up ([`Error::Unreachable`]).
pub fn bulk(link: &LinkProfile, tcp: TcpConfig, size: ByteSize) -> Result<Bulk, Error> {
    let mut simulation = Simulation::new(link, tcp)?;
    let connect = simulation.connect()?;
    simulation.write(End::Client, size.bytes());
    simulation.run_until_received(End::Server, size.bytes())?;
    let transfer = simulation.now() - connect;
    let (retransmissions, timeouts) = simulation.repairs(End::Client);
    let (link, digest) = (simulation.link_counts(), simulation.digest());
    Ok(Bulk { connect, transfer, retransmissions, timeouts, link, digest })
}

/// One client sends requests one after the other, each when it has the response to the last. The
/// server answers at once.
///
/// # Errors
/// As [`bulk`].
pub fn exchange(
    link: &LinkProfile,
    tcp: TcpConfig,
    [request, response]: [ByteSize; 2],
    count: usize,
) -> Result<Exchange, Error> {
    let mut simulation = Simulation::new(link, tcp)?;
    let connect = simulation.connect()?;
    let mut latencies = Vec::with_capacity(count);
    for number in 1..=count as u64 {
        let start = simulation.now();
        simulation.write(End::Client, request.bytes());
        simulation.run_until_received(End::Server, number * request.bytes())?;
        simulation.write(End::Server, response.bytes());
        simulation.run_until_received(End::Client, number * response.bytes())?;
        latencies.push(simulation.now() - start);
    }
    Ok(Exchange { connect, latencies, digest: simulation.digest() })
}

#[cfg(test)]
mod tests;
