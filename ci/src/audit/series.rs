//! The counts of one metric of one id, and under which conditions they moved. Pure.

use std::path::PathBuf;

use bench_core::record::{Data, Metric};

use super::condition::Condition;
use super::observe::Sample;
use crate::gate::standing::never_ran;

/// One count.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Value {
    pub(crate) condition: Condition,
    pub(crate) count: u64,
    /// The profiles behind it.
    pub(crate) callgrind: Vec<PathBuf>,
}

/// All counts of one metric of one id, in the order in which they were taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Series {
    pub(crate) id: String,
    pub(crate) metric: Metric,
    pub(crate) values: Vec<Value>,
    /// Why counts are missing; empty where none is.
    pub(crate) errors: Vec<String>,
    /// Whether a count is missing for another reason than that the bench ended well and never ran.
    pub(crate) broke: bool,
}

/// Sorts samples into series, by id and metric.
pub(crate) fn series(samples: &[Sample]) -> Vec<Series> {
    let mut all: Vec<Series> = Vec::new();
    for sample in samples {
        let row = &sample.row;
        let known = all.iter().position(|one| one.id == row.id && one.metric == row.metric);
        let index = known.unwrap_or_else(|| {
            let (id, metric) = (row.id.clone(), row.metric.clone());
            all.push(Series { id, metric, values: Vec::new(), errors: Vec::new(), broke: false });
            all.len() - 1
        });
        match (&row.data, &row.error) {
            (Some(Data::Count { value }), None) => all[index].values.push(Value {
                condition: sample.condition,
                count: *value,
                callgrind: sample.callgrind.clone(),
            }),
            (_, error) => {
                let why = error.clone().unwrap_or_else(|| "there is no count".to_owned());
                let words = sample.condition.words();
                all[index].broke |= !never_ran(row);
                all[index].errors.push(format!("{words}, repetition {}: {why}", sample.number));
            }
        }
    }
    all.sort_by(|a, b| (&a.id, a.metric.to_string()).cmp(&(&b.id, b.metric.to_string())));
    all
}

impl Series {
    /// The counts under one condition.
    pub(crate) fn under(&self, condition: Condition) -> impl Iterator<Item = u64> {
        self.values.iter().filter(move |one| one.condition == condition).map(|one| one.count)
    }

    /// The smallest and the largest of all; `None` where nothing was counted.
    pub(crate) fn range(&self) -> Option<(u64, u64)> {
        self.range_of(|_| true)
    }

    /// The same of the conditions under which the gate counts, whose paths are equally long.
    pub(crate) fn range_on_equal_paths(&self) -> Option<(u64, u64)> {
        self.range_of(|condition| condition != Condition::Path)
    }

    fn range_of(&self, under: impl Fn(Condition) -> bool) -> Option<(u64, u64)> {
        let of = |value: &&Value| under(value.condition);
        let counts = || self.values.iter().filter(of).map(|value| value.count);
        counts().min().zip(counts().max())
    }

    /// Under which conditions the count moved. What moves from run to run by itself says nothing
    /// of the other conditions, so then they are left out: they would move as well, whatever
    /// they change.
    pub(crate) fn moved(&self) -> Vec<Condition> {
        let mut idle = self.under(Condition::Idle);
        let Some(first) = idle.next() else { return Vec::new() };
        if idle.any(|count| count != first) {
            return vec![Condition::Idle];
        }
        let moves = |condition: &Condition| self.under(*condition).any(|count| count != first);
        Condition::ALL.into_iter().filter(moves).collect()
    }

    /// Two values that differ most, of those when idle and under these conditions, which moved the
    /// count. `None` where none did.
    pub(crate) fn apart(&self, moved: &[Condition]) -> Option<(&Value, &Value)> {
        moved.first()?;
        let of =
            |value: &&Value| value.condition == Condition::Idle || moved.contains(&value.condition);
        let candidates = || self.values.iter().filter(of);
        let least = candidates().min_by_key(|value| value.count)?;
        let most = candidates().max_by_key(|value| value.count)?;
        Some((least, most))
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use bench_core::record::Row;

    use super::*;

    /// A series of three counts under each condition.
    pub(crate) fn made(id: &str, counts: [[u64; 3]; 4]) -> Series {
        let values = Condition::ALL.into_iter().zip(counts).flat_map(|(condition, counts)| {
            counts.map(|count| Value { condition, count, callgrind: Vec::new() })
        });
        let metric = Metric::Instructions;
        Series {
            id: id.to_owned(),
            metric,
            values: values.collect(),
            errors: Vec::new(),
            broke: false,
        }
    }

    #[test]
    fn the_conditions_that_moved_a_count_are_named() {
        let still = [7; 3];
        let moved = |counts| made("a", counts).moved();
        assert_eq!(moved([still; 4]), []);
        assert_eq!(moved([still, still, [7, 8, 7], still]), [Condition::Environment]);
        assert_eq!(
            moved([still, still, [9, 8, 7], [6; 3]]),
            [Condition::Environment, Condition::Path]
        );
        assert_eq!(moved([still, [7, 7, 9], still, still]), [Condition::Busy]);
    }

    #[test]
    fn what_moves_by_itself_says_nothing_of_other_conditions() {
        let one = made("a", [[7, 8, 7], [9; 3], [10; 3], [11; 3]]);
        assert_eq!(one.moved(), [Condition::Idle]);
        let (least, most) = one.apart(&one.moved()).expect("they differ");
        assert_eq!((least.count, most.count), (7, 8));
        assert_eq!(one.range(), Some((7, 11)));
        assert_eq!(one.range_on_equal_paths(), Some((7, 10)));
    }

    #[test]
    fn the_two_that_differ_most_are_taken_from_all_that_moved() {
        let one = made("a", [[7; 3], [7; 3], [7, 8, 7], [7, 900, 7]]);
        let (least, most) = one.apart(&one.moved()).expect("they differ");
        assert_eq!((least.count, most.count), (7, 900));
    }

    #[test]
    fn samples_are_sorted_and_failures_keep_their_reason() {
        let sample =
            |row: Row, condition, number| Sample { row, condition, number, callgrind: Vec::new() };
        let count = |id, value| {
            Row::measured(id, Metric::Instructions, "instructions", Data::Count { value })
        };
        let failed = Row::failed("b", Metric::Instructions, "instructions", "boom");
        let samples = [
            sample(count("b", 3), Condition::Idle, 1),
            sample(failed, Condition::Busy, 2),
            sample(count("a", 5), Condition::Idle, 1),
        ];
        let all = series(&samples);
        assert_eq!(all.len(), 2);
        assert_eq!((all[0].id.as_str(), all[0].range()), ("a", Some((5, 5))));
        assert_eq!(all[1].errors, ["with a busy neighbour, repetition 2: boom"]);
        assert!(all[0].errors.is_empty() && all[0].apart(&all[0].moved()).is_none());
    }
}
