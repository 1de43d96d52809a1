//! What an arm did in all its turns of a cell, and the rows it makes.

use std::collections::BTreeMap;
use std::time::Duration;

use bench_core::judge::matrix::{ARM, CELL, LINK};
use bench_core::measure::recorder::Dimensions;
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
    /// One failed row where the arm is out, none where it had no turn.
    pub fn rows(&self, cell: &Cell, link: &str, ceiling: Option<&Self>) -> Vec<Row> {
        let id = cell.id(&self.name);
        let mut rows = match &self.failure {
            Some(why) => {
                let mut row = Row::failed(&id, Metric::WallTime, "ns", why);
                row.errors = self.errors();
                vec![row]
            }
            None if self.turns.is_empty() => return Vec::new(),
            None => self.measured(&id, ceiling),
        };
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
        }
        rows
    }

    fn measured(&self, id: &str, ceiling: Option<&Self>) -> Vec<Row> {
        let other = |name: &str| Metric::Other(name.to_owned());
        let errors = self.errors();
        let failed: u64 = errors.values().sum();
        let operations: u64 = self.turns.iter().map(|turn| turn.operations).sum();
        let count =
            |metric, unit: &str, value| Row::measured(id, metric, unit, Data::Count { value });
        let mut rows =
            vec![count(Metric::Operations, "1", operations), count(Metric::Errors, "1", failed)];
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
        rows.extend(self.samples(id, Metric::CpuTime, "ns", |turn| Some(turn.usage.cpu_ns as f64)));
        let server = |turn: &Turn| turn.usage.other_cpu_ns.map(|ns| ns as f64);
        rows.extend(self.samples(id, other("server_cpu_time"), "ns", server));
        let faults = |turn: &Turn| turn.usage.faults.map(|faults| faults as f64);
        rows.extend(self.samples(id, other("page_faults"), "1", faults));
        if let Some(peak) = self.turns.iter().filter_map(|turn| turn.peak_bytes).max() {
            rows.push(count(Metric::RssBytes, "bytes", peak));
        }
        rows.iter_mut().for_each(|row| row.errors.clone_from(&errors));
        rows
    }

    /// One value for each turn, where every turn has one.
    fn samples(
        &self,
        id: &str,
        metric: Metric,
        unit: &str,
        value: impl Fn(&Turn) -> Option<f64>,
    ) -> Option<Row> {
        let values: Vec<f64> = self.turns.iter().map(value).collect::<Option<_>>()?;
        let iterations = self.turns.iter().map(|turn| turn.operations).collect();
        (!values.is_empty())
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
        assert!(find("server_cpu_time").is_none(), "nobody told it");
        assert!(find("first_byte").is_none(), "nothing came");
        rows.iter().for_each(|row| row.check().expect("sound"));
    }

    #[test]
    fn an_arm_that_failed_is_one_row_that_says_why() {
        let mut tally = Tally::new("default");
        let errors = vec![("Unavailable".to_owned(), 5)];
        tally.push(Turn { errors, ..turn(1, 5) });
        tally.fail("the server is gone".into());
        tally.fail("and more".into());
        let rows = tally.rows(&CELL_1M, "loopback", None);
        assert_eq!(rows.len(), 1);
        assert_eq!(rows[0].error.as_deref(), Some("the server is gone"));
        assert_eq!(rows[0].errors["Unavailable"], 5);
        assert!(Tally::new("none").rows(&CELL_1M, "loopback", None).is_empty());
    }
}
