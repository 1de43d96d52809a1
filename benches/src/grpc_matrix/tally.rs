//! What an arm did in all its turns of a cell, and the rows it makes.

use std::collections::BTreeMap;
use std::time::Duration;

use bench_core::judge::matrix::{ARM, CELL, INTERRUPTED, LINK};
use bench_core::measure::recorder::Dimensions;
use bench_core::measure::usage::{Memory, Usage};
use bench_core::record::{Data, Metric, Row};
use hdrhistogram::Histogram;

use super::arm::Turn;
use super::part::Part;
use super::plan::Cell;

/// The time of a raw socket in the same rounds, in the rows of the arms beside it.
pub use bench_core::judge::matrix::CEILING;

/// What was resident of this process before the turn of its peak.
const BEFORE: &str = "rss_bytes_before";
/// What was resident of it with the content and before any arm was opened.
pub(super) const BASE: &str = "rss_bytes_base";

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
    base_bytes: Option<u64>,
    failure: Option<String>,
}

impl Tally {
    /// Of an arm that has not had a turn.
    pub fn new(name: &str) -> Self {
        let (dimensions, turns) = (Dimensions::new(), Vec::new());
        Self { name: name.to_owned(), dimensions, turns, base_bytes: None, failure: None }
    }

    /// What made the numbers.
    pub fn describe(&mut self, dimensions: Dimensions) {
        self.dimensions.extend(dimensions);
    }

    /// What was resident of this process with the content and before any arm was opened.
    pub fn stand_on(&mut self, base_bytes: Option<u64>) {
        self.base_bytes = base_bytes;
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

    /// Whether it ran, and all its operations succeeded.
    pub fn is_sound(&self) -> bool {
        self.is_running() && self.errors().is_empty()
    }

    /// Marks it as one that was not measured to its end: its content was not looked at again.
    pub fn interrupt(&mut self, rounds: u64) {
        let had = format!("{} of {rounds} rounds", self.turns.len());
        self.dimensions.insert(INTERRUPTED.to_owned(), had);
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
        let mut dimensions = self.placed(cell, link);
        dimensions.insert(ARM.to_owned(), self.name.clone());
        if let Some(layout) = ceiling.and_then(|ceiling| ceiling.dimensions.get("layout")) {
            dimensions.insert("ceiling_layout".to_owned(), layout.clone());
        }
        for row in &mut rows {
            row.dimensions.clone_from(&dimensions);
            row.errors.clone_from(&errors);
        }
        rows
    }

    /// The failed row of a raw socket that is no ceiling. It names no arm, for it is not to be
    /// ranked.
    pub fn no_ceiling(&self, cell: &Cell, link: &str) -> Option<Row> {
        let errors = self.errors();
        let why = self.failure.clone().or_else(|| self.some_failed(&errors))?;
        let (id, metric) = (cell.id(&self.name), Metric::Other(CEILING.to_owned()));
        let mut row = Row::failed(&id, metric, "ns", &format!("no ceiling: {why}"));
        (row.dimensions, row.errors) = (self.placed(cell, link), errors);
        Some(row)
    }

    /// What made the numbers, and of which cell they are.
    fn placed(&self, cell: &Cell, link: &str) -> Dimensions {
        let mut dimensions = self.dimensions.clone();
        let of = |part: Part| ("range".to_owned(), format!("{part} of {}", cell.size));
        dimensions.extend(cell.part.map(of));
        dimensions.extend([
            (CELL.to_owned(), cell.scenario()),
            (LINK.to_owned(), link.to_owned()),
            ("operation".to_owned(), cell.operation.to_string()),
            ("size".to_owned(), cell.moved().to_string()),
            ("bytes".to_owned(), cell.moved().bytes().to_string()),
        ]);
        dimensions
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
            (Metric::RssBytes, BEFORE, (|used| used.memory) as fn(&Usage) -> Option<Memory>),
            (other("server_rss_bytes"), "server_rss_bytes_before", |used| used.other_memory),
        ] {
            let all = self.turns.iter().filter_map(|turn| part(turn.usage.as_ref()?));
            // Of the turn with the highest peak. What was resident before it holds the content,
            // and what the warm-up and earlier turns of all arms left.
            if let Some(memory) = all.max_by_key(|memory| memory.peak_bytes) {
                let count =
                    |metric, value| Row::measured(id, metric, "bytes", Data::Count { value });
                rows.push(count(peak, memory.peak_bytes));
                rows.push(count(other(before), memory.before_bytes));
                // What transfers take beside the content is the difference to this.
                let base = self.base_bytes.filter(|_| before == BEFORE);
                rows.extend(base.map(|base| count(other(BASE), base)));
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
#[path = "tally_tests.rs"]
mod tests;
