//! The rows as a table for people: a line for each kind, a column for each arm, and what the arms save.

use bench_core::judge::stats::median;
use bench_core::record::{Data, Metric, Row};
use bench_storage::fuse::{Caching, Kind};

use super::rounds::{ALL, ARM, METADATA, metric_of};
use crate::front::text::aligned;

/// The share of these requests that an arm saves, beside the arm that remembers nothing; `None` where
/// one of the two has no such row, or there was nothing to save.
pub fn saved(rows: &[Row], arm: &str, kind: &str) -> Option<f64> {
    let none = count(rows, Caching::Ttl0.name(), kind).filter(|none| *none > 0)?;
    Some(1.0 - count(rows, arm, kind)? as f64 / none as f64)
}

/// The table, and below it what was saved or why nothing can have been.
pub fn table(rows: &[Row]) -> String {
    let arms = Caching::ALL.map(Caching::name);
    let titled = |title: &str, cell: &dyn Fn(&str) -> String| {
        std::iter::once(title.to_owned()).chain(arms.map(cell)).collect::<Vec<_>>()
    };
    let number = |number: Option<u64>| number.map_or_else(|| "-".to_owned(), |n| n.to_string());
    let mut lines = vec![titled(counted(rows), &str::to_owned)];
    for kind in kinds(rows) {
        lines.push(titled(kind, &|arm| number(count(rows, arm, kind))));
    }
    lines.push(titled("ms a round", &|arm| {
        milliseconds(rows, arm).map_or_else(|| "-".to_owned(), |ms| format!("{ms:.1}"))
    }));
    format!("{}\n{}", aligned(&lines), words(rows))
}

fn counted(rows: &[Row]) -> &'static str {
    if is_fuse(rows) { "requests" } else { "system calls" }
}

/// What is counted.
fn metric(rows: &[Row]) -> Metric {
    if is_fuse(rows) { Metric::Requests } else { Metric::Syscalls }
}

fn is_fuse(rows: &[Row]) -> bool {
    rows.iter().any(|row| row.metric == Metric::Requests)
}

/// In the order of the rows.
fn kinds(rows: &[Row]) -> Vec<&str> {
    let all = metric(rows);
    let mut kinds: Vec<&str> = Vec::new();
    for row in rows {
        let kind = match &row.metric {
            Metric::Other(name) => {
                name.strip_suffix(all.name()).and_then(|name| name.strip_suffix('_'))
            }
            metric => (*metric == all).then_some(ALL),
        };
        kinds.extend(kind.filter(|kind| !kinds.contains(kind)));
    }
    kinds
}

fn of_arm<'a>(rows: &'a [Row], arm: &'a str) -> impl Iterator<Item = &'a Row> {
    rows.iter().filter(move |row| row.dimensions.get(ARM).is_some_and(|name| name == arm))
}

fn count(rows: &[Row], arm: &str, kind: &str) -> Option<u64> {
    let metric = metric_of(&metric(rows), kind);
    match of_arm(rows, arm).find(|row| row.metric == metric)?.data {
        Some(Data::Count { value }) => Some(value),
        _ => None,
    }
}

fn milliseconds(rows: &[Row], arm: &str) -> Option<f64> {
    let times = of_arm(rows, arm).find(|row| row.metric == Metric::WallTime)?.per_operation();
    (!times.is_empty()).then(|| median(&times) / 1e6)
}

fn words(rows: &[Row]) -> String {
    let Some(first) = rows.first() else { return String::new() };
    let of = |name: &str| first.dimensions.get(name).map_or("-", String::as_str);
    let did = format!(
        "{} files of {}, {} rounds; the first, which finds nothing remembered, counts too\n",
        of("files"),
        of("size"),
        of("rounds")
    );
    if !is_fuse(rows) {
        let (backend, reason) = (of("backend"), of("backend_reason"));
        return format!("{did}nothing is saved by {backend}: {reason}\n");
    }
    let line = |what: &str, kind: &str, arm: Caching| {
        let share = saved(rows, arm.name(), kind).map_or(f64::NAN, |share| share * 100.0);
        format!("{what} requests saved by {arm}: {share:.1} %\n")
    };
    let kind = Kind::Fuse.name();
    format!(
        "{did}{kind} {}: read-ahead {}, max read {}, requests of {}, max background {}\n{}{}{}{}",
        of("fuse_abi"),
        of("read_ahead"),
        of("max_read"),
        of("read_request"),
        of("max_background"),
        line("metadata", METADATA, Caching::Ttl5s),
        line("metadata", METADATA, Caching::KeepCache60s),
        line("all", ALL, Caching::KeepCache60s),
        asked_again(rows),
    )
}

/// What was asked for more than once although it was to be kept, for whatever reason: the kernel says
/// none. With nothing kept, every round reads the same.
fn asked_again(rows: &[Row]) -> String {
    let reads = |arm: Caching| count(rows, arm.name(), "read");
    let rounds = rows.first().and_then(|row| row.dimensions.get("rounds")?.parse::<u64>().ok());
    let again = || {
        let once = reads(Caching::Ttl0)?.checked_div(rounds?)?;
        reads(Caching::KeepCache60s)?.checked_sub(once).filter(|again| *again > 0)
    };
    again().map_or_else(String::new, |again| {
        let arm = Caching::KeepCache60s;
        format!("{again} reads of {arm} were asked for again\n")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(arm: Caching, kind: &str, value: u64) -> Row {
        let metric = metric_of(&Metric::Requests, kind);
        let mut row = Row::measured("a/b", metric, "1", Data::Count { value });
        for (name, value) in [(ARM, arm.name()), ("files", "32")] {
            row.dimensions.insert(name.to_owned(), value.to_owned());
        }
        row
    }

    #[test]
    fn content_that_was_asked_for_again_is_told() {
        let rows = |kept| {
            let (none, kept) =
                (row(Caching::Ttl0, "read", 320), row(Caching::KeepCache60s, "read", kept));
            let mut rows = [none, kept, row(Caching::Ttl0, ALL, 400)];
            rows[0].dimensions.insert("rounds".to_owned(), "10".to_owned());
            table(&rows)
        };
        assert!(!rows(32).contains("again"), "{}", rows(32));
        let told = "34 reads of keep_cache_60s were asked for again\n";
        assert!(rows(66).contains(told), "{}", rows(66));
    }

    #[test]
    fn shares_are_derived_by_hand_and_of_nothing_there_is_none() {
        let rows = [
            row(Caching::Ttl0, METADATA, 2240),
            row(Caching::Ttl5s, METADATA, 64),
            row(Caching::Ttl0, ALL, 12_800),
            row(Caching::KeepCache60s, ALL, 1408),
        ];
        assert_eq!(saved(&rows, "ttl_5s", ALL), None);
        let text = table(&rows);
        assert!(text.contains("metadata requests saved by ttl_5s: 97.1 %\n"), "{text}");
        assert!(text.contains("all requests saved by keep_cache_60s: 89.0 %\n"), "{text}");
        let cells: Vec<&str> = text.lines().nth(2).expect("a line").split_whitespace().collect();
        assert_eq!(cells, [ALL, "12800", "-", "1408"]);
        let nothing = [row(Caching::Ttl0, ALL, 0), row(Caching::Ttl5s, ALL, 0)];
        assert_eq!(saved(&nothing, "ttl_5s", ALL), None);
    }
}
