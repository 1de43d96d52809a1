//! What one way of a link does, as text that a record keeps: two ways that differ read differently.

use std::time::Duration;

use super::{Capacity, DeliveryTrace, Direction, Distribution, Jitter, Layer, Loss, Rate};

/// As in `35ms, 12000000 bit/s of IP, queue 105000 B, lost 0.01`: what does nothing is left away.
pub(super) fn numbers(way: &Direction, queue_bytes: Option<u64>) -> String {
    let mut parts = vec![format!("{:?}", way.delay)];
    parts.extend(jitter(&way.jitter));
    parts.extend(capacity(&way.capacity));
    parts.extend(queue_bytes.map(|bytes| format!("queue {bytes} B")));
    parts.extend(loss(&way.loss));
    let (reorder, late) = (way.reorder.probability, way.reorder.late);
    parts.extend((reorder > 0.0).then(|| format!("held back {reorder} by {late:?}")));
    for (what, probability) in [("doubled", way.duplicate), ("corrupted", way.corrupt)] {
        parts.extend((probability > 0.0).then(|| format!("{what} {probability}")));
    }
    parts.join(", ")
}

fn jitter(jitter: &Jitter) -> Option<String> {
    Some(match jitter {
        Jitter::None => return None,
        Jitter::Random { distribution, correlation } => {
            let kind = match distribution {
                Distribution::Uniform { spread } => format!("uniform {spread:?}"),
                Distribution::Normal { deviation } => format!("normal {deviation:?}"),
            };
            format!("jitter {kind} of correlation {correlation}")
        }
        Jitter::Trace(added) => {
            let digest = digest(added.iter().map(Duration::as_nanos).map(|ns| ns as u64));
            format!("jitter of {} delays ({digest:08x})", added.len())
        }
    })
}

fn capacity(capacity: &Capacity) -> Option<String> {
    Some(match capacity {
        Capacity::Unlimited => return None,
        Capacity::Fixed(Rate { bits_per_second, layer, overhead_bytes }) => {
            let layer = match layer {
                Layer::Ip => "IP",
                Layer::Ethernet => "Ethernet",
            };
            let overhead = match overhead_bytes {
                0 => String::new(),
                bytes => format!(" and {bytes} B a packet"),
            };
            format!("{bits_per_second} bit/s of {layer}{overhead}")
        }
        Capacity::Trace(trace) => {
            format!("trace of {} bit/s ({:08x})", trace.bits_per_second(), trace.digest())
        }
    })
}

fn loss(loss: &Loss) -> Option<String> {
    Some(match loss {
        Loss::None => return None,
        Loss::Bernoulli(probability) => format!("lost {probability}"),
        Loss::GilbertElliott { p, r, loss_good, loss_bad } => {
            format!("lost {loss_good} or, from p {p} to r {r}, {loss_bad}")
        }
        Loss::Script(packets) => {
            let digest = digest(packets.iter().copied());
            format!("lost {} of a script ({digest:08x})", packets.len())
        }
    })
}

impl DeliveryTrace {
    /// Other traces have others, but for chance.
    pub fn digest(&self) -> u32 {
        let count = self.opportunities();
        digest((0..count).map(|n| self.opportunity_ns(n)))
    }
}

/// FNV-1a of 64 bits (Fowler, Noll and Vo), folded into half.
fn digest(numbers: impl Iterator<Item = u64>) -> u32 {
    let bytes = numbers.flat_map(u64::to_le_bytes);
    let hash = bytes.fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3)
    });
    (hash >> 32) as u32 ^ hash as u32
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use bench_core::units::ByteSize;

    use super::*;
    use crate::link::{LinkProfile, Queue, Reorder};

    const MS: Duration = Duration::from_millis(1);

    fn down(change: impl FnOnce(&mut Direction)) -> String {
        let mut link = LinkProfile::round_trip(50 * MS);
        change(&mut link.down);
        numbers(&link.down, link.queue_bytes()[1])
    }

    #[test]
    fn a_way_is_told_without_what_it_does_not() {
        assert_eq!(down(|_| ()), "25ms");
        let found = down(|way| {
            way.capacity = Capacity::kbit(12_000);
            way.queue = Queue::Bytes(ByteSize::new(105_000));
            way.loss = Loss::Bernoulli(0.01);
        });
        assert_eq!(found, "25ms, 12000000 bit/s of IP, queue 105000 B, lost 0.01");
    }

    #[test]
    fn ways_that_differ_in_one_number_read_differently() {
        let trace = |text| DeliveryTrace::parse("t", text).expect("sound");
        let ethernet = |overhead_bytes| {
            let layer = Layer::Ethernet;
            Capacity::Fixed(Rate { bits_per_second: 1_000_000, layer, overhead_bytes })
        };
        let correlated = |correlation| Jitter::Random {
            distribution: Distribution::Uniform { spread: MS },
            correlation,
        };
        let all = [
            down(|_| ()),
            down(|way| way.delay = MS),
            down(|way| way.jitter = Jitter::uniform(MS)),
            down(|way| way.jitter = Jitter::uniform(2 * MS)),
            down(|way| way.jitter = Jitter::normal(MS)),
            down(|way| way.jitter = correlated(0.5)),
            down(|way| way.jitter = Jitter::Trace([MS, 2 * MS].into())),
            down(|way| way.jitter = Jitter::Trace([2 * MS, MS].into())),
            down(|way| way.capacity = Capacity::kbit(1_000)),
            down(|way| way.capacity = ethernet(0)),
            down(|way| way.capacity = ethernet(24)),
            down(|way| {
                way.capacity = Capacity::kbit(1_000);
                way.queue = Queue::Bdp(2.0);
            }),
            // Two of one mean rate.
            down(|way| way.capacity = Capacity::Trace(trace("1\n5\n6\n").into())),
            down(|way| way.capacity = Capacity::Trace(trace("1\n4\n6\n").into())),
            down(|way| way.loss = Loss::Bernoulli(0.1)),
            down(|way| way.loss = Loss::bursts(0.1, 0.5)),
            down(|way| way.loss = Loss::Script([1].into())),
            down(|way| way.loss = Loss::Script([2].into())),
            down(|way| way.reorder = Reorder { probability: 0.1, late: MS }),
            down(|way| way.duplicate = 0.1),
            down(|way| way.corrupt = 0.1),
        ];
        let different: BTreeSet<&String> = all.iter().collect();
        assert_eq!(different.len(), all.len(), "{all:#?}");
    }
}
