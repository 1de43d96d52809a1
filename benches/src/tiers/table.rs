//! The rows of the tiers as a table for people. Everything in it is derived from the rows.

use bench_core::record::{Data, Row};
use bench_core::units::MIB;
use bench_storage::tiers::Tier;

use super::run::REFUSED;
use crate::front::text::aligned;

const TITLES: [&str; 9] =
    ["id", "reads", "memory %", "disk %", "remote %", "hit %", "MiB/s", "p50 ms", "p99 ms"];

/// The table, one line an arm, in the order of the rows; below it the arms whose disk did not take
/// everything.
pub fn table(rows: &[Row]) -> String {
    let mut ids: Vec<&str> = rows.iter().map(|row| row.id.as_str()).collect();
    ids.dedup();
    let mut lines = vec![TITLES.map(str::to_owned).to_vec()];
    lines.extend(ids.into_iter().map(|id| line(id, rows)));
    let refused: Vec<String> = rows.iter().filter_map(refused).collect();
    format!("{}{}", aligned(&lines), refused.concat())
}

fn refused(row: &Row) -> Option<String> {
    let Some(Data::Count { value: refused @ 1.. }) = row.data else { return None };
    let said = "objects could not be written to the disk; is it full?";
    (row.metric.name() == REFUSED).then(|| format!("{}: {refused} {said}\n", row.id))
}

fn line(id: &str, rows: &[Row]) -> Vec<String> {
    let find = |metric: &str| rows.iter().find(|row| row.id == id && row.metric.name() == metric);
    let count = |metric: &str| match find(metric).and_then(|row| row.data.as_ref()) {
        Some(Data::Count { value }) => *value as f64,
        _ => 0.0,
    };
    let of_tiers = |what: &str| Tier::ALL.map(|tier| count(&format!("{what}_{}", tier.name())));
    let (reads, bytes) = (of_tiers("reads"), of_tiers("bytes"));
    let all: f64 = reads.iter().sum();
    let share = |part: f64| format!("{:.1}", if all > 0.0 { part / all * 100.0 } else { 0.0 });
    let time_ns: f64 = match find("wall_time").and_then(|row| row.data.as_ref()) {
        Some(Data::Samples { values, .. }) => values.iter().sum(),
        _ => 0.0,
    };
    let rate = bytes.iter().sum::<f64>() / MIB as f64 / (time_ns / 1e9);
    let histogram = find("latency").and_then(|row| row.data.as_ref()?.histogram().ok());
    let quantile = |q: f64| {
        let value = histogram.as_ref().map(|histogram| histogram.value_at_quantile(q));
        value.map_or_else(|| "-".to_owned(), |ns| format!("{:.3}", ns as f64 / 1e6))
    };
    vec![
        id.to_owned(),
        format!("{all:.0}"),
        share(reads[0]),
        share(reads[1]),
        share(reads[2]),
        share(reads[0] + reads[1]),
        format!("{rate:.1}"),
        quantile(0.5),
        quantile(0.99),
    ]
}

#[cfg(test)]
mod tests {
    use bench_core::record::Metric;

    use super::*;

    #[test]
    fn shares_and_rate_are_derived_from_the_counts() {
        let id = "tiers/read/1MiB/own";
        let row =
            |metric: &str, data| Row::measured(id, Metric::from(metric.to_owned()), "1", data);
        let count = |metric, value| row(metric, Data::Count { value });
        let rows = [
            row("wall_time", Data::Samples { values: vec![1e9, 3e9], iterations: vec![4, 4] }),
            count("reads_memory", 4),
            count("reads_disk", 2),
            count("reads_remote", 2),
            count("bytes_memory", 4 << 20),
            count("bytes_disk", 2 << 20),
            count("bytes_remote", 2 << 20),
        ];
        let text = table(&rows);
        let words: Vec<&str> = text.lines().nth(1).expect("a line").split_whitespace().collect();
        assert_eq!(text.lines().count(), 2, "{text}");
        assert_eq!(words, [id, "8", "50.0", "25.0", "25.0", "75.0", "2.0", "-", "-"]);
    }
}
