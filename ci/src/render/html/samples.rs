//! The samples of both sides of one id: their shapes on one axis, their quantiles in a table.

use bench_core::judge::stats::quantile;

use super::axis::Axis;
use super::chart::{Kind, Mark, Point, Series, chart};
use super::escape::Html;
use crate::render::number;
use crate::render::shape::{QUANTILES, shapes};

/// The chart, where there are enough samples, and the table; `None` where a side has no number.
/// `remark` ends the title of the chart.
pub(super) fn both(
    names: &[String; 2],
    unit: &str,
    sides: [&[f64]; 2],
    remark: &str,
) -> Option<Html> {
    let sound = |side: &[f64]| !side.is_empty() && side.iter().all(|value| value.is_finite());
    if !sides.iter().all(|side| sound(side)) {
        return None;
    }
    let mut html = Html::default();
    html.raw("<div class=\"both\">");
    html.add(drawn(names, unit, sides, remark).unwrap_or_default());
    table(&mut html, names, unit, sides);
    html.raw("</div>");
    Some(html)
}

fn drawn(names: &[String; 2], unit: &str, sides: [&[f64]; 2], remark: &str) -> Option<Html> {
    let shapes = shapes(sides[0], sides[1])?;
    let print: fn(f64) -> String = match unit {
        "ns" => number::time,
        _ => number::short,
    };
    let x = Axis::straight(shapes.edges.iter().copied(), print);
    let highest = shapes.shares.iter().flatten().copied().fold(0.0, f64::max);
    // The names of the marks stand above the shapes.
    let y = Axis::straight([0.0, highest * 1.3].into_iter(), |share| format!("{share:.0} %"));
    let line = |(name, shares): (&String, &Vec<f64>)| {
        let bins = shapes.edges.windows(2).zip(shares).map(|(bin, share)| Point {
            x: bin[0],
            y: *share,
            told: format!("{} to {}: {share:.1} %", print(bin[0]), print(bin[1])),
        });
        let mut points: Vec<Point> = bins.collect();
        // The last bin reaches to its own end.
        let end = points.last().map(|last| Point { x: x.high(), ..last.clone() });
        points.extend(end);
        Series { name: name.clone(), points }
    };
    let lines: Vec<Series> = names.iter().zip(&shapes.shares).map(line).collect();
    let mark = |(of, side): (usize, &[f64])| {
        let median = quantile(side, 0.5);
        Mark { at: x.at(median), name: number::with_unit(median, unit), of }
    };
    let marks: Vec<Mark> = sides.into_iter().enumerate().map(mark).collect();
    let outside = shapes.outside[0] + shapes.outside[1];
    let title = match outside {
        0 => "Share of the samples by value; medians are marked".to_owned(),
        far => {
            format!("Share of the samples by value; medians are marked, {far} far out not shown")
        }
    };
    let title = title + remark;
    Some(chart(&title, Kind::Shapes, (&x, &y), &lines, &marks))
}

fn table(html: &mut Html, names: &[String; 2], unit: &str, sides: [&[f64]; 2]) {
    html.raw("<div class=\"wide\"><table><thead><tr><th scope=\"col\">samples</th>");
    for name in names {
        html.tag("th scope=\"col\"", name);
    }
    html.raw("<th scope=\"col\">change</th></tr></thead><tbody><tr><th scope=\"row\">number</th>");
    for side in sides {
        html.tag("td", number::count(side.len() as u64));
    }
    html.raw("<td></td></tr>");
    for (q, name) in QUANTILES {
        let [base, head] = sides.map(|side| quantile(side, q));
        html.raw("<tr>").tag("th scope=\"row\"", name);
        html.tag("td", number::with_unit(base, unit)).tag("td", number::with_unit(head, unit));
        let change = if base == 0.0 { String::new() } else { number::change(head / base) };
        html.tag("td", change).raw("</tr>");
    }
    html.raw("</tbody></table></div>");
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names() -> [String; 2] {
        ["base", "head"].map(str::to_owned)
    }

    #[test]
    fn both_sides_are_drawn_and_told() {
        let base: Vec<f64> = (0..50).map(|n| 1_000.0 + f64::from(n)).collect();
        let head: Vec<f64> = base.iter().map(|value| value * 1.1).collect();
        let page = both(&names(), "ns", [&base, &head], "").expect("enough").finish();
        assert!(page.contains("\"kind\":\"shapes\"") && page.contains("1.02 µs"), "{page}");
        assert_eq!(page.matches("+10.00 %").count(), 7, "{page}");
    }

    #[test]
    fn few_samples_are_a_table_only_and_none_are_nothing() {
        let page = both(&names(), "ns", [&[1.0], &[2.0]], "").expect("a table").finish();
        assert!(!page.contains("<figure") && page.contains("2.00 times"), "{page}");
        assert!(both(&names(), "ns", [&[], &[2.0]], "").is_none());
        assert!(both(&names(), "ns", [&[f64::INFINITY], &[2.0]], "").is_none());
    }
}
