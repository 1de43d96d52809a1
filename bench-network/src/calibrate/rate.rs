//! How fast full packets arrive, held against the rate of the profile.
//!
//! More is offered than the link lets through, so that what arrives is the link's doing: neither
//! the sender's pace nor TCP's idea of the link counts. What a packet carries of payload follows from
//! the rate's layer and overhead.

use std::time::Duration;

use bench_core::judge::stats::median;

use super::bulk::{Bulk, Goodput};
use super::loss;
use super::train::{Arrivals, HEADER_BYTES, Train};
use crate::error::Error;
use crate::link::{Capacity, Direction, Jitter, LinkProfile, MTU, Rate, Way};

/// Payload of a full datagram.
pub const DATAGRAM_BYTES: u32 = MTU - HEADER_BYTES;
/// Payload of a full segment of TCP with time stamps, as Linux sends them.
pub const SEGMENT_BYTES: u32 = MTU - 52;
/// By which part of it a rate may differ.
const TOLERANCE: f64 = 0.005;
/// And whatever loss and jitter add to that: beyond it nothing would be held against anything.
const TOLERANCE_MAX: f64 = 0.25;
/// What loss and jitter are to add at most, each; more packets are sent where it would be more.
const SPREAD_MAX: f64 = 0.1;
/// The part of what should arrive that has to: of fewer, their pace says nothing.
const ARRIVED_MIN: f64 = 0.5;
/// What either end of the time that is divided by may be wrong by.
const CLOCK: Duration = Duration::from_micros(250);
/// How long the probe takes, about.
const BUDGET_S: f64 = 0.6;
/// So many times that at most, where loss or jitter take more packets.
const LONGER_MAX: f64 = 10.0;
const BULK_MIN: Duration = Duration::from_millis(500);
const COUNT_MIN: u64 = 20;
const COUNT_MAX: u64 = 40_000;
/// So much more is sent than the link lets through.
const OFFERED: f64 = 1.25;
/// The median is of so many blocks, where each has enough packets.
const BLOCKS: usize = 8;
const BLOCK_MIN: usize = 50;
/// A sender that was held up for so long lets the link run dry at most for a moment.
const CATCH_UP: Duration = Duration::from_millis(20);

/// A rate as it is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RateFound {
    /// Payload bits a second by the profile: its rate, less headers and loss.
    pub asked_bits: f64,
    /// Payload bits a second that arrived.
    pub measured_bits: f64,
    /// By how much they may differ.
    pub tolerance_bits: f64,
}

impl RateFound {
    /// Whether what arrived is what was asked for.
    pub fn within(&self) -> bool {
        // Not a comparison with "greater", so that NaN is not.
        (self.measured_bits - self.asked_bits).abs() <= self.tolerance_bits
    }
}

/// Payload bits a second that full packets of so much payload get through a rate:
///
/// `rate * payload / wire_bytes(MTU)`
///
/// With a rate of IP packets and TCP's 1448 bytes this is `rate * 1448 / 1500`; with one that counts
/// Ethernet's header, as `tbf` does, `rate * 1448 / 1514`.
pub fn goodput_bits(rate: Rate, payload_bytes: u32) -> f64 {
    rate.bits_per_second as f64 * f64::from(payload_bytes) / rate.wire_bytes(MTU) as f64
}

/// What to send; `None` where there is no fixed rate.
pub fn train(link: &LinkProfile, way: Way) -> Option<Train> {
    let Capacity::Fixed(rate) = link.way(way).capacity else { return None };
    let packet_s = rate.wire_bytes(MTU) as f64 * 8.0 / rate.bits_per_second as f64;
    let enough = spread_packets(link.way(way), packet_s).min(BUDGET_S * LONGER_MAX / packet_s);
    let enough = enough.max(BUDGET_S / packet_s);
    let count = (enough as u64).clamp(COUNT_MIN, COUNT_MAX);
    let interval_s = packet_s / OFFERED;
    let burst = (CATCH_UP.as_secs_f64() / interval_s).ceil().max(2.0) as u32;
    let interval = Duration::from_secs_f64(interval_s);
    Some(Train { count, payload_bytes: DATAGRAM_BYTES, interval, burst })
}

/// Of how many packets loss and jitter are small enough beside them.
fn spread_packets(way: &Direction, packet_s: f64) -> f64 {
    let kept = 1.0 - way.loss.mean().unwrap_or(0.0);
    let lost = loss::deviation(&way.loss, 1.0).unwrap_or(0.0) * 3.0 / kept.max(f64::MIN_POSITIVE);
    let late = 2.0 * way.jitter.reach_ns() / 1e9 / packet_s;
    (lost / SPREAD_MAX).powi(2).max(late / SPREAD_MAX / kept.max(f64::MIN_POSITIVE))
}

/// Into how many blocks so many gaps fall: jitter moves the ends of each, so that there is one.
fn blocks(way: &Direction, gaps: usize) -> usize {
    if way.jitter == Jitter::None { (gaps / BLOCK_MIN).clamp(1, BLOCKS) } else { 1 }
}

/// Payload bits a second between the first arrival and the last: the median of so many blocks, because
/// a sender that was held up shows in one of them. `None` of fewer arrivals than blocks and one, or
/// where no time passed in a block.
pub fn measured_bits(at_ns: &[u64], payload_bytes: u32, blocks: usize) -> Option<f64> {
    let gaps = at_ns.len().checked_sub(1).filter(|gaps| *gaps >= blocks.max(1))?;
    let bits: Option<Vec<f64>> = (0..blocks)
        .map(|block| {
            let (first, last) = (gaps * block / blocks, gaps * (block + 1) / blocks);
            let ns = at_ns[last].checked_sub(at_ns[first]).filter(|ns| *ns > 0)?;
            Some((last - first) as f64 * f64::from(payload_bytes) * 8e9 / ns as f64)
        })
        .collect();
    bits.map(|bits| median(&bits))
}

/// What was found of a train, without an opinion. What is tolerated is 0.5 %, the time that a clock is
/// read late, how far jitter moves the first and the last packet, and three standard deviations of what
/// the loss takes out of the packets: together at most a quarter. Where less than half of what should
/// have arrived did, nothing was measured, which is a rate of 0.
///
/// # Panics
/// When the way has no fixed rate, of which [`train`] makes no train.
pub fn look(link: &LinkProfile, way: Way, found: &Arrivals) -> RateFound {
    let direction = link.way(way);
    let at_ns: Vec<u64> = found.arrived.iter().map(|(_, at_ns)| *at_ns).collect();
    let kept = 1.0 - direction.loss.mean().unwrap_or(0.0);
    let asked_bits = goodput_bits(fixed(link, way), DATAGRAM_BYTES) * kept;
    let tolerance_bits = asked_bits * tolerated(direction, &at_ns, kept);
    let expected = found.sent as f64 / OFFERED * kept;
    let blocks = blocks(direction, at_ns.len().saturating_sub(1));
    let measured_bits = measured_bits(&at_ns, DATAGRAM_BYTES, blocks)
        .filter(|_| at_ns.len() as f64 >= expected * ARRIVED_MIN)
        .unwrap_or(0.0);
    RateFound { asked_bits, measured_bits, tolerance_bits }
}

/// As [`look`], of what one connection got through where there are no datagrams.
///
/// # Panics
/// As [`look`].
pub fn look_at_bulk(link: &LinkProfile, way: Way, found: Goodput) -> RateFound {
    let asked_bits = goodput_bits(fixed(link, way), SEGMENT_BYTES);
    let clock = 2.0 * CLOCK.as_secs_f64() / found.time.as_secs_f64();
    let tolerance_bits = asked_bits * (TOLERANCE + clock);
    RateFound { asked_bits, measured_bits: found.bits_per_second(), tolerance_bits }
}

/// How long one connection is looked at; `None` where there is no fixed rate.
pub fn bulk(link: &LinkProfile, way: Way) -> Option<Bulk> {
    let packets = train(link, way)?;
    let warm_up = BULK_MIN + 2 * link.base_round_trip();
    Some(Bulk { warm_up, duration: BULK_MIN.max(packets.interval * 50) })
}

/// Whether the rate is what the profile says.
///
/// # Errors
/// [`Error::OutOfTolerance`] with both numbers, also where next to nothing arrived.
pub fn judge(link: &LinkProfile, way: Way, found: RateFound) -> Result<RateFound, Error> {
    if found.within() {
        return Ok(found);
    }
    Err(Error::OutOfTolerance {
        what: match way {
            Way::Up => "rate up (its payload)",
            Way::Down => "rate down (its payload)",
        },
        link: link.name.to_string(),
        asked: mbit(found.asked_bits),
        measured: mbit(found.measured_bits),
        tolerance: mbit(found.tolerance_bits),
    })
}

fn fixed(link: &LinkProfile, way: Way) -> Rate {
    match link.way(way).capacity {
        Capacity::Fixed(rate) => rate,
        _ => panic!("link '{}' has no fixed rate {}", link.name, way.name()),
    }
}

/// Which part of the rate.
fn tolerated(direction: &Direction, at_ns: &[u64], kept: f64) -> f64 {
    let took_ns = at_ns.last().zip(at_ns.first()).map_or(0, |(last, first)| last - first);
    let blocks = blocks(direction, at_ns.len().saturating_sub(1)) as f64;
    let reach_ns = 2.0 * (CLOCK.as_nanos() as f64 + direction.jitter.reach_ns());
    let clock = if took_ns == 0 { 0.0 } else { reach_ns * blocks / took_ns as f64 };
    let packets = at_ns.len() as f64 / kept.max(f64::MIN_POSITIVE) / blocks;
    let loss = loss::deviation(&direction.loss, packets).unwrap_or(0.0) * 3.0;
    let lost = if at_ns.is_empty() { 0.0 } else { loss / (packets * kept) };
    (TOLERANCE + clock + lost).min(TOLERANCE_MAX)
}

/// As people read it.
pub fn mbit(bits: f64) -> String {
    format!("{:.3} Mbit/s", bits / 1e6)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::link::{Layer, Loss};

    fn link(kilobits: u64) -> LinkProfile {
        let mut link = LinkProfile::round_trip(Duration::from_millis(10));
        link.up.capacity = Capacity::kbit(kilobits);
        link
    }

    /// So many arrivals, one every `gap_ns`.
    fn arrivals(count: u64, gap_ns: u64) -> Arrivals {
        Arrivals { sent: count, arrived: (0..count).map(|n| (n, 5 + n * gap_ns)).collect() }
    }

    #[test]
    fn goodput_is_the_payloads_share_of_what_the_rate_counts() {
        // The two that were measured: 9.653 of 10 Mbit/s of IP, 9.564 of Ethernet as tbf counts.
        assert_eq!(goodput_bits(Rate::ip(10_000_000), SEGMENT_BYTES).round(), 9_653_333.0);
        let ethernet = Rate { layer: Layer::Ethernet, ..Rate::ip(10_000_000) };
        assert_eq!(goodput_bits(ethernet, SEGMENT_BYTES).round(), 9_564_069.0);
        let tunnel = Rate { overhead_bytes: 100, ..Rate::ip(16_000_000) };
        assert_eq!(goodput_bits(tunnel, 1_000), 10_000_000.0);
    }

    #[test]
    fn more_is_sent_than_gets_through() {
        // 1500 bytes at 12 Mbit/s are a millisecond.
        let train = super::train(&link(12_000), Way::Up).expect("a rate");
        assert_eq!((train.count, train.interval), (600, Duration::from_micros(800)));
        assert_eq!((train.payload_bytes, train.burst), (1_472, 25));
        assert_eq!(super::train(&link(12_000), Way::Down), None);
        assert_eq!(super::train(&link(200), Way::Up).expect("a rate").count, COUNT_MIN);
        assert_eq!(super::train(&link(10_000_000), Way::Up).expect("a rate").count, COUNT_MAX);
    }

    #[test]
    fn a_median_of_blocks_forgives_one_pause_of_the_sender() {
        // 1472 bytes a millisecond are 11.776 Mbit/s.
        let mut at_ns: Vec<u64> = (0..401).map(|n| n * 1_000_000).collect();
        assert_eq!(measured_bits(&at_ns, 1_472, 8), Some(11_776_000.0));
        at_ns[200..].iter_mut().for_each(|at_ns| *at_ns += 50_000_000);
        assert_eq!(measured_bits(&at_ns, 1_472, 8), Some(11_776_000.0));
        assert_eq!(measured_bits(&[0, 2_000_000], 1_000, 1), Some(4_000_000.0));
        for nothing in [&[][..], &[7], &[7, 7]] {
            assert_eq!(measured_bits(nothing, 1_472, 1), None);
        }
    }

    #[test]
    fn a_rate_outside_its_tolerance_is_refused_with_both_numbers() {
        let link = link(12_000);
        let judged = |arrivals: &Arrivals| judge(&link, Way::Up, look(&link, Way::Up, arrivals));
        let found = judged(&arrivals(600, 1_000_000)).expect("exact");
        assert_eq!((found.asked_bits, found.measured_bits), (11_776_000.0, 11_776_000.0));
        // 0.5 %, and 0.5 ms for each of eight blocks of 599 ms.
        let expected = 11_776_000.0 * (0.005 + 0.5 * 8.0 / 599.0);
        assert!((found.tolerance_bits - expected).abs() < 1.0, "{found:?}");
        for (gap_ns, said) in [(1_020_000, "11.545 Mbit/s"), (980_000, "12.016 Mbit/s")] {
            let error = judged(&arrivals(600, gap_ns)).expect_err("2 % off");
            let text = error.to_string();
            assert!(text.contains(said) && text.contains("11.776 Mbit/s was asked"), "{text}");
        }
        let error = judged(&arrivals(1, 0)).expect_err("nothing").to_string();
        assert!(error.contains("is 0.000 Mbit/s where"), "{error}");
    }

    #[test]
    fn a_link_that_loses_carries_less_and_is_held_to_that() {
        let mut link = link(12_000);
        link.up.loss = Loss::Bernoulli(0.5);
        // Every second packet is lost: one arrives every two milliseconds.
        let found = look(&link, Way::Up, &arrivals(300, 2_000_000));
        assert!(found.within() && found.asked_bits == 5_888_000.0, "{found:?}");
        assert!(!look(&link, Way::Up, &arrivals(300, 1_000_000)).within());
    }

    #[test]
    fn a_few_packets_at_the_right_pace_are_no_rate() {
        let link = link(50_000);
        // 1500 bytes at 50 Mbit/s are 0.24 ms, and 2000 of 2500 should arrive.
        let paced = |count| Arrivals { sent: 2_500, ..arrivals(count, 240_000) };
        for count in [0, 1, 2, 999] {
            let found = look(&link, Way::Up, &paced(count));
            assert!(!found.within() && found.measured_bits == 0.0, "{count}: {found:?}");
        }
        assert!(look(&link, Way::Up, &paced(1_000)).within());
    }

    #[test]
    fn jitter_is_tolerated_to_a_quarter_and_more_packets_are_sent_instead() {
        let mut link = link(12_000);
        link.up.jitter = Jitter::uniform(Duration::from_millis(100));
        // 200 ms are a tenth of 2000 packets of a millisecond.
        assert_eq!(super::train(&link, Way::Up).expect("a rate").count, 2_000);
        let judged = |arrivals: Arrivals| look(&link, Way::Up, &arrivals);
        assert!(judged(arrivals(2_000, 1_000_000)).within());
        for (count, gap_ns) in [(2_000, 2_000_000), (2_000, 500_000), (2, 1_000_000), (0, 0)] {
            let found = judged(Arrivals { sent: 2_000, ..arrivals(count, gap_ns) });
            assert!(!found.within(), "{count} each {gap_ns} ns: {found:?}");
            assert!(found.tolerance_bits <= found.asked_bits * TOLERANCE_MAX, "{found:?}");
        }
        // The last eighth comes 20 ms late, which a median of blocks would not see.
        let mut moved = arrivals(400, 1_000_000);
        moved.arrived.iter_mut().skip(350).for_each(|(_, at_ns)| *at_ns += 20_000_000);
        let bits = judged(moved).measured_bits;
        assert!(
            (bits - 11_776_000.0 * 399.0 / 419.0).abs() < 1.0,
            "the whole is one block: {bits}"
        );
    }

    #[test]
    fn a_byte_stream_is_held_to_what_segments_carry() {
        let (link, time) = (link(12_000), Duration::from_millis(500));
        assert_eq!(bulk(&link, Way::Up).expect("a rate").duration, time);
        assert_eq!(bulk(&link, Way::Down), None);
        // 11.584 Mbit/s for half a second; 0.5 % and 0.1 % are tolerated.
        let found = |bytes| look_at_bulk(&link, Way::Up, Goodput { bytes, time });
        assert_eq!(found(724_000).asked_bits, 11_584_000.0);
        assert!((found(724_000).tolerance_bits - 69_504.0).abs() < 1e-3);
        assert!(found(724_000).within() && found(728_000).within());
        assert!(!found(729_000).within() && !found(719_000).within());
    }
}
