//! The opinion: what a policy says about a pair, and how opinions on many pairs become one.

use super::comparable::Comparability;
use super::compare::{Effect, Pair};
use super::policy::{Limit, Policy};
use crate::record::{Data, Metric};

/// What became of a number, or of all numbers of a run.
///
/// Verdicts form a lattice; [`join`](Self::join) takes the lowest one that is above both:
///
/// ```text
///              Mixed
///             /     \
///            |    Missing
///            |       |
///            |  Incomparable   the smaller reason is above the larger
///        Regressed   |
///            |    Undecided
///            |       |
///            |    Improved
///             \     /
///            Unchanged
/// ```
///
/// A regression stands on a side of its own, so nothing on the other side hides it: whatever it is
/// joined with, the result is `Regressed` or `Mixed`, and both are the exit code of a regression.
/// On the other side the less is known the higher: an improvement beside an id that was not
/// measured is no success, and what was not measured outranks what cannot be compared, because
/// it is the mistake that a quiet gate makes.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Verdict {
    /// Better by more than the limit.
    Improved,
    /// Within the limit.
    Unchanged,
    /// Worse by more than the limit.
    Regressed,
    /// A regression, and beside it an improvement or something without a verdict. Never of one
    /// pair.
    Mixed,
    /// The evidence does not suffice.
    Undecided,
    /// Something that was to be measured was not.
    Missing,
    /// The two numbers say nothing about each other, and why.
    Incomparable(String),
}

/// Which way is better.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// Less is better: instructions, time, errors.
    Lower,
    /// More is better: throughput, operations done.
    Higher,
}

impl Verdict {
    /// The lowest verdict above both. Commutative, associative, idempotent.
    #[must_use]
    pub fn join(self, other: Self) -> Self {
        use Verdict::{Incomparable, Mixed, Regressed, Unchanged};
        match (self, other) {
            (Incomparable(a), Incomparable(b)) => Incomparable(a.min(b)),
            (a, b) if a == b => a,
            (Unchanged, other) | (other, Unchanged) => other,
            (Mixed | Regressed, _) | (_, Mixed | Regressed) => Mixed,
            (a, b) if a.ignorance() >= b.ignorance() => a,
            (_, b) => b,
        }
    }

    /// The join of all; `Missing` where there is none, since nothing was measured.
    pub fn join_all(verdicts: impl IntoIterator<Item = Self>) -> Self {
        verdicts.into_iter().reduce(Self::join).unwrap_or(Self::Missing)
    }

    /// Whether a regression is in it.
    pub const fn is_regression(&self) -> bool {
        matches!(self, Self::Regressed | Self::Mixed)
    }

    /// Height on the side of the lattice that has no regression.
    const fn ignorance(&self) -> u8 {
        match self {
            Self::Missing => 4,
            Self::Incomparable(_) => 3,
            Self::Undecided => 2,
            Self::Improved => 1,
            Self::Unchanged | Self::Regressed | Self::Mixed => 0,
        }
    }
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
            match by_limit(effect, limit, better) {
                Verdict::Improved | Verdict::Regressed if !pair.gates() => Verdict::Undecided,
                verdict => verdict,
            }
        }
        _ => by_interval(effect, limit, better),
    }
}

fn by_limit(effect: Effect, limit: Limit, better: Direction) -> Verdict {
    let change = effect.head - effect.base;
    if change.abs() <= limit.bound(effect.base) {
        return Verdict::Unchanged;
    }
    changed(change > 0.0, better)
}

fn by_interval(effect: Effect, limit: Limit, better: Direction) -> Verdict {
    let Some(interval) = effect.interval else { return Verdict::Undecided };
    // Base is not zero here: a ratio to zero has no interval.
    let bound = limit.bound(effect.base) / effect.base;
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
