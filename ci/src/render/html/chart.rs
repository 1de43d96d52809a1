//! Charts: what the library in the page draws, as data beside an empty figure. Without JavaScript
//! the figure stays closed, and the tables have the numbers.

use std::collections::BTreeSet;

use serde::Serialize;

use super::axis::{Axis, Drawn};
use super::escape::Html;

/// Lines in one chart: as many as there are colours.
pub(super) const SERIES_MAX: usize = 8;

/// A line and how it is drawn.
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

/// A vertical line with a name.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Mark {
    /// On the horizontal axis as it is drawn.
    pub(super) at: f64,
    pub(super) name: String,
    /// The series that has its colour.
    pub(super) of: usize,
}

/// How the lines of a chart are meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Kind {
    /// One colour and one dash for each of many.
    Many,
    /// The base, then the head; curves.
    Curves,
    /// The base, then the head; steps with the area below them.
    Shapes,
}

/// Places shared by all lines; a line without a point there has `null`.
#[derive(Debug, Serialize)]
struct Spec<'a> {
    kind: Kind,
    x: Drawn,
    y: Drawn,
    xs: Vec<f64>,
    series: Vec<Line<'a>>,
    marks: &'a [Mark],
}

#[derive(Debug, Serialize)]
struct Line<'a> {
    name: &'a str,
    ys: Vec<Option<f64>>,
    told: Vec<Option<&'a str>>,
}

/// A figure with its title. At most [`SERIES_MAX`] series.
pub(super) fn chart(
    title: &str,
    kind: Kind,
    (x, y): (&Axis, &Axis),
    series: &[Series],
    marks: &[Mark],
) -> Html {
    let mut xs: Vec<f64> =
        series.iter().flat_map(|line| &line.points).map(|point| x.at(point.x)).collect();
    xs.sort_by(f64::total_cmp);
    xs.dedup();
    let line = |line: &'_ Series| {
        let find = |at: f64| line.points.iter().position(|point| x.at(point.x) == at);
        let found: Vec<Option<usize>> = xs.iter().map(|at| find(*at)).collect();
        found
    };
    let lines = series.iter().map(|one| {
        let found = line(one);
        let ys = found.iter().map(|place| place.map(|place| y.at(one.points[place].y)));
        let told = found.iter().map(|place| place.map(|place| one.points[place].told.as_str()));
        Line { name: &one.name, ys: ys.collect(), told: told.collect() }
    });
    let series = lines.collect();
    figure(title, "chart", &Spec { kind, x: x.drawn(), y: y.drawn(), xs, series, marks })
}

/// A figure of this class whose data the script finds beside it.
pub(super) fn figure(title: &str, class: &str, data: &impl Serialize) -> Html {
    let mut html = Html::default();
    html.raw(&format!("<figure class=\"{class}\">")).tag("figcaption", title);
    html.raw("<div class=\"plot\"></div>").data(data).raw("</figure>");
    html
}

/// All places of these lines on the horizontal axis, in order.
pub(super) fn places(series: &[Series]) -> Vec<u64> {
    let all: BTreeSet<u64> =
        series.iter().flat_map(|line| &line.points).map(|point| point.x as u64).collect();
    all.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::number;

    fn line(name: &str, points: &[(f64, f64)]) -> Series {
        let points = points.iter().map(|&(x, y)| Point { x, y, told: format!("{y}") });
        Series { name: name.into(), points: points.collect() }
    }

    #[test]
    fn lines_share_their_places_and_have_gaps() {
        let axis = || Axis::straight([1.0, 3.0].into_iter(), number::short);
        let lines = [line("</script>", &[(1.0, 1.0), (3.0, 3.0)]), line("b", &[(2.0, 2.0)])];
        let html = chart("t", Kind::Many, (&axis(), &axis()), &lines, &[]).finish();
        assert!(html.contains("\"xs\":[1.0,2.0,3.0]"), "{html}");
        assert!(html.contains("\"ys\":[1.0,null,3.0]") && html.contains("\"ys\":[null,2.0,null]"));
        assert_eq!(html.matches("</script>").count(), 1, "{html}");
    }
}
