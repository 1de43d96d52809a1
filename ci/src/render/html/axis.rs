//! Axes of charts: where values lie, and which of them are named. All a browser gets are places on
//! straight axes and their names; what a logarithm is and how a number is written stays here.

use serde::Serialize;

use crate::render::number;

/// A logarithmic axis covers at least this ratio.
const RATIO_MIN: f64 = 3.0;
/// What powers of ten are multiplied with for ticks, coarse to fine: the last gives three or more
/// over any ratio of [`RATIO_MIN`].
const FACTORS: [&[f64]; 3] = [&[1.0], &[1.0, 2.0, 5.0], &[1.0, 1.5, 2.0, 3.0, 4.0, 5.0, 7.0]];
/// A straight axis has about this many named values.
const TICKS: f64 = 6.0;

/// Where values lie, and which of them are named.
#[derive(Clone, Debug)]
pub(super) struct Axis {
    low: f64,
    high: f64,
    place: fn(f64) -> f64,
    ticks: Vec<(f64, String)>,
}

impl Axis {
    /// A logarithmic axis around the values, with ticks at powers of ten and, where those are
    /// few, between them. Values must be above zero.
    pub(super) fn log(values: impl Iterator<Item = f64>, name: fn(f64) -> String) -> Self {
        let (low, high) = bounds(values);
        // Values that are all alike must not look wild.
        let room = (RATIO_MIN * low / high).sqrt().max(1.15);
        let (low, high) = (low / room, high * room);
        let finer = FACTORS.into_iter().map(|factors| decimal(low, high, factors));
        let ticks = finer.into_iter().find(|ticks| ticks.len() >= 3).unwrap_or_default();
        // Over many decades only some get a name.
        let every = ticks.len().div_ceil(7).max(1);
        let ticks = ticks.into_iter().step_by(every).map(|tick| (tick, name(tick))).collect();
        Self { low, high, place: f64::ln, ticks }
    }

    /// As [`log`](Self::log), with ticks at powers of two: binary units are round there.
    pub(super) fn binary(values: impl Iterator<Item = f64>, name: fn(f64) -> String) -> Self {
        let axis = Self::log(values, name);
        let powers = axis.low.log2().ceil() as i32..=axis.high.log2().floor() as i32;
        let step = powers.clone().count().div_ceil(7).max(1);
        let ticks = powers.filter(|power| power.rem_euclid(step as i32) == 0);
        let ticks = ticks.map(|power| 2_f64.powi(power)).map(|tick| (tick, name(tick)));
        Self { ticks: ticks.collect(), ..axis }
    }

    /// A logarithmic axis of steps that have a name each.
    pub(super) fn steps(steps: Vec<(f64, String)>) -> Self {
        let (low, high) = bounds(steps.iter().map(|(value, _)| *value));
        let every = steps.len().div_ceil(8).max(1);
        Self { low, high, place: f64::ln, ticks: steps.into_iter().step_by(every).collect() }
    }

    /// An axis of percentiles, each further nine as wide as the one before.
    pub(super) fn percentiles(named: &[f64]) -> Self {
        let place: fn(f64) -> f64 = |percentile| -(1.0 - percentile / 100.0).log10();
        let (low, high) = bounds(named.iter().copied());
        let ticks =
            named.iter().map(|percentile| (*percentile, format!("p{percentile}"))).collect();
        Self { low, high, place, ticks }
    }

    /// A straight axis from the lowest value to the highest, with ticks at round values.
    pub(super) fn straight(values: impl Iterator<Item = f64>, name: fn(f64) -> String) -> Self {
        let (low, high) = bounds(values);
        // Values that are all alike need some room around them.
        let pad = if high > low { 0.0 } else { high.abs().max(1.0) * 0.01 };
        let (low, high) = (low - pad, high + pad);
        let step = round_step((high - low) / TICKS);
        let first = (low / step).ceil() as i64;
        let last = (high / step).floor() as i64;
        let ticks = (first..=last).map(|n| n as f64 * step).map(|tick| (tick, name(tick)));
        Self { low, high, place: |value| value, ticks: distinct(ticks.collect()) }
    }

    /// The place of a value on the axis as it is drawn.
    pub(super) fn at(&self, value: f64) -> f64 {
        (self.place)(value)
    }

    /// Where it ends.
    pub(super) fn high(&self) -> f64 {
        self.high
    }

    /// The axis as the browser gets it.
    pub(super) fn drawn(&self) -> Drawn {
        let ticks = self.ticks.iter().map(|(v, name)| (self.at(*v), number::round(name)));
        Drawn { low: self.at(self.low), high: self.at(self.high), ticks: ticks.collect() }
    }
}

/// An axis as the browser gets it: straight, with the places that have a name.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(super) struct Drawn {
    pub(super) low: f64,
    pub(super) high: f64,
    pub(super) ticks: Vec<(f64, String)>,
}

/// The round step that is nearest above: 1, 2 or 5 times a power of ten.
fn round_step(step: f64) -> f64 {
    let power = 10_f64.powf(step.log10().floor());
    let factor = [1.0, 2.0, 5.0].into_iter().find(|factor| factor * power >= step * 0.999);
    factor.unwrap_or(10.0) * power
}

/// Without names that stand twice: three digits do not tell near values apart, and a name that is
/// right for neither is worse than none.
fn distinct(ticks: Vec<(f64, String)>) -> Vec<(f64, String)> {
    let twice = ticks.windows(2).any(|two| two[0].1 == two[1].1);
    if !twice {
        return ticks;
    }
    let mut ends = vec![ticks[0].clone()];
    ends.extend(ticks.last().filter(|last| last.1 != ticks[0].1).cloned());
    ends
}

fn bounds(values: impl Iterator<Item = f64>) -> (f64, f64) {
    let all = values.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| {
        (low.min(value), high.max(value))
    });
    if all.0.is_finite() && all.1.is_finite() { all } else { (1.0, 10.0) }
}

/// The powers of ten between the two, times each of the factors.
fn decimal(low: f64, high: f64, factors: &[f64]) -> Vec<f64> {
    let decades = low.log10().floor() as i32..=high.log10().ceil() as i32;
    let ticks = decades.flat_map(|decade| factors.iter().map(move |f| f * 10_f64.powi(decade)));
    ticks.filter(|tick| (low..=high).contains(tick)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(axis: &Axis) -> Vec<&str> {
        axis.ticks.iter().map(|(_, name)| name.as_str()).collect()
    }

    #[test]
    fn axes_name_what_lies_on_them() {
        let wide = Axis::log([1.0, 1e6].into_iter(), number::time);
        assert_eq!(names(&wide).len(), 7);
        let narrow = Axis::log([3.0, 30.0].into_iter(), number::time);
        assert_eq!(names(&narrow), ["5.00 ns", "10.0 ns", "20.0 ns"]);
        for value in [1.0, 1.7, 3.1, 6.4, 9.9] {
            let same = Axis::log([value].into_iter(), number::time);
            assert!(names(&same).len() >= 3, "{value}: {:?}", names(&same));
        }
        assert_eq!(names(&Axis::percentiles(&[50.0, 99.9])), ["p50", "p99.9"]);
    }

    #[test]
    fn straight_axes_have_round_ticks_within() {
        let axis = Axis::straight([103.0, 161.0].into_iter(), number::time);
        assert_eq!(names(&axis), ["110 ns", "120 ns", "130 ns", "140 ns", "150 ns", "160 ns"]);
        let same = Axis::straight([7.0, 7.0].into_iter(), number::time);
        assert!(same.low < 7.0 && same.high > 7.0 && !same.ticks.is_empty());
        let steps = [0.17, 1.0, 2.1, 4.9, 7.0].map(round_step);
        assert_eq!(steps, [0.2, 1.0, 5.0, 5.0, 10.0]);
    }

    #[test]
    fn no_two_ticks_have_one_name() {
        let close = Axis::straight([10_001.0, 10_002.0].into_iter(), number::time);
        let names = names(&close);
        assert!(names.windows(2).all(|two| two[0] != two[1]), "{names:?}");
    }

    #[test]
    fn half_way_on_a_logarithmic_axis_is_half_way_in_powers() {
        let axis = Axis::steps(vec![(1024.0, "1KiB".into()), (4096.0, "4KiB".into())]);
        let drawn = axis.drawn();
        assert!((axis.at(2048.0) - (drawn.low + drawn.high) / 2.0).abs() < 1e-9);
        assert_eq!(drawn.ticks[0], (drawn.low, "1KiB".to_owned()));
    }

    #[test]
    fn no_value_is_an_axis_too() {
        let none = Axis::log(std::iter::empty(), number::time).drawn();
        assert!(none.low < none.high && none.low.is_finite());
    }
}
