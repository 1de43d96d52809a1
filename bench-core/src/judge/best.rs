//! Which of several arms that were measured in turns is the best over all cells of a matrix.
//!
//! An arm is one way to do the same work, as a transport profile; a cell is one piece of work, as
//! reads of 64 MiB. In round `k` of cell `c` every arm took a time per operation, so that
//! `x = ln(time of the baseline / time of the arm)` is a ratio of two neighbours. An arm's score is
//! the geometric mean of its cells' ratios, `exp(mean over c of mean over k of x)`: twice as fast
//! in one cell and half as fast in another cancel out, and no cell counts for more because its
//! numbers are large (Fleming and Wallace 1986). Where it lies say Student's t and the scatter
//! between the rounds ([`mean_of_means_interval`]).
//!
//! The arithmetic mean of the MiB/s of whatever succeeded, which other tools take, lets the
//! largest numbers decide and rewards who fails where it is slow. So an arm that failed in a cell
//! or was not measured there is out, whatever it did elsewhere.
//!
//! The cells are those that somebody chose: the interval says nothing of others. Nor does it of
//! another link or machine; who recommends has to name it.

use std::collections::{BTreeMap, BTreeSet};

use super::stats::{Interval, mean_of_means, mean_of_means_interval};

/// All intervals together hold this often: each has an equal share of the error (Bonferroni).
const CONFIDENCE: f64 = 0.95;

/// What an arm did in a cell: its time per operation in each round, round by round, in any unit;
/// or why it failed.
pub type Trial = Result<Vec<f64>, String>;

/// One arm and all it did.
#[derive(Clone, Debug, PartialEq)]
pub struct Arm {
    /// Its name, as that of a profile.
    pub name: String,
    /// By cell.
    pub cells: BTreeMap<String, Trial>,
}

/// An arm that did everything it had to.
#[derive(Clone, Debug, PartialEq)]
pub struct Standing {
    /// Its name.
    pub name: String,
    /// How many times as fast as the baseline; 1 for the baseline.
    pub ratio: f64,
    /// Where the ratio lies; `None` where a cell has fewer than two rounds.
    pub interval: Option<Interval>,
}

/// An arm that did not, and the cells that threw it out, each with the reason.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Disqualified {
    /// Its name.
    pub name: String,
    /// Cell and reason.
    pub failures: Vec<(String, String)>,
}

/// How the arms stand.
#[derive(Clone, Debug, PartialEq)]
pub struct Ranking {
    /// What the ratios are to: the baseline that was asked for, or, where that one is disqualified
    /// or was not measured, the first arm that is not; `None` where every arm is.
    pub baseline: Option<String>,
    /// The highest ratio first.
    pub standings: Vec<Standing>,
    /// Who is out, in the order of the arms.
    pub disqualified: Vec<Disqualified>,
    /// How many of the standings, from the first on, nobody can tell from the best: those whose
    /// interval overlaps that of the first. 1 is a winner, more are a tie, 0 is nobody.
    pub tied: usize,
    /// Cells that the ratios are over.
    pub cells: usize,
}

/// Ranks the arms by their ratios to `baseline`. Where there is nothing to rank, nobody is best.
///
/// Rounds are paired by their number, up to the shorter of two; a cell without a round of both is
/// one that was not measured. Without an interval, of any of two, nobody can tell them apart.
///
/// # Panics
/// When a time is not finite or not above zero.
pub fn best(arms: &[Arm], baseline: &str) -> Ranking {
    let cells: BTreeSet<&String> = arms.iter().flat_map(|arm| arm.cells.keys()).collect();
    let mut qualified = Vec::new();
    let mut disqualified = Vec::new();
    for arm in arms {
        match times(arm, &cells) {
            Ok(times) => qualified.push((&arm.name, times)),
            Err(failures) => {
                disqualified.push(Disqualified { name: arm.name.clone(), failures });
            }
        }
    }
    let base = qualified.iter().find(|(name, _)| *name == baseline).or(qualified.first());
    let base = base.filter(|_| !cells.is_empty()).cloned();
    let others = qualified.len().saturating_sub(1).max(1);
    let confidence = 1.0 - (1.0 - CONFIDENCE) / others as f64;
    let mut standings = Vec::new();
    if let Some((base_name, base)) = &base {
        standings.extend(qualified.iter().map(|(name, own)| {
            let (ratio, interval) = if name == base_name {
                (1.0, Some(Interval { low: 1.0, high: 1.0, confidence }))
            } else {
                score(base, own, confidence)
            };
            Standing { name: (*name).clone(), ratio, interval }
        }));
    }
    standings.sort_by(|a, b| b.ratio.total_cmp(&a.ratio));
    let tied = bring_ties_forward(&mut standings);
    let baseline = base.map(|(name, _)| name.clone());
    Ranking { baseline, standings, disqualified, tied, cells: cells.len() }
}

/// The times of every cell, or why the arm is out.
fn times<'a>(
    arm: &'a Arm,
    cells: &BTreeSet<&String>,
) -> Result<Vec<&'a [f64]>, Vec<(String, String)>> {
    let mut failures = Vec::new();
    let mut times = Vec::new();
    for cell in cells {
        match arm.cells.get(*cell) {
            Some(Ok(rounds)) if !rounds.is_empty() => times.push(rounds.as_slice()),
            Some(Err(why)) => failures.push(((*cell).clone(), why.clone())),
            Some(Ok(_)) | None => failures.push(((*cell).clone(), "not measured".to_owned())),
        }
    }
    if failures.is_empty() { Ok(times) } else { Err(failures) }
}

/// The geometric mean of the ratios of two arms, and where it lies.
fn score(base: &[&[f64]], own: &[&[f64]], confidence: f64) -> (f64, Option<Interval>) {
    let ratios: Vec<Vec<f64>> =
        base.iter().zip(own).map(|(base, own)| log_ratios(base, own)).collect();
    let interval = mean_of_means_interval(&ratios, confidence).map(|log| Interval {
        low: log.low.exp(),
        high: log.high.exp(),
        confidence,
    });
    (mean_of_means(&ratios).exp(), interval)
}

/// `ln(base / own)` of each round that both have: above zero where `own` is the faster.
///
/// # Panics
/// When a time is not finite or not above zero.
pub fn log_ratios(base: &[f64], own: &[f64]) -> Vec<f64> {
    let log = |time: &f64| {
        assert!(time.is_finite() && *time > 0.0, "a time is not above zero");
        time.ln()
    };
    base.iter().zip(own).map(|(base, own)| log(base) - log(own)).collect()
}

/// Moves those that the first cannot be told from behind it, and counts them with it.
fn bring_ties_forward(standings: &mut [Standing]) -> usize {
    let Some(first) = standings.first().cloned() else { return 0 };
    let overlaps = |other: &Standing| match (first.interval, other.interval) {
        (Some(first), Some(other)) => other.high >= first.low && first.high >= other.low,
        _ => true,
    };
    standings.sort_by_key(|standing| !overlaps(standing));
    standings.iter().filter(|standing| overlaps(standing)).count()
}

impl Ranking {
    /// The best, by name: one, or several that nobody can tell apart.
    pub fn winners(&self) -> impl Iterator<Item = &str> {
        self.standings[..self.tied].iter().map(|standing| standing.name.as_str())
    }
}

#[cfg(test)]
#[path = "best_tests.rs"]
mod tests;
