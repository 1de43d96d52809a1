//! What an arm did in all its turns of a cell, and the rows it makes.

use std::collections::BTreeMap;
use std::time::Duration;

use bench_core::judge::matrix::{ARM, CELL, LINK};
use bench_core::measure::recorder::Dimensions;
use bench_core::measure::usage::{Memory, Usage};
use bench_core::record::{Data, Metric, Row};
use hdrhistogram::Histogram;

use super::arm::Turn;
use super::plan::Cell;

/// The time of a raw socket in the same rounds, in the rows of the arms beside it.
pub use bench_core::judge::matrix::CEILING;

/// Nanoseconds up to an hour, three digits.
pub(super) fn histogram() -> Histogram<u64> {
    Histogram::new_with_bounds(1, 3_600_000_000_000, 3).expect("constant bounds are valid")
}

/// Nanoseconds of one operation of an hour at most.
pub(super) fn ns(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX).clamp(1, 3_600_000_000_000)
}

/// One arm of one cell.
#[derive(Clone, Debug)]
pub struct Tally {
    /// The arm's name.
    pub name: String,
    dimensions: Dimensions,
    turns: Vec<Turn>,
    failure: Option<String>,
}

impl Tally {
    /// Of an arm that has not had a turn.
    pub fn new(name: &str) -> Self {
        let (dimensions, turns) = (Dimensions::new(), Vec::new());
        Self { name: name.to_owned(), dimensions, turns, failure: None }
    }

    /// What made the numbers.
    pub fn describe(&mut self, dimensions: Dimensions) {
        self.dimensions.extend(dimensions);
    }

    /// One more turn.
    pub fn push(&mut self, turn: Turn) {
        self.turns.push(turn);
    }

    /// Why the arm is out; the first reason holds.
    pub fn fail(&mut self, why: String) {
        self.failure.get_or_insert(why);
    }

    /// Whether it can still be measured.
    pub fn is_running(&self) -> bool {
        self.failure.is_none()
    }

    /// Turns so far.
    pub fn rounds(&self) -> usize {
        self.turns.len()
    }

    /// The rows of the cell; `ceiling` is the raw socket that took its turns in the same rounds.
    /// Where the arm is out or an operation of it failed, one failed row in place of all times,
    /// beside the counts; none where it had no turn.
    pub fn rows(&self, cell: &Cell, link: &str, ceiling: Option<&Self>) -> Vec<Row> {
        let id = cell.id(&self.name);
        if self.failure.is_none() && self.turns.is_empty() {
            return Vec::new();
        }
        let errors = self.errors();
        let mut rows = self.counts(&id, errors.values().sum());
        match self.failure.clone().or_else(|| self.some_failed(&errors)) {
            Some(why) => rows.insert(0, Row::failed(&id, Metric::WallTime, "ns", &why)),
            None => rows.extend(self.measured(&id, ceiling)),
        }
        let size = cell.size;
        let mut dimensions = self.dimensions.clone();
        dimensions.extend([
            (ARM.to_owned(), self.name.clone()),
            (CELL.to_owned(), cell.scenario()),
            (LINK.to_owned(), link.to_owned()),
            ("operation".to_owned(), cell.operation.to_string()),
            ("size".to_owned(), size.to_string()),
            ("bytes".to_owned(), size.bytes().to_string()),
        ]);
        for row in &mut rows {
            row.dimensions.clone_from(&dimensions);
            row.errors.clone_from(&errors);
        }
        rows
    }

    /// How many operations there were, and how many of them failed.
    fn counts(&self, id: &str, failed: u64) -> Vec<Row> {
        let operations: u64 = self.turns.iter().map(|turn| turn.operations).sum();
        if operations == 0 {
            return Vec::new();
        }
        [(Metric::Operations, operations), (Metric::Errors, failed)]
            .map(|(metric, value)| Row::measured(id, metric, "1", Data::Count { value }))
            .into()
    }

    /// Why an arm that had its rounds is no measurement: a time over what succeeded is one of
    /// other work.
    fn some_failed(&self, errors: &BTreeMap<String, u64>) -> Option<String> {
        let operations: u64 = self.turns.iter().map(|turn| turn.operations).sum();
        let failed: u64 = errors.values().sum();
        let kinds: Vec<String> =
            errors.iter().map(|(kind, count)| format!("{count} × {kind}")).collect();
        (failed > 0).then(|| format!("{failed} of {operations} operations: {}", kinds.join(", ")))
    }

    fn measured(&self, id: &str, ceiling: Option<&Self>) -> Vec<Row> {
        let other = |name: &str| Metric::Other(name.to_owned());
        let mut rows = Vec::new();
        let elapsed = |turn: &Turn| Some(turn.elapsed.as_nanos() as f64);
        rows.extend(self.samples(id, Metric::WallTime, "ns", elapsed));
        if let Some(ceiling) = ceiling {
            rows.extend(ceiling.samples(id, other(CEILING), "ns", elapsed));
        }
        for (metric, part) in [
            (Metric::Latency, (|turn| &turn.latency) as fn(&Turn) -> &Histogram<u64>),
            (other("first_byte"), |turn| &turn.first_byte),
        ] {
            let mut all = histogram();
            for turn in &self.turns {
                all.add(part(turn)).expect("equal bounds");
            }
            if !all.is_empty() {
                rows.push(Row::measured(id, metric, "ns", Data::from_histogram(&all)));
            }
        }
        rows.extend(self.used(id));
        rows
    }

    /// Rows of what was used; none of what nobody told.
    fn used(&self, id: &str) -> Vec<Row> {
        let other = |name: &str| Metric::Other(name.to_owned());
        let mut rows = Vec::new();
        for (metric, unit, part) in [
            (Metric::CpuTime, "ns", (|used| used.cpu_ns) as fn(&Usage) -> Option<u64>),
            (other("server_cpu_time"), "ns", |used| used.other_cpu_ns),
            (other("page_faults"), "1", |used| used.faults),
            (other("server_page_faults"), "1", |used| used.other_faults),
        ] {
            let value = |turn: &Turn| Some(part(turn.usage.as_ref()?)? as f64);
            rows.extend(self.samples(id, metric, unit, value));
        }
        for (peak, before, part) in [
            (
                Metric::RssBytes,
                "rss_bytes_before",
                (|used| used.memory) as fn(&Usage) -> Option<Memory>,
            ),
            (other("server_rss_bytes"), "server_rss_bytes_before", |used| used.other_memory),
        ] {
            let all = self.turns.iter().filter_map(|turn| part(turn.usage.as_ref()?));
            // Of the turn with the highest peak: what it took is the difference.
            if let Some(memory) = all.max_by_key(|memory| memory.peak_bytes) {
                let count =
                    |metric, value| Row::measured(id, metric, "bytes", Data::Count { value });
                rows.push(count(peak, memory.peak_bytes));
                rows.push(count(other(before), memory.before_bytes));
            }
        }
        rows
    }

    /// One value for each turn, of the operations that succeeded, where every turn has one.
    fn samples(
        &self,
        id: &str,
        metric: Metric,
        unit: &str,
        value: impl Fn(&Turn) -> Option<f64>,
    ) -> Option<Row> {
        let values: Vec<f64> = self.turns.iter().map(value).collect::<Option<_>>()?;
        let iterations: Vec<u64> = self.turns.iter().map(|turn| turn.latency.len()).collect();
        (!values.is_empty() && !iterations.contains(&0))
            .then(|| Row::measured(id, metric, unit, Data::Samples { values, iterations }))
    }

    fn errors(&self) -> BTreeMap<String, u64> {
        let mut errors = BTreeMap::new();
        for (kind, count) in self.turns.iter().flat_map(|turn| &turn.errors) {
            *errors.entry(kind.clone()).or_default() += count;
        }
        errors
    }
}

#[cfg(test)]
mod tests {
    use bench_core::units::ByteSize;
    use bench_grpc::Operation;

    use super::*;

    const CELL_1M: Cell = Cell::of_matrix(Operation::Read, ByteSize::mib(1));

    fn turn(ms: u64, operations: u64) -> Turn {
        let mut turn = Turn { operations, elapsed: Duration::from_millis(ms), ..Turn::empty() };
        turn.latency.record_n(ms * 1_000_000 / operations, operations).expect("in range");
        turn
    }

    #[test]
    fn rounds_become_samples_and_latencies_one_histogram() {
        let (mut tally, mut raw) = (Tally::new("default"), Tally::new("raw"));
        for ms in [10, 20] {
            tally.push(turn(ms, 5));
            raw.push(turn(ms / 2, 5));
        }
        let rows = tally.rows(&CELL_1M, "loopback", Some(&raw));
        let find = |metric: &str| rows.iter().find(|row| row.metric.name() == metric);
        let time = find("wall_time").expect("measured");
        assert_eq!(time.per_operation(), [2e6, 4e6]);
        assert_eq!(find(CEILING).expect("measured").per_operation(), [1e6, 2e6]);
        let latency = find("latency").and_then(|row| row.data.as_ref()).expect("measured");
        assert_eq!(latency.histogram().expect("decodes").len(), 10);
        assert_eq!(time.id, "grpc/matrix/read/default/1MiB");
        assert_eq!(time.dimensions[CELL], "grpc/matrix/read/1MiB");
        for metric in ["cpu_time", "server_cpu_time", "page_faults", "rss_bytes"] {
            assert!(find(metric).is_none(), "nobody told {metric}");
        }
        assert!(find("first_byte").is_none(), "nothing came");
        rows.iter().for_each(|row| row.check().expect("sound"));
    }

    #[test]
    fn what_was_used_has_a_row_for_each_end_that_tells() {
        let memory = |mib: u64| Memory { before_bytes: mib << 19, peak_bytes: mib << 20 };
        let used = |mib, cpu_ns| Usage {
            cpu_ns,
            other_cpu_ns: None,
            faults: Some(20),
            other_faults: Some(10),
            memory: Some(memory(mib)),
            other_memory: None,
        };
        let mut tally = Tally::new("default");
        tally.push(Turn { usage: Some(used(7, Some(100))), ..turn(10, 5) });
        tally.push(Turn { usage: Some(used(5, None)), ..turn(10, 5) });
        let rows = tally.rows(&CELL_1M, "loopback", None);
        let find = |metric: &str| rows.iter().find(|row| row.metric.name() == metric);
        assert!(find("cpu_time").is_none(), "one turn does not know it");
        assert!(find("server_rss_bytes").is_none());
        assert_eq!(find("page_faults").expect("told").per_operation(), [4.0, 4.0]);
        assert_eq!(find("server_page_faults").expect("told").per_operation(), [2.0, 2.0]);
        let count = |metric: &str| find(metric).and_then(|row| row.data.clone());
        assert_eq!(count("rss_bytes"), Some(Data::Count { value: 7 << 20 }));
        assert_eq!(count("rss_bytes_before"), Some(Data::Count { value: 7 << 19 }));
    }

    #[test]
    fn an_arm_that_failed_is_one_row_that_says_why() {
        let mut tally = Tally::new("default");
        let errors = vec![("Unavailable".to_owned(), 5)];
        tally.push(Turn { errors, ..turn(1, 5) });
        tally.fail("the server is gone".into());
        tally.fail("and more".into());
        let rows = tally.rows(&CELL_1M, "loopback", None);
        let metrics: Vec<&str> = rows.iter().map(|row| row.metric.name()).collect();
        assert_eq!(metrics, ["wall_time", "operations", "errors"]);
        assert_eq!(rows[0].error.as_deref(), Some("the server is gone"));
        assert_eq!(rows[0].errors["Unavailable"], 5);
        assert!(Tally::new("none").rows(&CELL_1M, "loopback", None).is_empty());
    }

    #[test]
    fn one_operation_that_failed_fails_the_cell_and_keeps_the_counts() {
        let mut tally = Tally::new("default");
        tally.push(turn(10, 5));
        let mut second = turn(10, 5);
        second.operations = 6;
        second.failed("Unavailable".to_owned());
        tally.push(second);
        assert!(tally.is_running(), "it goes on, so that all that fails is counted");
        let rows = tally.rows(&CELL_1M, "loopback", None);
        assert!(!rows[0].ok && rows[0].metric == Metric::WallTime);
        assert_eq!(rows[0].error.as_deref(), Some("1 of 11 operations: 1 × Unavailable"));
        assert!(rows.iter().all(|row| row.errors["Unavailable"] == 1));
        let counts: Vec<Option<Data>> = rows[1..].iter().map(|row| row.data.clone()).collect();
        let count = |value| Some(Data::Count { value });
        assert_eq!(counts, [count(11), count(1)]);
        rows.iter().for_each(|row| row.check().expect("sound"));
        // What a time is per: those that succeeded.
        let times =
            tally.samples("a", Metric::WallTime, "ns", |t| Some(t.elapsed.as_nanos() as f64));
        assert_eq!(times.expect("measured").per_operation(), [2e6, 2e6]);
    }
}
