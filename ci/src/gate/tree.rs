//! The working tree counted, by whatever it is judged, and the record of any counted side.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::Duration;

use bench_core::counting::GLIBC_TUNABLES;
use bench_core::judge::budget::Budget;
use bench_core::record::{Environment, Metric, RunRecord};

use super::baseline::Baseline;
use super::budgets;
use super::outcome::Code;
use super::sides::{Ready, Workshop, codes};
use crate::args::{Counting, Selection};
use crate::bench::code_hash::CodeHash;
use crate::bench::count::{Counted, Metrics, count};
use crate::bench::ids::Only;
use crate::process;

/// How long one bench may count when nobody says otherwise: valgrind is some fifty times slower.
const DEADLINE: Duration = Duration::from_secs(120);

/// What is to be counted of each id: instructions always, the rest where somebody wants it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wanted<'a> {
    /// Of every id.
    pub(crate) asked: &'a [Counting],
    /// Of the ids that a budget bounds by it.
    pub(crate) budgets: &'a [Budget],
    /// Of the ids that the baseline has it of.
    pub(crate) baseline: Option<&'a Baseline>,
}

/// The working tree, counted.
#[derive(Debug)]
pub(crate) struct Tree {
    pub(crate) record: RunRecord,
    /// Every id that it has.
    pub(crate) ids: BTreeSet<String>,
    /// Those that the user asked for.
    pub(crate) listed: BTreeSet<String>,
    /// How many ids were counted and how many there were, when the user interrupted.
    pub(crate) interrupted: Option<(usize, usize)>,
}

impl Wanted<'_> {
    /// What is to be counted of this id.
    pub(crate) fn of(&self, id: &str) -> Metrics {
        let wanted = |counting: Counting, metric: Metric| {
            let known = self.baseline.map(|baseline| &baseline.counts);
            self.asked.contains(&counting)
                || budgets::asks(self.budgets, &metric, id)
                || known.is_some_and(|counts| counts.contains_key(&(id.to_owned(), metric)))
        };
        Metrics {
            allocations: wanted(Counting::Allocations, Metric::Allocations),
            syscalls: wanted(Counting::Syscalls, Metric::Syscalls),
            // What changed is counted once more to be explained.
            addresses: false,
        }
    }
}

/// What counts of this machine and toolchain are comparable to.
pub(crate) fn here(root: &Path) -> Environment {
    Environment {
        glibc_tunables: Some(GLIBC_TUNABLES.to_owned()),
        profile: Some("bench".to_owned()),
        ..Environment::gather(root)
    }
}

/// How long one bench of this selection may count.
pub(crate) fn deadline(selection: &Selection) -> Duration {
    selection.deadline.unwrap_or(DEADLINE)
}

/// The ids of these sides.
pub(crate) fn ids_of<'a>(sides: impl IntoIterator<Item = &'a Ready>) -> BTreeSet<String> {
    sides.into_iter().flat_map(|side| &side.benches).map(|bench| bench.id.clone()).collect()
}

/// Leaves what the user asked for, on each side.
///
/// # Errors
/// [`Exit::NotMeasured`](crate::exit::Exit::NotMeasured) for a glob that matches nothing, and where
/// nothing is left.
pub(crate) fn choose(only: &Only, sides: &mut [&mut Ready]) -> anyhow::Result<()> {
    only.check(sides.iter().flat_map(|side| &side.benches).map(|bench| bench.id.as_str()))?;
    for side in &mut *sides {
        side.benches.retain(|bench| only.wants(&bench.id));
    }
    if sides.iter().all(|side| side.benches.is_empty()) {
        return Err(only.matches_nothing());
    }
    Ok(())
}

/// Counts one side alone. Leaves in `ready` what the user asked for.
///
/// # Errors
/// As [`choose`].
pub(crate) fn count_alone(
    workshop: &Workshop<'_>,
    ready: &mut Ready,
    only: &Only,
    (metrics, deadline): (&dyn Fn(&str) -> Metrics, Duration),
    environment: &Environment,
) -> anyhow::Result<(Tree, Vec<Counted>)> {
    let ids = ids_of([&*ready]);
    choose(only, &mut [&mut *ready])?;
    let jobs: Vec<_> = ready.jobs(metrics).collect();
    let counted: Vec<Counted> = count(&jobs, deadline, workshop.ui).into_iter().flatten().collect();
    let interrupted = process::interrupted().then_some((counted.len(), jobs.len()));
    let (codes, _unknown) = codes(ready, ready);
    let record = record(environment, ready, workshop, &counted, &codes, |code| code.head.as_ref());
    Ok((Tree { record, ids, listed: ids_of([&*ready]), interrupted }, counted))
}

/// The record of one side: its rows, and the environment with what is the side's own.
pub(crate) fn record(
    environment: &Environment,
    ready: &Ready,
    workshop: &Workshop<'_>,
    counted: &[Counted],
    codes: &BTreeMap<String, Code>,
    side: impl Fn(&Code) -> Option<&CodeHash>,
) -> RunRecord {
    let hashes = codes.iter().filter_map(|(target, code)| Some((target.clone(), side(code)?)));
    let mut record = RunRecord::begin(Environment {
        git_commit: Some(ready.side.commit.clone()),
        git_dirty: Some(ready.side.dirty),
        lockfile_hash: workshop.lockfile_hash(&ready.side),
        executables: hashes.map(|(target, code)| (target, code.text.clone())).collect(),
        ..environment.clone()
    });
    record.rows = counted.iter().flat_map(|counted| counted.rows.clone()).collect();
    record
}

#[cfg(test)]
mod tests {
    use super::super::outcome::tests::record as sample;
    use super::*;

    #[test]
    fn allocations_are_counted_where_somebody_wants_them() {
        let budget: Budget = toml::from_str("id = 'a/*'\nallocations = 0").expect("sound");
        let mut baseline = Baseline::of(&sample(&[]));
        baseline.counts.insert(("b".into(), Metric::Syscalls), 1);
        let wanted = Wanted { asked: &[], budgets: &[budget], baseline: Some(&baseline) };
        let (budgeted, known) = (wanted.of("a/x"), wanted.of("b"));
        assert!(budgeted.allocations && !budgeted.syscalls);
        assert!(known.syscalls && !known.allocations);
        assert_eq!(wanted.of("c"), Metrics::INSTRUCTIONS);
        let asked = [Counting::Allocations, Counting::Syscalls];
        let all = Wanted { asked: &asked, budgets: &[], baseline: None }.of("c");
        assert!(all.allocations && all.syscalls);
    }
}
