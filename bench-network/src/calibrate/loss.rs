//! How many packets do not arrive, held against the loss of the profile.
//!
//! The number of lost ones among `n` has the mean `n m` and, for a loss of each by itself, the
//! binomial variance `n m (1 - m)`. Losses in bursts vary more. With Gilbert's and Elliott's chain,
//! which is bad for a share `b = p / (p + r)` of the packets and loses `h_b` of them then and `h_g`
//! else, neighbours at a distance of `k` have the covariance `(h_b - h_g)^2 b (1 - b) (1 - p - r)^k`
//! (the second eigenvalue of the chain's matrix), and the sum over many packets is
//!
//! `n [m (1 - m) + 2 (h_b - h_g)^2 b (1 - b) q / (1 - q)]` with `q = 1 - p - r`
//!
//! which for `h_b = 1, h_g = 0` is `n b (1 - b) (1 + q) / (1 - q)`. Three standard deviations are
//! tolerated.

use std::time::Duration;

use super::train::{Arrivals, HEADER_BYTES, Train};
use crate::error::Error;
use crate::link::{Capacity, LinkProfile, Loss, Way};

/// Small, so that many fit a second.
const PAYLOAD_BYTES: u32 = 36;
const SIGMAS: f64 = 3.0;
/// Few enough that the ends keep up on a small machine.
const INTERVAL_MIN: Duration = Duration::from_micros(25);
const BUDGET: Duration = Duration::from_millis(500);
const COUNT_MIN: u64 = 50;
/// The queue is not to overflow, which would be another loss: half of the rate is used.
const OFFERED: f64 = 0.5;
const BURST: u32 = 8;

/// A loss as it is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LossFound {
    /// The share that the profile loses.
    pub asked: f64,
    /// How many packets were sent.
    pub sent: u64,
    /// How many of them did not arrive.
    pub lost: u64,
    /// How many times in a row, so that `lost / bursts` is the mean burst.
    pub bursts: u64,
    /// By how many packets the lost ones may differ.
    pub tolerance: f64,
    /// How many are lost in a row by the profile, where that has a meaning.
    pub burst_asked: Option<f64>,
}

impl LossFound {
    /// How many are lost by the profile.
    pub fn expected(&self) -> f64 {
        self.asked * self.sent as f64
    }

    /// Whether as many were lost as were asked for.
    pub fn within(&self) -> bool {
        (self.lost as f64 - self.expected()).abs() <= self.tolerance
    }

    /// The share that was lost.
    pub fn share(&self) -> f64 {
        self.lost as f64 / self.sent as f64
    }

    /// How many were lost in a row, in the mean; `None` where nothing was lost.
    pub fn mean_burst(&self) -> Option<f64> {
        (self.bursts > 0).then(|| self.lost as f64 / self.bursts as f64)
    }

    /// How far from the mean, in standard deviations; `None` where there is no deviation.
    pub fn sigmas(&self) -> Option<f64> {
        let deviation = self.tolerance / SIGMAS;
        (deviation > 0.0).then(|| (self.lost as f64 - self.expected()) / deviation)
    }
}

/// What to send; `None` of a script, whose packets are counted from the link's start.
pub fn train(link: &LinkProfile, way: Way) -> Option<Train> {
    let direction = link.way(way);
    direction.loss.mean()?;
    let wire_bytes = direction.capacity.wire_bytes(PAYLOAD_BYTES + HEADER_BYTES);
    let interval = direction.capacity.bits_per_second().map_or(INTERVAL_MIN, |rate| {
        Duration::from_secs_f64(wire_bytes as f64 * 8.0 / rate as f64 / OFFERED)
    });
    let interval = interval.max(INTERVAL_MIN);
    let fit = (BUDGET.as_nanos() / interval.as_nanos()) as u64;
    let burst = if matches!(direction.capacity, Capacity::Unlimited) { 256 } else { BURST };
    let count = fit.max(COUNT_MIN).min(room(link, way, wire_bytes));
    Some(Train { count, payload_bytes: PAYLOAD_BYTES, interval, burst })
}

/// Of a trace, half as many packets as fit its queue: a gap of it may be longer than the probe, and
/// nothing leaves the queue then. Else no bound.
fn room(link: &LinkProfile, way: Way, wire_bytes: u64) -> u64 {
    let queue = link.queue_bytes()[usize::from(way == Way::Down)];
    let queue = queue.filter(|_| matches!(link.way(way).capacity, Capacity::Trace(_)));
    queue.map_or(u64::MAX, |bytes| (bytes / wire_bytes / 2).max(1))
}

/// The standard deviation of how many of so many packets are lost; `None` of a script. A chain that
/// never moves stays good and has no bursts; one that moves with every packet (`p + r = 2`) has no
/// deviation but that of each packet by itself.
pub fn deviation(loss: &Loss, packets: f64) -> Option<f64> {
    let mean = loss.mean()?;
    let bursts = match *loss {
        Loss::GilbertElliott { p, r, loss_good, loss_bad } if p > 0.0 => {
            let (bad, q) = (p / (p + r), 1.0 - p - r);
            // Bad for good: nothing varies between then and now.
            let stays = if q < 1.0 { q / (1.0 - q) } else { 0.0 };
            2.0 * (loss_bad - loss_good).powi(2) * bad * (1.0 - bad) * stays
        }
        _ => 0.0,
    };
    Some((packets * (mean * (1.0 - mean) + bursts)).max(0.0).sqrt())
}

/// How many were lost, and how many times in a row.
pub fn count(found: &Arrivals) -> (u64, u64) {
    let mut arrived = vec![false; found.sent as usize];
    for (number, _) in &found.arrived {
        arrived[*number as usize] = true;
    }
    let lost = arrived.iter().filter(|arrived| !**arrived).count();
    let begins = |at: usize| !arrived[at] && (at == 0 || arrived[at - 1]);
    let bursts = (0..arrived.len()).filter(|at| begins(*at)).count();
    (lost as u64, bursts as u64)
}

/// Whether as many are lost as the profile says, but for three standard deviations. Where the
/// profile loses none there is no deviation, and one lost packet is one too many.
///
/// # Errors
/// [`Error::OutOfTolerance`] with both numbers.
///
/// # Panics
/// When the loss has no mean, of which [`train`] makes no train.
pub fn judge(link: &LinkProfile, way: Way, found: &Arrivals) -> Result<LossFound, Error> {
    let found = look(&link.way(way).loss, found);
    if found.within() {
        return Ok(found);
    }
    let expected = found.expected();
    Err(Error::OutOfTolerance {
        what: match way {
            Way::Up => "number of lost packets up",
            Way::Down => "number of lost packets down",
        },
        link: link.name.to_string(),
        asked: format!("{expected:.1} ({:.4} % of {})", found.asked * 100.0, found.sent),
        measured: format!("{} ({:.4} %)", found.lost, found.share() * 100.0),
        tolerance: format!("{:.1} (three standard deviations)", found.tolerance),
    })
}

/// What was found, without an opinion.
///
/// # Panics
/// When the loss has no mean.
pub fn look(loss: &Loss, found: &Arrivals) -> LossFound {
    let (lost, bursts) = count(found);
    let asked = loss.mean().expect("a script is not probed");
    let deviation = deviation(loss, found.sent as f64).expect("a mean has a deviation");
    let (sent, burst_asked) = (found.sent, loss.mean_burst().filter(|_| asked > 0.0));
    LossFound { asked, sent, lost, bursts, tolerance: SIGMAS * deviation, burst_asked }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::link::model::{Fate, LinkModel};
    use crate::link::{DeliveryTrace, Queue};

    fn near(found: f64, expected: f64) {
        assert!((found - expected).abs() < 1e-6 * expected.abs().max(1.0), "{found} {expected}");
    }

    /// So many packets, of which those are lost.
    fn without(sent: u64, lost: &[u64]) -> Arrivals {
        let arrived = (0..sent).filter(|n| !lost.contains(n)).map(|n| (n, n)).collect();
        Arrivals { sent, arrived }
    }

    fn link(loss: Loss) -> LinkProfile {
        let mut link = LinkProfile::round_trip(Duration::from_millis(10));
        link.up.loss = loss;
        link
    }

    #[test]
    fn deviations_are_those_computed_by_hand() {
        let of = |loss: Loss| deviation(&loss, 200_000.0).expect("has one");
        // sqrt(200000 * 0.01 * 0.99)
        near(of(Loss::Bernoulli(0.01)), 44.497_191);
        // b = 1/101, q = 0.7475: sqrt(200000 * b * (1 - b) * 1.7475 / 0.2525)
        near(of(Loss::bursts(0.0025, 0.25)), 116.485_408);
        // Half bad, of that half lost, of good nothing: m = 0.25, b(1-b) = 0.25, q = 0.8:
        // 0.25 * 0.75 + 2 * 0.25 * 0.25 * 4 = 0.6875
        let half = Loss::GilbertElliott { p: 0.1, r: 0.1, loss_good: 0.0, loss_bad: 0.5 };
        near(of(half), (200_000.0_f64 * 0.6875).sqrt());
        // Moves with every packet: q = -1 takes back what b (1 - b) adds.
        let flips = Loss::GilbertElliott { p: 1.0, r: 1.0, loss_good: 0.0, loss_bad: 1.0 };
        near(of(flips), 0.0);
    }

    #[test]
    fn a_chain_that_never_moves_and_a_script_are_the_degenerate_cases() {
        assert_eq!(deviation(&Loss::None, 1e6), Some(0.0));
        assert_eq!(deviation(&Loss::Bernoulli(1.0), 1e6), Some(0.0));
        assert_eq!(deviation(&Loss::Script([3].into()), 1e6), None);
        assert_eq!(train(&link(Loss::Script([3].into())), Way::Up), None);
        let stuck = Loss::GilbertElliott { p: 0.0, r: 0.0, loss_good: 0.5, loss_bad: 1.0 };
        near(deviation(&stuck, 100.0).expect("has one"), 5.0);
        let once = Loss::GilbertElliott { p: 0.1, r: 0.0, loss_good: 0.0, loss_bad: 1.0 };
        near(deviation(&once, 100.0).expect("has one"), 0.0);
    }

    #[test]
    fn losses_and_bursts_are_counted_at_both_ends_too() {
        assert_eq!(count(&without(10, &[])), (0, 0));
        assert_eq!(count(&without(10, &[0, 1, 4, 9])), (4, 3));
        assert_eq!(count(&without(3, &[0, 1, 2])), (3, 1));
    }

    #[test]
    fn half_of_the_rate_is_used() {
        let mut link = link(Loss::None);
        assert_eq!(train(&link, Way::Up).expect("a train").count, 20_000);
        // 64 bytes at 512 kbit/s are a millisecond.
        link.up.capacity = Capacity::kbit(512);
        let train = train(&link, Way::Up).expect("a train");
        assert_eq!((train.count, train.interval), (250, Duration::from_millis(2)));
    }

    #[test]
    fn no_gap_of_a_trace_lets_the_probe_fill_the_queue() {
        let mut link = link(Loss::None);
        // 200 packets of 1504 bytes in 0.2 s, and nothing for 2.8 s: 802 kbit/s in the mean.
        let times: String = (1..200).map(|ms| format!("{ms}\n")).collect();
        let trace = DeliveryTrace::parse("t", &format!("{times}3000\n")).expect("sound");
        link.up.capacity = Capacity::Trace(trace.into());
        link.up.queue = Queue::Bytes(bench_core::units::ByteSize::new(15_000));
        let train = train(&link, Way::Up).expect("a train");
        // 15,000 of 64 bytes, half of them.
        assert_eq!(train.count, 117);
        let [idle, _] = LinkModel::both(&link, 1).expect("sound");
        for start_ns in (0..3_000_000_000).step_by(50_000_000) {
            let mut way = idle.clone();
            for number in 0..train.count {
                let at_ns = start_ns + number * train.interval.as_nanos() as u64;
                let fate = way.offer(at_ns, PAYLOAD_BYTES + HEADER_BYTES);
                assert!(matches!(fate, Fate::Delivered(_)), "{number} from {start_ns}: {fate:?}");
            }
        }
    }

    #[test]
    fn a_loss_outside_its_tolerance_is_refused_with_both_numbers() {
        // Mean 10 of 100, deviation 3: 1 to 19 are tolerated.
        let link = link(Loss::Bernoulli(0.1));
        let judged = |lost: u64| {
            let lost: Vec<u64> = (0..lost).map(|n| n * 2).collect();
            judge(&link, Way::Up, &without(100, &lost))
        };
        let found = judged(19).expect("tolerated");
        assert_eq!((found.lost, found.bursts, found.mean_burst()), (19, 19, Some(1.0)));
        near(found.sigmas().expect("has one"), 3.0);
        assert_eq!(judged(1).expect("tolerated").lost, 1);
        for (lost, said) in [(0, "is 0 (0.0000 %)"), (20, "is 20 (20.0000 %)")] {
            let text = judged(lost).expect_err("too far").to_string();
            assert!(text.contains(said), "{text}");
            assert!(text.contains("10.0 (10.0000 % of 100) was asked for"), "{text}");
            assert!(text.contains("9.0 (three standard deviations) is tolerated"), "{text}");
        }
    }

    #[test]
    fn where_nothing_may_be_lost_one_is_too_many() {
        let link = link(Loss::None);
        judge(&link, Way::Up, &without(100, &[])).expect("nothing lost");
        let error = judge(&link, Way::Up, &without(100, &[50])).expect_err("one lost").to_string();
        assert!(error.contains("is 1 (1.0000 %) where 0.0 "), "{error}");
    }
}
