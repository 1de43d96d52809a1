//! How two rows differ: one number each, their ratio, and where it lies.

use super::stats::{Interval, median, median_ratio_interval, quantile_ranks};
use crate::record::{Data, Row};

const CONFIDENCE: f64 = 0.95;
const RESAMPLES: u32 = 2_000;
/// Any will do, as long as the same records give the same interval.
const SEED: u64 = 42;
/// Below this an interval of the median at 95 % does not exist, and a bootstrap only pretends.
const SAMPLES_MIN: usize = 6;

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

/// The effect between two rows of the same unit; `None` where one has no values.
pub fn effect(base: &Row, head: &Row) -> Option<Effect> {
    Some(between(&values(base)?, &values(head)?))
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

fn between(base: &Values, head: &Values) -> Effect {
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

#[cfg(test)]
mod tests {
    use hdrhistogram::Histogram;

    use super::*;
    use crate::record::Metric;

    fn count(value: u64) -> Row {
        Row::measured("a", Metric::Instructions, "instructions", Data::Count { value })
    }

    fn times(values: impl Iterator<Item = u32>) -> Row {
        let values: Vec<f64> = values.map(|v| f64::from(v) * 10.0).collect();
        let iterations = vec![10; values.len()];
        Row::measured("a", Metric::WallTime, "ns", Data::Samples { values, iterations })
    }

    #[test]
    fn samples_have_an_interval_around_the_ratio_of_medians() {
        let effect = effect(&times(90..=110), &times(190..=210)).expect("both measured");
        assert_eq!((effect.base, effect.head, effect.ratio), (100.0, 200.0, Some(2.0)));
        let interval = effect.interval.expect("enough samples");
        assert!(1.8 < interval.low && interval.low < 2.0, "{interval:?}");
        assert!(2.0 < interval.high && interval.high < 2.2, "{interval:?}");
    }

    #[test]
    fn few_samples_have_an_effect_without_interval() {
        let effect = effect(&times(1..=5), &times(1..=100)).expect("measured");
        assert_eq!(effect.interval, None);
    }

    #[test]
    fn nothing_has_no_ratio_to_zero() {
        let effect = super::effect(&count(0), &count(5)).expect("measured");
        assert_eq!((effect.base, effect.head, effect.ratio), (0.0, 5.0, None));
        let zeros = times(std::iter::repeat_n(0, 10));
        let effect = super::effect(&zeros, &times(1..=10)).expect("measured");
        assert_eq!((effect.ratio, effect.interval), (None, None));
    }

    #[test]
    fn what_failed_has_no_effect() {
        let failed = Row::failed("a", Metric::Instructions, "instructions", "broke");
        assert_eq!(effect(&failed, &count(1)), None);
        assert_eq!(effect(&count(1), &failed), None);
    }

    #[test]
    fn histograms_compare_by_their_medians() {
        let row = |factor: u64| {
            let mut histogram = Histogram::new_with_bounds(1, 1 << 30, 3).expect("bounds");
            (900..=1_100).for_each(|v| histogram.record(v * factor).expect("in range"));
            Row::measured("a", Metric::Latency, "ns", Data::from_histogram(&histogram))
        };
        let effect = effect(&row(1), &row(3)).expect("measured");
        assert!((effect.ratio.expect("not zero") - 3.0).abs() < 0.01, "{effect:?}");
        let interval = effect.interval.expect("enough values");
        assert!(2.8 < interval.low && interval.low < 3.0, "{interval:?}");
        assert!(3.0 < interval.high && interval.high < 3.2, "{interval:?}");
    }
}
