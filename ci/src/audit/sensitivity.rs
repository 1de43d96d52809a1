//! Whether the gate's policy finds a change of known size, in every id: each is counted plain and with
//! so many instructions more inside of what is counted, by the same executable.

use bench_core::counting::INSTRUCTIONS_PER_TURN;
use bench_core::judge::{Limit, Policy};
use bench_core::record::Metric;
use serde::Serialize;
use serde_json::{Value, json};

use super::condition::Condition;
use super::observe::{Plan, lay_out};
use crate::bench::count::{Counted, Job, Metrics, Place, count};
use crate::bench::ids::{Bench, Only};
use crate::exit::Exit;
use crate::gate::outcome;
use crate::ui::Ui;

/// The feature of package `benches` with which every operation takes turns.
pub(crate) const FEATURE: &str = "canary-each";
/// What must be found: so many instructions, or this fraction of the count where that is more.
const FLOOR: u64 = 50;
const FRACTION: f64 = 0.003;

/// One id, counted twice.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Trial {
    pub(crate) id: String,
    /// The limit of the policy for its instructions.
    #[serde(skip)]
    pub(crate) limit: Limit,
    pub(crate) base: Option<u64>,
    /// Instructions that were added.
    pub(crate) extra: u64,
    pub(crate) head: Option<u64>,
    /// Why it has no count.
    pub(crate) error: Option<String>,
}

/// What became of a trial.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Fate {
    Found,
    /// The change is in the counts, and passes.
    Slept,
    /// The change is not in the counts, or there are none.
    NotTested,
}

/// What all trials come to.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sensitivity {
    trials: Vec<Trial>,
}

/// Instructions to add to a count under this limit, a whole number of turns: what must be found, and
/// beyond a wider rule than the default that much more than the rule allows.
fn extra(limit: Limit, base: u64) -> u64 {
    let wider = if wider(limit) { limit.relative } else { 0.0 };
    let share = ((wider + FRACTION) * base as f64).ceil() as u64;
    FLOOR.max(share).next_multiple_of(INSTRUCTIONS_PER_TURN)
}

fn wider(limit: Limit) -> bool {
    limit.relative > Limit::INSTRUCTIONS.relative
}

/// Counts each id that the user asked for, plain and then with its extra instructions.
///
/// # Errors
/// When the disk refuses, a target can't list its benches, or a filter matches nothing.
pub(crate) fn trials(
    plan: Plan<'_>,
    only: &Only,
    policy: &Policy,
    ui: Ui,
) -> anyhow::Result<Vec<Trial>> {
    let [(mut plain, benches), (more, _)] = {
        let side = |number| lay_out(plan, Condition::Idle, number, only);
        [side(0)?, side(1)?]
    };
    plain.extra_turns = Some(0);
    let jobs = benches.iter().map(|bench| (&plain, bench));
    let before = counts(plan, jobs, ui);
    let mut trials: Vec<Trial> = Vec::new();
    for (bench, (base, error)) in benches.iter().zip(before) {
        let limit = policy.limit(&Metric::Instructions, &bench.id).unwrap_or(Limit::INSTRUCTIONS);
        let extra = base.map_or(0, |base| extra(limit, base));
        trials.push(Trial { id: bench.id.clone(), limit, base, extra, head: None, error });
    }
    let places: Vec<Place> = trials
        .iter()
        .map(|trial| Place {
            extra_turns: Some(trial.extra / INSTRUCTIONS_PER_TURN),
            ..more.clone()
        })
        .collect();
    let after = counts(plan, places.iter().zip(&benches), ui);
    for (trial, (head, error)) in trials.iter_mut().zip(after) {
        trial.head = head;
        trial.error = trial.error.take().or(error);
    }
    Ok(trials)
}

/// The instructions of each job, or why there are none.
fn counts<'a>(
    plan: Plan<'_>,
    jobs: impl Iterator<Item = (&'a Place, &'a Bench)>,
    ui: Ui,
) -> Vec<(Option<u64>, Option<String>)> {
    let job = |(place, bench)| Job { place, bench, metrics: Metrics::INSTRUCTIONS };
    let jobs: Vec<Job<'_>> = jobs.map(job).collect();
    let of = |counted: Option<Counted>| match counted.as_ref().and_then(|c| c.rows.first()) {
        Some(row) => (outcome::count(row), row.error.clone()),
        None => (None, Some("interrupted".to_owned())),
    };
    count(&jobs, plan.deadline, ui).into_iter().map(of).collect()
}

impl Trial {
    /// The change must be in the counts, to the last digit but for what the id's own rule allows that
    /// does not repeat.
    pub(crate) fn fate(&self) -> Fate {
        let Some((base, head)) = self.base.zip(self.head) else { return Fate::NotTested };
        let off = head.abs_diff(base + self.extra);
        let room = if wider(self.limit) { self.extra / 2 } else { 0 };
        if off > room {
            Fate::NotTested
        } else if head.saturating_sub(base) as f64 > self.limit.bound(base as f64, None).change {
            Fate::Found
        } else {
            Fate::Slept
        }
    }
}

impl Sensitivity {
    /// Of these trials, without those of ids that do not gate.
    pub(crate) fn of(mut trials: Vec<Trial>, varies: impl Fn(&str) -> bool) -> Self {
        trials.retain(|trial| !varies(&trial.id));
        Self { trials }
    }

    fn under(&self, widely: bool) -> impl Iterator<Item = &Trial> {
        self.trials.iter().filter(move |trial| wider(trial.limit) == widely)
    }

    /// As of a self-test: what passes though it is there is a gate that slept.
    pub(crate) fn exit(&self) -> Exit {
        let any = |fate| self.trials.iter().any(|trial| trial.fate() == fate);
        if any(Fate::Slept) {
            Exit::Broke
        } else if self.trials.is_empty() || any(Fate::NotTested) {
            Exit::NotMeasured
        } else {
            Exit::Fine
        }
    }

    /// For the terminal.
    pub(crate) fn text(&self) -> String {
        let mut text = String::new();
        for trial in self.trials.iter().filter(|trial| trial.fate() != Fate::Found) {
            let word = if trial.fate() == Fate::Slept { "slept" } else { "was not tested" };
            let count = |count: Option<u64>| count.map_or_else(|| "none".into(), |c| c.to_string());
            let (base, head) = (count(trial.base), count(trial.head));
            let why = trial.error.as_ref().map_or_else(String::new, |why| format!(": {why}"));
            let (id, extra) = (&trial.id, trial.extra);
            text += &format!("{id}: {word}: from {base} to {head} with {extra} more{why}\n");
        }
        let found = |widely| {
            let found = self.under(widely).filter(|trial| trial.fate() == Fate::Found).count();
            format!("{found} of {}", self.under(widely).count())
        };
        text += &format!("max(50, 0.3 %) instructions more: found {} ids\n", found(false));
        if self.under(true).next().is_some() {
            let found = found(true);
            text += &format!("0.3 % beyond a wider rule of their own: found {found} ids\n");
        }
        text + &format!("sensitivity: exit code {}\n", self.exit() as u8)
    }

    /// For scripts.
    pub(crate) fn json(&self) -> Value {
        let one = |trial: &Trial| {
            let (fate, wider) = (trial.fate(), wider(trial.limit));
            json!({"trial": trial, "fate": fate, "wider_rule": wider})
        };
        let trials: Vec<Value> = self.trials.iter().map(one).collect();
        json!({"command": "audit", "exit": self.exit() as u8, "trials": trials})
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GRPC: Limit = Limit { relative: 0.01, absolute: 49.0 };

    fn trial(limit: Limit, base: u64, extra: u64, head: u64) -> Trial {
        let (base, head) = (Some(base), Some(head));
        Trial { id: "a".into(), limit, base, extra, head, error: None }
    }

    #[test]
    fn what_is_added_is_a_whole_number_of_turns_and_enough() {
        assert_eq!(extra(Limit::INSTRUCTIONS, 100), 52);
        assert_eq!(extra(Limit::INSTRUCTIONS, 1_000_000), 3_000);
        assert_eq!(extra(GRPC, 999_999), 13_000);
        assert_eq!(extra(Limit::NONE, 100), 52);
    }

    #[test]
    fn a_change_that_is_there_must_be_found_and_one_that_is_not_proves_nothing() {
        let fate = |limit, base, extra, head| trial(limit, base, extra, head).fate();
        assert_eq!(fate(Limit::INSTRUCTIONS, 1_000, 52, 1_052), Fate::Found);
        assert_eq!(fate(Limit::INSTRUCTIONS, 1_000, 52, 1_053), Fate::NotTested);
        assert_eq!(fate(Limit::INSTRUCTIONS, 1_000, 52, 1_000), Fate::NotTested);
        assert_eq!(fate(GRPC, 100_000, 1_300, 100_700), Fate::Slept);
        assert_eq!(fate(GRPC, 100_000, 1_300, 101_310), Fate::Found);
        let blunt = Limit { relative: 0.002, absolute: 60.0 };
        assert_eq!(fate(blunt, 1_000, 52, 1_052), Fate::Slept);
        let gone = Trial { head: None, ..trial(blunt, 1_000, 52, 0) };
        assert_eq!(gone.fate(), Fate::NotTested);
    }

    #[test]
    fn found_and_of_how_many_is_told_for_wider_rules_apart() {
        let all = vec![
            trial(Limit::INSTRUCTIONS, 1_000, 52, 1_052),
            trial(Limit::INSTRUCTIONS, 1_000, 52, 1_000),
            trial(GRPC, 100_000, 1_300, 101_300),
        ];
        let sensitivity = Sensitivity::of(all, |_| false);
        let text = sensitivity.text();
        for part in ["found 1 of 2 ids", "a: was not tested: from 1000 to 1000", "found 1 of 1"] {
            assert!(text.contains(part), "no '{part}' in:\n{text}");
        }
        assert_eq!(sensitivity.exit(), Exit::NotMeasured);
        assert_eq!(Sensitivity::default().exit(), Exit::NotMeasured);
        let slept = trial(GRPC, 100_000, 1_300, 100_700);
        assert_eq!(Sensitivity::of(vec![slept], |_| false).exit(), Exit::Broke);
    }
}
