//! What a link does to packets, as numbers with a source.
//!
//! - [`LinkProfile`]: both directions and where their numbers come from.
//! - [`Direction`]: delay, jitter, loss, capacity, queue, reordering, duplicates, corruption.
//! - [`named`]: the links that have a name.
//! - [`DeliveryTrace`]: a capacity that changes, in Mahimahi's format.
//! - [`model`]: what happens to each packet, pure and seeded; every backend asks it.
//! - [`offer`]: what asking it costs, as a workload.
//!
//! Delays are one way. Whoever thinks in round trips starts with [`LinkProfile::round_trip`].

pub mod capacity;
mod check;
pub mod error;
pub mod impairment;
pub mod model;
pub mod named;
mod numbers;
pub mod offer;
pub mod trace;

use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

pub use capacity::{Capacity, Layer, MTU, Queue, Rate};
pub use error::LinkError;
pub use impairment::{Distribution, Jitter, Loss, Reorder};
pub use trace::DeliveryTrace;

/// A link between a client and a server, and where its numbers come from.
#[derive(Clone, Debug, PartialEq)]
pub struct LinkProfile {
    /// How ids and the command line call it.
    pub name: Cow<'static, str>,
    /// Who says that such links exist.
    pub source: Source,
    /// From the client to the server.
    pub up: Direction,
    /// From the server to the client.
    pub down: Direction,
}

/// Where the numbers of a profile come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// Published by others; what we added says so.
    Published(Cow<'static, str>),
    /// Chosen by us, and why.
    OwnChoice(Cow<'static, str>),
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Published(text) => f.pad(text),
            Self::OwnChoice(text) => write!(f, "our own choice: {text}"),
        }
    }
}

/// One direction of a link. Packets meet its parts in this order: queue, serialisation, loss,
/// delay with jitter, reordering, duplication, corruption.
#[derive(Clone, Debug, PartialEq)]
pub struct Direction {
    /// From the last bit sent to the last bit received, one way, before jitter.
    pub delay: Duration,
    /// How the delay varies. Packets stay in order, whatever it does.
    pub jitter: Jitter,
    /// Which packets never arrive.
    pub loss: Loss,
    /// How fast packets leave the queue.
    pub capacity: Capacity,
    /// How much may wait; without meaning where the capacity is unlimited.
    pub queue: Queue,
    /// Which packets are overtaken.
    pub reorder: Reorder,
    /// The probability that a packet arrives twice.
    pub duplicate: f64,
    /// The probability that a packet arrives with one bit flipped.
    pub corrupt: f64,
}

/// Which of the two directions of a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Way {
    /// From the client to the server.
    Up,
    /// From the server to the client.
    Down,
}

impl Way {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Up, Self::Down];

    /// As errors and rows call it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Up => "up",
            Self::Down => "down",
        }
    }
}

impl Direction {
    /// A delay and nothing else: no limit, no loss, no jitter.
    pub fn delay(delay: Duration) -> Self {
        Self {
            delay,
            jitter: Jitter::None,
            loss: Loss::None,
            capacity: Capacity::Unlimited,
            queue: Queue::Bdp(1.0),
            reorder: Reorder::NONE,
            duplicate: 0.0,
            corrupt: 0.0,
        }
    }
}

impl LinkProfile {
    /// A link that only delays: half of the round trip each way. Its name is `rtt_50ms` where the
    /// round trip is 50 ms, and [`named::find`] takes such names too.
    pub fn round_trip(round_trip: Duration) -> Self {
        let down = round_trip / 2;
        Self {
            name: format!("rtt_{round_trip:?}").replace('µ', "u").into(),
            source: Source::OwnChoice("a delay and nothing else".into()),
            up: Direction::delay(round_trip - down),
            down: Direction::delay(down),
        }
    }

    /// What happens that way.
    pub fn way(&self, way: Way) -> &Direction {
        match way {
            Way::Up => &self.up,
            Way::Down => &self.down,
        }
    }

    /// Both delays, before jitter and serialisation.
    pub fn base_round_trip(&self) -> Duration {
        self.up.delay.saturating_add(self.down.delay)
    }

    /// The bytes that may wait in each direction, up and down, as the capacity's layer counts
    /// them; `None` where nothing ever waits.
    pub fn queue_bytes(&self) -> [Option<u64>; 2] {
        let round_trip = self.base_round_trip();
        [&self.up, &self.down].map(|way| way.queue.bytes(&way.capacity, round_trip))
    }

    /// Whether the numbers make sense. Every backend asks before it builds anything.
    ///
    /// # Errors
    /// The first number that does not, and what it may be.
    pub fn check(&self) -> Result<(), LinkError> {
        check::check(self)
    }

    /// What a row records about its link: its name, whose it is, and what it does each way.
    pub fn dimensions(&self) -> Vec<(&'static str, String)> {
        let [up, down] = self.queue_bytes();
        vec![
            ("link", self.name.to_string()),
            ("link_source", self.source.to_string()),
            ("link_up", numbers::numbers(&self.up, up)),
            ("link_down", numbers::numbers(&self.down, down)),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_round_trip_is_shared_by_both_ways() {
        for round_trip in [Duration::ZERO, Duration::from_nanos(5), Duration::from_millis(70)] {
            let link = LinkProfile::round_trip(round_trip);
            assert_eq!(link.base_round_trip(), round_trip);
            assert_eq!(link.queue_bytes(), [None, None]);
            link.check().expect("sound");
        }
        let name = |micros| LinkProfile::round_trip(Duration::from_micros(micros)).name;
        assert_eq!([name(0), name(250), name(50_000)], ["rtt_0ns", "rtt_250us", "rtt_50ms"]);
    }

    #[test]
    fn a_row_says_where_the_numbers_come_from() {
        let link = LinkProfile::round_trip(Duration::from_millis(1));
        let [(_, name), (_, source), up, down] = &link.dimensions()[..] else { panic!("four") };
        assert_eq!(name, "rtt_1ms");
        assert_eq!(source, "our own choice: a delay and nothing else");
        assert_eq!([up, down].map(|(_, numbers)| &**numbers), ["500µs"; 2]);
    }
}
