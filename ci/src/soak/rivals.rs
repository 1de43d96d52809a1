//! What others say to the same rounds, from the same places on.

use bench_core::judge::Verdict;
use bench_core::judge::rival;
use bench_core::judge::sequential::Round;

use super::series::Series;
use super::trials::Arms;

/// Rounds of ten batches that make criterion's hundred samples.
const ROUNDS: usize = 10;
/// criterion takes a hundred times as many; see [`rival::criterion()`] for what that moves.
const RESAMPLES: usize = 1_000;
const SEED: u64 = 42;
/// Who is asked. Those who know no rounds get the base first and the head after it, as from their
/// users.
pub(crate) const NAMES: [&str; 4] = [
    "criterion, one side after the other",
    "critcmp -t 10, one side after the other",
    "paired t-test at the end of the budget",
    "paired t-test, looked at after every round",
];

/// How often one of them said what.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Said {
    pub(crate) all: usize,
    pub(crate) regressed: usize,
    pub(crate) improved: usize,
}

/// What each of [`NAMES`] said.
pub(crate) type Opinions = [Said; NAMES.len()];

impl Said {
    fn add(&mut self, verdict: &Verdict) {
        self.all += 1;
        self.regressed += usize::from(*verdict == Verdict::Regressed);
        self.improved += usize::from(*verdict == Verdict::Improved);
    }

    /// The sum of two tallies.
    pub(crate) fn and(self, other: Self) -> Self {
        Self {
            all: self.all + other.all,
            regressed: self.regressed + other.regressed,
            improved: self.improved + other.improved,
        }
    }
}

/// Everyone's opinion of these arms, from every `stride`-th round on, where there are rounds enough.
pub(crate) fn opinions(
    series: &Series,
    (base, head): Arms,
    seconds: f64,
    stride: usize,
) -> Opinions {
    let mut said = Opinions::default();
    let pairs = series.pairs(base, head);
    let budget = ((seconds / series.round_seconds()).floor() as usize).max(2);
    for start in (0..series.rounds.len()).step_by(stride.max(1)) {
        let from = batches(series, base, start);
        let to = batches(series, head, start + ROUNDS);
        if let (Some(from), Some(to)) = (from, to) {
            said[0].add(&rival::criterion(&from, &to, RESAMPLES, SEED));
            said[1].add(&rival::critcmp(&from, &to));
        }
        if let Some(rounds) = pairs.get(start..start.saturating_add(budget)) {
            let ratios: Vec<f64> = rounds.iter().map(|round: &Round| round.log_ratio()).collect();
            said[2].add(&rival::paired_at_end(&ratios));
            said[3].add(&rival::paired_while_looking(&ratios));
        }
    }
    said
}

/// The averages of all batches of an arm in ten rounds; `None` where the rounds end before.
fn batches(series: &Series, arm: char, start: usize) -> Option<Vec<f64>> {
    let rounds = series.rounds.get(start..start + ROUNDS)?;
    let of_arm = rounds.iter().filter_map(|round| round.batches.get(&arm));
    let all: Vec<f64> = of_arm.flatten().copied().collect();
    (all.len() > 1).then_some(all)
}

/// Adds up what was said of several pairs of arms or ids.
pub(crate) fn sum(opinions: impl Iterator<Item = Opinions>) -> Opinions {
    let add = |sum: Opinions, one: Opinions| std::array::from_fn(|i| sum[i].and(one[i]));
    opinions.fold(Opinions::default(), add)
}

#[cfg(test)]
mod tests {
    use super::super::series::{SLICES, Times};
    use super::*;

    fn series(rounds: usize, slower: f64) -> Series {
        let noise = |seed: usize| (seed as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 44;
        let time = |seed: usize| 1e6 * (1.0 + (noise(seed) % 1_000) as f64 / 1e5);
        let one = |index: usize| {
            let (a, d) = (time(index), time(index + 5_000) * (1.0 + slower));
            let batches = |centre: f64, salt: usize| {
                (0..10).map(|i| centre + time(salt + i) / 1e3).collect::<Vec<f64>>()
            };
            Times {
                by_arm: [('a', a), ('d', d)].into(),
                batches: [('a', batches(a, index)), ('d', batches(d, index + 99))].into(),
            }
        };
        let rounds = (0..rounds).map(one).collect();
        Series { rounds, slice_seconds: 1.0 / SLICES, ..Series::default() }
    }

    #[test]
    fn everyone_sees_a_fifth_and_those_with_a_threshold_miss_a_fiftieth() {
        let of = |slower| opinions(&series(60, slower), ('a', 'd'), 30.0, 10);
        let fifth = of(0.2);
        assert!(fifth.iter().all(|said| said.all > 0 && said.regressed == said.all), "{fifth:?}");
        let fiftieth = of(0.02);
        assert_eq!((fiftieth[1].regressed, fiftieth[2].regressed), (0, fiftieth[2].all));
    }

    #[test]
    fn where_rounds_end_nobody_says_anything() {
        assert_eq!(opinions(&series(15, 0.0), ('a', 'd'), 60.0, 5), Opinions::default());
    }

    #[test]
    fn tallies_add_up() {
        let one = opinions(&series(60, 0.2), ('a', 'd'), 30.0, 10);
        let both = sum([one, one].into_iter());
        assert_eq!(both[0].all, 2 * one[0].all);
    }
}
