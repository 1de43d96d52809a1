//! What is compared, and how near it has to be.

use std::fmt;
use std::time::Duration;

use bench_core::units::ByteSize;
use bench_network::link::{Capacity, LinkProfile, Queue, Source};

/// Of a request, and of a response.
pub const MESSAGE: ByteSize = ByteSize::new(100);
/// Of a transfer.
pub const TRANSFER: ByteSize = ByteSize::mib(16);

/// What is timed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Work {
    /// A request and its response, on a connection that is there.
    Unary,
    /// A new connection.
    Connect,
    /// Bytes to the server, over a new connection, without making it.
    Transfer,
}

/// A workload over a link.
#[derive(Clone, Debug)]
pub struct Cell {
    /// What is timed.
    pub work: Work,
    /// Over what.
    pub link: LinkProfile,
}

/// What two medians say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// As near as they have to be.
    Agrees,
    /// Not.
    Differs,
    /// One of the two is no number of this, and why.
    NotCompared(String),
}

impl Work {
    /// As ids have it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Unary => "unary",
            Self::Connect => "connect",
            Self::Transfer => "transfer",
        }
    }

    /// By how much the real time may differ from the simulated one.
    pub fn tolerance(self, simulated: Duration) -> Duration {
        match self {
            Self::Unary => (simulated / 100).max(Duration::from_micros(500)),
            Self::Connect => simulated / 50,
            Self::Transfer => simulated / 20,
        }
    }
}

impl Cell {
    /// All of them.
    pub fn all() -> Vec<Self> {
        let links = || {
            let round_trips = [50, 70, 120, 180].map(Duration::from_millis);
            round_trips.map(LinkProfile::round_trip).into_iter()
        };
        let over = |work| links().map(move |link| Self { work, link });
        let transfer = Self { work: Work::Transfer, link: thin() };
        over(Work::Unary).chain(over(Work::Connect)).chain([transfer]).collect()
    }

    /// The id of the rows of one side.
    pub fn id(&self, side: &str) -> String {
        format!("agreement/{}/{}/{side}", self.work.name(), self.link.name)
    }
}

/// 20 ms, 50 Mbit/s each way, and two bandwidth-delay products of queue.
fn thin() -> LinkProfile {
    let mut link = LinkProfile::round_trip(Duration::from_millis(20));
    link.name = "rtt_20ms_50mbit".into();
    link.source = Source::OwnChoice("a rate that any machine carries, and a round trip".into());
    for way in [&mut link.up, &mut link.down] {
        way.capacity = Capacity::kbit(50_000);
        way.queue = Queue::Bdp(2.0);
    }
    link
}

/// Whether the medians agree.
pub fn verdict(work: Work, simulated: Duration, real: Duration) -> Verdict {
    let apart = simulated.abs_diff(real);
    if apart <= work.tolerance(simulated) { Verdict::Agrees } else { Verdict::Differs }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Agrees => f.pad("agrees"),
            Self::Differs => f.pad("differs"),
            Self::NotCompared(why) => f.pad(&format!("not compared: {why}")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_link_is_sound_and_every_id_its_own() {
        let mut ids: Vec<String> = Cell::all().iter().map(|cell| cell.id("real")).collect();
        Cell::all().iter().for_each(|cell| cell.link.check().expect("sound"));
        let count = ids.len();
        ids.sort();
        ids.dedup();
        assert_eq!((ids.len(), count), (9, 9));
        assert_eq!(thin().queue_bytes(), [Some(250_000); 2]);
    }

    #[test]
    fn a_tolerance_is_met_to_its_edge_and_not_beyond() {
        let us = Duration::from_micros;
        for (work, simulated, edge) in [
            (Work::Unary, 20_000, 500),
            (Work::Unary, 180_000, 1_800),
            (Work::Connect, 50_000, 1_000),
            (Work::Transfer, 3_000_000, 150_000),
        ] {
            for real in [simulated - edge, simulated + edge] {
                assert_eq!(verdict(work, us(simulated), us(real)), Verdict::Agrees);
            }
            for real in [simulated - edge - 1, simulated + edge + 1] {
                assert_eq!(verdict(work, us(simulated), us(real)), Verdict::Differs);
            }
        }
    }
}
