//! Line charts as inline SVG. Colours are classes (`s0` to `s7`), so that the style sheet knows
//! light from dark; each series is named at the end of its line and each point tells its value.

use std::fmt::Write;

use super::escape::Html;
use crate::render::number;

/// Lines in one chart: as many as there are colours.
pub(super) const SERIES_MAX: usize = 8;

const WIDTH: f64 = 484.0;
const HEIGHT: f64 = 270.0;
const LEFT: f64 = 68.0;
const RIGHT: f64 = 126.0;
const TOP: f64 = 12.0;
const BOTTOM: f64 = 30.0;
/// Names at the ends of lines stay this far apart.
const NAME_GAP: f64 = 15.0;
/// Names of ticks on the horizontal axis start this far apart.
const TICK_GAP: f64 = 42.0;
/// Longer names of lines would leave the chart.
const NAME_CHARS: usize = 14;
/// A logarithmic axis covers at least this ratio.
const RATIO_MIN: f64 = 3.0;
/// What powers of ten are multiplied with for ticks, coarse to fine: the last gives three or more
/// over any ratio of [`RATIO_MIN`].
const FACTORS: [&[f64]; 3] = [&[1.0], &[1.0, 2.0, 5.0], &[1.0, 1.5, 2.0, 3.0, 4.0, 5.0, 7.0]];

/// A line.
#[derive(Clone, Debug)]
pub(super) struct Series {
    pub(super) name: String,
    pub(super) points: Vec<Point>,
}

/// A point of a line and what it tells when pointed at.
#[derive(Clone, Debug)]
pub(super) struct Point {
    pub(super) x: f64,
    pub(super) y: f64,
    pub(super) told: String,
}

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

    /// Where between the ends of the axis the value lies, from 0 to 1.
    fn fraction(&self, value: f64) -> f64 {
        let (low, high) = ((self.place)(self.low), (self.place)(self.high));
        if high > low { ((self.place)(value) - low) / (high - low) } else { 0.5 }
    }

    fn x(&self, value: f64) -> f64 {
        LEFT + self.fraction(value) * (WIDTH - LEFT - RIGHT)
    }

    fn y(&self, value: f64) -> f64 {
        HEIGHT - BOTTOM - self.fraction(value) * (HEIGHT - TOP - BOTTOM)
    }
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

/// A figure with its title and the chart. At most [`SERIES_MAX`] series.
pub(super) fn chart(title: &str, x: &Axis, y: &Axis, series: &[Series]) -> Html {
    let mut html = Html::default();
    html.raw("<figure>").tag("figcaption", title);
    html.raw(&format!("<svg class=\"chart\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\">"));
    html.tag("title", title);
    grid(&mut html, x, y);
    for (colour, line) in series.iter().enumerate() {
        draw(&mut html, x, y, line, colour);
    }
    names(&mut html, x, y, series);
    html.raw("</svg></figure>");
    html
}

fn grid(html: &mut Html, x: &Axis, y: &Axis) {
    let (bottom, right) = (HEIGHT - BOTTOM, WIDTH - RIGHT);
    for (value, name) in &y.ticks {
        let at = y.y(*value);
        html.raw(&format!("<path class=\"grid\" d=\"M{LEFT} {at:.1}H{right}\"/>"));
        html.raw(&format!(
            "<text class=\"tick end\" x=\"{:.1}\" y=\"{:.1}\">",
            LEFT - 8.0,
            at + 4.0
        ));
        html.text(number::round(name)).raw("</text>");
    }
    let mut last = f64::NEG_INFINITY;
    for (value, name) in &x.ticks {
        let at = x.x(*value);
        if at - last < TICK_GAP {
            continue;
        }
        last = at;
        html.raw(&format!("<path class=\"grid\" d=\"M{at:.1} {TOP}V{bottom}\"/>"));
        html.raw(&format!("<text class=\"tick mid\" x=\"{at:.1}\" y=\"{:.1}\">", bottom + 18.0));
        html.text(name).raw("</text>");
    }
    html.raw(&format!("<path class=\"axis\" d=\"M{LEFT} {TOP}V{bottom}H{right}\"/>"));
}

fn draw(html: &mut Html, x: &Axis, y: &Axis, line: &Series, colour: usize) {
    let mut path = String::new();
    for (index, point) in line.points.iter().enumerate() {
        let command = if index == 0 { 'M' } else { 'L' };
        write!(path, "{command}{:.1} {:.1}", x.x(point.x), y.y(point.y))
            .expect("a String takes all");
    }
    html.raw(&format!("<g class=\"s{colour}\"><path class=\"line\" d=\"{path}\"/>"));
    for point in &line.points {
        let (x, y) = (x.x(point.x), y.y(point.y));
        html.raw(&format!("<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"3.2\"><title>"));
        html.text(&line.name).text(" ").text(&point.told).raw("</title></circle>");
    }
    html.raw("</g>");
}

/// The name of each line beside its end, moved down where it would cover another.
fn names(html: &mut Html, x: &Axis, y: &Axis, series: &[Series]) {
    let mut ends: Vec<(f64, f64, usize)> = Vec::new();
    for (colour, line) in series.iter().enumerate() {
        ends.extend(line.points.last().map(|last| (y.y(last.y), x.x(last.x), colour)));
    }
    ends.sort_by(|a, b| a.0.total_cmp(&b.0));
    let wanted: Vec<f64> = ends.iter().map(|end| end.0).collect();
    for (at, (end, from, colour)) in apart(&wanted).into_iter().zip(ends) {
        let edge = WIDTH - RIGHT + 10.0;
        html.raw(&format!(
            "<g class=\"s{colour}\"><path class=\"lead\" d=\"M{:.1} {end:.1}L{edge} {at:.1}\"/>",
            from + 4.0
        ));
        html.raw(&format!("<text class=\"name\" x=\"{:.1}\" y=\"{:.1}\">", edge + 3.0, at + 4.0));
        html.text(short(&series[colour].name)).raw("</text></g>");
    }
}

/// The name, cut where it would leave the chart; its points tell the whole of it.
fn short(name: &str) -> String {
    if name.chars().count() <= NAME_CHARS {
        return name.to_owned();
    }
    name.chars().take(NAME_CHARS - 1).chain(['…']).collect()
}

/// Ascending places, moved as little as keeps them apart and on the chart.
fn apart(wanted: &[f64]) -> Vec<f64> {
    let mut places = wanted.to_vec();
    let mut floor = TOP;
    for place in &mut places {
        *place = place.max(floor);
        floor = *place + NAME_GAP;
    }
    let mut ceiling = HEIGHT - BOTTOM;
    for place in places.iter_mut().rev() {
        *place = place.min(ceiling);
        ceiling = *place - NAME_GAP;
    }
    places
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn axes_name_what_lies_on_them() {
        let names =
            |axis: &Axis| axis.ticks.iter().map(|(_, name)| name.clone()).collect::<Vec<_>>();
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
    fn the_ends_of_an_axis_are_the_ends_of_the_chart() {
        let axis = Axis::steps(vec![(1024.0, "1KiB".into()), (4096.0, "4KiB".into())]);
        assert_eq!((axis.x(1024.0), axis.x(4096.0)), (LEFT, WIDTH - RIGHT));
        assert!((axis.x(2048.0) - (LEFT + WIDTH - RIGHT) / 2.0).abs() < 1e-9, "2 KiB is half-way");
    }

    #[test]
    fn names_never_cover_each_other() {
        for wanted in [[50.0, 50.0, 51.0], [238.0, 239.0, 240.0], [20.0, 100.0, 200.0]] {
            let places = apart(&wanted);
            assert!(places.windows(2).all(|two| two[1] - two[0] >= NAME_GAP - 1e-9), "{places:?}");
        }
        assert_eq!(apart(&[20.0, 100.0]), [20.0, 100.0]);
    }

    #[test]
    fn long_names_end_where_the_chart_does() {
        assert_eq!(short("stream/default"), "stream/default");
        assert_eq!(short("stream/default/high_bandwidth"), "stream/defaul…");
    }

    #[test]
    fn one_point_and_no_point_still_draw() {
        let axis = Axis::log([5.0].into_iter(), number::time);
        let none = Axis::log(std::iter::empty(), number::time);
        let line =
            Series { name: "<x>".into(), points: vec![Point { x: 5.0, y: 5.0, told: "a".into() }] };
        let drawn = chart("t", &axis, &none, &[line]).finish();
        assert!(drawn.contains("&lt;x&gt;") && !drawn.contains("NaN"), "{drawn}");
    }
}
