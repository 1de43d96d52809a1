//! The cells of a matrix in the records of two builds: how far the throughput of the newer one lies
//! from that of the older, and in which band.
//!
//! Two records are of two different times, between which machines drift. A raw socket that took
//! turns with the arms drifted with them: `x = ln(its time / the arm's time)` of a round is a ratio
//! of two neighbours. The logarithm of the ratio of throughputs is the mean `x` of the newer record
//! less that of the older, and its interval at 95 % Welch's (1947). Where no raw socket took turns,
//! because a link is between or the server is somebody else's, `x = -ln(the arm's time)`: whatever
//! drifted is in it, and that is said.

use std::fmt;

use super::band::{Bands, Change};
use super::best::log_ratios;
use super::matrix::{CEILING, FAMILY, LINK};
use super::stats::{Interval, mean_of_means, mean_of_means_interval};
use crate::record::{Metric, Row};

const CONFIDENCE: f64 = 0.95;

/// The dimensions in which two records of one cell must agree, where both name them.
const SAME: [&str; 8] =
    [LINK, "rtt_added", "server", "path", "connections", "concurrency", "layout", "wire"];

/// How far a cell of an arm is from an older build's.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Step {
    /// How many times the throughput of the older build.
    pub ratio: f64,
    /// Where the ratio lies; `None` where a side has fewer than two rounds.
    pub interval: Option<Interval>,
    /// The band.
    pub change: Change,
    /// Whether each round was divided by that of a raw socket beside it.
    pub by_raw: bool,
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {:.2} × the throughput", self.change.name(), self.ratio)?;
        if let Some(Interval { low, high, .. }) = self.interval {
            write!(f, ", {low:.2} to {high:.2}")?;
        }
        let by = match self.by_raw {
            true => " by the raw sockets of both runs",
            false => " with what drifted between the runs",
        };
        f.write_str(by)
    }
}

/// The step of the id between the rows of two records; `None` where the id is of no matrix, was not
/// measured on both sides, or went another way.
pub fn step(base: &[Row], head: &[Row], id: &str, bands: Bands) -> Option<Step> {
    let (base, head) = (Cell::of(base, id)?, Cell::of(head, id)?);
    let differs = |name: &str| {
        let both = base.time.dimensions.get(name).zip(head.time.dimensions.get(name));
        both.is_some_and(|(base, head)| base != head)
    };
    if SAME.iter().any(|name| differs(name)) {
        return None;
    }
    let by_raw = base.raw.is_some() && head.raw.is_some();
    // Welch's two means: the mean of these two groups is half of the difference.
    let older = base.logs(by_raw).iter().map(|x| -x).collect();
    let groups: [Vec<f64>; 2] = [head.logs(by_raw), older];
    if groups.iter().any(Vec::is_empty) {
        return None;
    }
    let ratio = |half: f64| (2.0 * half).exp();
    let interval = mean_of_means_interval(&groups, CONFIDENCE).map(|i| Interval {
        low: ratio(i.low),
        high: ratio(i.high),
        ..i
    });
    let change = bands.of(interval);
    Some(Step { ratio: ratio(mean_of_means(&groups)), interval, change, by_raw })
}

/// What one record has of one id.
struct Cell<'a> {
    time: &'a Row,
    raw: Option<&'a Row>,
}

impl<'a> Cell<'a> {
    fn of(rows: &'a [Row], id: &str) -> Option<Self> {
        let measured = |name: &str| {
            rows.iter().find(|row| row.id == id && row.ok && row.metric.name() == name)
        };
        let time = measured(Metric::WallTime.name()).filter(|_| id.starts_with(FAMILY))?;
        Some(Self { time, raw: measured(CEILING) })
    }

    /// One number a round, larger where the throughput was.
    fn logs(&self, by_raw: bool) -> Vec<f64> {
        let own = self.time.per_operation();
        let other = match self.raw.filter(|_| by_raw) {
            Some(raw) => raw.per_operation(),
            None => vec![1.0; own.len()],
        };
        let sound = |times: &[f64]| times.iter().all(|ns| ns.is_finite() && *ns > 0.0);
        if sound(&own) && sound(&other) { log_ratios(&other, &own) } else { Vec::new() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::Data;

    const ID: &str = "grpc/matrix/read/default/1MiB";
    /// Ratio and interval by scipy 1.17.
    const SCIPY: (f64, f64, f64) =
        (1.102_446_139_635_371_7, 0.981_733_462_985_299_7, 1.238_001_490_853_870_1);
    const BANDS: Bands = Bands { stable: 0.1, critical: 0.2 };

    fn row(id: &str, metric: &str, values: &[f64]) -> Row {
        let data = Data::Samples { values: values.to_vec(), iterations: vec![1; values.len()] };
        let metric = match metric {
            CEILING => Metric::Other(CEILING.to_owned()),
            _ => Metric::WallTime,
        };
        Row::measured(id, metric, "ns", data)
    }

    fn times(own: &[f64]) -> Vec<Row> {
        vec![row(ID, "wall_time", own)]
    }

    fn change(base: &[Row], head: &[Row]) -> Option<Change> {
        step(base, head, ID, BANDS).map(|step| step.change)
    }

    #[test]
    fn the_bands_are_those_of_the_policy() {
        let base = times(&[100.0, 100.5, 99.5]);
        for (scale, expected) in [
            (1.0 / 0.95, Change::Stable),
            (1.0 / 0.85, Change::Warning),
            (1.0 / 0.75, Change::Critical),
            (1.0 / 1.15, Change::Improvement),
        ] {
            let head = times(&[100.0, 100.5, 99.5].map(|ns| ns * scale));
            assert_eq!(change(&base, &head), Some(expected), "{scale}");
        }
        assert_eq!(change(&base, &times(&[80.0, 150.0])), Some(Change::Undecided));
        assert_eq!(change(&base, &times(&[300.0])), Some(Change::Undecided), "one round");
    }

    #[test]
    fn the_same_interval_as_scipy() {
        // python: r = scipy.stats.ttest_ind(-numpy.log(head), -numpy.log(base), equal_var=False)
        // numpy.exp(r.confidence_interval(0.95))
        let (base, head) = (times(&[10.0, 11.0, 10.5, 9.8]), times(&[9.0, 10.0, 9.1]));
        let step = step(&base, &head, ID, BANDS).expect("measured");
        let interval = step.interval.expect("rounds");
        for (found, scipy) in
            [(step.ratio, SCIPY.0), (interval.low, SCIPY.1), (interval.high, SCIPY.2)]
        {
            assert!((found - scipy).abs() < 1e-9, "{found} {scipy}");
        }
    }

    #[test]
    fn a_machine_that_became_slower_as_a_whole_changed_nothing() {
        let run = |scale: f64| {
            let of = |ns: [f64; 3]| ns.map(|ns| ns * scale);
            let raw = row(ID, CEILING, &of([50.0, 51.0, 49.0]));
            vec![row(ID, "wall_time", &of([100.0, 101.0, 99.0])), raw]
        };
        let step = step(&run(1.0), &run(2.0), ID, BANDS).expect("measured");
        assert_eq!((step.change, step.by_raw), (Change::Stable, true));
        let told = step.to_string();
        assert!(told.contains("stable") && told.contains("by the raw sockets"), "{told}");
        let alone = [run(1.0), run(2.0)].map(|rows| rows[..1].to_vec());
        assert_eq!(change(&alone[0], &alone[1]), Some(Change::Critical), "the drift is in it");
    }

    #[test]
    fn what_went_another_way_has_no_band() {
        let placed = |rtt: &str| {
            let mut rows = times(&[1.0, 1.0]);
            rows[0].dimensions.insert("rtt_added".to_owned(), rtt.to_owned());
            rows
        };
        assert_eq!(change(&placed("none"), &placed("20 ms")), None);
        assert_eq!(change(&placed("none"), &placed("none")), Some(Change::Stable));
        assert_eq!(change(&times(&[1.0, 1.0]), &[]), None);
        let failed = [Row::failed(ID, Metric::WallTime, "ns", "stalled")];
        assert_eq!(change(&times(&[1.0, 1.0]), &failed), None);
        let peers = [row("grpc/peers/read/tonic/1MiB", "wall_time", &[1.0, 1.0])];
        assert_eq!(step(&peers, &peers, &peers[0].id, BANDS), None);
    }
}
