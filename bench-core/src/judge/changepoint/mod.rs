//! When a series changed its level: E-divisive segmentation with a t-test for significance.
//!
//! The divergence that proposes a place is that of Matteson and James, *A Nonparametric Approach
//! for Multiple Change Point Analysis of Multivariate Data* (2014). What makes it deterministic
//! and usable on short histories is from Fleming et al., *Hunter: Using Change Point Detection to
//! Hunt for Performance Regressions* (2023): Student's t-test in place of permutations, windows,
//! and weak points that are merged afterwards. Where the paper leaves a choice, Apache Otava 0.8,
//! its successor, made it, and this does the same: `tests/judge_change_points.rs` compares the points.
//!
//! 1. **Windows.** `window` values at a time, from the last point that was found in the window
//!    before or half a window further, whichever is later.
//! 2. **Divide.** The strongest candidate of the window that `divergence` proposes becomes a weak
//!    point if the t-test between its two sides says `p ≤ 10 × max_p_value`; its two sides are
//!    then divided in turn. The first candidate that is not significant ends the window.
//! 3. **Merge.** Points of all windows are tested again, each between its two neighbours. The one
//!    with the highest `p` is taken out while that is not below `max_p_value`, then the one with
//!    the smallest change while that is not above `min_change`; what it separated becomes one.

mod divergence;
mod merge;
mod t_test;

use std::collections::BTreeSet;

use divergence::Divergence;
use t_test::Means;

/// How sure and how large a change has to be.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Settings {
    /// How many values are looked at together, at least 2. More see smaller changes and miss short
    /// ones. Memory goes with its square: 10 KB for 50, 4 MB for 1,000.
    pub window: usize,
    /// The probability below which a difference is no accident, above 0 and at most 1.
    pub max_p_value: f64,
    /// The relative change that a point must exceed, at least 0: 0.01 is one per cent.
    pub min_change: f64,
}

impl Settings {
    /// What Apache Otava does when nobody asks for anything else.
    pub const OTAVA: Self = Self { window: 50, max_p_value: 0.001, min_change: 0.0 };

    /// The first pass is more easily convinced: a point that its window hardly shows may turn out
    /// to be significant between its neighbours, and one that is never looked at cannot.
    fn weak_p_value(self) -> f64 {
        match self.max_p_value {
            p if p < 0.05 => 10.0 * p,
            p if p < 0.5 => 2.0 * p,
            p => p,
        }
    }
}

/// A place at which the level of a series changed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ChangePoint {
    /// The first value of the new level, counted from 0; never 0 itself.
    pub index: usize,
    /// The mean from the change before, or from the start, up to this one.
    pub before: f64,
    /// The mean from this change up to the next one, or to the end.
    pub after: f64,
    /// How many values `before` and `after` are means of.
    pub values: (usize, usize),
    /// How probable such a difference is between two pieces of one level, by the t-test. Rarely
    /// above the `max_p_value` asked for: then the point convinced while the next one was nearer.
    pub p_value: f64,
}

impl ChangePoint {
    /// `after / before`; `None` where the level was zero.
    pub fn ratio(&self) -> Option<f64> {
        (self.before != 0.0).then(|| self.after / self.before)
    }

    /// The relative change seen from the side from which it is larger, so that a fall to a half
    /// weighs as much as its way back: `max(|after / before - 1|, |before / after - 1|)`. A side
    /// that is zero says nothing.
    pub fn magnitude(&self) -> f64 {
        let seen = |from: f64, to: f64| if from == 0.0 { 0.0 } else { (to / from - 1.0).abs() };
        seen(self.before, self.after).max(seen(self.after, self.before))
    }
}

/// The change points of a series, in its order, each with its statistics between its neighbours.
///
/// The same series gives the same points, on every machine. A series that never changes has none,
/// and so has one of fewer than three values. Values whose squares overflow are not told apart.
/// Takes time in proportion to values times window.
///
/// *Not promised:* that the spread is normal, as the t-test has it; that a change in spread alone
/// is found; that one in the last few values is found before more of them are there.
///
/// ```
/// use bench_core::judge::changepoint::{Settings, change_points};
/// let series = [10.0, 10.2, 9.9, 10.1, 10.0, 12.1, 11.9, 12.0, 12.2, 12.0];
/// let points = change_points(&series, Settings::OTAVA);
/// assert_eq!(points.iter().map(|point| point.index).collect::<Vec<_>>(), [5]);
/// ```
///
/// # Panics
/// When a value is not finite, or a setting is outside of its bounds.
pub fn change_points(series: &[f64], settings: Settings) -> Vec<ChangePoint> {
    assert!(series.iter().all(|x| x.is_finite()), "a value of the series is not finite");
    assert!(settings.window >= 2, "a window of {} holds no change", settings.window);
    let p = settings.max_p_value;
    assert!(p > 0.0 && p <= 1.0, "probability {p} is not within 0 and 1");
    assert!(settings.min_change >= 0.0, "a change below zero is no size");
    let weak = weak_points(series, settings);
    merge::merge(series, &weak, settings)
}

/// The indices of the points of all windows.
fn weak_points(series: &[f64], settings: Settings) -> Vec<usize> {
    let mut found = BTreeSet::new();
    let mut divergence = Divergence::new(settings.window.min(series.len()));
    let mut from = 0;
    while from < series.len() {
        let to = series.len().min(from + settings.window);
        let points = divide(&series[from..to], &mut divergence, settings.weak_p_value());
        let last = points.last().map_or(0, |last| from + last);
        found.extend(points.into_iter().map(|index| from + index));
        from = last.max(from + settings.window / 2);
    }
    found.into_iter().collect()
}

/// A piece of a window and the place at which it is best divided.
struct Piece {
    from: usize,
    to: usize,
    candidate: usize,
    strength: f64,
}

/// Divides a window for as long as its strongest candidate is significant.
fn divide(window: &[f64], divergence: &mut Divergence, max_p_value: f64) -> Vec<usize> {
    divergence.load(window);
    let mut piece = |from, to| {
        let (candidate, strength) = divergence.strongest(from, to)?;
        Some(Piece { from, to, candidate, strength })
    };
    let mut found = Vec::new();
    let mut pieces: Vec<Piece> = piece(0, window.len()).into_iter().collect();
    while let Some(at) = strongest(&pieces) {
        let Piece { from, to, candidate, .. } = pieces[at];
        let means = Means::of(&window[from..candidate], &window[candidate..to]);
        if means.p_value() > max_p_value {
            break;
        }
        found.push(candidate);
        // In their place, so that of equally strong pieces the first is always the leftmost.
        pieces
            .splice(at..=at, [piece(from, candidate), piece(candidate, to)].into_iter().flatten());
    }
    found.sort_unstable();
    found
}

/// The first of the strongest pieces.
fn strongest(pieces: &[Piece]) -> Option<usize> {
    let later_wins_ties =
        |a: &usize, b: &usize| pieces[*a].strength.total_cmp(&pieces[*b].strength);
    (0..pieces.len()).rev().max_by(later_wins_ties)
}
