//! One room: charts over the sizes, a table that sorts and filters, latency curves.

use super::axis::Axis;
use super::chart::{self, Kind as Lines, Point, SERIES_MAX, Series, chart};
use super::escape::Html;
use super::svg;
use super::table::{cell, open_table};
use crate::render::view::{Entry, Latency, Room, ladder};
use crate::render::{number, words};

/// Below the median latencies are uneventful.
const PERCENTILES: [f64; 12] =
    [50.0, 60.0, 70.0, 80.0, 90.0, 95.0, 98.0, 99.0, 99.5, 99.9, 99.95, 99.99];
const NAMED: [f64; 5] = [50.0, 90.0, 99.0, 99.9, 99.99];

type Value = fn(&Entry<'_>) -> Option<f64>;
type Name = fn(f64) -> String;

/// One kind of chart over the sizes.
struct Kind {
    title: &'static str,
    value: Value,
    name: Name,
    /// Whether round values are powers of two.
    binary: bool,
}

/// What is drawn over the sizes.
const CHARTS: [Kind; 3] = [
    Kind {
        title: "Time of one operation, by size",
        value: |entry| Some(entry.time.as_ref()?.median),
        name: number::time,
        binary: false,
    },
    Kind {
        title: "Throughput, by size",
        value: |entry| entry.throughput(),
        name: number::rate,
        binary: true,
    },
    Kind {
        title: "Instructions per byte, by size",
        value: |entry| entry.instructions_per_byte(),
        name: number::short,
        binary: false,
    },
];

/// The section of the room, the target of `#room-INDEX`.
pub(super) fn section(room: &Room<'_>, index: usize) -> Html {
    let mut html = Html::default();
    html.raw(&format!("<section class=\"card room\" id=\"room-{index}\">"));
    html.tag("h2", room.name);
    conditions(&mut html, room);
    ladders(&mut html, room);
    measured(&mut html, room);
    latencies(&mut html, room);
    others(&mut html, room);
    html.raw("</section>");
    html
}

fn conditions(html: &mut Html, room: &Room<'_>) {
    if room.common.is_empty() {
        return;
    }
    html.raw("<p class=\"conditions\">");
    for (name, value) in &room.common {
        html.raw("<span class=\"pill\"><i>").text(name.replace('_', " ")).raw("</i> ");
        html.text(value).raw("</span> ");
    }
    html.raw("</p>");
}

fn ladders(html: &mut Html, room: &Room<'_>) {
    html.raw("<div class=\"charts\">");
    for kind in CHARTS {
        let series = series(room, &kind);
        for some in series.chunks(SERIES_MAX) {
            let sizes = chart::places(some).into_iter();
            let steps = sizes.map(|size| (size as f64, number::bytes(size))).collect();
            let axis = if kind.binary { Axis::binary } else { Axis::log };
            let values = some.iter().flat_map(|line| &line.points).map(|point| point.y);
            let axes = (&Axis::steps(steps), &axis(values, kind.name));
            html.add(chart(kind.title, Lines::Many, axes, some, &[]));
        }
    }
    html.raw("</div>");
}

/// A line for each workload that was measured at two sizes or more.
fn series(room: &Room<'_>, kind: &Kind) -> Vec<Series> {
    let mut lines: Vec<Series> = Vec::new();
    for entry in &room.entries {
        let (workload, Some(size)) = ladder(entry.id) else { continue };
        let Some(y) = (kind.value)(entry).filter(|y| *y > 0.0) else { continue };
        let line = inside(workload, room.name);
        let point =
            Point { x: size.bytes() as f64, y, told: format!("{size}: {}", (kind.name)(y)) };
        match lines.last_mut().filter(|last| last.name == line) {
            Some(last) => last.points.push(point),
            None => lines.push(Series { name: line.to_owned(), points: vec![point] }),
        }
    }
    // A logarithmic axis has no place for a size of 0.
    for line in &mut lines {
        line.points.retain(|point| point.x > 0.0);
    }
    lines.retain(|line| line.points.len() >= 2);
    lines
}

fn measured(html: &mut Html, room: &Room<'_>) {
    let shown =
        |entry: &&Entry<'_>| entry.time.is_some() || entry.instructions.is_some() || entry.failed();
    let entries: Vec<_> = room.entries.iter().filter(shown).collect();
    if entries.is_empty() {
        return;
    }
    let reach = svg::reach(entries.iter().filter_map(|entry| entry.time.as_ref()));
    let samples = format!("samples, ±{:.0} % of the median", reach * 100.0);
    open_table(
        html,
        &[
            ("id", true),
            ("median", true),
            ("± 95 %", true),
            (&samples, false),
            ("throughput", true),
            ("ns/byte", true),
            ("instructions", true),
            ("instr./byte", true),
        ],
    );
    for entry in entries {
        line(html, room, entry, reach);
    }
    html.raw("</tbody></table></div>");
}

fn line(html: &mut Html, room: &Room<'_>, entry: &Entry<'_>, reach: f64) {
    html.raw(if entry.failed() { "<tr class=\"bad\">" } else { "<tr>" });
    name(html, room, entry);
    let time = entry.time.as_ref();
    if let (None, None, Some(failure)) = (time, entry.instructions, entry.failures.first()) {
        html.raw("<td class=\"left\" colspan=\"7\">");
        html.text(words::one_line(failure.error.as_deref().unwrap_or("failed"))).raw("</td></tr>");
        return;
    }
    cell(html, time.map(|time| time.median), number::time);
    cell(html, time.and_then(|time| time.half_width()), |half| format!("{:.1} %", half * 100.0));
    html.raw("<td class=\"drawn\">");
    if let Some(time) = time {
        html.add(svg::strip(time, reach));
    }
    html.raw("</td>");
    cell(html, entry.throughput(), number::rate);
    cell(html, entry.ns_per_byte(), number::short);
    cell(html, entry.instructions.map(|count| count as f64), |count| number::count(count as u64));
    cell(html, entry.instructions_per_byte(), number::short);
    html.raw("</tr>");
}

fn latencies(html: &mut Html, room: &Room<'_>) {
    let all: Vec<_> = room.entries.iter().filter_map(|e| Some((e, e.latency.as_ref()?))).collect();
    if all.is_empty() {
        return;
    }
    html.raw("<h3>Latency, from the intended start</h3><div class=\"charts\">");
    for some in all.chunks(SERIES_MAX) {
        html.add(curves(some, room.name));
    }
    html.raw("</div>");
    let titles = ["id", "operations", "p50", "p90", "p99", "p99.9", "max"];
    open_table(html, &titles.map(|title| (title, true)));
    for (entry, latency) in all {
        html.raw("<tr>");
        name(html, room, entry);
        cell(html, Some(latency.operations() as f64), |count| number::count(count as u64));
        for percentile in [50.0, 90.0, 99.0, 99.9] {
            cell(html, Some(latency.at(percentile)), number::time);
        }
        cell(html, Some(latency.max()), number::time);
        html.raw("</tr>");
    }
    html.raw("</tbody></table></div>");
}

fn curves(some: &[(&Entry<'_>, &Latency)], room: &str) -> Html {
    let lines: Vec<(String, &Latency)> =
        some.iter().map(|(entry, latency)| (inside(entry.id, room).to_owned(), *latency)).collect();
    percentiles("Latency by percentile", Lines::Many, &lines)
}

/// Latency over percentiles, each further nine as wide as the one before.
pub(super) fn percentiles(title: &str, kind: Lines, some: &[(String, &Latency)]) -> Html {
    let lines: Vec<Series> = some
        .iter()
        .map(|(name, latency)| Series {
            name: name.clone(),
            points: known(latency, &PERCENTILES)
                .map(|p| {
                    let y = latency.at(p).max(1.0);
                    Point { x: p, y, told: format!("p{p}: {}", number::time(y)) }
                })
                .collect(),
        })
        .collect();
    let values = lines.iter().flat_map(|line| line.points.iter().map(|point| point.y));
    let y = Axis::log(values, number::time);
    let mut named: Vec<f64> = some.iter().flat_map(|(_, latency)| known(latency, &NAMED)).collect();
    named.sort_by(f64::total_cmp);
    named.dedup();
    chart(title, kind, (&Axis::percentiles(&named), &y), &lines, &[])
}

/// The percentiles beyond which at least one operation lies; past them there is only the maximum.
fn known<'a>(latency: &Latency, percentiles: &'a [f64]) -> impl Iterator<Item = f64> + use<'a> {
    let operations = latency.operations() as f64;
    let known = move |p: &f64| *p == 50.0 || operations * (1.0 - p / 100.0) >= 1.0;
    percentiles.iter().copied().filter(known)
}

fn others(html: &mut Html, room: &Room<'_>) {
    let told: Vec<_> = room.entries.iter().filter(|entry| !entry.others.is_empty()).collect();
    if told.is_empty() {
        return;
    }
    html.raw("<h3>Also measured</h3><div class=\"few\">");
    open_table(html, &[("id", true), ("values", false)]);
    for entry in told {
        html.raw("<tr>");
        name(html, room, entry);
        html.raw("<td class=\"left\">");
        for row in &entry.others {
            html.raw("<span class=\"pill\">").text(words::other(row)).raw("</span> ");
        }
        html.raw("</td></tr>");
    }
    html.raw("</tbody></table></div></div>");
}

fn name(html: &mut Html, room: &Room<'_>, entry: &Entry<'_>) {
    html.raw("<th scope=\"row\" data-id=\"").text(entry.id).raw("\"><code>");
    html.text(entry.id).raw("</code>");
    let told = entry.told_dimensions(room).join(" ");
    if !told.is_empty() {
        // The style cuts it to one line; pointed at, it tells all.
        html.raw("<small title=\"").text(&told).raw("\">").text(&told).raw("</small>");
    }
    html.raw("</th>");
}

/// The id within its room.
fn inside<'a>(id: &'a str, room: &str) -> &'a str {
    id.strip_prefix(room).and_then(|rest| rest.strip_prefix('/')).unwrap_or(id)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::view::{View, sample};

    #[test]
    fn a_line_needs_two_sizes() {
        let mut record = sample::record();
        record
            .rows
            .retain(|row| row.id.starts_with("grpc/read") || row.id == "grpc/write/default/1KiB");
        let view = View::of(&record);
        let lines = series(&view.rooms[0], &CHARTS[0]);
        let names: Vec<&str> = lines.iter().map(|line| line.name.as_str()).collect();
        assert_eq!(names, ["read/default"]);
        assert_eq!(lines[0].points.len(), 7);
    }

    #[test]
    fn percentiles_end_where_the_operations_do() {
        let record = sample::record();
        let view = View::of(&record);
        let latency = view.entries().find_map(|entry| entry.latency.as_ref()).expect("measured");
        assert_eq!(known(latency, &NAMED).last(), Some(99.99), "20,000 operations");
    }

    #[test]
    fn a_room_shows_charts_for_what_it_has() {
        let record = sample::record();
        let view = View::of(&record);
        let drawn = |name: &str| {
            let room = view.rooms.iter().find(|room| room.name == name).expect(name);
            section(room, 0).finish().matches("class=\"chart\"").count()
        };
        assert_eq!(drawn("pool"), 3);
        assert_eq!(drawn("scenario"), 1);
    }
}
