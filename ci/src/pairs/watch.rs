//! Which rounds are left out, and never for what was measured in them: a rule that looks at the
//! effect leans towards a verdict. Every judge of rounds asks here.

use std::time::Duration;

use bench_core::judge::sequential::quiet;
use bench_core::judge::stats::median;

use super::round::Round;

/// A jump of the clocks beyond this is no matter of when they were read.
const JUMP: Duration = Duration::from_millis(100);
/// Stolen ticks that no round is left out for: one or two come and go in a round on any shared
/// machine, and where there mostly are none, the first would be "far out".
const TICKS_PASS: u64 = 2;
/// A probe that takes longer by less than this share of its usual time is no burst, however steady
/// it is else: several times what a clock governor moves between two rounds.
const PROBE_PASS: f64 = 0.05;
/// How many rounds tell what is usual on this machine, and the one in question.
const ROUNDS_AROUND: usize = 51;

/// Why a round is left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LeaveOut {
    /// The machine was suspended, or its clock set.
    Jump,
    /// The hypervisor gave far more time to others than usual, or the processor was far slower.
    Busy,
}

/// Sees the rounds of one id, in their order.
#[derive(Clone, Debug, Default)]
pub(crate) struct Watch {
    /// Ticks beyond those that pass.
    stolen: Vec<f64>,
    /// Nanoseconds of the probe; nothing of a round of before it was kept.
    probes: Vec<f64>,
}

impl Watch {
    /// Whether this round, which comes after those taken before, is left out. The round for warming
    /// up (number 0) tells nothing of what is usual.
    pub(crate) fn take(&mut self, round: &Round) -> Option<LeaveOut> {
        if Duration::from_nanos(round.suspended_ns.max(round.clock_set_ns)) > JUMP {
            return Some(LeaveOut::Jump);
        }
        if round.round == 0 {
            return None;
        }
        self.stolen.push(round.steal_ticks.saturating_sub(TICKS_PASS) as f64);
        let mut busy = is_loud(around(&self.stolen));
        if round.probe_ns > 0 {
            self.probes.push(round.probe_ns as f64);
            let around = around(&self.probes);
            let usual = median(around);
            busy |= is_loud(around) && round.probe_ns as f64 > usual * (1.0 + PROBE_PASS);
        }
        busy.then_some(LeaveOut::Busy)
    }
}

/// The newest number and those before it.
fn around(all: &[f64]) -> &[f64] {
    &all[all.len().saturating_sub(ROUNDS_AROUND)..]
}

fn is_loud(around: &[f64]) -> bool {
    quiet(around).last() == Some(&false)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn calm(number: u32) -> Round {
        Round {
            id: "a/b".to_owned(),
            round: number,
            at_ms: 0,
            took_ms: 80,
            order: "ab".to_owned(),
            padding: 0,
            suspended_ns: 0,
            clock_set_ns: 0,
            steal_ticks: 0,
            probe_ns: 140_000 + u64::from(number % 7) * 100,
            slices: BTreeMap::new(),
        }
    }

    fn after_calm(round: Round) -> Option<LeaveOut> {
        let mut watch = Watch::default();
        assert!((0..30).all(|number| watch.take(&calm(number)).is_none()));
        watch.take(&round)
    }

    #[test]
    fn jumps_and_bursts_are_left_out_and_what_comes_and_goes_is_not() {
        let second = 1_000_000_000;
        for (round, expected) in [
            (calm(30), None),
            (Round { suspended_ns: second, ..calm(30) }, Some(LeaveOut::Jump)),
            (Round { clock_set_ns: second, ..calm(30) }, Some(LeaveOut::Jump)),
            (Round { suspended_ns: 5_000_000, ..calm(30) }, None),
            (Round { steal_ticks: 2, ..calm(30) }, None),
            (Round { steal_ticks: 50, ..calm(30) }, Some(LeaveOut::Busy)),
            (Round { probe_ns: 145_000, ..calm(30) }, None),
            (Round { probe_ns: 200_000, ..calm(30) }, Some(LeaveOut::Busy)),
            (Round { probe_ns: 0, ..calm(30) }, None),
            (Round { suspended_ns: second, ..calm(0) }, Some(LeaveOut::Jump)),
        ] {
            assert_eq!(after_calm(round.clone()), expected, "{round:?}");
        }
    }

    #[test]
    fn a_processor_that_stays_slower_is_measured_all_the_same() {
        let mut watch = Watch::default();
        let slow = |number| Round { probe_ns: 2 * calm(number).probe_ns, ..calm(number) };
        let all = (1..101).map(|number| if number < 51 { calm(number) } else { slow(number) });
        let left_out = all.filter(|round| watch.take(round).is_some()).count();
        assert!((1..=13).contains(&left_out), "{left_out}");
    }
}
