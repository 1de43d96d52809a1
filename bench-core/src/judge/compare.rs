//! Pairs of rows with effect and interval. No opinion.

use std::collections::BTreeMap;

use super::comparable::{Comparability, comparable};
use super::stats::{Interval, median, median_ratio_interval, quantile_ranks};
use crate::record::{Data, Metric, Row, RunRecord};

/// The dimensions that make two rows numbers of the same thing: which implementation really ran.
pub const IDENTITY: [&str; 2] = ["backend", "congestion_control"];

const CONFIDENCE: f64 = 0.95;
const RESAMPLES: u32 = 2_000;
/// Any will do, as long as the same records give the same interval.
const SEED: u64 = 42;
/// Below this an interval of the median at 95 % does not exist, and a bootstrap only pretends.
const SAMPLES_MIN: usize = 6;

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

/// How two rows differ, per operation in the unit of the pair. Of many values the median counts.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Effect {
    /// Before.
    pub base: f64,
    /// After.
    pub head: f64,
    /// `head / base`; `None` where base is 0.
    pub ratio: Option<f64>,
    /// Where the ratio lies; `None` for counts, which are exact, and where values are too few.
    pub interval: Option<Interval>,
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
    for row in &record.rows {
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
    let effect = match (base.and_then(values), head.and_then(values)) {
        (Some(base), Some(head)) if !matches!(comparability, Comparability::No(_)) => {
            Some(effect(&base, &head))
        }
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

/// What a row measured, ready to be computed with.
enum Values {
    Count(f64),
    Samples(Vec<f64>),
    /// Values in order, each with how often it occurred.
    Histogram(Vec<(f64, u64)>),
}

fn values(row: &Row) -> Option<Values> {
    match row.data.as_ref().filter(|_| row.ok)? {
        Data::Count { value } => Some(Values::Count(*value as f64)),
        Data::Samples { .. } => {
            let samples = row.per_operation();
            (!samples.is_empty()).then_some(Values::Samples(samples))
        }
        data @ Data::Histogram { .. } => {
            let histogram = data.histogram().ok()?;
            let buckets: Vec<(f64, u64)> = histogram
                .iter_recorded()
                .map(|step| (step.value_iterated_to() as f64, step.count_at_value()))
                .collect();
            (!buckets.is_empty()).then_some(Values::Histogram(buckets))
        }
    }
}

fn effect(base: &Values, head: &Values) -> Effect {
    let (from, to) = (base.centre(), head.centre());
    let interval = match (base, head) {
        _ if from == 0.0 => None,
        (Values::Count(_), Values::Count(_)) => None,
        (Values::Samples(b), Values::Samples(h)) if b.len().min(h.len()) >= SAMPLES_MIN => {
            median_ratio_interval(b, h, CONFIDENCE, RESAMPLES, SEED)
        }
        (Values::Histogram(b), Values::Histogram(h)) => ratio_of_medians(b, h),
        _ => None,
    };
    Effect { base: from, head: to, ratio: (from != 0.0).then(|| to / from), interval }
}

impl Values {
    fn centre(&self) -> f64 {
        match self {
            Self::Count(value) => *value,
            Self::Samples(samples) => median(samples),
            Self::Histogram(buckets) => at_rank(buckets, total(buckets).div_ceil(2)),
        }
    }
}

/// Both medians lie in their own interval at half the error each, so the ratio lies between the
/// extreme ratios of the two (Bonferroni). Wider than a bootstrap, and needs no resampling of
/// millions of values.
fn ratio_of_medians(base: &[(f64, u64)], head: &[(f64, u64)]) -> Option<Interval> {
    let each = 1.0 - (1.0 - CONFIDENCE) / 2.0;
    let bounds = |buckets: &[(f64, u64)]| {
        let (low, high) = quantile_ranks(total(buckets), 0.5, each)?;
        Some((at_rank(buckets, low), at_rank(buckets, high)))
    };
    let ((base_low, base_high), (head_low, head_high)) = (bounds(base)?, bounds(head)?);
    (base_low > 0.0).then(|| Interval {
        low: head_low / base_high,
        high: head_high / base_low,
        confidence: CONFIDENCE,
    })
}

fn total(buckets: &[(f64, u64)]) -> u64 {
    buckets.iter().map(|(_, count)| count).sum()
}

/// The value of the given rank, counted from 1.
fn at_rank(buckets: &[(f64, u64)], rank: u64) -> f64 {
    let mut seen = 0;
    let bucket = buckets.iter().find(|(_, count)| {
        seen += count;
        seen >= rank
    });
    bucket.expect("the rank is within the total").0
}
