//! Which numbers a link may have. The bounds are wide: they refuse slips of the pen (a unit too
//! large, a percentage for a probability), not unusual links.

use std::fmt::Display;
use std::time::Duration;

use super::{Capacity, Direction, Distribution, Jitter, LinkError, LinkProfile, Loss, MTU, Queue};

/// Longer than to any satellite, shorter than any mistake of a unit.
pub(super) const DELAY_MAX: Duration = Duration::from_secs(60);
const BITS_PER_SECOND_MIN: u64 = 1_000;
const BITS_PER_SECOND_MAX: u64 = 1_000_000_000_000;
const OVERHEAD_BYTES_MAX: u32 = 10_000;
const BDP_MAX: f64 = 1_000.0;

pub(super) fn check(link: &LinkProfile) -> Result<(), LinkError> {
    let queues = link.queue_bytes();
    for ((name, way), queue) in [("up", &link.up), ("down", &link.down)].into_iter().zip(queues) {
        Way { link: &link.name, name, way }.check(queue)?;
    }
    Ok(())
}

/// One direction with the names that an error needs.
struct Way<'a> {
    link: &'a str,
    name: &'static str,
    way: &'a Direction,
}

impl Way<'_> {
    fn check(&self, queue_bytes: Option<u64>) -> Result<(), LinkError> {
        self.time("one-way delay", self.way.delay)?;
        self.jitter()?;
        self.loss()?;
        self.capacity(queue_bytes)?;
        self.probability("reorder probability", self.way.reorder.probability)?;
        self.time("time that a reordered packet is late", self.way.reorder.late)?;
        self.probability("duplicate probability", self.way.duplicate)?;
        self.probability("corrupt probability", self.way.corrupt)
    }

    fn jitter(&self) -> Result<(), LinkError> {
        match &self.way.jitter {
            Jitter::None => Ok(()),
            Jitter::Random { distribution, correlation } => {
                match *distribution {
                    Distribution::Uniform { spread } => self.time("jitter spread", spread)?,
                    Distribution::Normal { deviation } => {
                        self.time("jitter deviation", deviation)?;
                    }
                }
                let sound = (0.0..1.0).contains(correlation);
                self.ensure(sound, "jitter correlation", correlation, || {
                    "at least 0 and below 1".to_owned()
                })
            }
            Jitter::Trace(added) => {
                self.ensure(!added.is_empty(), "jitter trace", "empty", || {
                    "one delay long at least".to_owned()
                })?;
                added.iter().try_for_each(|&added| self.time("delay of the jitter trace", added))
            }
        }
    }

    fn loss(&self) -> Result<(), LinkError> {
        match &self.way.loss {
            Loss::None => Ok(()),
            Loss::Bernoulli(loss) => self.probability("loss", *loss),
            Loss::GilbertElliott { p, r, loss_good, loss_bad } => [
                ("p of the loss bursts", p),
                ("r of the loss bursts", r),
                ("loss in the good state", loss_good),
                ("loss in the bad state", loss_bad),
            ]
            .into_iter()
            .try_for_each(|(what, &probability)| self.probability(what, probability)),
            Loss::Script(packets) => {
                let turn = packets.windows(2).find(|pair| pair[0] >= pair[1]);
                let found =
                    turn.map_or(String::new(), |pair| format!("{} before {}", pair[0], pair[1]));
                self.ensure(turn.is_none(), "order of the loss script", found, || {
                    "ascending, each packet once".to_owned()
                })
            }
        }
    }

    fn capacity(&self, queue_bytes: Option<u64>) -> Result<(), LinkError> {
        let (capacity, queue) = (&self.way.capacity, self.way.queue);
        if let Capacity::Fixed(rate) = capacity {
            let (bits, overhead) = (rate.bits_per_second, rate.overhead_bytes);
            let sound = (BITS_PER_SECOND_MIN..=BITS_PER_SECOND_MAX).contains(&bits);
            self.ensure(sound, "rate", format!("{bits} bit/s"), || {
                "between 1 kbit/s and 1 Tbit/s (leave it away for none)".to_owned()
            })?;
            let sound = overhead <= OVERHEAD_BYTES_MAX;
            self.ensure(sound, "overhead per packet", format!("{overhead} bytes"), || {
                format!("at most {OVERHEAD_BYTES_MAX} bytes")
            })?;
        }
        if let Queue::Bdp(times) = queue {
            // Not a range, so that NaN is refused too.
            let sound = (0.0..=BDP_MAX).contains(&times);
            self.ensure(sound, "queue", format!("{times} bandwidth-delay products"), || {
                format!("between 0 and {BDP_MAX} of them")
            })?;
        }
        let Some(bytes) = queue_bytes else { return Ok(()) };
        let packet = capacity.wire_bytes(MTU);
        self.ensure(bytes >= packet, "queue", format!("{bytes} bytes"), || {
            format!("at least {packet} bytes, one packet: with less nothing gets through")
        })
    }

    fn probability(&self, what: &'static str, found: f64) -> Result<(), LinkError> {
        self.ensure((0.0..=1.0).contains(&found), what, found, || {
            "between 0 and 1 (1 % is 0.01)".to_owned()
        })
    }

    fn time(&self, what: &'static str, found: Duration) -> Result<(), LinkError> {
        self.ensure(found <= DELAY_MAX, what, format!("{found:?}"), || {
            format!("at most {DELAY_MAX:?}")
        })
    }

    fn ensure(
        &self,
        sound: bool,
        what: &'static str,
        found: impl Display,
        bounds: impl FnOnce() -> String,
    ) -> Result<(), LinkError> {
        if sound {
            return Ok(());
        }
        let (link, way) = (self.link.to_owned(), self.name);
        Err(LinkError::Absurd { link, way, what, found: found.to_string(), bounds: bounds() })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use bench_core::units::ByteSize;

    use super::*;
    use crate::link::{Layer, Rate, Reorder};

    /// What a link says of a change to its way down.
    fn refusal(change: impl FnOnce(&mut Direction)) -> String {
        let mut link = LinkProfile::round_trip(Duration::from_millis(20));
        link.check().expect("sound before");
        change(&mut link.down);
        link.check().expect_err("refused").to_string()
    }

    #[test]
    fn what_no_link_does_is_refused_in_one_sentence() {
        let too_long = Duration::from_secs(61);
        let bernoulli = |loss| refusal(|way| way.loss = Loss::Bernoulli(loss));
        for (said, message) in [
            (
                "the one-way delay of link 'rtt_20ms' down is 61s",
                refusal(|way| way.delay = too_long),
            ),
            ("loss of link 'rtt_20ms' down is 1.5; it has to be between 0 and 1", bernoulli(1.5)),
            ("is -0.1;", bernoulli(-0.1)),
            ("is NaN;", bernoulli(f64::NAN)),
            ("r of the loss bursts", refusal(|way| way.loss = Loss::bursts(0.1, 25.0))),
            ("7 before 7", refusal(|way| way.loss = Loss::Script(Arc::new([1, 7, 7])))),
            ("jitter spread", refusal(|way| way.jitter = Jitter::uniform(too_long))),
            ("jitter trace", refusal(|way| way.jitter = Jitter::Trace(Arc::new([])))),
            ("duplicate probability", refusal(|way| way.duplicate = 2.0)),
            ("corrupt probability", refusal(|way| way.corrupt = -1.0)),
            (
                "reordered packet is late",
                refusal(|way| way.reorder = Reorder { probability: 0.1, late: too_long }),
            ),
            (
                "rate of link 'rtt_20ms' down is 0 bit/s",
                refusal(|way| way.capacity = Capacity::kbit(0)),
            ),
        ] {
            assert!(message.contains(said), "{said}: {message}");
        }
    }

    #[test]
    fn a_correlation_of_one_would_be_a_constant_and_is_refused() {
        let distribution = Distribution::Normal { deviation: Duration::from_millis(1) };
        let message = refusal(|way| way.jitter = Jitter::Random { distribution, correlation: 1.0 });
        assert!(message.contains("jitter correlation"), "{message}");
    }

    #[test]
    fn a_queue_has_room_for_one_packet_as_its_rate_counts_it() {
        let rate = Rate { bits_per_second: 10_000_000, layer: Layer::Ethernet, overhead_bytes: 0 };
        let queued =
            |queue| refusal(|way| (way.capacity, way.queue) = (Capacity::Fixed(rate), queue));
        let message = queued(Queue::Bytes(ByteSize::new(1513)));
        assert!(message.contains("is 1513 bytes; it has to be at least 1514 bytes"), "{message}");
        // A hundredth of 25,000 bytes.
        assert!(queued(Queue::Bdp(0.01)).contains("is 250 bytes"));
        for absurd in [f64::NAN, -1.0, 1e9] {
            assert!(queued(Queue::Bdp(absurd)).contains("bandwidth-delay products"));
        }
    }
}
