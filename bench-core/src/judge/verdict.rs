//! The opinion, and how opinions on many pairs become one.

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

    /// The one word for it, in tables and for scripts.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Improved => "improved",
            Self::Unchanged => "unchanged",
            Self::Regressed => "regressed",
            Self::Mixed => "mixed",
            Self::Undecided => "undecided",
            Self::Missing => "missing",
            Self::Incomparable(_) => "incomparable",
        }
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn any_verdict() -> impl Strategy<Value = Verdict> {
        prop_oneof![
            Just(Verdict::Improved),
            Just(Verdict::Unchanged),
            Just(Verdict::Regressed),
            Just(Verdict::Mixed),
            Just(Verdict::Undecided),
            Just(Verdict::Missing),
            "[a-c]{0,2}".prop_map(Verdict::Incomparable),
        ]
    }

    proptest! {
        #[test]
        fn verdicts_are_a_lattice(a in any_verdict(), b in any_verdict(), c in any_verdict()) {
            let join = |a: &Verdict, b: &Verdict| a.clone().join(b.clone());
            prop_assert_eq!(join(&a, &a), a.clone());
            prop_assert_eq!(join(&a, &b), join(&b, &a));
            prop_assert_eq!(join(&join(&a, &b), &c), join(&a, &join(&b, &c)));
            prop_assert_eq!(join(&Verdict::Unchanged, &a), a.clone());
            prop_assert_eq!(join(&Verdict::Mixed, &a), Verdict::Mixed);
        }

        #[test]
        fn nothing_hides_a_regression(verdicts in proptest::collection::vec(any_verdict(), 0..8)) {
            let regressed = verdicts.iter().any(Verdict::is_regression);
            prop_assert_eq!(Verdict::join_all(verdicts).is_regression(), regressed);
        }
    }

    #[test]
    fn joins_as_drawn() {
        use Verdict::{Improved, Missing, Mixed, Regressed, Undecided};
        let incomparable = |reason: &str| Verdict::Incomparable(reason.to_owned());
        assert_eq!(Improved.join(Regressed), Mixed);
        assert_eq!(Regressed.join(incomparable("a")), Mixed);
        assert_eq!(Missing.join(incomparable("a")), Missing);
        assert_eq!(Undecided.join(incomparable("a")), incomparable("a"));
        assert_eq!(incomparable("b").join(incomparable("a")), incomparable("a"));
        assert_eq!(Improved.join(Undecided), Undecided);
        assert_eq!(Verdict::join_all([]), Missing);
    }
}
