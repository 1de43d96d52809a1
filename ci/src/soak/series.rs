//! The rounds of one id out of a journal, as the judges want them.

use std::collections::BTreeMap;

use bench_core::judge::sequential::{Round, time_per_operation};

use crate::pairs::journal::Journal;
use crate::pairs::round::Round as Recorded;
use crate::pairs::slice::Slice;
use crate::pairs::watch::Watch;

/// Longer than any round: what lies between two lines is a pause of the recorder.
const PAUSE_MS: u64 = 20_000;

/// Slices of a round of a live comparison: both sides, and every fourth time a copy of the base.
pub(crate) const SLICES: f64 = 2.25;

/// One round of all arms.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Times {
    /// Nanoseconds per operation, by arm.
    pub(crate) by_arm: BTreeMap<char, f64>,
    /// The averages of the batches, by arm: what the judges of others take.
    pub(crate) batches: BTreeMap<char, Vec<f64>>,
}

/// The rounds of one id in the order they were measured.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Series {
    pub(crate) rounds: Vec<Times>,
    /// What one slice costs, start of its process included: seconds.
    pub(crate) slice_seconds: f64,
    /// Rounds left out as a live comparison leaves them out.
    pub(crate) discarded: usize,
    /// Rounds in which a slice failed.
    pub(crate) failed: usize,
}

impl Times {
    fn of(recorded: &Recorded) -> Option<Self> {
        let mut times = Self { by_arm: BTreeMap::new(), batches: BTreeMap::new() };
        for (&arm, slice) in &recorded.slices {
            let Slice::Samples(samples) = slice else { return None };
            let time = time_per_operation(&samples.iterations, &samples.values)?;
            let averages = samples.values.iter().zip(&samples.iterations);
            let averages = averages.map(|(ns, &count)| ns / count as f64).collect();
            times.by_arm.insert(arm, time);
            times.batches.insert(arm, averages);
        }
        Some(times)
    }
}

impl Series {
    /// The pair of two arms in each round.
    pub(crate) fn pairs(&self, base: char, head: char) -> Vec<Round> {
        let pair = |times: &Times| Round::new(*times.by_arm.get(&base)?, *times.by_arm.get(&head)?);
        self.rounds.iter().filter_map(pair).collect()
    }

    /// What a round of a live comparison would have cost: seconds.
    pub(crate) fn round_seconds(&self) -> f64 {
        SLICES * self.slice_seconds
    }
}

/// Every id of the journal. The first round of an id is for warming up, and is left out.
pub(crate) fn series(journal: &Journal) -> BTreeMap<String, Series> {
    let mut recorded: BTreeMap<&str, Vec<(&Recorded, u64)>> = BTreeMap::new();
    let mut before = None;
    for round in &journal.rounds {
        let since = before.map_or(0, |at| round.at_ms.saturating_sub(at));
        let took = if round.took_ms > 0 { round.took_ms } else { since };
        before = Some(round.at_ms);
        recorded.entry(&round.id).or_default().push((round, took));
    }
    recorded.into_iter().map(|(id, rounds)| (id.to_owned(), of_id(&rounds))).collect()
}

fn of_id(recorded: &[(&Recorded, u64)]) -> Series {
    let mut series = Series { slice_seconds: slice_seconds(recorded), ..Series::default() };
    let mut watch = Watch::default();
    for (round, _) in recorded.iter().filter(|(round, _)| round.round > 0) {
        if watch.take(round).is_some() {
            series.discarded += 1;
        } else if let Some(times) = Times::of(round) {
            series.rounds.push(times);
        } else {
            series.failed += 1;
        }
    }
    series
}

/// The mean over all rounds that no pause of the recorder lies in.
fn slice_seconds(recorded: &[(&Recorded, u64)]) -> f64 {
    let of_round = |(round, took): &(&Recorded, u64)| {
        let whole = (1..PAUSE_MS).contains(took) && !round.slices.is_empty();
        whole.then(|| *took as f64 / 1e3 / round.slices.len() as f64)
    };
    let seconds: Vec<f64> = recorded.iter().filter_map(of_round).collect();
    seconds.iter().sum::<f64>() / seconds.len().max(1) as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pairs::journal::Header;
    use crate::pairs::slice::{Samples, Settings};

    fn recorded(number: u32, slices: &[(char, Option<f64>)]) -> Recorded {
        let slice = |ns: Option<f64>| match ns {
            Some(ns) => Slice::Samples(Samples {
                iterations: vec![10, 20],
                values: vec![10.0 * ns, 22.0 * ns],
                bytes: None,
            }),
            None => Slice::Error("broke".to_owned()),
        };
        Recorded {
            id: "a/b".to_owned(),
            round: number,
            at_ms: 1_000 * u64::from(number),
            took_ms: 400,
            order: "ab".to_owned(),
            padding: 0,
            suspended_ns: 0,
            clock_set_ns: 0,
            steal_ticks: 0,
            probe_ns: 0,
            slices: slices.iter().map(|&(arm, ns)| (arm, slice(ns))).collect(),
        }
    }

    fn of(rounds: Vec<Recorded>) -> BTreeMap<String, Series> {
        let header = Header {
            journal: Header::VERSION,
            arms: BTreeMap::new(),
            executables: BTreeMap::new(),
            seed: 1,
            settings: Settings::default(),
            ids: BTreeMap::new(),
            extra_work: BTreeMap::new(),
            environment: bench_core::record::Environment::default(),
        };
        series(&Journal { header, rounds })
    }

    #[test]
    fn warming_up_suspended_and_failed_rounds_are_no_rounds() {
        let whole = [('a', Some(5.0)), ('b', Some(6.0))];
        let slept = Recorded { suspended_ns: 2_000_000_000, ..recorded(2, &whole) };
        let broke = recorded(3, &[('a', Some(5.0)), ('b', None)]);
        let series = of(vec![recorded(0, &whole), recorded(1, &whole), slept, broke]);
        let series = &series["a/b"];
        assert_eq!((series.rounds.len(), series.discarded, series.failed), (1, 1, 1));
        assert_eq!(series.rounds[0].by_arm, [('a', 5.0), ('b', 6.0)].into());
        assert_eq!(series.rounds[0].batches[&'a'], [5.0, 5.5]);
    }

    #[test]
    fn a_slice_costs_its_share_of_its_round() {
        let whole = [('a', Some(5.0)), ('b', Some(6.0))];
        let series = of(vec![recorded(0, &whole), recorded(1, &whole)]);
        assert!((series["a/b"].slice_seconds - 0.2).abs() < 1e-12);
        assert!((series["a/b"].round_seconds() - 0.2 * SLICES).abs() < 1e-12);
    }
}
