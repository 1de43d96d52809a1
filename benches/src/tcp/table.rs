//! The rows as a table for people: what went in a second, and how we stand beside others.

use bench_core::judge::matrix::CELL;
use bench_core::judge::stats::median;
use bench_core::record::Row;

use super::run::{ARM, OWN};
use super::{reuse, time_outs};
use crate::front::text::aligned;

/// A line for each row, and below what a reader has to know of a number.
pub fn table(rows: &[Row]) -> String {
    let words = ["cell", "arm", "a second", "own is faster by"];
    let mut lines = vec![words.map(str::to_owned).to_vec()];
    let mut notes = String::new();
    let of_arms = || rows.iter().filter(|row| row.dimensions.contains_key(ARM));
    for row in of_arms() {
        let (cell, arm) = (&row.dimensions[CELL], &row.dimensions[ARM]);
        if let Some(error) = &row.error {
            notes.push_str(&format!("{cell}: {error}\n"));
            continue;
        }
        let own = of_arms().find(|own| own.dimensions[CELL] == *cell && own.dimensions[ARM] == OWN);
        let ratio = own.filter(|_| arm != OWN).and_then(|own| ratios(own, row));
        let ratio = ratio.map_or_else(String::new, |[middle, least, most]| {
            format!("{middle:.2}x ({least:.2} to {most:.2})")
        });
        lines.push(vec![cell.clone(), arm.clone(), in_a_second(row), ratio]);
        if let Some(limit) = row.dimensions.get("limited_by") {
            notes.push_str(&format!("{cell} {arm}: limited by {limit}\n"));
        }
    }
    let table = if lines.len() > 1 { aligned(&lines) } else { String::new() };
    format!("{table}{notes}{}{}", reuse::words(rows), time_outs::words(rows))
}

/// By which our own is faster, of each round; the median, the least and the most of them.
pub fn ratios(own: &Row, other: &Row) -> Option<[f64; 3]> {
    let (own, other) = (own.per_operation(), other.per_operation());
    let ratios: Vec<f64> = own.iter().zip(&other).map(|(own, other)| other / own).collect();
    let least = ratios.iter().copied().reduce(f64::min)?;
    Some([median(&ratios), least, ratios.iter().copied().reduce(f64::max)?])
}

/// Bits where an operation has bytes, else operations.
fn in_a_second(row: &Row) -> String {
    let each = row.per_operation();
    if each.is_empty() {
        return "-".to_owned();
    }
    let operations = 1e9 / median(&each);
    let bytes = row.dimensions.get("bytes").and_then(|bytes| bytes.parse::<f64>().ok());
    bytes.map_or_else(
        || format!("{operations:.0}"),
        |bytes| format!("{:.2} Gbit", operations * bytes * 8.0 / 1e9),
    )
}

#[cfg(test)]
mod tests {
    use bench_core::record::{Data, Metric};

    use super::*;

    fn row(arm: &str, values: &[f64], bytes: Option<&str>) -> Row {
        let data = Data::Samples { values: values.to_vec(), iterations: vec![10; values.len()] };
        let mut row = Row::measured("a/b", Metric::WallTime, "ns", data);
        let bytes = bytes.map(|bytes| ("bytes", bytes));
        for (name, value) in [(CELL, "a/b"), (ARM, arm)].into_iter().chain(bytes) {
            row.dimensions.insert(name.to_owned(), value.to_owned());
        }
        row
    }

    #[test]
    fn rates_and_ratios_are_derived_by_hand() {
        // 10 operations in 200 us are 50,000 in a second.
        let own = row(OWN, &[200_000.0, 200_000.0, 100_000.0], None);
        let other = row("wrk", &[220_000.0, 300_000.0, 150_000.0], None);
        assert_eq!(ratios(&own, &other), Some([1.5, 1.1, 1.5]));
        let text = table(&[own, other]);
        assert!(text.contains("50000"), "{text}");
        assert!(text.contains("1.50x (1.10 to 1.50)"), "{text}");
        // 10 blocks of 128 KiB in 1 ms.
        let text = table(&[row(OWN, &[1e6], Some("131072"))]);
        assert!(text.contains("10.49 Gbit"), "{text}");
    }

    #[test]
    fn what_is_missing_or_limited_is_told() {
        let mut missing = row("wrk", &[], None);
        missing.error = Some("wrk is not installed".to_owned());
        let mut limited = row(OWN, &[1e6], None);
        limited.dimensions.insert("limited_by".to_owned(), "no buffer".to_owned());
        let text = table(&[limited, missing]);
        let notes = "a/b own: limited by no buffer\na/b: wrk is not installed\n";
        assert!(text.ends_with(notes), "{text}");
    }
}
