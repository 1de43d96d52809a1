//! What a baseline becomes when a tree is blessed: counts go down by themselves, and up only where
//! the user says so, so that no regression is blessed by accident.

use std::collections::BTreeSet;

use bench_core::judge::{Glob, Policy};
use bench_core::record::{Metric, RunRecord};
use serde::Serialize;

use super::baseline::Baseline;
use crate::bench::ids::Only;

/// What happens to one count.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Step {
    pub(crate) id: String,
    pub(crate) metric: String,
    /// `None` where the baseline does not have it.
    pub(crate) old: Option<u64>,
    /// `None` where the tree does not have it.
    pub(crate) new: Option<u64>,
}

/// The next baseline, and how it differs from the one before.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Blessing {
    pub(crate) next: Baseline,
    pub(crate) steps: Vec<Step>,
    /// Beyond its limit and not allowed; as long as there is one nothing may be written.
    pub(crate) refused: Vec<Step>,
    /// Up within its limit: the lower count stays.
    pub(crate) kept: usize,
}

/// By what it is decided.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Terms<'a> {
    pub(crate) policy: &'a Policy,
    /// The ids that were counted.
    pub(crate) only: &'a Only,
    /// The ids that may get worse.
    pub(crate) worse: &'a [Glob],
    /// Every id that the tree has.
    pub(crate) ids: &'a BTreeSet<String>,
}

/// What `old` becomes by the counts of `head`.
///
/// A count that is new or lower is taken. One that is higher by no more than its limit leaves the
/// lower one standing: noise must not lift a baseline in small steps. One that is higher by more is
/// refused. Both are taken where the user allows the id to get worse. Ids that the tree no longer
/// has are left out; ids and metrics that were not counted stay.
pub(crate) fn bless(old: Option<&Baseline>, head: &RunRecord, terms: Terms<'_>) -> Blessing {
    let counted = Baseline::of(head);
    let mut blessing = Blessing { next: counted.clone(), ..Blessing::default() };
    let Some(old) = old else {
        let step =
            |((id, metric), new): (&(String, Metric), &u64)| step(id, metric, None, Some(*new));
        blessing.steps = counted.counts.iter().map(step).collect();
        return blessing;
    };
    let keys: BTreeSet<_> = old.counts.keys().chain(counted.counts.keys()).cloned().collect();
    blessing.next.counts.clear();
    for key in keys {
        let (id, metric) = &key;
        let (before, after) = (old.counts.get(&key).copied(), counted.counts.get(&key).copied());
        let value = match (before, after) {
            (Some(before), Some(after)) if after > before => {
                let limit = terms.policy.limit(metric, id);
                let bound = limit.map_or(0.0, |limit| limit.bound(before as f64, None).change);
                if terms.worse.iter().any(|glob| glob.matches(id)) {
                    Some(after)
                } else {
                    if (after - before) as f64 > bound {
                        blessing.refused.push(step(id, metric, Some(before), Some(after)));
                    } else {
                        blessing.kept += 1;
                    }
                    Some(before)
                }
            }
            (_, Some(after)) => Some(after),
            (before, None) => before.filter(|_| terms.ids.contains(id) || !terms.only.wants(id)),
        };
        if value != before {
            blessing.steps.push(step(id, metric, before, value));
        }
        blessing.next.counts.extend(value.map(|value| (key, value)));
    }
    blessing
}

fn step(id: &str, metric: &Metric, old: Option<u64>, new: Option<u64>) -> Step {
    Step { id: id.to_owned(), metric: metric.name().to_owned(), old, new }
}

#[cfg(test)]
mod tests {
    use super::super::outcome::tests::record;
    use super::*;

    fn blessed(
        old: &[(&str, u64)],
        head: &[(&str, u64)],
        only: &[&str],
        worse: &[&str],
    ) -> Blessing {
        let rows = |counts: &[(&'static str, u64)]| -> Vec<(&str, Result<u64, &str>)> {
            counts.iter().map(|(id, value)| (*id, Ok(*value))).collect()
        };
        let leak = |counts: &[(&str, u64)]| -> Vec<(&'static str, u64)> {
            counts.iter().map(|(id, value)| (&*id.to_string().leak(), *value)).collect()
        };
        let (old, head) = (record(&rows(&leak(old))), record(&rows(&leak(head))));
        let text = |globs: &[&str]| globs.iter().map(|g| (*g).to_owned()).collect::<Vec<String>>();
        let worse: Vec<Glob> = worse.iter().map(|g| g.parse().expect("a glob")).collect();
        let terms = Terms {
            policy: &Policy::default(),
            only: &Only::parse(&text(only)).expect("globs"),
            worse: &worse,
            ids: &head.rows.iter().map(|row| row.id.clone()).collect(),
        };
        bless(Some(&Baseline::of(&old)), &head, terms)
    }

    fn counts(blessing: &Blessing) -> Vec<(&str, u64)> {
        blessing.next.counts.iter().map(|((id, _), count)| (id.as_str(), *count)).collect()
    }

    #[test]
    fn counts_go_down_by_themselves_and_up_only_on_demand() {
        let (old, head) =
            ([("a", 1_000), ("b", 1_000), ("c", 1_000)], [("a", 900), ("b", 1_040), ("c", 1_060)]);
        let refused = blessed(&old, &head, &[], &[]);
        assert_eq!(counts(&refused), [("a", 900), ("b", 1_000), ("c", 1_000)]);
        assert_eq!((refused.refused.len(), refused.kept), (1, 1));
        assert_eq!((refused.refused[0].id.as_str(), refused.refused[0].new), ("c", Some(1_060)));
        let allowed = blessed(&old, &head, &[], &["b", "c"]);
        assert_eq!(counts(&allowed), [("a", 900), ("b", 1_040), ("c", 1_060)]);
        assert!(allowed.refused.is_empty());
    }

    #[test]
    fn new_ids_come_in_and_old_ones_go() {
        let blessing = blessed(&[("a", 1), ("gone", 2)], &[("a", 1), ("new", 3)], &[], &[]);
        assert_eq!(counts(&blessing), [("a", 1), ("new", 3)]);
        let steps: Vec<_> = blessing.steps.iter().map(|s| (s.id.as_str(), s.old, s.new)).collect();
        assert_eq!(steps, [("gone", Some(2), None), ("new", None, Some(3))]);
    }

    #[test]
    fn what_was_not_asked_for_stays() {
        let blessing = blessed(&[("a/x", 5), ("b/x", 7)], &[("a/x", 4)], &["a/*"], &[]);
        assert_eq!(counts(&blessing), [("a/x", 4), ("b/x", 7)]);
    }

    #[test]
    fn the_first_baseline_takes_all() {
        let head = record(&[("a", Ok(5)), ("b", Ok(6))]);
        let terms = Terms {
            policy: &Policy::default(),
            only: &Only::default(),
            worse: &[],
            ids: &BTreeSet::new(),
        };
        let blessing = bless(None, &head, terms);
        assert_eq!(counts(&blessing), [("a", 5), ("b", 6)]);
        assert_eq!((blessing.steps.len(), blessing.refused.len()), (2, 0));
    }
}
