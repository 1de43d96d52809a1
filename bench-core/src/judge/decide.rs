//! What a policy says about a pair.

use super::comparable::Comparability;
use super::compare::Pair;
use super::effect::Effect;
use super::policy::{Limit, Policy};
use super::verdict::Verdict;
use crate::record::{Data, Metric};

/// Which way is better.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// Less is better: instructions, time, errors.
    Lower,
    /// More is better: throughput, operations done.
    Higher,
}

impl Metric {
    /// Which way is better; `None` for a metric that this version does not know.
    pub const fn direction(&self) -> Option<Direction> {
        match self {
            Self::ThroughputBytes | Self::Operations => Some(Direction::Higher),
            Self::Other(_) => None,
            _ => Some(Direction::Lower),
        }
    }
}

/// What the policy says about one pair.
///
/// - A side that is absent or failed: `Missing`. But an id that is new and measured has nothing to
///   be judged by, and is `Undecided`: announce it ([`Pair::is_new`]) and leave it out of the join.
/// - Not comparable: `Incomparable`. Taken at two different times: `Undecided`, whatever the effect.
/// - A count that gates: by the limit, exactly. A count that does not gate because it does not
///   repeat: `Undecided` beyond the limit.
/// - All else: by the interval of the ratio. Entirely beyond the relative limit is a change,
///   entirely within is none, across it is `Undecided`; so is an effect without interval and a
///   metric without limit. The absolute floor holds as well.
pub fn judge(pair: &Pair, policy: &Policy) -> Verdict {
    judge_with(pair, policy, None)
}

/// As [`judge()`], with the [`fence`](super::fence::fence) of the count's own history, where it has one:
/// it widens the limit and never narrows it.
pub fn judge_with(pair: &Pair, policy: &Policy, fence: Option<f64>) -> Verdict {
    if pair.is_new() {
        return Verdict::Undecided;
    }
    let (Some(base), Some(head)) = (pair.measured_base(), pair.measured_head()) else {
        return Verdict::Missing;
    };
    match &pair.comparability {
        Comparability::No(reason) => return Verdict::Incomparable(reason.clone()),
        Comparability::Unpaired(_) => return Verdict::Undecided,
        Comparability::Yes => {}
    }
    let limit = policy.limit(&pair.metric, &pair.id);
    let (Some(effect), Some(limit), Some(better)) = (pair.effect, limit, pair.metric.direction())
    else {
        return Verdict::Undecided;
    };
    match (&base.data, &head.data) {
        (Some(Data::Count { .. }), Some(Data::Count { .. })) => {
            match by_limit(effect, limit.bound(effect.base, fence).change, better) {
                Verdict::Improved | Verdict::Regressed if !pair.gates() => Verdict::Undecided,
                verdict => verdict,
            }
        }
        _ => by_interval(effect, limit, better),
    }
}

fn by_limit(effect: Effect, bound: f64, better: Direction) -> Verdict {
    let change = effect.head - effect.base;
    if change.abs() <= bound {
        return Verdict::Unchanged;
    }
    changed(change > 0.0, better)
}

fn by_interval(effect: Effect, limit: Limit, better: Direction) -> Verdict {
    let Some(interval) = effect.interval else { return Verdict::Undecided };
    // Base is not zero here: a ratio to zero has no interval.
    let bound = limit.bound(effect.base, None).change / effect.base;
    let (low, high) = (interval.low - 1.0, interval.high - 1.0);
    if -bound <= low && high <= bound {
        Verdict::Unchanged
    } else if low > bound {
        changed(true, better)
    } else if high < -bound {
        changed(false, better)
    } else {
        Verdict::Undecided
    }
}

fn changed(grew: bool, better: Direction) -> Verdict {
    if grew == (better == Direction::Higher) { Verdict::Improved } else { Verdict::Regressed }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::judge::stats::Interval;
    use crate::record::Row;

    fn counts(base: u64, head: u64) -> Pair {
        let row =
            |value| Some(Row::measured("a", Metric::Instructions, "1", Data::Count { value }));
        let (from, to) = (base as f64, head as f64);
        Pair {
            id: "a".to_owned(),
            metric: Metric::Instructions,
            unit: "1".to_owned(),
            base: row(base),
            head: row(head),
            comparability: Comparability::Yes,
            effect: Some(Effect { base: from, head: to, ratio: Some(to / from), interval: None }),
        }
    }

    /// An interleaved comparison of times.
    fn times(metric: Metric, low: f64, high: f64) -> Pair {
        let data = Data::Samples { values: vec![100.0], iterations: vec![1] };
        let row = Some(Row::measured("a", metric.clone(), "ns", data));
        let interval = Some(Interval { low, high, confidence: 0.95 });
        let ratio = Some((low + high) / 2.0);
        let effect = Some(Effect { base: 100.0, head: 100.0, ratio, interval });
        Pair { metric, base: row.clone(), head: row, effect, ..counts(1, 1) }
    }

    fn policy() -> Policy {
        let rules = r#"{"rule": [
            {"metric": "wall_time", "relative": 0.02, "absolute": 1},
            {"metric": "throughput_bytes", "relative": 0.02, "absolute": 0}
        ]}"#;
        serde_json::from_str(rules).expect("valid")
    }

    #[test]
    fn a_count_is_judged_by_both_bounds() {
        for (base, head, expected) in [
            (1_000, 1_049, Verdict::Unchanged),
            (1_000, 1_050, Verdict::Regressed),
            (1_000, 950, Verdict::Improved),
            (1_000_000, 1_002_000, Verdict::Unchanged),
            (1_000_000, 1_002_001, Verdict::Regressed),
            (0, 50, Verdict::Regressed),
            (0, 0, Verdict::Unchanged),
        ] {
            assert_eq!(judge(&counts(base, head), &policy()), expected, "{base} {head}");
        }
    }

    #[test]
    fn a_fence_widens_the_limit_of_a_count_and_never_narrows_it() {
        let verdict = |head, fence| judge_with(&counts(1_000_000, head), &policy(), Some(fence));
        assert_eq!(verdict(1_009_000, 0.01), Verdict::Unchanged);
        assert_eq!(verdict(1_010_001, 0.01), Verdict::Regressed);
        assert_eq!(verdict(1_002_000, 0.0), Verdict::Unchanged);
    }

    #[test]
    fn a_count_that_does_not_gate_never_regresses() {
        let mut pair = counts(1_000, 2_000);
        pair.head.as_mut().expect("head").gates = false;
        assert_eq!(judge(&pair, &policy()), Verdict::Undecided);
    }

    #[test]
    fn what_was_not_measured_is_missing_and_what_is_new_has_no_verdict() {
        let failed = Some(Row::failed("a", Metric::Instructions, "1", "broke"));
        let gone = Pair { head: None, effect: None, ..counts(1, 1) };
        let broken = Pair { head: failed.clone(), effect: None, ..counts(1, 1) };
        let broken_before = Pair { base: failed.clone(), effect: None, ..counts(1, 1) };
        let new_and_broken = Pair { base: None, head: failed, effect: None, ..counts(1, 1) };
        for pair in [gone, broken, broken_before, new_and_broken] {
            assert_eq!(judge(&pair, &policy()), Verdict::Missing, "{pair:?}");
            assert!(!pair.is_new());
        }
        let new = Pair { base: None, effect: None, ..counts(1, 1) };
        assert!(new.is_new());
        assert_eq!(judge(&new, &policy()), Verdict::Undecided);
    }

    #[test]
    fn comparability_comes_before_the_effect() {
        let no = Comparability::No("rustc differs".to_owned());
        let pair = Pair { comparability: no, ..counts(1_000, 9_000) };
        let reason = Verdict::Incomparable("rustc differs".to_owned());
        assert_eq!(judge(&pair, &policy()), reason);
        let comparability = Comparability::Unpaired("two times".to_owned());
        let pair = Pair { comparability, ..times(Metric::WallTime, 8.0, 9.0) };
        assert_eq!(judge(&pair, &policy()), Verdict::Undecided);
    }

    #[test]
    fn a_time_is_judged_by_its_interval() {
        for (low, high, expected) in [
            (0.99, 1.01, Verdict::Unchanged),
            (1.03, 1.10, Verdict::Regressed),
            (0.90, 0.97, Verdict::Improved),
            (1.00, 1.10, Verdict::Undecided),
        ] {
            let verdict = judge(&times(Metric::WallTime, low, high), &policy());
            assert_eq!(verdict, expected, "{low} {high}");
        }
        let faster = judge(&times(Metric::ThroughputBytes, 1.03, 1.10), &policy());
        assert_eq!(faster, Verdict::Improved);
        let no_limit = judge(&times(Metric::Latency, 1.03, 1.10), &policy());
        assert_eq!(no_limit, Verdict::Undecided);
    }
}
