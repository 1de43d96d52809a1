//! Whether the model does what the profile says, by the statistics of many packets.

use std::sync::Arc;
use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::link::{Capacity, Distribution, Jitter, LinkProfile, Loss, MTU, Queue, Reorder, named};
use bench_core::units::ByteSize;

/// As many as the figures are about.
const PACKETS: u64 = 200_000;
const MS: u64 = 1_000_000;

/// The way up of a link that is 5 ms long and else as `change` makes it.
fn way(change: impl FnOnce(&mut Direction)) -> LinkModel {
    let mut link = LinkProfile::round_trip(Duration::from_millis(10));
    change(&mut link.up);
    let [up, _] = LinkModel::both(&link, 42).expect("sound");
    up
}

/// What becomes of so many packets, one each millisecond.
fn fates(mut way: LinkModel, packets: u64) -> Vec<Fate> {
    (0..packets).map(|number| way.offer(number * MS, MTU)).collect()
}

/// How much longer or shorter than 5 ms each packet took, in ns.
fn differences(change: impl FnOnce(&mut Direction)) -> Vec<f64> {
    let late = |(number, fate): (usize, &Fate)| match fate {
        Fate::Delivered(delivery) => delivery.at_ns as f64 - (number as u64 * MS + 5 * MS) as f64,
        Fate::Dropped(cause) => panic!("dropped by {cause:?}"),
    };
    fates(way(change), PACKETS).iter().enumerate().map(late).collect()
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

fn deviation(values: &[f64]) -> f64 {
    let mean = mean(values);
    (values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / values.len() as f64).sqrt()
}

/// The correlation of neighbours.
fn correlation(values: &[f64]) -> f64 {
    let mean = mean(values);
    let both: f64 = values.windows(2).map(|pair| (pair[0] - mean) * (pair[1] - mean)).sum();
    both / values.iter().map(|value| (value - mean).powi(2)).sum::<f64>()
}

/// The numbers of the lost packets.
fn lost(loss: Loss) -> Vec<usize> {
    let fates = fates(way(|way| way.loss = loss), PACKETS);
    let is_lost = |fate: &Fate| *fate == Fate::Dropped(Cause::Loss);
    fates.iter().enumerate().filter(|(_, fate)| is_lost(fate)).map(|(number, _)| number).collect()
}

#[test]
fn independent_loss_is_as_frequent_as_asked_for() {
    for probability in [0.001, 0.01, 0.1, 0.5] {
        let lost = lost(Loss::Bernoulli(probability)).len() as f64;
        let expected = PACKETS as f64 * probability;
        let sigma = (expected * (1.0 - probability)).sqrt();
        let z = (lost - expected) / sigma;
        assert!(z.abs() < 3.0, "{probability}: {lost} lost, {z:.1} sigma from {expected}");
    }
    assert_eq!(lost(Loss::Bernoulli(0.0)).len(), 0);
    assert_eq!(lost(Loss::Bernoulli(1.0)).len() as u64, PACKETS);
}

#[test]
fn bursts_are_as_frequent_and_as_long_as_asked_for() {
    let (p, r) = (0.0025, 0.25);
    let lost = lost(Loss::bursts(p, r));
    let mean = p / (p + r);
    // A chain's draws are correlated by 1 - p - r from packet to packet, which makes the variance
    // of their sum (2 - p - r) / (p + r) times that of independent ones.
    let sigma = (PACKETS as f64 * mean * (1.0 - mean) * (2.0 - p - r) / (p + r)).sqrt();
    let z = (lost.len() as f64 - PACKETS as f64 * mean) / sigma;
    assert!(z.abs() < 3.0, "{} lost, {z:.1} sigma away", lost.len());
    let bursts = 1 + lost.windows(2).filter(|pair| pair[1] != pair[0] + 1).count();
    let burst = lost.len() as f64 / bursts as f64;
    // About 500 bursts, each geometric with a deviation of 3.5: 5 % is 1.3 sigma for this seed.
    assert!((burst - 4.0).abs() < 0.2, "the mean burst is {burst:.2}");
}

#[test]
fn a_chain_loses_in_both_states_what_each_says() {
    let loss = Loss::GilbertElliott { p: 0.01, r: 0.03, loss_good: 0.02, loss_bad: 0.4 };
    let expected = loss.mean().expect("has one");
    let found = lost(loss).len() as f64 / PACKETS as f64;
    assert!((found - expected).abs() < 0.01, "{found} instead of {expected}");
}

#[test]
fn a_script_loses_its_packets_and_no_other() {
    assert_eq!(lost(Loss::Script(Arc::new([0, 7, 8, 199_999]))), [0, 7, 8, 199_999]);
}

#[test]
fn one_seed_loses_the_same_packets_whenever_they_come_and_another_does_not() {
    let losing = |way: &mut Direction| way.loss = Loss::bursts(0.01, 0.25);
    let list = |gap_ns: u64, seed: u64, queue: u64| {
        let mut link = LinkProfile::round_trip(Duration::from_millis(10));
        losing(&mut link.up);
        link.up.capacity = Capacity::kbit(12_000);
        link.up.queue = Queue::Bytes(ByteSize::new(queue));
        let [mut up, _] = LinkModel::both(&link, seed).expect("sound");
        (0..5_000).map(|number| up.offer(number * gap_ns, MTU)).collect::<Vec<_>>()
    };
    let losses = |fates: Vec<Fate>| -> Vec<usize> {
        let lost = |fate: &Fate| *fate == Fate::Dropped(Cause::Loss);
        fates.iter().enumerate().filter(|(_, fate)| lost(fate)).map(|(number, _)| number).collect()
    };
    let quiet = losses(list(MS, 7, 3_000));
    assert_eq!(quiet, losses(list(9 * MS, 7, 1_000_000)));
    assert_ne!(quiet, losses(list(MS, 8, 3_000)));
    // A full queue takes packets away from the loss, but gives it no other.
    let crowded = losses(list(MS / 2, 7, 3_000));
    assert!(!crowded.is_empty() && crowded.len() < quiet.len());
    assert!(crowded.iter().all(|number| quiet.contains(number)));
}

#[test]
fn both_ways_have_random_decisions_of_their_own() {
    let mut link = LinkProfile::round_trip(Duration::from_millis(10));
    for way in [&mut link.up, &mut link.down] {
        way.loss = Loss::Bernoulli(0.5);
    }
    let [up, down] = LinkModel::both(&link, 42).expect("sound");
    assert_ne!(fates(up, 100), fates(down, 100));
}

#[test]
fn jitter_has_the_distribution_asked_for() {
    let normal = differences(|way| way.jitter = Jitter::normal(Duration::from_micros(100)));
    let uniform = differences(|way| way.jitter = Jitter::uniform(Duration::from_micros(300)));
    for (values, sigma_ns) in [(&normal, 1e5), (&uniform, 3e5 / 3_f64.sqrt())] {
        // Of 200,000 draws the mean is within 3/447 of a deviation, the deviation within 1 %.
        assert!(mean(values).abs() < 0.0067 * sigma_ns, "{}", mean(values));
        assert!((deviation(values) / sigma_ns - 1.0).abs() < 0.01, "{}", deviation(values));
        assert!(correlation(values).abs() < 0.01, "{}", correlation(values));
    }
    let within = |values: &[f64], bound: f64| {
        values.iter().filter(|value| value.abs() <= bound).count() as f64 / values.len() as f64
    };
    assert!((within(&normal, 1e5) - 0.6827).abs() < 0.005, "{}", within(&normal, 1e5));
    assert!((within(&normal, 2e5) - 0.9545).abs() < 0.005, "{}", within(&normal, 2e5));
    assert_eq!(within(&uniform, 3e5), 1.0);
}

#[test]
fn correlation_ties_neighbours_and_leaves_the_distribution() {
    let spread = Duration::from_micros(300);
    let distribution = Distribution::Uniform { spread };
    let values = differences(|way| way.jitter = Jitter::Random { distribution, correlation: 0.8 });
    assert!((correlation(&values) - 0.8).abs() < 0.02, "{}", correlation(&values));
    assert!((deviation(&values) / (3e5 / 3_f64.sqrt()) - 1.0).abs() < 0.02);
}

#[test]
fn a_jitter_trace_is_followed_and_begins_anew() {
    let us = Duration::from_micros;
    let values = differences(|way| way.jitter = Jitter::Trace(Arc::new([us(1), us(0), us(7)])));
    assert_eq!(values[..5], [1e3, 0.0, 7e3, 1e3, 0.0]);
}

#[test]
fn jitter_alone_never_changes_the_order_and_reordering_does() {
    let arrivals = |change: fn(&mut Direction)| -> Vec<u64> {
        let mut way = way(change);
        // Packets 0.1 ms apart, which is less than the jitter.
        let fates = (0..10_000).map(|number| way.offer(number * MS / 10, MTU));
        fates
            .map(|fate| match fate {
                Fate::Delivered(delivery) => delivery.at_ns,
                Fate::Dropped(cause) => panic!("dropped by {cause:?}"),
            })
            .collect()
    };
    let late = |arrivals: &[u64]| arrivals.windows(2).filter(|pair| pair[0] > pair[1]).count();
    let jittered = arrivals(|way| way.jitter = Jitter::normal(Duration::from_millis(1)));
    assert_eq!(late(&jittered), 0);
    let reordered = arrivals(|way| {
        way.reorder = Reorder { probability: 0.01, late: Duration::from_millis(1) };
    });
    // 100 expected, with a deviation of 10.
    assert!((70..130).contains(&late(&reordered)), "{}", late(&reordered));
}

#[test]
fn duplicates_and_flipped_bits_are_as_frequent_as_asked_for() {
    let mut model = way(|way| (way.duplicate, way.corrupt) = (0.02, 0.05));
    let mut bits = [0_u32; 2];
    for number in 0..PACKETS {
        if let Fate::Delivered(Delivery { flipped_bit: Some(bit), .. }) =
            model.offer(number * MS, 100)
        {
            assert!(bit < 800, "bit {bit} of 800");
            bits[usize::from(bit >= 400)] += 1;
        }
    }
    let counts = model.counts();
    // Deviations: 63 and 97; of the halves 50.
    assert!(counts.duplicated.abs_diff(4_000) < 189, "{counts:?}");
    assert!(counts.corrupted.abs_diff(10_000) < 292, "{counts:?}");
    assert!(bits[0].abs_diff(5_000) < 212, "{bits:?}");
    assert_eq!((counts.offered, counts.lost, counts.queue_dropped), (PACKETS, 0, 0));
}

#[test]
fn a_link_that_is_offered_too_much_carries_its_rate_and_drops_the_rest() {
    let mut model = way(|way| {
        way.capacity = Capacity::kbit(50_000);
        way.queue = Queue::Bytes(ByteSize::new(250_000));
    });
    // 80 Mbit/s for two seconds.
    let offered = 2 * 80_000_000 / (u64::from(MTU) * 8);
    let last = (0..offered)
        .filter_map(|number| match model.offer(number * 150_000, MTU) {
            Fate::Delivered(delivery) => Some(delivery.at_ns),
            Fate::Dropped(_) => None,
        })
        .last();
    let delivered = (offered - model.counts().queue_dropped) * u64::from(MTU) * 8;
    let rate = delivered as f64 / (last.expect("some arrive") - 5 * MS) as f64;
    assert!((rate / 0.05 - 1.0).abs() < 1e-6, "{rate} bits a nanosecond");
}

#[test]
fn what_a_seed_does_is_pinned_down() {
    // The same on every machine; a change here is a change of every seeded result.
    let link = named::find("lossy_mobile").expect("known");
    let [mut up, _] = LinkModel::both(&link, 42).expect("sound");
    let hash = (0..20_000_u64).fold(0_u64, |hash, number| {
        let fate = match up.offer(number * 16 * MS, MTU) {
            Fate::Delivered(delivery) => delivery.at_ns,
            Fate::Dropped(cause) => cause as u64,
        };
        (hash ^ fate).wrapping_mul(0x0100_0000_01b3)
    });
    assert_eq!((up.counts().lost, hash), (170, 15_750_610_038_997_403_202));
}

proptest! {
    #[test]
    fn packets_arrive_in_order_and_no_earlier_than_the_delay(
        seed: u64,
        gaps in proptest::collection::vec(0..3_000_000_u64, 1..300),
        rate in proptest::option::of(100_u64..1_000_000),
        jitter_us in 0..5_000_u64,
        loss in 0.0..1.0,
    ) {
        let mut link = LinkProfile::round_trip(Duration::from_millis(10));
        link.up.capacity = rate.map_or(Capacity::Unlimited, Capacity::kbit);
        link.up.queue = Queue::Bytes(ByteSize::new(20_000));
        link.up.jitter = Jitter::Trace(Arc::new([Duration::ZERO, Duration::from_micros(jitter_us)]));
        link.up.loss = Loss::Bernoulli(loss);
        let [mut up, _] = LinkModel::both(&link, seed).expect("sound");
        let (mut now, mut last) = (0, 0);
        for gap in gaps {
            now += gap;
            if let Fate::Delivered(delivery) = up.offer(now, MTU) {
                prop_assert!(delivery.at_ns >= now + 5 * MS && delivery.at_ns >= last);
                last = delivery.at_ns;
            }
        }
    }
}
