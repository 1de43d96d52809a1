//! What a link does to each packet: pure, seeded, without a clock. Every backend asks this model,
//! so that they differ in who carries the packets and not in what happens to them.
//!
//! Random decisions are drawn by the number of the packet as it was offered. What happens to
//! packet 1000 therefore does not depend on when it came or on what the queue dropped before: with
//! one seed the list of lost packets is the same in every run and on every machine. All arithmetic
//! is of integers, or of floats with operations that IEEE 754 defines to the bit.
//!
//! Times are nanoseconds since whatever the caller counts from, and must not go back.

mod bottleneck;
mod jitter;
mod loss;

use std::ops;

use bench_core::fixture::Stream;

use self::bottleneck::Bottleneck;
use self::jitter::JitterProcess;
use self::loss::LossProcess;
use super::Direction;

/// One direction of a link at work.
///
/// ```
/// use std::time::Duration;
/// use bench_network::link::model::{Fate, LinkModel};
/// use bench_network::link::LinkProfile;
///
/// let link = LinkProfile::round_trip(Duration::from_millis(10));
/// let [mut up, _down] = LinkModel::both(&link, 42)?;
/// let Fate::Delivered(delivery) = up.offer(1_000, 1500) else { panic!("nothing is lost here") };
/// assert_eq!(delivery.at_ns, 5_001_000);
/// # Ok::<(), bench_network::link::LinkError>(())
/// ```
#[derive(Clone, Debug)]
pub struct LinkModel {
    bottleneck: Bottleneck,
    loss: LossProcess,
    jitter: JitterProcess,
    delay_ns: u64,
    reorder: f64,
    late_ns: u64,
    duplicate: f64,
    corrupt: f64,
    draws: Draws,
    /// How many were offered: the number of the next.
    offered: u64,
    /// When the last packet arrives that was not held back: no other may before it.
    in_order_ns: u64,
    counts: Counts,
}

/// The streams of those decisions that are one draw a packet.
#[derive(Clone, Copy, Debug)]
struct Draws {
    reorder: Stream,
    duplicate: Stream,
    corrupt: Stream,
    bit: Stream,
}

/// What becomes of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It arrives.
    Delivered(Delivery),
    /// It does not.
    Dropped(Cause),
}

/// How a packet arrives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// When, in nanoseconds.
    pub at_ns: u64,
    /// Whether it arrives twice, both at that time.
    pub twice: bool,
    /// Which bit of the IP packet is flipped, counted from its first.
    pub flipped_bit: Option<u32>,
}

/// Why a packet does not arrive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// The queue had no room for it.
    Queue,
    /// It was lost on the way.
    Loss,
}

/// How many packets met what.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Offered to the link.
    pub offered: u64,
    /// Dropped because the queue was full.
    pub queue_dropped: u64,
    /// Lost on the way.
    pub lost: u64,
    /// Held back, so that others may overtake.
    pub held_back: u64,
    /// Delivered twice.
    pub duplicated: u64,
    /// Delivered with a flipped bit.
    pub corrupted: u64,
}

impl ops::Add for Counts {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            offered: self.offered + other.offered,
            queue_dropped: self.queue_dropped + other.queue_dropped,
            lost: self.lost + other.lost,
            held_back: self.held_back + other.held_back,
            duplicated: self.duplicated + other.duplicated,
            corrupted: self.corrupted + other.corrupted,
        }
    }
}

impl LinkModel {
    /// Both directions of a link, up and down, each with random decisions of its own.
    ///
    /// # Errors
    /// The first number of the profile that makes no sense.
    pub fn both(link: &super::LinkProfile, seed: u64) -> Result<[Self; 2], super::LinkError> {
        link.check()?;
        let [up_bytes, down_bytes] = link.queue_bytes();
        let seeds = Stream::seeded(seed);
        let model = |way: &Direction, queue: Option<u64>, purpose| {
            Self::new(way, queue.unwrap_or(u64::MAX), seeds.purpose(purpose))
        };
        Ok([model(&link.up, up_bytes, 0), model(&link.down, down_bytes, 1)])
    }

    fn new(way: &Direction, queue_bytes: u64, stream: Stream) -> Self {
        Self {
            bottleneck: Bottleneck::new(&way.capacity, queue_bytes),
            loss: LossProcess::new(&way.loss, stream.purpose(0)),
            jitter: JitterProcess::new(&way.jitter, stream.purpose(1)),
            delay_ns: way.delay.as_nanos() as u64,
            reorder: way.reorder.probability,
            late_ns: way.reorder.late.as_nanos() as u64,
            duplicate: way.duplicate,
            corrupt: way.corrupt,
            draws: Draws {
                reorder: stream.purpose(2),
                duplicate: stream.purpose(3),
                corrupt: stream.purpose(4),
                bit: stream.purpose(5),
            },
            offered: 0,
            in_order_ns: 0,
            counts: Counts::default(),
        }
    }

    /// Hands the link an IP packet of so many bytes at this time.
    ///
    /// # Panics
    /// When the packet is empty, which no IP packet is.
    pub fn offer(&mut self, now_ns: u64, ip_bytes: u32) -> Fate {
        assert!(ip_bytes > 0, "an IP packet has a header at least");
        let number = self.offered;
        self.offered += 1;
        self.counts.offered += 1;
        // Both move on with every packet, whatever becomes of it.
        let lost = self.loss.next(number);
        let jitter_ns = self.jitter.next(number);
        let Some(departs_ns) = self.bottleneck.offer(now_ns, ip_bytes) else {
            self.counts.queue_dropped += 1;
            return Fate::Dropped(Cause::Queue);
        };
        if lost {
            self.counts.lost += 1;
            return Fate::Dropped(Cause::Loss);
        }
        let at_ns = self.arrival(number, departs_ns, jitter_ns);
        let twice = self.happens(self.draws.duplicate, number, self.duplicate);
        let flipped = self.happens(self.draws.corrupt, number, self.corrupt);
        self.counts.duplicated += u64::from(twice);
        self.counts.corrupted += u64::from(flipped);
        let bits = u64::from(ip_bytes) * 8;
        let flipped_bit = flipped.then(|| (self.draws.bit.word(number) % bits) as u32);
        Fate::Delivered(Delivery { at_ns, twice, flipped_bit })
    }

    /// How many bytes wait, as the capacity's layer counts them, the packet being sent included.
    pub fn backlog_bytes(&self, now_ns: u64) -> u64 {
        self.bottleneck.backlog_bytes(now_ns)
    }

    /// How many packets of the largest size fit the queue now.
    pub fn room_packets(&self, now_ns: u64) -> u64 {
        self.bottleneck.room_packets(now_ns)
    }

    /// Whether every packet arrives after the delay and nothing else happens to any.
    pub fn only_delays(&self) -> bool {
        let quiet = self.reorder == 0.0 && self.duplicate == 0.0 && self.corrupt == 0.0;
        quiet && self.bottleneck.is_unlimited() && self.loss.is_none() && self.jitter.is_none()
    }

    /// When a packet of so many bytes fits the queue, if nothing else is offered before.
    pub fn fits_at_ns(&self, now_ns: u64, ip_bytes: u32) -> u64 {
        self.bottleneck.fits_at_ns(now_ns, ip_bytes)
    }

    /// What happened so far.
    pub fn counts(&self) -> Counts {
        self.counts
    }

    fn arrival(&mut self, number: u64, departs_ns: u64, jitter_ns: i64) -> u64 {
        // A delay below zero would be an arrival before the departure.
        let delay_ns = self.delay_ns.saturating_add_signed(jitter_ns);
        let in_order = departs_ns.saturating_add(delay_ns).max(self.in_order_ns);
        if self.happens(self.draws.reorder, number, self.reorder) {
            self.counts.held_back += 1;
            return in_order.saturating_add(self.late_ns);
        }
        self.in_order_ns = in_order;
        in_order
    }

    fn happens(&self, stream: Stream, number: u64, probability: f64) -> bool {
        probability > 0.0 && stream.unit(number) < probability
    }
}

#[cfg(test)]
mod tests;
