//! How fast a link carries packets, and how much may wait for it.

use std::sync::Arc;
use std::time::Duration;

use bench_core::units::ByteSize;

use super::trace::DeliveryTrace;

/// The largest IP packet of every link here, bytes.
pub const MTU: u32 = 1500;

/// How fast packets leave the queue.
#[derive(Clone, Debug, PartialEq)]
pub enum Capacity {
    /// At once: nothing ever waits.
    Unlimited,
    /// At one rate.
    Fixed(Rate),
    /// At the opportunities of a trace, which begins anew when it ends.
    Trace(Arc<DeliveryTrace>),
}

/// Bits per second and what they are counted of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Rate {
    /// 10^6 of these are a Mbit/s.
    pub bits_per_second: u64,
    /// Which of a packet's headers count.
    pub layer: Layer,
    /// What the link adds to every packet beside that, bytes: preamble, FCS, tunnel, ATM's AAL5.
    pub overhead_bytes: u32,
}

/// Which headers of a packet a rate counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Layer {
    /// The IP packet: what access products are sold as.
    Ip,
    /// IP packet and 14 bytes of Ethernet header, as the kernel's `tbf` counts them.
    Ethernet,
}

/// How much may wait for the link. What does not fit is dropped (drop-tail).
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Queue {
    /// So many bytes, counted as the rate counts them; the packet that is being sent is one of
    /// those that wait.
    Bytes(ByteSize),
    /// So many times what the link carries in one round trip of the profile.
    Bdp(f64),
}

impl Rate {
    /// A rate of IP packets without overhead.
    pub const fn ip(bits_per_second: u64) -> Self {
        Self { bits_per_second, layer: Layer::Ip, overhead_bytes: 0 }
    }

    /// What an IP packet of `ip_bytes` counts as.
    pub const fn wire_bytes(self, ip_bytes: u32) -> u64 {
        let header = match self.layer {
            Layer::Ip => 0,
            Layer::Ethernet => 14,
        };
        ip_bytes as u64 + header + self.overhead_bytes as u64
    }
}

impl Capacity {
    /// Kilobits per second of IP packets, as access products are sold.
    pub const fn kbit(kilobits_per_second: u64) -> Self {
        Self::Fixed(Rate::ip(kilobits_per_second * 1000))
    }

    /// What an IP packet of `ip_bytes` counts as.
    pub fn wire_bytes(&self, ip_bytes: u32) -> u64 {
        match self {
            Self::Fixed(rate) => rate.wire_bytes(ip_bytes),
            Self::Unlimited | Self::Trace(_) => u64::from(ip_bytes),
        }
    }

    /// The mean rate; `None` where there is no limit.
    pub fn bits_per_second(&self) -> Option<u64> {
        match self {
            Self::Unlimited => None,
            Self::Fixed(rate) => Some(rate.bits_per_second),
            Self::Trace(trace) => Some(trace.bits_per_second()),
        }
    }
}

impl Queue {
    /// The limit in bytes on a link of this capacity and round trip; `None` where the capacity is
    /// unlimited and nothing ever waits.
    pub fn bytes(self, capacity: &Capacity, round_trip: Duration) -> Option<u64> {
        let rate = capacity.bits_per_second()?;
        Some(match self {
            Self::Bytes(size) => size.bytes(),
            // Saturates: a check has refused what is absurd.
            Self::Bdp(times) => (times * rate as f64 / 8.0 * round_trip.as_secs_f64()) as u64,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_layer_and_an_overhead_add_to_every_packet() {
        assert_eq!(Rate::ip(1).wire_bytes(1500), 1500);
        let rate = Rate { bits_per_second: 1, layer: Layer::Ethernet, overhead_bytes: 24 };
        assert_eq!(Capacity::Fixed(rate).wire_bytes(1500), 1538);
        assert_eq!(Capacity::Unlimited.wire_bytes(40), 40);
    }

    #[test]
    fn a_queue_of_one_bdp_holds_what_one_round_trip_carries() {
        let round_trip = Duration::from_millis(20);
        let bytes = |queue: Queue, capacity| queue.bytes(&capacity, round_trip);
        assert_eq!(bytes(Queue::Bdp(1.0), Capacity::kbit(50_000)), Some(125_000));
        assert_eq!(bytes(Queue::Bdp(0.5), Capacity::kbit(50_000)), Some(62_500));
        assert_eq!(bytes(Queue::Bytes(ByteSize::new(9)), Capacity::kbit(1)), Some(9));
        assert_eq!(bytes(Queue::Bdp(1.0), Capacity::Unlimited), None);
    }
}
