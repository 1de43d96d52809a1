//! The rows of a matrix as a table for people. Everything in it is derived from the rows.

use bench_core::judge::budget::size_of;
use bench_core::judge::stats::median;
use bench_core::judge::target::P99_SAMPLES_MIN;
use bench_core::record::{Data, Metric, Row};
use bench_core::units::{ByteSize, GIB, MIB};
use bench_grpc::Operation;
use bench_grpc::link::rate_max;

use super::arm::{CLIENT, COVERS, EACH};
use super::setup::rtt_of;
use super::tally::{BASE, CEILING};
use crate::front::text::aligned;

/// The titles. Processor time is that of both ends, and faults and memory, too, or they say that
/// they are the client's.
fn titles(rows: &[Row]) -> Vec<String> {
    let any =
        |covers: &str| rows.iter().any(|row| row.dimensions.get(COVERS) == Some(&covers.into()));
    let client = |only: bool, title: &str| {
        if only { format!("client's {title}") } else { title.to_owned() }
    };
    let (time, memory) = (any(CLIENT), any(CLIENT) || any(EACH));
    let plain = str::to_owned;
    let mut titles = vec![
        plain("id"),
        plain("ops"),
        plain("success %"),
        plain("MiB/s"),
        plain("ops/s"),
        plain("p50 ms"),
        plain("p99 ms"),
        plain("first byte p50 ms"),
        client(time, "CPU s/GiB"),
        plain("of it server"),
        client(memory, "faults/op"),
        client(memory, "peak MiB above payload"),
        plain("raw MiB/s"),
        plain("of raw"),
        plain("errors"),
    ];
    if any_round_trip(rows) {
        titles.insert(titles.len() - 1, plain("of window/RTT"));
    }
    titles
}

/// Whether there is a link whose round trip a window is to be seen against.
fn any_round_trip(rows: &[Row]) -> bool {
    rows.iter().any(|row| rtt_of(&row.dimensions).is_some())
}

/// The table, one line an id, in the order of the rows.
pub fn table(rows: &[Row]) -> String {
    let mut ids: Vec<&str> = Vec::new();
    for row in rows {
        if !ids.contains(&row.id.as_str()) {
            ids.push(&row.id);
        }
    }
    let mut lines = vec![titles(rows)];
    for id in ids {
        let own: Vec<&Row> = rows.iter().filter(|row| row.id == id).collect();
        lines.push(line(id, &own, any_round_trip(rows)));
    }
    aligned(&lines)
}

fn line(id: &str, rows: &[&Row], over_link: bool) -> Vec<String> {
    if let Some(error) = rows.iter().find_map(|row| row.error.as_deref()) {
        return vec![id.to_owned(), format!("failed: {error}")];
    }
    let find = |metric: &str| rows.iter().copied().find(|row| row.metric.name() == metric);
    let size = size_of(id).map_or(0.0, |size| size.bytes() as f64);
    let middle = |metric: &str| {
        let values = find(metric).map(Row::per_operation).unwrap_or_default();
        (!values.is_empty()).then(|| median(&values))
    };
    let count = |metric: Metric| match find(metric.name()).and_then(|row| row.data.as_ref()) {
        Some(Data::Count { value }) => Some(*value),
        _ => None,
    };
    let time = middle("wall_time").filter(|ns| *ns > 0.0);
    let per_gib =
        |metric| Some(middle(metric)? / 1e9 / size * GIB as f64).filter(|x| x.is_finite());
    let mib_per_second = |ns: f64| size / MIB as f64 / (ns / 1e9);
    let (failed, all) = (count(Metric::Errors), count(Metric::Operations));
    let share = failed.zip(all.filter(|all| *all > 0));
    let success = share.map(|(failed, all)| 100.0 - failed as f64 / all as f64 * 100.0);
    let base = count(Metric::Other(BASE.to_owned()));
    let above = count(Metric::RssBytes).zip(base).map(|(peak, base)| peak.saturating_sub(base));
    let mut line = vec![
        id.to_owned(),
        number(all.map(|all| all as f64), 0),
        number(success, 1),
        number(time.map(mib_per_second), 0),
        number(time.map(|ns| 1e9 / ns), 1),
        quantile(find("latency"), 0.5),
        quantile(find("latency"), 0.99),
        quantile(find("first_byte"), 0.5),
        number(per_gib("cpu_time"), 2),
        number(per_gib("server_cpu_time"), 2),
        number(middle("page_faults"), 0),
        number(above.map(|bytes| bytes as f64 / MIB as f64), 0),
        number(middle(CEILING).filter(|ns| *ns > 0.0).map(mib_per_second), 0),
        number(of_raw(find("wall_time"), find(CEILING)), 2),
        failed.map_or_else(
            || "-".to_owned(),
            |failed| if failed == 0 { "0".to_owned() } else { errors(rows) },
        ),
    ];
    if over_link {
        let bound = rows.first().and_then(|row| window_rate(row));
        let share = time.zip(bound).map(|(ns, bound)| size / (ns / 1e9) / bound);
        line.insert(line.len() - 1, number(share, 2));
    }
    line
}

/// What the windows of all calls together allow over the round trip that was added, in bytes per
/// second; `None` without one, and where windows grow. The larger of the shares of this and of a
/// raw socket is the share of whichever bounds.
fn window_rate(row: &Row) -> Option<f64> {
    let told = |name: &str| row.dimensions.get(name);
    let receiver = match told("operation")?.as_str() {
        write if write == Operation::Write.name() => "server",
        _ => "client",
    };
    let window = |of: &str, many: &str| {
        let window: ByteSize = told(&format!("{receiver}_{of}_window"))?.parse().ok()?;
        Some(window.bytes().saturating_mul(told(many)?.parse().ok()?))
    };
    let all = window("stream", "concurrency")?.min(window("connection", "connections")?);
    let fixed = told("adaptive_window").is_none_or(|adaptive| adaptive == "false");
    rtt_of(&row.dimensions).filter(|_| fixed).map(|rtt| rate_max(ByteSize::new(all), rtt))
}

/// The median of the rounds' ratios: the raw socket's time by ours.
fn of_raw(own: Option<&Row>, raw: Option<&Row>) -> Option<f64> {
    let (own, raw) = (own?.per_operation(), raw?.per_operation());
    let ratios: Vec<f64> = raw.iter().zip(&own).map(|(raw, own)| raw / own).collect();
    (!ratios.is_empty()).then(|| median(&ratios))
}

fn errors(rows: &[&Row]) -> String {
    let errors = rows.iter().map(|row| &row.errors).find(|errors| !errors.is_empty());
    let kinds = errors.into_iter().flatten().map(|(kind, count)| format!("{count} × {kind}"));
    kinds.collect::<Vec<_>>().join(", ")
}

/// In milliseconds. A 99th percentile of fewer than 100 is the maximum, and is named so.
fn quantile(row: Option<&Row>, q: f64) -> String {
    let histogram = row.and_then(|row| row.data.as_ref()?.histogram().ok());
    match histogram.filter(|histogram| !histogram.is_empty()) {
        None => "-".to_owned(),
        Some(few) if q > 0.5 && few.len() < P99_SAMPLES_MIN => {
            format!("max {:.3}", few.max() as f64 / 1e6)
        }
        Some(all) => format!("{:.3}", all.value_at_quantile(q) as f64 / 1e6),
    }
}

fn number(value: Option<f64>, digits: usize) -> String {
    value.map_or_else(|| "-".to_owned(), |value| format!("{value:.digits$}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn samples(metric: Metric, values: &[f64]) -> Row {
        let (values, iterations) = (values.to_vec(), vec![1; values.len()]);
        Row::measured(ID, metric, "ns", Data::Samples { values, iterations })
    }

    const ID: &str = "grpc/matrix/read/default/1MiB";

    #[test]
    fn numbers_are_derived_by_hand() {
        let other = |name: &str| Metric::Other(name.to_owned());
        let mut latency = crate::grpc_matrix::tally::histogram();
        latency.record_n(2_000_000, 99).expect("in range");
        let rows = [
            samples(Metric::WallTime, &[2e6, 2e6, 4e6]),
            samples(other(CEILING), &[1e6, 1e6, 3e6]),
            samples(Metric::CpuTime, &[1e6]),
            Row::measured(ID, Metric::Operations, "1", Data::Count { value: 99 }),
            Row::measured(ID, Metric::Errors, "1", Data::Count { value: 0 }),
            Row::measured(ID, Metric::RssBytes, "bytes", Data::Count { value: 70 * MIB }),
            Row::measured(ID, other(BASE), "bytes", Data::Count { value: 64 * MIB }),
            Row::measured(ID, Metric::Latency, "ns", Data::from_histogram(&latency)),
        ];
        let text = table(&rows);
        let cells: Vec<&str> = text.lines().nth(1).expect("a line").split("  ").collect();
        let cells: Vec<&str> = cells.into_iter().map(str::trim).filter(|c| !c.is_empty()).collect();
        // 1 MiB in 2 ms; 1 ms of processor for 1 MiB; 6 MiB beside 64; raw takes half of it.
        let expected = [
            ID,
            "99",
            "100.0",
            "500",
            "500.0",
            "2.001",
            "max 2.001",
            "-",
            "1.02",
            "-",
            "-",
            "6",
            "1000",
            "0.50",
            "0",
        ];
        assert_eq!(cells, expected);
    }

    #[test]
    fn a_window_is_seen_against_the_round_trip_that_was_added() {
        let told = |more: &[(&str, &str)]| {
            let mut row = samples(Metric::WallTime, &[20e6]);
            let link = [("rtt_added", "20 ms"), ("operation", "read"), ("concurrency", "2")];
            let ends = [
                ("client_stream_window", "1MiB"),
                ("client_connection_window", "1536KiB"),
                ("server_stream_window", "64KiB"),
                ("server_connection_window", "256KiB"),
                ("connections", "1"),
            ];
            for (name, value) in link.iter().chain(&ends).chain(more) {
                row.dimensions.insert((*name).to_owned(), (*value).to_owned());
            }
            let text = table(&[row]);
            let of = |line: usize| text.lines().nth(line).expect("a line").split("  ");
            let of = |line: usize| -> Vec<String> {
                let cells = of(line).map(str::trim).filter(|cell| !cell.is_empty());
                cells.map(str::to_owned).collect()
            };
            let at = of(0).iter().position(|title| title == "of window/RTT");
            at.map(|at| of(1)[at].clone())
        };
        // 1 MiB in 20 ms, where 1.5 MiB of two streams may be under way.
        assert_eq!(told(&[]).as_deref(), Some("0.67"));
        // Two streams of 64 KiB: an eighth of 1 MiB.
        assert_eq!(told(&[("operation", "write")]).as_deref(), Some("8.00"));
        assert_eq!(told(&[("adaptive_window", "true")]).as_deref(), Some("-"));
        assert_eq!(told(&[("rtt_added", "none")]), None, "there is no such column");
    }

    #[test]
    fn titles_name_units_and_whose_processor_time_it_is() {
        let told = |covers: &str| {
            let mut row = samples(Metric::CpuTime, &[1e6]);
            row.dimensions.insert(COVERS.to_owned(), covers.to_owned());
            table(&[row]).lines().next().map(str::to_owned).expect("titles")
        };
        assert!(!told("both ends").contains("client's"));
        assert!(told(CLIENT).contains("client's CPU s/GiB  of it server  client's faults/op"));
        let each = told(EACH);
        assert!(
            each.contains("  CPU s/GiB") && each.contains("client's peak MiB above payload"),
            "{each}"
        );
        for title in ["success %", "first byte p50 ms", "raw MiB/s"] {
            assert!(each.contains(title), "{each}");
        }
    }

    #[test]
    fn what_was_not_measured_is_a_dash() {
        let text = table(&[samples(Metric::WallTime, &[1e9])]);
        let cells: Vec<&str> = text.lines().nth(1).expect("a line").split_whitespace().collect();
        let dashes = cells.iter().filter(|cell| **cell == "-").count();
        assert_eq!((cells[3], cells[4], dashes), ("1", "1.0", 12), "{text}");
    }

    #[test]
    fn of_a_hundred_samples_there_is_a_percentile() {
        let mut latency = crate::grpc_matrix::tally::histogram();
        latency.record_n(2_000_000, 100).expect("in range");
        let row = Row::measured(ID, Metric::Latency, "ns", Data::from_histogram(&latency));
        assert_eq!(quantile(Some(&row), 0.99), "2.001");
    }

    #[test]
    fn a_failed_cell_says_why_and_widens_nothing() {
        let rows = [
            samples(Metric::WallTime, &[2e6]),
            Row::failed("grpc/matrix/read/bad/1MiB", Metric::WallTime, "ns", &"x".repeat(200)),
        ];
        let text = table(&rows);
        let lines: Vec<&str> = text.lines().collect();
        assert!(lines[2].contains("failed: xxx"));
        assert!(lines[0].len() < 200, "{}", lines[0]);
    }
}
