//! The rounds of one id out of a journal, as the judges want them.

use std::collections::BTreeMap;

use bench_core::judge::sequential::{Round, quiet, time_per_operation};

use crate::pairs::journal::Journal;
use crate::pairs::round::Round as Recorded;
use crate::pairs::slice::Slice;

/// Longer than any round: what lies between two lines is a pause of the recorder.
const PAUSE_MS: u64 = 20_000;

/// What two clocks differ by when nobody slept.
const SUSPENDED_NS: u64 = 1_000_000;

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
    /// Rounds left out because the machine was suspended or a burst of its time was stolen.
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
    let judged: Vec<&Recorded> =
        recorded.iter().map(|(round, _)| *round).filter(|round| round.round > 0).collect();
    let stolen: Vec<f64> = judged.iter().map(|round| round.steal_ticks as f64).collect();
    let quiet = quiet(&stolen);
    let mut series = Series { slice_seconds: slice_seconds(recorded), ..Series::default() };
    for (round, quiet) in judged.into_iter().zip(quiet) {
        if !quiet || round.suspended_ns > SUSPENDED_NS {
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
