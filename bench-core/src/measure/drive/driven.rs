//! What became of a run: latencies, errors, and the rows they make.

use std::collections::BTreeMap;
use std::time::Duration;

use hdrhistogram::Histogram;

use super::DriveConfig;
use crate::measure::recorder::Dimensions;
use crate::record::{Data, Metric, Row};

/// Shortest time a histogram tells from nothing.
const LOW_NS: u64 = 1;
/// Longest time it holds: an hour. What took longer counts as an hour and is counted apart.
const HIGH_NS: u64 = 3_600_000_000_000;
/// Significant decimal digits.
const DIGITS: u8 = 3;

/// How many kinds of error are told apart.
const ERROR_KINDS_MAX: usize = 64;
/// The kind that holds all others.
pub const OTHER_ERRORS: &str = "other";

/// What became of the operations behind the warm-up.
#[derive(Clone, Debug, PartialEq)]
pub struct Driven {
    /// What was driven.
    pub config: DriveConfig,
    /// Operations that ended, well or not.
    pub operations: u64,
    /// Failed operations by kind. Their time is in no histogram: a refusal is fast, a time-out slow,
    /// and neither says how long the work takes.
    pub errors: BTreeMap<String, u64>,
    /// Nanoseconds from the intended start to the end; from the actual start where the schedule
    /// is closed.
    pub latency: Histogram<u64>,
    /// Nanoseconds from the actual start to the end.
    pub service_time: Histogram<u64>,
    /// Successful operations that took longer than an hour, and count as an hour.
    pub saturated: u64,
    /// From the start of the first operation to the end of the last.
    pub elapsed: Duration,
    /// The longest time between an intended start and the actual one.
    pub lateness_max: Duration,
}

impl Driven {
    pub(super) fn nothing(config: DriveConfig) -> Self {
        let histogram = || {
            Histogram::new_with_bounds(LOW_NS, HIGH_NS, DIGITS).expect("constant bounds are valid")
        };
        Self {
            config,
            operations: 0,
            errors: BTreeMap::new(),
            latency: histogram(),
            service_time: histogram(),
            saturated: 0,
            elapsed: Duration::ZERO,
            lateness_max: Duration::ZERO,
        }
    }

    pub(super) fn succeeded(&mut self, latency: Duration, service_time: Duration) {
        let ns = |time: Duration| u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        self.saturated += u64::from(ns(latency) > HIGH_NS);
        self.latency.saturating_record(ns(latency).clamp(LOW_NS, HIGH_NS));
        self.service_time.saturating_record(ns(service_time).clamp(LOW_NS, HIGH_NS));
    }

    pub(super) fn failed(&mut self, kind: String) {
        self.failed_times(kind, 1);
    }

    fn failed_times(&mut self, kind: String, times: u64) {
        let room = self.errors.len() < ERROR_KINDS_MAX || self.errors.contains_key(&kind);
        let kind = if room { kind } else { OTHER_ERRORS.to_owned() };
        *self.errors.entry(kind).or_default() += times;
    }

    /// Adds a run of the same configuration that came after this one: operations, errors and times come
    /// together, and so does the time that both took.
    pub fn absorb(&mut self, later: Self) {
        self.operations += later.operations;
        for (kind, times) in later.errors {
            self.failed_times(kind, times);
        }
        self.latency += later.latency;
        self.service_time += later.service_time;
        self.saturated += later.saturated;
        self.elapsed += later.elapsed;
        self.lateness_max = self.lateness_max.max(later.lateness_max);
    }

    /// Failed operations of all kinds.
    pub fn failures(&self) -> u64 {
        self.errors.values().sum()
    }

    /// The rows of this run: latency, operations and errors; and, as metrics of their own name,
    /// `service_time`, `elapsed` and `lateness_max` in nanoseconds and `saturated`. The schedule
    /// and the workers join `dimensions`. A row of what was measured is ok even where operations
    /// failed: these are in its `errors` and in the row of errors. Rates and percentiles are derived on read.
    pub fn into_rows(self, id: &str, dimensions: &Dimensions) -> Vec<Row> {
        let mut dimensions = dimensions.clone();
        dimensions.insert("schedule".to_owned(), self.config.schedule.to_string());
        dimensions.insert("workers".to_owned(), self.config.workers.to_string());
        let ns = |time: Duration| u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        let count =
            |metric, unit: &str, value| Row::measured(id, metric, unit, Data::Count { value });
        let other = |name: &str| Metric::Other(name.to_owned());
        let mut rows = vec![
            times(id, Metric::Latency, &self.latency),
            count(Metric::Operations, "1", self.operations),
            count(Metric::Errors, "1", self.failures()),
            times(id, other("service_time"), &self.service_time),
            count(other("elapsed"), "ns", ns(self.elapsed)),
            count(other("lateness_max"), "ns", ns(self.lateness_max)),
            count(other("saturated"), "1", self.saturated),
        ];
        for row in &mut rows {
            row.dimensions.clone_from(&dimensions);
            row.errors.clone_from(&self.errors);
        }
        rows
    }
}

/// A row of times; a failed one where no operation succeeded, since an empty histogram would read
/// as "no time at all".
fn times(id: &str, metric: Metric, histogram: &Histogram<u64>) -> Row {
    if histogram.is_empty() {
        return Row::failed(id, metric, "ns", "no operation succeeded");
    }
    Row::measured(id, metric, "ns", Data::from_histogram(histogram))
}
