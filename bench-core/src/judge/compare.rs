//! Pairs of rows with effect and interval. No opinion.

use std::collections::BTreeMap;

use super::comparable::{Comparability, comparable};
use super::effect::{Effect, effect};
use crate::record::{Metric, Row, RunRecord};

/// The dimensions that make two rows numbers of the same thing: which implementation really ran,
/// the socket buffers it was granted, which decide how many calls a transfer takes, which of
/// several outages of one run it was, and whether the ends of an echo slept meanwhile.
pub const IDENTITY: [&str; 6] =
    ["backend", "congestion_control", "send_buffer", "receive_buffer", "outage", "ends"];

/// The rows of one metric of one id on both sides.
#[derive(Clone, Debug, PartialEq)]
pub struct Pair {
    /// The id.
    pub id: String,
    /// The metric.
    pub metric: Metric,
    /// The unit of the effect: the head's, or the base's where there is no head.
    pub unit: String,
    /// The row before; `None` where the id is new.
    pub base: Option<Row>,
    /// The row after; `None` where the id was not measured.
    pub head: Option<Row>,
    /// Whether the two say anything about each other.
    pub comparability: Comparability,
    /// How they differ; `None` where one is absent or failed, or they do not compare.
    pub effect: Option<Effect>,
}

impl Pair {
    /// Whether only the head has the id.
    pub const fn is_new(&self) -> bool {
        self.base.is_none() && matches!(&self.head, Some(head) if head.ok)
    }

    /// Whether a gate may judge it: as the head says, or the base where there is no head.
    pub fn gates(&self) -> bool {
        self.head.as_ref().or(self.base.as_ref()).is_some_and(|row| row.gates)
    }

    /// The base, if it has a value.
    pub fn measured_base(&self) -> Option<&Row> {
        self.base.as_ref().filter(|row| row.ok && row.data.is_some())
    }

    /// The head, if it has a value.
    pub fn measured_head(&self) -> Option<&Row> {
        self.head.as_ref().filter(|row| row.ok && row.data.is_some())
    }
}

/// Pairs the rows of two records by id, metric and [`IDENTITY`], sorted by id, then metric.
///
/// A row that finds none of its own identity is paired with what is left of its id and metric,
/// and does not compare; the reason names both values.
pub fn compare(base: &RunRecord, head: &RunRecord) -> Vec<Pair> {
    let (mut bases, mut heads) = (group(base), group(head));
    let mut keys: Vec<_> = bases.keys().chain(heads.keys()).copied().collect();
    keys.sort_unstable();
    keys.dedup();
    let mut pairs = Vec::new();
    for key in keys {
        let bases = bases.remove(&key).unwrap_or_default();
        let heads = heads.remove(&key).unwrap_or_default();
        let comparability = comparable(&base.environment, &head.environment, key.1);
        let matched = match_rows(bases, heads);
        pairs.extend(matched.into_iter().map(|(b, h)| pair(b, h, comparability.clone())));
    }
    pairs
}

type Groups<'a> = BTreeMap<(&'a str, &'a Metric), Vec<&'a Row>>;

fn group(record: &RunRecord) -> Groups<'_> {
    let mut groups = Groups::new();
    // What a scenario used is no result of it: between two runs it differs for a hundred reasons.
    for row in record.rows.iter().filter(|row| !row.is_of_watch()) {
        groups.entry((&row.id, &row.metric)).or_default().push(row);
    }
    // The order of measuring must not decide which rows meet.
    for rows in groups.values_mut() {
        rows.sort_by(|a, b| a.dimensions.cmp(&b.dimensions));
    }
    groups
}

/// The closest first: all dimensions equal, then those of the identity, then whatever is left.
fn match_rows<'a>(
    mut bases: Vec<&'a Row>,
    mut heads: Vec<&'a Row>,
) -> Vec<(Option<&'a Row>, Option<&'a Row>)> {
    let mut matched = Vec::new();
    let closeness: [fn(&Row, &Row) -> bool; 3] =
        [|a, b| a.dimensions == b.dimensions, |a, b| foreign(a, b).is_none(), |_, _| true];
    for close in closeness {
        bases.retain(|base| {
            let Some(at) = heads.iter().position(|head| close(base, head)) else { return true };
            matched.push((Some(*base), Some(heads.remove(at))));
            false
        });
    }
    matched.extend(bases.into_iter().map(|base| (Some(base), None)));
    matched.extend(heads.into_iter().map(|head| (None, Some(head))));
    matched
}

/// Why the two rows are numbers of different things.
fn foreign(base: &Row, head: &Row) -> Option<String> {
    let value = |row: &Row, name| row.dimensions.get(name).map_or("none", |v| v).to_owned();
    let difference = IDENTITY.into_iter().find_map(|name| {
        let (b, h) = (value(base, name), value(head, name));
        (b != h).then(|| format!("{name} differs: '{b}' and '{h}'"))
    });
    difference.or_else(|| {
        (base.unit != head.unit)
            .then(|| format!("unit differs: '{}' and '{}'", base.unit, head.unit))
    })
}

fn pair(base: Option<&Row>, head: Option<&Row>, comparability: Comparability) -> Pair {
    let row = head.or(base).expect("a pair has a row");
    let comparability = match base.zip(head).and_then(|(base, head)| foreign(base, head)) {
        Some(reason) => Comparability::No(reason),
        None => comparability,
    };
    let effect = match (base, head) {
        _ if matches!(comparability, Comparability::No(_)) => None,
        (Some(base), Some(head)) => effect(base, head),
        _ => None,
    };
    Pair {
        id: row.id.clone(),
        metric: row.metric.clone(),
        unit: row.unit.clone(),
        base: base.cloned(),
        head: head.cloned(),
        comparability,
        effect,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::{Data, Environment};

    fn record(rows: Vec<Row>) -> RunRecord {
        let text = |t: &str| Some(t.to_owned());
        let environment = Environment {
            host_id: text("h"),
            rustc: text("1"),
            target: text("t"),
            rustflags: text(""),
            profile: text("bench"),
            glibc: text("2"),
            valgrind: text("3"),
            glibc_tunables: text(""),
            cpu_features: vec!["avx2".to_owned()],
            ..Environment::default()
        };
        RunRecord { rows, ..RunRecord::begin(environment) }
    }

    fn count(id: &str, value: u64) -> Row {
        Row::measured(id, Metric::Instructions, "instructions", Data::Count { value })
    }

    fn with(mut row: Row, name: &str, value: &str) -> Row {
        row.dimensions.insert(name.to_owned(), value.to_owned());
        row
    }

    fn times(values: impl Iterator<Item = u32>) -> Row {
        let values: Vec<f64> = values.map(|v| f64::from(v) * 10.0).collect();
        let iterations = vec![10; values.len()];
        Row::measured("a", Metric::WallTime, "ns", Data::Samples { values, iterations })
    }

    fn only(base: Vec<Row>, head: Vec<Row>) -> Pair {
        let mut pairs = compare(&record(base), &record(head));
        assert_eq!(pairs.len(), 1, "{pairs:#?}");
        pairs.remove(0)
    }

    #[test]
    fn pairs_are_sorted_and_nothing_is_lost() {
        let base = record(vec![count("b", 2), times(1..10), count("a", 1), count("gone", 1)]);
        let head = record(vec![count("new", 1), count("a", 3), times(1..10), count("b", 2)]);
        let pairs = compare(&base, &head);
        let seen: Vec<_> = pairs.iter().map(|p| (p.id.as_str(), p.metric.name())).collect();
        let instructions = "instructions";
        let expected = [
            ("a", instructions),
            ("a", "wall_time"),
            ("b", instructions),
            ("gone", instructions),
            ("new", instructions),
        ];
        assert_eq!(seen, expected);
        let effect = Effect { base: 1.0, head: 3.0, ratio: Some(3.0), interval: None };
        assert_eq!(pairs[0].effect, Some(effect));
        assert!(pairs[3].head.is_none() && pairs[3].effect.is_none());
        assert!(pairs[4].is_new() && pairs[4].effect.is_none());
    }

    #[test]
    fn another_backend_does_not_compare_and_both_are_named() {
        let io_uring = with(count("a", 1), "backend", "io_uring");
        let pread = with(count("a", 9), "backend", "pread");
        let pair = only(vec![io_uring.clone()], vec![pread.clone()]);
        let reason = "backend differs: 'io_uring' and 'pread'".to_owned();
        assert_eq!((pair.comparability, pair.effect), (Comparability::No(reason), None));
        // With both on both sides each finds its own, in whatever order they were measured.
        let base = record(vec![io_uring.clone(), pread.clone()]);
        let pairs = compare(&base, &record(vec![pread, io_uring]));
        assert!(pairs.iter().all(|p| p.effect.is_some_and(|e| e.ratio == Some(1.0))));
    }

    #[test]
    fn other_socket_buffers_do_not_compare() {
        for name in ["send_buffer", "receive_buffer"] {
            let granted = |bytes| vec![with(count("a", 1), name, bytes)];
            let pair = only(granted("416KiB"), granted("4MiB"));
            let reason = format!("{name} differs: '416KiB' and '4MiB'");
            assert_eq!((pair.comparability, pair.effect), (Comparability::No(reason), None));
        }
    }

    #[test]
    fn each_outage_of_a_run_meets_itself_whatever_else_differs() {
        let outage =
            |number, seed, value| with(with(count("a", value), "outage", number), "seed", seed);
        let base = record(vec![outage("0", "1", 70), outage("1", "1", 90)]);
        let head = record(vec![outage("1", "2", 90)]);
        let pairs = compare(&base, &head);
        assert_eq!(pairs.len(), 2);
        let ratio = |pair: &Pair| pair.effect.as_ref().and_then(|effect| effect.ratio);
        assert_eq!(ratio(&pairs[0]), Some(1.0), "the second outage of both");
        assert!(pairs[1].head.is_none());
    }

    #[test]
    fn another_unit_does_not_compare() {
        let other = Row { unit: "thousands".to_owned(), ..count("a", 1) };
        let pair = only(vec![count("a", 1)], vec![other]);
        assert!(matches!(pair.comparability, Comparability::No(_)), "{pair:?}");
    }

    #[test]
    fn a_dimension_outside_of_the_identity_only_prefers() {
        let seeded = |seed| with(count("a", 1), "seed", seed);
        let pair = only(vec![seeded("1")], vec![seeded("2")]);
        assert_eq!(pair.comparability, Comparability::Yes);
        let base = record(vec![seeded("1"), seeded("2")]);
        for pair in compare(&base, &record(vec![seeded("2"), seeded("1")])) {
            let seed = |row: Option<Row>| row.expect("there").dimensions;
            assert_eq!(seed(pair.base), seed(pair.head));
        }
    }
}
