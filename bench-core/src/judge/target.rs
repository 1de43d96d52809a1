//! Acceptance targets: what an id has to reach by itself, without a baseline, by size. Pure data
//! and the check of rows against it; who reads the file is not known here.
//!
//! A target names the sizes that it holds for. One bound on the time for all sizes would be a
//! bound on nothing: 64 MiB within 10 ms are 6.25 GiB/s. One that was set for the loopback says
//! nothing of a link, so a target can name the dimensions that it holds for.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;

use super::budget::size_of;
use super::glob::Glob;
use super::matrix::{CEILING, INTERRUPTED};
use super::stats::median;
use crate::record::{Data, Metric, Row};
use crate::units::{ByteSize, MIB};

/// Below this a 99th percentile is the maximum by another name.
pub const P99_SAMPLES_MIN: u64 = 100;

/// What the ids that match and end with one of these sizes have to reach. `None` asks for nothing.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(try_from = "Written")]
pub struct Target {
    /// The ids.
    pub id: Glob,
    /// The sizes that it holds for, as the ids end with them.
    pub sizes: Vec<ByteSize>,
    /// By dimension the values that it holds for, as `rtt_added` and `none`. A row without the
    /// dimension is one of the loopback, for which all targets are.
    pub dimensions: BTreeMap<String, Vec<String>>,
    /// Half of the operations take less, in milliseconds.
    pub p50_ms: Option<f64>,
    /// 99 of 100 operations take less, in milliseconds.
    pub p99_ms: Option<f64>,
    /// Payload per second is more, in MiB, by the median round.
    pub mib_per_second: Option<f64>,
    /// The share of operations that must succeed: 1.0 is all.
    pub success: Option<f64>,
}

/// As it is written down, not yet known to make sense.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    id: Glob,
    sizes: Vec<ByteSize>,
    #[serde(default)]
    dimensions: BTreeMap<String, Vec<String>>,
    p50_ms: Option<f64>,
    p99_ms: Option<f64>,
    mib_per_second: Option<f64>,
    success: Option<f64>,
}

/// One bound of a target and what was measured.
#[derive(Clone, Debug, PartialEq)]
pub struct Check {
    /// The id.
    pub id: String,
    /// What is bounded: `p50`, `p99`, `throughput`, `success`.
    pub what: &'static str,
    /// The bound as text, with its unit.
    pub bound: String,
    /// What was measured, as text; or why nothing can be said.
    pub found: String,
    /// What became of it.
    pub outcome: Outcome,
}

/// What became of one bound.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It holds.
    Met,
    /// It does not.
    Missed,
    /// The evidence does not suffice: too few samples, or none.
    Unknown,
}

impl Outcome {
    /// The one word for it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Met => "met",
            Self::Missed => "missed",
            Self::Unknown => "unknown",
        }
    }
}

/// How many ids among `rows` have a target that is not for the dimensions they were measured with,
/// as those of a link.
pub fn elsewhere(targets: &[Target], rows: &[Row]) -> usize {
    let beside =
        |row: &&Row| targets.iter().any(|target| target.names(&row.id) && !target.holds_at(row));
    let ids: BTreeSet<&str> = rows.iter().filter(beside).map(|row| row.id.as_str()).collect();
    ids.len()
}

/// The ids among `rows` that a target is for and that were not measured to their end, with how far
/// they came, in the order of the rows: their content was not looked at again, so they are not
/// judged.
pub fn interrupted(targets: &[Target], rows: &[Row]) -> Vec<String> {
    let mut told: Vec<String> = Vec::new();
    for row in rows {
        let Some(had) = row.dimensions.get(INTERRUPTED) else { continue };
        let asked = targets.iter().any(|target| target.names(&row.id) && target.holds_at(row));
        let line = format!("{} ({had})", row.id);
        if asked && !told.contains(&line) {
            told.push(line);
        }
    }
    told
}

/// The checks of every target on every id among `rows` that it is for, in the order of the ids.
/// Empty where no target is for any of them. A failed id misses every target that is for it. A raw
/// socket that failed beside an arm has an id without an arm; nothing is asked of it, nor of what
/// was [`interrupted`].
pub fn check(targets: &[Target], rows: &[Row]) -> Vec<Check> {
    let own =
        |row: &&Row| row.metric.name() != CEILING && !row.dimensions.contains_key(INTERRUPTED);
    let mut ids: Vec<&str> = rows.iter().filter(own).map(|row| row.id.as_str()).collect();
    ids.sort_by_key(|id| (super::budget::workload_of(id), size_of(id)));
    ids.dedup();
    let mut checks = Vec::new();
    for id in ids {
        let own: Vec<&Row> = rows.iter().filter(own).filter(|row| row.id == id).collect();
        for target in targets.iter().filter(|target| target.names(id)) {
            let here: Vec<&Row> = own.iter().copied().filter(|row| target.holds_at(row)).collect();
            if !here.is_empty() {
                target.check(id, &here, &mut checks);
            }
        }
    }
    checks
}

impl Target {
    fn names(&self, id: &str) -> bool {
        self.id.matches(id) && size_of(id).is_some_and(|size| self.sizes.contains(&size))
    }

    fn holds_at(&self, row: &Row) -> bool {
        let holds = |(name, values): (&String, &Vec<String>)| {
            row.dimensions.get(name).is_none_or(|value| values.contains(value))
        };
        self.dimensions.iter().all(holds)
    }

    fn check(&self, id: &str, rows: &[&Row], checks: &mut Vec<Check>) {
        let failed = rows.iter().find_map(|row| row.error.as_deref());
        let mut push = |what, bound: String, found: Result<(String, Outcome), String>| {
            let (found, outcome) = match (failed, found) {
                (Some(error), _) => (format!("failed: {error}"), Outcome::Missed),
                (None, Ok(found)) => found,
                (None, Err(why)) => (why, Outcome::Unknown),
            };
            checks.push(Check { id: id.to_owned(), what, bound, found, outcome });
        };
        for (what, quantile, bound) in [("p50", 0.5, self.p50_ms), ("p99", 0.99, self.p99_ms)] {
            if let Some(bound) = bound {
                push(what, format!("below {bound} ms"), latency(rows, quantile, bound));
            }
        }
        if let Some(bound) = self.mib_per_second {
            push("throughput", format!("above {bound} MiB/s"), throughput(id, rows, bound));
        }
        if let Some(bound) = self.success {
            push("success", format!("{} %", bound * 100.0), success(rows, bound));
        }
    }
}

type Found = Result<(String, Outcome), String>;

fn outcome(holds: bool) -> Outcome {
    if holds { Outcome::Met } else { Outcome::Missed }
}

/// A quantile of the latencies. Of fewer samples than a 99th percentile takes there is none: the
/// maximum is shown, and neither meets the bound nor misses it.
fn latency(rows: &[&Row], quantile: f64, bound_ms: f64) -> Found {
    let row = rows.iter().find(|row| row.metric == Metric::Latency);
    let data = row.and_then(|row| row.data.as_ref()).ok_or("no latency was measured")?;
    let histogram = data.histogram().map_err(|error| error.to_string())?;
    if histogram.is_empty() {
        return Err("no operation succeeded".to_owned());
    }
    let (count, max) = (histogram.len(), histogram.max() as f64 / 1e6);
    if quantile > 0.5 && count < P99_SAMPLES_MIN {
        return Err(format!(
            "maximum of {count}: {max:.3} ms; a 99th percentile takes {P99_SAMPLES_MIN}"
        ));
    }
    let found = histogram.value_at_quantile(quantile) as f64 / 1e6;
    Ok((format!("{found:.3} ms"), outcome(found < bound_ms)))
}

fn throughput(id: &str, rows: &[&Row], bound: f64) -> Found {
    let row = rows.iter().find(|row| row.metric == Metric::WallTime);
    let times = row.map(|row| row.per_operation()).unwrap_or_default();
    let sound = !times.is_empty() && times.iter().all(|ns| ns.is_finite() && *ns > 0.0);
    let size = size_of(id).filter(|_| sound).ok_or("no time was measured")?;
    let found = size.bytes() as f64 / MIB as f64 / (median(&times) / 1e9);
    Ok((format!("{found:.0} MiB/s"), outcome(found > bound)))
}

fn success(rows: &[&Row], bound: f64) -> Found {
    let count = |metric: Metric| {
        let row = rows.iter().find(|row| row.metric == metric)?;
        if let Some(Data::Count { value }) = row.data { Some(value) } else { None }
    };
    let counted = count(Metric::Operations).zip(count(Metric::Errors));
    let (all, failed) = counted.filter(|(all, _)| *all > 0).ok_or("no operation was counted")?;
    let share = all.saturating_sub(failed) as f64 / all as f64;
    Ok((format!("{} of {all}", all.saturating_sub(failed)), outcome(share >= bound)))
}

impl TryFrom<Written> for Target {
    type Error = String;

    fn try_from(written: Written) -> Result<Self, String> {
        let Written { id, sizes, dimensions, p50_ms, p99_ms, mib_per_second, success } = written;
        if sizes.is_empty() {
            return Err(format!("the target of {id} names no size, so it holds for nothing"));
        }
        if let Some((name, _)) = dimensions.iter().find(|(_, values)| values.is_empty()) {
            return Err(format!("the target of {id} names no value of {name}: list one or more"));
        }
        let bounds = [
            ("p50_ms", p50_ms, f64::MAX),
            ("p99_ms", p99_ms, f64::MAX),
            ("mib_per_second", mib_per_second, f64::MAX),
            ("success", success, 1.0),
        ];
        if bounds.iter().all(|(_, bound, _)| bound.is_none()) {
            return Err(format!("the target of {id} bounds nothing"));
        }
        for (name, bound, most) in bounds {
            if let Some(bound) = bound.filter(|b| !(*b > 0.0 && *b <= most)) {
                let range = if most == 1.0 { "above 0 and up to 1" } else { "above 0" };
                return Err(format!("{name} = {bound} for {id}: write a number {range}"));
            }
        }
        Ok(Self { id, sizes, dimensions, p50_ms, p99_ms, mib_per_second, success })
    }
}

#[cfg(test)]
#[path = "target_tests.rs"]
mod tests;
