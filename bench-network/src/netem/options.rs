//! A direction of a profile as the options of netem (`struct tc_netem_qopt` and what follows it), or
//! what of it netem does otherwise.

use crate::error::Error;
use crate::link::{Capacity, Direction, Jitter, Layer, LinkProfile, Loss, MTU, Way};
use crate::network::{attribute, nested};

use super::BACKEND;

const CORRUPT: u16 = 4;
const LOSS: u16 = 5;
const RATE: u16 = 6;
const RATE64: u16 = 8;
const LATENCY64: u16 = 10;
const SEED: u16 = 14;
const LOSS_GILBERT_ELLIOTT: u16 = 2;
const ETHERNET_BYTES: i32 = 14;
/// How many packets may be in there where nothing limits the rate: netem's default of 1000 would be a
/// queue, and drop what is only on its way.
const PACKETS_MAX: u32 = 10_000_000;

const OVERTAKES: &str = "its packets overtake each other, which those of a link do not";
const ITS_OWN: &str = "it lets packets through at once instead of holding them back";
const NO_TRACE: &str = "it has one rate and no trace";
const NO_SCRIPT: &str = "it draws losses by chance alone";
const FIRST: &str = "it loses packets before they take the link's time, and not after";

/// The options of that way.
///
/// # Errors
/// [`Error::NotModelled`] with what netem does otherwise.
pub(super) fn options(link: &LinkProfile, way: Way, seed: u64) -> Result<Vec<u8>, Error> {
    let direction = link.way(way);
    refuse(link, direction)?;
    let probability = |p: f64| (p * f64::from(u32::MAX)).round() as u32;
    let loss = match direction.loss {
        Loss::Bernoulli(loss) => probability(loss),
        _ => 0,
    };
    let limit = packets(link, way);
    // Latency (see below), limit, loss, gap, duplicate, jitter.
    let fixed = [0, limit, loss, 0, probability(direction.duplicate), 0];
    let mut options = fixed.map(u32::to_ne_bytes).concat();
    attribute(&mut options, LATENCY64, &(direction.delay.as_nanos() as i64).to_ne_bytes());
    if direction.corrupt > 0.0 {
        let corrupt = [probability(direction.corrupt), 0].map(u32::to_ne_bytes).concat();
        attribute(&mut options, CORRUPT, &corrupt);
    }
    if let Loss::GilbertElliott { p, r, loss_good, loss_bad } = direction.loss {
        // As gemodel(8): to bad, to good, not lost in bad, lost in good.
        let chain = [p, r, 1.0 - loss_bad, loss_good].map(probability).map(u32::to_ne_bytes);
        let chain = nested(&[(LOSS_GILBERT_ELLIOTT, chain.concat())]);
        attribute(&mut options, LOSS, &chain);
    }
    if let Capacity::Fixed(rate) = direction.capacity {
        let bytes = rate.bits_per_second / 8;
        // It counts what the interface sends, Ethernet's header too.
        let header = match rate.layer {
            Layer::Ip => -ETHERNET_BYTES,
            Layer::Ethernet => 0,
        };
        let overhead = header + rate.overhead_bytes as i32;
        let low = u32::try_from(bytes).unwrap_or(u32::MAX);
        // Bytes a second, overhead of a packet, and cells, which there are none of.
        let fixed = [low.to_ne_bytes(), overhead.to_ne_bytes(), [0; 4], [0; 4]].concat();
        attribute(&mut options, RATE, &fixed);
        if low == u32::MAX {
            attribute(&mut options, RATE64, &bytes.to_ne_bytes());
        }
    }
    // Kernels before 6.6 do not know it, and pass it over.
    let seed = seed.wrapping_add(u64::from(way == Way::Down));
    attribute(&mut options, SEED, &seed.to_ne_bytes());
    Ok(options)
}

/// How many packets may wait and be on their way together: netem has one limit for both, and counts
/// packets. With full packets on a busy link that is what the profile's queue holds.
fn packets(link: &LinkProfile, way: Way) -> u32 {
    let direction = link.way(way);
    let Capacity::Fixed(rate) = direction.capacity else { return PACKETS_MAX };
    let packet = rate.wire_bytes(MTU);
    let queue = link.queue_bytes()[usize::from(way == Way::Down)].unwrap_or(0);
    let travelling = rate.bits_per_second as f64 * direction.delay.as_secs_f64() / 8.0;
    let packets = (queue as f64 + travelling) / packet as f64;
    (packets.ceil() as u32).clamp(1, PACKETS_MAX)
}

fn refuse(link: &LinkProfile, way: &Direction) -> Result<(), Error> {
    let limited = !matches!(way.capacity, Capacity::Unlimited);
    let found = [
        ("jitter", OVERTAKES, way.jitter != Jitter::None),
        ("reordering", ITS_OWN, way.reorder.probability > 0.0),
        ("trace", NO_TRACE, matches!(way.capacity, Capacity::Trace(_))),
        ("scripted loss", NO_SCRIPT, matches!(way.loss, Loss::Script(_))),
        ("loss behind a rate", FIRST, way.loss != Loss::None && limited),
    ];
    match found.into_iter().find(|(.., asked)| *asked) {
        None => Ok(()),
        Some((what, reason, _)) => {
            let link = link.name.to_string();
            Err(Error::NotModelled { backend: BACKEND, what, link, reason })
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use bench_core::units::ByteSize;

    use super::*;
    use crate::link::{DeliveryTrace, Queue, Rate, Reorder};

    fn link(change: impl FnOnce(&mut Direction)) -> LinkProfile {
        let mut link = LinkProfile::round_trip(Duration::from_millis(20));
        change(&mut link.up);
        link
    }

    fn of(change: impl FnOnce(&mut Direction)) -> Vec<u8> {
        options(&link(change), Way::Up, 7).expect("netem can")
    }

    /// The value of the attribute of that kind, behind the fixed part.
    fn value(options: &[u8], kind: u16) -> Option<Vec<u8>> {
        let mut rest = &options[24..];
        while let [a, b, c, d, ..] = *rest {
            let (length, found) = (u16::from_ne_bytes([a, b]) as usize, u16::from_ne_bytes([c, d]));
            if found == kind {
                return Some(rest[4..length].to_vec());
            }
            rest = &rest[length.next_multiple_of(4)..];
        }
        None
    }

    fn numbers(bytes: &[u8]) -> Vec<u32> {
        bytes.chunks(4).map(|four| u32::from_ne_bytes(four.try_into().expect("four"))).collect()
    }

    #[test]
    fn a_delay_is_in_nanoseconds_and_nothing_is_dropped_that_is_only_on_its_way() {
        let options = of(|_| ());
        assert_eq!(numbers(&options[..24]), [0, PACKETS_MAX, 0, 0, 0, 0]);
        assert_eq!(value(&options, LATENCY64), Some(10_000_000_i64.to_ne_bytes().to_vec()));
        assert_eq!(value(&options, SEED), Some(7_u64.to_ne_bytes().to_vec()));
        for absent in [CORRUPT, LOSS, RATE, RATE64] {
            assert_eq!(value(&options, absent), None);
        }
    }

    #[test]
    fn probabilities_are_parts_of_the_largest_number() {
        let options = of(|way| {
            way.loss = Loss::Bernoulli(0.5);
            (way.duplicate, way.corrupt) = (1.0, 0.25);
        });
        assert_eq!(numbers(&options[..24]), [0, PACKETS_MAX, 1 << 31, 0, u32::MAX, 0]);
        let corrupt = value(&options, CORRUPT).expect("asked for");
        assert_eq!(numbers(&corrupt), [1 << 30, 0]);
    }

    #[test]
    fn a_chain_is_written_in_netems_order() {
        let loss = Loss::GilbertElliott { p: 0.0, r: 1.0, loss_good: 0.0, loss_bad: 1.0 };
        let loss = value(&of(|way| way.loss = loss), LOSS).expect("asked for");
        let header = [20_u16.to_ne_bytes(), LOSS_GILBERT_ELLIOTT.to_ne_bytes()].concat();
        assert_eq!(loss[..4], header);
        assert_eq!(numbers(&loss[4..]), [0, u32::MAX, 0, 0]);
    }

    #[test]
    fn a_rate_counts_ip_and_its_queue_holds_what_travels_too() {
        let options = of(|way| {
            way.capacity = Capacity::Fixed(Rate { overhead_bytes: 4, ..Rate::ip(12_000_000) });
            way.queue = Queue::Bytes(ByteSize::new(30_080));
        });
        let rate = value(&options, RATE).expect("asked for");
        assert_eq!(numbers(&rate), [1_500_000, (-10_i32) as u32, 0, 0]);
        // 20 packets of 1504 bytes wait, and 15000 bytes travel for 10 ms.
        assert_eq!(numbers(&options[..24])[1], 30);
        let fast = of(|way| {
            way.capacity = Capacity::kbit(100_000_000);
            way.queue = Queue::Bytes(ByteSize::mib(1));
        });
        assert_eq!(numbers(&value(&fast, RATE).expect("asked for"))[0], u32::MAX);
        assert_eq!(value(&fast, RATE64), Some(12_500_000_000_u64.to_ne_bytes().to_vec()));
    }

    #[test]
    fn what_netem_does_otherwise_is_refused() {
        let late = Duration::from_millis(1);
        let trace = || DeliveryTrace::parse("t", "1\n2\n").expect("sound");
        let refused: [(&str, LinkProfile); 5] = [
            ("jitter", link(|way| way.jitter = Jitter::uniform(late))),
            ("reordering", link(|way| way.reorder = Reorder { probability: 0.5, late })),
            ("trace", link(|way| way.capacity = Capacity::Trace(trace().into()))),
            ("scripted loss", link(|way| way.loss = Loss::Script([1].into()))),
            (
                "loss behind a rate",
                link(|way| {
                    way.capacity = Capacity::kbit(1_000);
                    way.loss = Loss::Bernoulli(0.1);
                }),
            ),
        ];
        for (what, link) in refused {
            let error = options(&link, Way::Up, 1).expect_err(what).to_string();
            assert!(error.contains(&format!("cannot do the {what} of link 'rtt_20ms'")), "{error}");
            options(&link, Way::Down, 1).expect("the other way is plain");
        }
    }
}
