//! Comparisons replayed from a series: from many places on, round by round, until there is a
//! verdict or the budget is spent.

use bench_core::judge::Verdict;
use bench_core::judge::sequential::{Round, Rule, Trial};

use super::series::Series;

/// Two arms that are compared, the base first.
pub(crate) type Arms = (char, char);

/// One comparison.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Replay {
    pub(crate) ending: Ending,
    /// Rounds looked at.
    pub(crate) rounds: usize,
    /// What measuring them cost.
    pub(crate) seconds: f64,
}

/// How a comparison ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    Regressed,
    Improved,
    Unchanged,
    /// The budget was spent first.
    Undecided,
}

/// How many comparisons ended how.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Tally {
    pub(crate) all: usize,
    pub(crate) regressed: usize,
    pub(crate) improved: usize,
    pub(crate) unchanged: usize,
    /// The median, of those with a verdict.
    pub(crate) seconds: Option<f64>,
}

/// Where the next comparison begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// So many rounds after the one before, whatever that one looked at.
    Rounds(usize),
    /// Behind the last round that the one before looked at.
    Disjoint,
}

/// Every comparison of these arms. One whose rounds end before there is a verdict and before its
/// budget is spent says nothing, and is none.
pub(crate) fn replays(
    series: &Series,
    (base, head): Arms,
    rule: Rule,
    seconds: f64,
    step: Step,
) -> Vec<Replay> {
    let rounds = series.pairs(base, head);
    let (mut start, mut replays) = (0, Vec::new());
    while start < rounds.len() {
        let replay = replay(&rounds[start..], rule, seconds, series.round_seconds());
        start += match (step, &replay) {
            (Step::Rounds(rounds), _) => rounds.max(1),
            (Step::Disjoint, Some(replay)) => replay.rounds,
            (Step::Disjoint, None) => rounds.len(),
        };
        replays.extend(replay);
    }
    replays
}

fn replay(rounds: &[Round], rule: Rule, seconds: f64, round_seconds: f64) -> Option<Replay> {
    // Not even one round of a budget that is smaller than its cost.
    let budget = ((seconds / round_seconds).floor() as usize).max(1);
    let mut trial = Trial::new(rule);
    let mut seen = rounds.iter().take(budget);
    let verdict = seen.find_map(|&round| trial.push(round).cloned());
    let looked_at = rounds.len().min(budget) - seen.len();
    let ending = match verdict {
        Some(Verdict::Regressed) => Ending::Regressed,
        Some(Verdict::Improved) => Ending::Improved,
        Some(_) => Ending::Unchanged,
        None if looked_at < budget => return None,
        None => Ending::Undecided,
    };
    Some(Replay { ending, rounds: looked_at, seconds: looked_at as f64 * round_seconds })
}

impl Tally {
    pub(crate) fn of(replays: &[Replay]) -> Self {
        let number = |ending| replays.iter().filter(|replay| replay.ending == ending).count();
        let decided = replays.iter().filter(|replay| replay.ending != Ending::Undecided);
        let seconds: Vec<f64> = decided.map(|replay| replay.seconds).collect();
        Self {
            all: replays.len(),
            regressed: number(Ending::Regressed),
            improved: number(Ending::Improved),
            unchanged: number(Ending::Unchanged),
            seconds: (!seconds.is_empty()).then(|| bench_core::judge::stats::median(&seconds)),
        }
    }

    /// Verdicts that are false when both arms are equal.
    pub(crate) fn changed(&self) -> usize {
        self.regressed + self.improved
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::super::series::{SLICES, Times};
    use super::*;

    /// Rounds that scatter by a thousandth, with arm `d` slower by `slower`.
    fn series(rounds: usize, slower: f64) -> Series {
        let noise = |seed: usize| (seed as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 44;
        let time = |seed: usize| 1e6 * (1.0 + (noise(seed) % 1_000) as f64 / 1e6);
        let one = |index: usize| Times {
            by_arm: [('a', time(index)), ('d', time(index + 5_000) * (1.0 + slower))].into(),
            batches: BTreeMap::new(),
        };
        let rounds = (0..rounds).map(one).collect();
        Series { rounds, slice_seconds: 1.0 / SLICES, ..Series::default() }
    }

    fn rule() -> Rule {
        let margin = 0.005;
        Rule { alpha: 0.01, alpha_unchanged: 0.05, margin, floor_ns: 0.0, rounds_min: 20 }
    }

    #[test]
    fn every_start_is_a_comparison_of_its_own() {
        let replays = replays(&series(500, 0.02), ('a', 'd'), rule(), 100.0, Step::Rounds(50));
        assert!(replays.len() >= 8, "{}", replays.len());
        assert!(replays.iter().all(|replay| replay.ending == Ending::Regressed));
        assert!(replays.iter().all(|replay| replay.rounds as f64 == replay.seconds));
        let tally = Tally::of(&replays);
        assert_eq!((tally.all, tally.changed()), (replays.len(), replays.len()));
    }

    #[test]
    fn equal_arms_are_unchanged_and_what_has_no_end_is_no_comparison() {
        let replays = replays(&series(300, 0.0), ('a', 'd'), rule(), 200.0, Step::Rounds(15));
        assert!(replays.iter().all(|replay| replay.ending == Ending::Unchanged), "{replays:?}");
        assert!(replays.len() < 20, "the last ones have too few rounds");
    }

    #[test]
    fn disjoint_comparisons_share_no_round() {
        let series = series(300, 0.0);
        let replays = replays(&series, ('a', 'd'), rule(), 200.0, Step::Disjoint);
        let seen: usize = replays.iter().map(|replay| replay.rounds).sum();
        assert!(replays.len() > 5 && seen <= 300, "{replays:?}");
    }

    #[test]
    fn a_budget_that_is_spent_leaves_it_undecided() {
        let replays = replays(&series(100, 0.0), ('a', 'd'), rule(), 10.0, Step::Rounds(10));
        assert_eq!(replays.len(), 10);
        assert!(replays.iter().all(|replay| replay.ending == Ending::Undecided));
        assert_eq!(Tally::of(&replays).seconds, None);
    }
}
