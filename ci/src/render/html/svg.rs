//! Small drawings inside a table: how the samples of one id lie around their median, and how far
//! one moved.

use super::escape::Html;
use crate::render::view::Time;

const WIDTH: f64 = 220.0;
const HEIGHT: f64 = 22.0;
const MARGIN: f64 = 4.0;
/// Narrower axes would blow noise of a thousandth up to drama.
const REACH_MIN: f64 = 0.02;
/// Wider ones would squeeze all that matters into a dot.
const REACH_MAX: f64 = 1.0;
/// The share of a table's samples that lies on its axis; the rest is drawn at its end.
const COVERED: f64 = 0.95;

/// How far from the median the common axis of these strips reaches, as a fraction of it.
pub(super) fn reach<'a>(times: impl Iterator<Item = &'a Time>) -> f64 {
    let mut away: Vec<f64> = times.flat_map(|time| deviations(time).map(f64::abs)).collect();
    away.sort_by(f64::total_cmp);
    let last = ((away.len() as f64 * COVERED) as usize).min(away.len().saturating_sub(1));
    let reach = away.get(last).copied().unwrap_or(REACH_MIN).clamp(REACH_MIN, REACH_MAX);
    // A whole percentage reads better in the title; what is above it by rounding alone is not.
    (reach * 100.0 - 1e-9).ceil() / 100.0
}

/// One dot per sample, a band where the median lies, a stroke at the median. A sample beyond the
/// axis is a triangle at its end.
pub(super) fn strip(time: &Time, reach: f64) -> Html {
    let mut html = Html::default();
    html.raw(&format!(
        "<svg class=\"strip\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\"><title>"
    ));
    html.text(spread(time)).raw("</title>");
    let middle = HEIGHT / 2.0;
    let x = |deviation: f64| {
        let fraction = (deviation.clamp(-reach, reach) / reach + 1.0) / 2.0;
        MARGIN + fraction * (WIDTH - 2.0 * MARGIN)
    };
    html.raw(&format!("<path class=\"axis\" d=\"M{MARGIN} {middle}H{}\"/>", WIDTH - MARGIN));
    if let (Some((low, high)), true) = (time.interval, time.median > 0.0) {
        let (from, to) = (x(low / time.median - 1.0), x(high / time.median - 1.0));
        let width = (to - from).max(1.0);
        html.raw(&format!(
            "<rect class=\"band\" x=\"{from:.1}\" y=\"3\" width=\"{width:.1}\" height=\"16\"/>"
        ));
    }
    for (index, deviation) in deviations(time).enumerate() {
        let at = x(deviation);
        if deviation.abs() > reach {
            let tip = if deviation > 0.0 { -5 } else { 5 };
            html.raw(&format!("<path class=\"far\" d=\"M{at:.1} {middle}l{tip} -3.5v7z\"/>"));
        } else {
            // Equal samples would hide each other on one line.
            let y = middle + f64::from((index * 7 % 11) as u8) - 5.0;
            html.raw(&format!("<circle cx=\"{at:.1}\" cy=\"{y:.1}\" r=\"1.7\"/>"));
        }
    }
    html.raw(&format!("<path class=\"median\" d=\"M{:.1} 2V20\"/></svg>", x(0.0)));
    html
}

/// How far the common axis of these changes reaches to both sides, as a natural logarithm.
pub(super) fn change_reach(ratios: impl Iterator<Item = f64>) -> f64 {
    let far =
        ratios.filter(|ratio| *ratio > 0.0 && ratio.is_finite()).map(|ratio| ratio.ln().abs());
    far.fold(0.0, f64::max).clamp(REACH_MIN, REACH_MAX)
}

/// A stroke at no change, a bar from there to the change, whiskers where it may lie. `class` gives
/// the colour. On a logarithmic axis twice as fast is as far as twice as slow.
pub(super) fn change(ratio: f64, interval: Option<(f64, f64)>, reach: f64, class: &str) -> Html {
    let x = |ratio: f64| {
        let far = if ratio > 0.0 { ratio.ln() } else { -reach };
        MARGIN + ((far / reach).clamp(-1.0, 1.0) + 1.0) / 2.0 * (WIDTH - 2.0 * MARGIN)
    };
    let mut html = Html::default();
    html.raw(&format!("<svg class=\"change {class}\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" "));
    html.raw("aria-hidden=\"true\">");
    let (from, to) = (x(1.0).min(x(ratio)), x(1.0).max(x(ratio)));
    let width = (to - from).max(1.0);
    html.raw(&format!("<rect x=\"{from:.1}\" y=\"6\" width=\"{width:.1}\" height=\"10\"/>"));
    if let Some((low, high)) = interval {
        let (low, high) = (x(low), x(high));
        html.raw(&format!(
            "<path class=\"whisker\" d=\"M{low:.1} 11H{high:.1}M{low:.1} 7v8M{high:.1} 7v8\"/>"
        ));
    }
    html.raw(&format!("<path class=\"median\" d=\"M{:.1} 2V20\"/></svg>", x(1.0)));
    html
}

fn spread(time: &Time) -> String {
    let (low, high) = deviations(time).fold((0.0_f64, 0.0_f64), |(l, h), d| (l.min(d), h.max(d)));
    let count = time.samples.len();
    format!("{count} samples from {:+.1} % to {:+.1} % of the median", low * 100.0, high * 100.0)
}

fn deviations(time: &Time) -> impl Iterator<Item = f64> {
    let median = time.median;
    time.samples.iter().filter(move |_| median > 0.0).map(move |sample| sample / median - 1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn time(samples: &[f64]) -> Time {
        Time { median: 100.0, interval: Some((99.0, 101.0)), samples: samples.to_vec() }
    }

    #[test]
    fn the_axis_reaches_what_matters_and_no_outlier() {
        assert_eq!(reach([time(&[100.0; 9])].iter()), REACH_MIN);
        let mut samples = vec![100.0; 200];
        samples.extend([110.0; 20].into_iter().chain([5000.0]));
        assert_eq!(reach([time(&samples)].iter()), 0.1);
        assert_eq!(reach(std::iter::empty()), REACH_MIN);
    }

    #[test]
    fn every_sample_is_drawn_and_far_ones_otherwise() {
        let drawn = strip(&time(&[99.0, 100.0, 300.0]), 0.1).finish();
        assert_eq!(drawn.matches("<circle").count(), 2);
        assert_eq!(drawn.matches("class=\"far\"").count(), 1);
        assert!(drawn.contains("3 samples from -1.0 % to +200.0 %"), "{drawn}");
    }

    #[test]
    fn a_change_stays_on_its_axis() {
        let reach = change_reach([1.0, 1.1, 1e9, 0.0].into_iter());
        assert_eq!(reach, REACH_MAX);
        assert_eq!(change_reach(std::iter::empty()), REACH_MIN);
        let drawn = change(1e9, Some((0.0, 1e10)), reach, "regressed").finish();
        assert!(drawn.contains("M4.0 11H216.0") && !drawn.contains("NaN"), "{drawn}");
    }

    #[test]
    fn a_median_of_zero_draws_no_nonsense() {
        let zero = Time { median: 0.0, interval: None, samples: vec![0.0] };
        assert!(!strip(&zero, 0.1).finish().contains("NaN"));
    }
}
