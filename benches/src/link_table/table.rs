//! The rows of a link as a table for people. Everything in it is derived from the rows.

use std::fmt::Write;

use bench_core::record::Row;

use super::measure::{ASKED, TOLERATED, USED};
use crate::front::text::aligned;

const TITLES: [&str; 6] = ["", "asked", "used", "measured", "off", "tolerated"];

/// Of fewer values there is no 99th percentile but the longest.
const P99_FROM: u64 = 100;

/// The table, above it which link by whom, below it what is refused and why.
pub fn table(rows: &[Row]) -> String {
    let mut lines = vec![TITLES.map(str::to_owned).to_vec()];
    for row in rows {
        match row.metric.name() {
            "latency" => lines.extend(times(row)),
            "rate" | "goodput" => lines.push(bits(row)),
            "lost" => lines.push(loss(row, rows)),
            "bursts" => lines.extend(burst(row, rows)),
            _ => (),
        }
    }
    format!("{}{}{}", head(rows), aligned(&lines), refusals(rows))
}

fn head(rows: &[Row]) -> String {
    let Some(row) = rows.first() else { return String::new() };
    let of = |name: &str| row.dimensions.get(name).map_or("-", String::as_str);
    let mut text = format!("{} ({})\n", of("link"), of("link_source"));
    let (backend, reason) = (of("link_backend"), of("link_backend_reason"));
    let control = of("congestion_control");
    let _in_memory =
        writeln!(text, "over {backend}: {reason}; {control}, seed {}", of("link_seed"));
    if let Some(not) = row.dimensions.get("link_not_modelled") {
        let _in_memory = writeln!(text, "not modelled: {not}");
    }
    if let Some(late) = row.dimensions.get("link_lateness_p99") {
        let (overflows, cpu) = (of("link_overflows"), of("link_cpu"));
        let told = format!("late by {late} at p99, {overflows} overflows, {cpu} of processor time");
        let _in_memory = writeln!(text, "emulator: {told}; valid: {}", of("link_valid"));
    }
    if let Some(ceiling) = row.dimensions.get("link_ceiling_mbit") {
        let _in_memory = writeln!(text, "ceiling without delay: {ceiling} Mbit/s");
    }
    text
}

/// What the id says it is: without the room and the link.
fn name(row: &Row) -> String {
    row.id.split('/').skip(3).collect::<Vec<_>>().join(" ").replace('_', " ")
}

fn dimension(row: &Row, name: &str) -> Option<f64> {
    row.dimensions.get(name)?.parse().ok()
}

/// A line: title, the three numbers, by how much the last is off, what is tolerated.
fn line(
    title: String,
    row: &Row,
    measured: Option<f64>,
    print: impl Fn(f64) -> String,
) -> Vec<String> {
    let shown = |number: Option<f64>| number.map_or_else(|| "-".to_owned(), &print);
    let used = dimension(row, USED).filter(|used| *used > 0.0);
    let part = |number: f64| used.map(|used| format!("{:.2} %", number / used * 100.0));
    let off = measured.zip(used).and_then(|(measured, used)| part(measured - used));
    let tolerated = dimension(row, TOLERATED).and_then(part);
    let text = |cell: Option<String>| cell.unwrap_or_else(|| "-".to_owned());
    let asked = shown(dimension(row, ASKED));
    vec![title, asked, shown(used), shown(measured), text(off), text(tolerated)]
}

fn times(row: &Row) -> Vec<Vec<String>> {
    let histogram = row.data.as_ref().and_then(|data| data.histogram().ok());
    let quantile =
        |q: f64| histogram.as_ref().map(|histogram| histogram.value_at_quantile(q) as f64);
    let print = |ns: f64| format!("{:.3} ms", ns / 1e6);
    let one = |q: f64, title: &str| line(format!("{} {title}", name(row)), row, quantile(q), print);
    let few = histogram.as_ref().is_none_or(|histogram| histogram.len() < P99_FROM);
    let mut longest = if few { one(1.0, "longest") } else { one(0.99, "p99") };
    // Nothing is asked of it.
    longest[5] = "-".to_owned();
    vec![one(0.5, "p50"), longest]
}

fn value(row: &Row) -> Option<f64> {
    row.per_operation().first().copied()
}

fn bits(row: &Row) -> Vec<String> {
    line(name(row), row, value(row), |bits| format!("{:.3} Mbit/s", bits / 1e6))
}

/// The count of that name beside this row.
fn beside(row: &Row, rows: &[Row], metric: &str) -> Option<f64> {
    value(rows.iter().find(|other| other.id == row.id && other.metric.name() == metric)?)
}

fn loss(row: &Row, rows: &[Row]) -> Vec<String> {
    let sent = beside(row, rows, "sent");
    line(name(row), row, value(row), |lost| {
        sent.map_or_else(
            || format!("{lost:.1} lost"),
            |sent| format!("{:.3} %", lost / sent * 100.0),
        )
    })
}

fn burst(row: &Row, rows: &[Row]) -> Option<Vec<String>> {
    let asked = dimension(row, "burst_asked")?;
    let measured = value(row).filter(|bursts| *bursts > 0.0).and_then(|bursts| {
        let lost = beside(row, rows, "lost")?;
        Some(lost / bursts)
    });
    let print = |burst: f64| format!("{burst:.2}");
    let off = measured.map(|found| format!("{:.2} %", (found / asked - 1.0) * 100.0));
    let text = |cell: Option<String>| cell.unwrap_or_else(|| "-".to_owned());
    let title = name(row).replace("loss", "mean burst");
    let asked = print(asked);
    Some(vec![title, asked.clone(), asked, text(measured.map(print)), text(off), "-".to_owned()])
}

fn refusals(rows: &[Row]) -> String {
    let mut errors: Vec<&str> = rows.iter().filter_map(|row| row.error.as_deref()).collect();
    errors.dedup();
    errors.into_iter().map(|error| format!("refused: {error}\n")).collect()
}

#[cfg(test)]
mod tests {
    use bench_core::record::{Data, Metric};

    use super::*;

    fn row(what: &str, metric: &str, data: Data, dimensions: &[(&str, &str)]) -> Row {
        let id = format!("link/table/lte/{what}");
        let mut row = Row::measured(&id, Metric::from(metric.to_owned()), "1", data);
        let dimensions =
            dimensions.iter().map(|(name, value)| (name.to_string(), value.to_string()));
        row.dimensions = dimensions.collect();
        row
    }

    fn cells(text: &str, title: &str) -> Vec<String> {
        let line = text.lines().find(|line| line.starts_with(title)).expect(title);
        line[title.len()..]
            .split("  ")
            .map(str::trim)
            .filter(|cell| !cell.is_empty())
            .map(str::to_owned)
            .collect()
    }

    #[test]
    fn every_number_is_derived_from_the_rows() {
        let samples = |value| Data::Samples { values: vec![value], iterations: vec![1] };
        let held = [(ASKED, "12000000"), (USED, "11776000"), (TOLERATED, "117760")];
        let lost = [(ASKED, "100"), (USED, "100"), (TOLERATED, "30")];
        let rows = [
            row("rate/up", "rate", samples(11_658_240.0), &held),
            row("goodput/up", "goodput", samples(5e6), &[]),
            row("loss/up", "sent", Data::Count { value: 10_000 }, &[]),
            row("loss/up", "lost", Data::Count { value: 90 }, &lost),
            row("loss/up", "bursts", Data::Count { value: 30 }, &[("burst_asked", "4")]),
        ];
        let text = table(&rows);
        let rate = ["12.000 Mbit/s", "11.776 Mbit/s", "11.658 Mbit/s", "-1.00 %", "1.00 %"];
        assert_eq!(cells(&text, "rate up"), rate);
        assert_eq!(cells(&text, "goodput up"), ["-", "-", "5.000 Mbit/s", "-", "-"]);
        assert_eq!(
            cells(&text, "loss up"),
            ["1.000 %", "1.000 %", "0.900 %", "-10.00 %", "30.00 %"]
        );
        assert_eq!(cells(&text, "mean burst up"), ["4.00", "4.00", "3.00", "-25.00 %", "-"]);
    }

    #[test]
    fn a_percentile_is_of_a_hundred_values_at_least() {
        let latencies = |count: u64| {
            let mut histogram = hdrhistogram::Histogram::<u64>::new(3).expect("sound");
            (0..count).for_each(|ms| histogram.record((ms + 1) * 1_000_000).expect("in range"));
            table(&[row("connect", "latency", Data::from_histogram(&histogram), &[])])
        };
        let few = latencies(99);
        assert!(!few.contains("p99"), "{few}");
        assert!(cells(&few, "connect longest")[2].starts_with("99."), "{few}");
        let many = latencies(100);
        assert!(cells(&many, "connect p99")[2].starts_with("99."), "{many}");
    }

    #[test]
    fn a_refused_row_has_no_number_and_is_told_once() {
        let data = Data::Count { value: 0 };
        let mut rows =
            [row("rate/up", "rate", data.clone(), &[]), row("rate/down", "rate", data, &[])];
        for row in &mut rows {
            (row.data, row.ok, row.error) = (None, false, Some("too late".to_owned()));
        }
        let text = table(&rows);
        assert_eq!(cells(&text, "rate up"), ["-"; 5]);
        assert_eq!(text.matches("refused: too late\n").count(), 1);
    }
}
