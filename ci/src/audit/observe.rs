//! Counts each bench under every condition.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

use bench_core::record::Row;

use super::condition::Condition;
use super::neighbour::Neighbours;
use crate::bench::build::Executables;
use crate::bench::count::{Job, Place, count};
use crate::bench::folders::{self, levelled, link};
use crate::bench::ids::{Bench, Only};
use crate::gate::tree::Wanted;
use crate::process;
use crate::ui::Ui;

/// One row of one repetition.
#[derive(Clone, Debug)]
pub(crate) struct Sample {
    pub(crate) condition: Condition,
    /// Of the repetition, from 1.
    pub(crate) number: usize,
    pub(crate) row: Row,
    /// The profiles behind it.
    pub(crate) callgrind: Vec<PathBuf>,
}

/// What was counted.
#[derive(Clone, Debug, Default)]
pub(crate) struct Observed {
    pub(crate) samples: Vec<Sample>,
    /// The ids that were there to be counted.
    pub(crate) ids: BTreeSet<String>,
    /// How many benches were counted how often, and how many times that should have been.
    pub(crate) done: (usize, usize),
}

/// How to count.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Plan<'a> {
    pub(crate) executables: &'a Executables,
    /// The current folder of the benches.
    pub(crate) folder: &'a Path,
    /// Where executables are laid out and profiles kept.
    pub(crate) scratch: &'a Path,
    /// How often under each condition.
    pub(crate) repeats: usize,
    pub(crate) deadline: Duration,
    /// Of each id.
    pub(crate) wanted: Wanted<'a>,
}

/// Counts what the user asked for, condition by condition. An interrupt ends it; what was counted
/// by then is kept.
///
/// # Errors
/// When the disk refuses, a target can't list its benches, or a filter matches nothing.
pub(crate) fn observe(plan: Plan<'_>, only: &Only, ui: Ui) -> anyhow::Result<Observed> {
    let mut observed = Observed::default();
    for condition in Condition::ALL {
        if process::interrupted() {
            break;
        }
        let places: Vec<(Place, Vec<Bench>)> = (0..plan.repeats)
            .map(|repetition| lay_out(plan, condition, repetition, only))
            .collect::<anyhow::Result<_>>()?;
        let benches = places.iter().flat_map(|(_, benches)| benches);
        observed.ids.extend(benches.map(|bench| bench.id.clone()));
        let jobs: Vec<(usize, Job<'_>)> = places
            .iter()
            .enumerate()
            .flat_map(|(number, (place, benches))| {
                benches.iter().map(move |bench| {
                    (number + 1, Job { place, bench, metrics: plan.wanted.of(&bench.id) })
                })
            })
            .collect();
        // As many under every condition, those that an interrupt comes before included.
        observed.done.1 = Condition::ALL.len() * jobs.len();
        ui.say(&format!("counting {} times, {}", plan.repeats, condition.state()));
        let plain: Vec<Job<'_>> = jobs.iter().map(|(_, job)| *job).collect();
        let neighbours = (condition == Condition::Busy).then(Neighbours::on_every_core);
        let counted = count(&plain, plan.deadline, ui);
        drop(neighbours);
        for ((number, _), counted) in jobs.iter().zip(counted) {
            let Some(counted) = counted else { continue };
            observed.done.0 += 1;
            observed.samples.extend(counted.rows.into_iter().map(|row| Sample {
                condition,
                number: *number,
                row,
                callgrind: counted.callgrind.clone(),
            }));
        }
    }
    Ok(observed)
}

/// A place of its own for one repetition, and what is to be counted there. Its folders are as long
/// as those of every other, but for the detour that the condition asks for.
pub(super) fn lay_out(
    plan: Plan<'_>,
    condition: Condition,
    repetition: usize,
    only: &Only,
) -> anyhow::Result<(Place, Vec<Bench>)> {
    let name = format!("{}{repetition:03}", condition.letter());
    let detour = "x".repeat(condition.detour(repetition));
    let [run, out] = ["run", "out"].map(|folder| levelled(&plan.scratch.join(folder).join(&name)));
    let benches = folders::lay_out(&plan.executables.benches, &run.join(detour), link)?;
    let mut place = Place::of(benches, plan.folder, &out);
    place.padding = condition.padding(repetition);
    let mut benches = place.list()?;
    only.check(benches.iter().map(|bench| bench.id.as_str()))?;
    benches.retain(|bench| only.wants(&bench.id));
    Ok((place, benches))
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn only_the_paths_of_a_detour_differ_in_length() {
        let folder = tempfile::tempdir().expect("a folder");
        let bench = folder.path().join("count_a-1");
        fs::write(&bench, "#!/bin/sh\necho 'count_a::a::b::_1B: benchmark'\n").expect("written");
        fs::set_permissions(&bench, fs::Permissions::from_mode(0o755)).expect("executable");
        let executables =
            Executables { runner: None, benches: [("count_a".to_owned(), bench)].into() };
        let plan = Plan {
            executables: &executables,
            folder: folder.path(),
            scratch: &folder.path().join("scratch"),
            repeats: 3,
            deadline: Duration::from_secs(60),
            wanted: Wanted { asked: &[], budgets: &[], baseline: None },
        };
        let length = |condition, repetition| {
            let (place, benches) =
                lay_out(plan, condition, repetition, &Only::default()).expect("laid out");
            assert_eq!(benches[0].id, "a/b/1B");
            let path = place.benches["count_a"].as_os_str().len();
            (path, place.home.as_os_str().len(), place.padding)
        };
        let idle = length(Condition::Idle, 0);
        assert_eq!(length(Condition::Busy, 2), idle);
        let padded = length(Condition::Environment, 1);
        assert_eq!((padded.0, padded.1), (idle.0, idle.1));
        assert!(padded.2 > idle.2);
        let further = length(Condition::Path, 1);
        assert_eq!((further.1, further.2), (idle.1, idle.2));
        assert!(further.0 > idle.0);
    }
}
