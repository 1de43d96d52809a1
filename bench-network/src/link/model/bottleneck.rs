//! The queue of a link and what empties it.
//!
//! The queue is counted, not kept: what waits is what the link carries between now and the time at
//! which it will be idle. That is exact to the byte for a rate, and to one opportunity for a trace.

use std::sync::Arc;

use crate::link::trace::OPPORTUNITY_BYTES;
use crate::link::{Capacity, DeliveryTrace, MTU, Rate};

const NS_PER_S: u128 = 1_000_000_000;

/// A drop-tail byte queue and its server.
#[derive(Clone, Debug)]
pub(super) struct Bottleneck {
    server: Server,
    limit_bytes: u64,
    /// When the last packet that was accepted has left.
    free_at_ns: u64,
}

#[derive(Clone, Debug)]
enum Server {
    Unlimited,
    /// The remainder is what the last serialisation fell short of a whole nanosecond, in units of
    /// one nanosecond divided by the bit rate: no rounding adds up over a long transfer.
    Fixed {
        rate: Rate,
        remainder: u64,
    },
    /// The next opportunity that nobody took, and what is left of the last one taken.
    Trace {
        trace: Arc<DeliveryTrace>,
        next: u64,
        left_bytes: u64,
    },
}

impl Bottleneck {
    pub(super) fn new(capacity: &Capacity, limit_bytes: u64) -> Self {
        let server = match capacity {
            Capacity::Unlimited => Server::Unlimited,
            Capacity::Fixed(rate) => Server::Fixed { rate: *rate, remainder: 0 },
            Capacity::Trace(trace) => {
                Server::Trace { trace: Arc::clone(trace), next: 0, left_bytes: 0 }
            }
        };
        Self { server, limit_bytes, free_at_ns: 0 }
    }

    /// When the packet has left; `None` where there is no room for it.
    pub(super) fn offer(&mut self, now_ns: u64, ip_bytes: u32) -> Option<u64> {
        let bytes = self.server.counts(ip_bytes);
        if matches!(self.server, Server::Unlimited) {
            return Some(now_ns);
        }
        if self.backlog_bytes(now_ns).saturating_add(bytes) > self.limit_bytes {
            return None;
        }
        let idle = self.free_at_ns < now_ns;
        self.free_at_ns = self.server.serve(self.free_at_ns.max(now_ns), bytes, idle);
        Some(self.free_at_ns)
    }

    pub(super) fn backlog_bytes(&self, now_ns: u64) -> u64 {
        if self.free_at_ns <= now_ns {
            return 0;
        }
        match &self.server {
            Server::Unlimited => 0,
            Server::Fixed { rate, .. } => {
                let ns = u128::from(self.free_at_ns - now_ns);
                let bits = ns * u128::from(rate.bits_per_second);
                bits.div_ceil(8 * NS_PER_S) as u64
            }
            Server::Trace { trace, next, left_bytes } => {
                let to_come = next - trace.opportunities_before(now_ns).min(*next);
                (to_come * OPPORTUNITY_BYTES).saturating_sub(*left_bytes)
            }
        }
    }

    pub(super) fn is_unlimited(&self) -> bool {
        matches!(self.server, Server::Unlimited)
    }

    pub(super) fn room_packets(&self, now_ns: u64) -> u64 {
        self.limit_bytes.saturating_sub(self.backlog_bytes(now_ns)) / self.server.counts(MTU)
    }

    pub(super) fn fits_at_ns(&self, now_ns: u64, ip_bytes: u32) -> u64 {
        let bytes = self.server.counts(ip_bytes);
        let room = self.limit_bytes.saturating_sub(bytes);
        let over = self.backlog_bytes(now_ns).saturating_sub(room);
        if over == 0 {
            return now_ns;
        }
        match &self.server {
            Server::Unlimited => now_ns,
            Server::Fixed { rate, .. } => {
                let bits = u128::from(over) * 8 * NS_PER_S;
                now_ns + bits.div_ceil(u128::from(rate.bits_per_second)) as u64
            }
            // Just past the opportunity that takes the last byte too many.
            Server::Trace { trace, .. } => {
                let opportunities = over.div_ceil(OPPORTUNITY_BYTES);
                trace.opportunity_ns(trace.opportunities_before(now_ns) + opportunities - 1) + 1
            }
        }
    }
}

impl Server {
    fn counts(&self, ip_bytes: u32) -> u64 {
        match self {
            Self::Fixed { rate, .. } => rate.wire_bytes(ip_bytes),
            Self::Unlimited | Self::Trace { .. } => u64::from(ip_bytes),
        }
    }

    /// When the last of so many bytes has left, if the first may at `start_ns`.
    fn serve(&mut self, start_ns: u64, bytes: u64, idle: bool) -> u64 {
        match self {
            Self::Unlimited => start_ns,
            Self::Fixed { rate, remainder } => {
                let left_over = if idle { 0 } else { u128::from(*remainder) };
                let work = u128::from(bytes) * 8 * NS_PER_S + left_over;
                let rate = u128::from(rate.bits_per_second);
                *remainder = (work % rate) as u64;
                start_ns + (work / rate) as u64
            }
            Self::Trace { trace, next, left_bytes } => {
                if idle {
                    *next = (*next).max(trace.opportunities_before(start_ns));
                    *left_bytes = 0;
                }
                while *left_bytes < bytes {
                    *left_bytes += OPPORTUNITY_BYTES;
                    *next += 1;
                }
                *left_bytes -= bytes;
                trace.opportunity_ns(next.saturating_sub(1))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::link::Layer;

    fn fixed(bits_per_second: u64, limit_bytes: u64) -> Bottleneck {
        Bottleneck::new(&Capacity::Fixed(Rate::ip(bits_per_second)), limit_bytes)
    }

    #[test]
    fn packets_leave_one_after_another_and_what_does_not_fit_is_dropped() {
        // 1500 bytes at 12 Mbit/s are 1 ms.
        let mut link = fixed(12_000_000, 3_000);
        assert_eq!(link.offer(0, 1500), Some(1_000_000));
        assert_eq!(link.offer(0, 1500), Some(2_000_000));
        assert_eq!((link.offer(0, 1500), link.backlog_bytes(0)), (None, 3_000));
        assert_eq!(link.fits_at_ns(0, 1500), 1_000_000);
        assert_eq!(link.offer(999_000, 1500), None, "1.5 bytes are still in the way");
        assert_eq!(link.offer(1_000_000, 1500), Some(3_000_000));
        assert_eq!(link.offer(9_000_000, 1500), Some(10_000_000), "idle since 3 ms");
        assert_eq!(link.backlog_bytes(9_500_000), 750);
    }

    #[test]
    fn rounding_does_not_add_up() {
        // 1500 bytes at 7 Mbit/s are 1,714,285.71.. ns; 7 of them are 12 ms to the nanosecond.
        let mut link = fixed(7_000_000, u64::MAX);
        let left = (0..7_000).filter_map(|_| link.offer(0, 1500)).last();
        assert_eq!(left, Some(12_000_000_000));
    }

    #[test]
    fn the_layer_counts() {
        let rate = Rate { bits_per_second: 8_000_000, layer: Layer::Ethernet, overhead_bytes: 86 };
        let mut link = Bottleneck::new(&Capacity::Fixed(rate), 10_000);
        assert_eq!(link.offer(0, 900), Some(1_000_000), "1000 bytes at a byte a microsecond");
    }

    fn traced(text: &str, limit_bytes: u64) -> Bottleneck {
        let trace = DeliveryTrace::parse("t", text).expect("sound");
        Bottleneck::new(&Capacity::Trace(Arc::new(trace)), limit_bytes)
    }

    #[test]
    fn a_trace_gives_what_its_opportunities_hold() {
        let ms = |left: Option<u64>| left.map(|ns| ns / 1_000_000);
        let mut link = traced("1\n2\n10\n", 5_000);
        // Two of 700 bytes share the first opportunity; the third needs a part of the next.
        assert_eq!(
            [700, 700, 700].map(|bytes| ms(link.offer(0, bytes))),
            [Some(1), Some(1), Some(2)]
        );
        // The rest of it, 908 bytes, is gone once nobody waits.
        assert_eq!(ms(link.offer(3_000_000, MTU)), Some(10));
        assert_eq!(ms(link.offer(3_000_000, MTU)), Some(11), "the trace begins anew");
        assert_eq!(link.backlog_bytes(3_000_000), 3_000);
        assert_eq!(ms(link.offer(3_000_000, MTU)), Some(12));
        assert_eq!(link.offer(3_000_000, MTU), None);
        let fits = link.fits_at_ns(3_000_000, MTU);
        assert_eq!(fits, 10_000_001);
        assert!(link.offer(fits, MTU).is_some());
    }

    proptest! {
        #[test]
        fn a_queue_never_holds_more_than_its_limit_and_takes_what_it_promised(
            rate in 1_000..10_000_000_000_u64,
            packets in proptest::collection::vec((0..2_000_000_u64, 1..=MTU), 1..200),
            trace: bool,
        ) {
            let limit = 4 * u64::from(MTU);
            let mut link = if trace { traced("3\n3\n8\n", limit) } else { fixed(rate, limit) };
            let (mut now, mut last) = (0, 0);
            for (after, bytes) in packets {
                now += after;
                let fits = link.fits_at_ns(now, bytes);
                match link.offer(now, bytes) {
                    Some(left) => {
                        prop_assert!(left >= last && left >= now && fits == now);
                        last = left;
                    }
                    None => {
                        prop_assert!(fits > now);
                        prop_assert!(link.clone().offer(fits, bytes).is_some());
                    }
                }
                prop_assert!(link.backlog_bytes(now) <= limit);
                prop_assert_eq!(link.backlog_bytes(last.max(now)), 0);
            }
        }

        #[test]
        fn what_leaves_a_busy_link_is_its_rate(rate in 1_000..100_000_000_000_u64, packets in 1..500_u64) {
            let mut link = fixed(rate, u64::MAX);
            let left = (0..packets).filter_map(|_| link.offer(0, MTU)).last().expect("no limit");
            let bits = u128::from(packets * u64::from(MTU)) * 8;
            prop_assert_eq!(u128::from(left), bits * NS_PER_S / u128::from(rate));
        }
    }
}
