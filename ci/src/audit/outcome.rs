//! Who may gate, and the exit code.

use bench_core::judge::{Limit, Policy};
use bench_core::record::Metric;
use serde::Serialize;

use super::cause::Cause;
use super::condition::Condition;
use super::series::Series;
use crate::exit::Exit;

/// What an audit says of one metric of one id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Standing {
    /// The same to the last digit, under every condition.
    Repeats,
    /// It varies by no more than the gate lets pass; it may gate.
    WithinLimit,
    /// It varies by more with the length of the executable's path and by no more otherwise; it may gate,
    /// since the gate's paths are equally long.
    WithPath,
    /// It varies by more, and `benches/expected.toml` says that it does: it does not gate.
    Listed,
    /// It varies by more, and gates: it may not.
    Varies,
    /// It was not counted every time, because the bench ended well without having run.
    NeverRan,
    /// It was not counted every time, because it broke.
    Failed,
}

/// One metric of one id.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Finding {
    pub(crate) id: String,
    pub(crate) metric: Metric,
    pub(crate) standing: Standing,
    /// The smallest and the largest count; `None` where nothing was counted.
    pub(crate) range: Option<(u64, u64)>,
    /// By how much it may vary and still gate, in the unit of the count.
    pub(crate) limit: f64,
    /// Under which conditions it varied.
    pub(crate) moved: Vec<Condition>,
    /// Likely reasons, the likeliest first.
    pub(crate) causes: Vec<Cause>,
    /// The function in which the counts differ most.
    pub(crate) parts_in: Option<String>,
    /// All counts by condition.
    pub(crate) counts: Vec<(Condition, Vec<u64>)>,
    /// What could not be counted or told.
    pub(crate) errors: Vec<String>,
}

impl Finding {
    /// What a series comes to. `listed` says whether the id is known to vary. Causes are yet to be
    /// found.
    pub(crate) fn of(series: &Series, policy: &Policy, listed: bool) -> Self {
        let range = series.range();
        let limit = policy.limit(&series.metric, &series.id);
        let bound = |limit: Limit, least| limit.bound(least as f64, None).change;
        let limit = limit.zip(range).map_or(0.0, |(limit, (least, _))| bound(limit, least));
        let spread = |range: Option<(u64, u64)>| range.map_or(0, |(least, most)| most - least);
        let at_gate = spread(series.range_on_equal_paths());
        let standing = match spread(range) {
            _ if series.broke => Standing::Failed,
            _ if !series.errors.is_empty() || range.is_none() => Standing::NeverRan,
            0 => Standing::Repeats,
            spread if spread as f64 <= limit => Standing::WithinLimit,
            _ if at_gate as f64 <= limit => Standing::WithPath,
            _ if listed => Standing::Listed,
            _ => Standing::Varies,
        };
        let counts = Condition::ALL.map(|condition| (condition, series.under(condition).collect()));
        Self {
            id: series.id.clone(),
            metric: series.metric.clone(),
            standing,
            range,
            limit,
            // What else moves it, moves it by less than its limit.
            moved: if standing == Standing::WithPath {
                vec![Condition::Path]
            } else {
                series.moved()
            },
            causes: Vec::new(),
            parts_in: None,
            counts: counts.into(),
            errors: series.errors.clone(),
        }
    }
}

/// How often the gate would have erred under one condition: counts of the same code that its policy
/// takes for changes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct False {
    pub(crate) condition: Condition,
    /// `id metric` of each.
    pub(crate) alarms: Vec<String>,
    /// Of how many comparisons.
    pub(crate) of: usize,
}

/// Judges every count by the first idle one of its id and metric, by the policy alone, as the gate
/// does where both sides are different code. Conditions under which nothing was compared are left
/// out, and so is what does not gate.
pub(crate) fn falses(all: &[Series], policy: &Policy, listed: impl Fn(&str) -> bool) -> Vec<False> {
    let gates = || all.iter().filter(|one| !listed(&one.id));
    let under = |condition: Condition| {
        let mut found = False { condition, alarms: Vec::new(), of: 0 };
        for one in gates() {
            let Some(first) = one.under(Condition::Idle).next() else { continue };
            let skip = usize::from(condition == Condition::Idle);
            for count in one.under(condition).skip(skip) {
                found.of += 1;
                let change = count.abs_diff(first) as f64;
                let limit = policy.limit(&one.metric, &one.id);
                if limit.is_some_and(|limit| change > limit.bound(first as f64, None).change) {
                    found.alarms.push(format!("{} {}", one.id, one.metric));
                }
            }
        }
        found
    };
    Condition::ALL.into_iter().map(under).filter(|one| one.of > 0).collect()
}

/// What an audit comes to.
#[derive(Clone, Debug, Default)]
pub(crate) struct Outcome {
    pub(crate) findings: Vec<Finding>,
    /// Known to vary, and all metrics repeated this time.
    pub(crate) steady: Vec<String>,
    /// Expected, and not there to be counted.
    pub(crate) absent: Vec<String>,
    /// Every count judged by the first one.
    pub(crate) falses: Vec<False>,
    /// How many benches were counted and how many there were, when the user interrupted.
    pub(crate) interrupted: Option<(usize, usize)>,
}

impl Outcome {
    /// The ids that gate and may not, once each.
    pub(crate) fn unlisted(&self) -> Vec<&str> {
        let varies = self.findings.iter().filter(|one| one.standing == Standing::Varies);
        let mut ids: Vec<&str> = varies.map(|one| one.id.as_str()).collect();
        ids.dedup();
        ids
    }

    /// The exit code: a bench that broke first, then what was left out; a count that varies beyond
    /// its limit and gates all the same can't be compared with anything, itself included.
    pub(crate) fn exit(&self) -> Exit {
        let any = |standing| self.findings.iter().any(|one| one.standing == standing);
        if self.interrupted.is_some() {
            Exit::NotMeasured
        } else if any(Standing::Failed) {
            Exit::Broke
        } else if self.findings.is_empty() || !self.absent.is_empty() || any(Standing::NeverRan) {
            Exit::NotMeasured
        } else if any(Standing::Varies) {
            Exit::NotComparable
        } else {
            Exit::Fine
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::super::series::tests::made;
    use super::*;

    fn finding(idle: [u64; 3], listed: bool) -> Finding {
        let still = [idle[0]; 3];
        Finding::of(&made("a/b", [idle, still, still, still]), &Policy::default(), listed)
    }

    /// An outcome with one finding for each set of idle counts.
    pub(crate) fn outcome(idle: &[([u64; 3], bool)]) -> Outcome {
        let findings = idle.iter().map(|(counts, listed)| finding(*counts, *listed)).collect();
        Outcome { findings, ..Outcome::default() }
    }

    #[test]
    fn what_varies_within_the_gates_own_limit_may_gate() {
        // 49 instructions, or 0.2 %: 200 of 100,000.
        let cases = [
            ([1_000, 1_000, 1_000], false, Standing::Repeats),
            ([1_000, 1_049, 1_000], false, Standing::WithinLimit),
            ([1_000, 1_050, 1_000], false, Standing::Varies),
            ([1_000, 1_050, 1_000], true, Standing::Listed),
            ([100_000, 100_200, 100_000], false, Standing::WithinLimit),
            ([100_000, 100_201, 100_000], false, Standing::Varies),
        ];
        for (counts, listed, standing) in cases {
            assert_eq!(finding(counts, listed).standing, standing, "{counts:?}");
        }
    }

    #[test]
    fn what_moves_with_its_path_alone_may_gate() {
        let (still, far) = ([1_000; 3], [1_000, 2_000, 1_000]);
        let of = |counts, listed| Finding::of(&made("a/b", counts), &Policy::default(), listed);
        let found = of([[1_000, 1_004, 1_000], still, still, far], false);
        assert_eq!((found.standing, &*found.moved), (Standing::WithPath, &[Condition::Path][..]));
        assert_eq!(of([still, still, still, far], true).standing, Standing::WithPath);
        assert_eq!(of([still, still, far, far], false).standing, Standing::Varies);
    }

    #[test]
    fn each_standing_has_its_exit_code() {
        let exit = |counts: &[([u64; 3], bool)]| outcome(counts).exit();
        let (still, varies) = ([7; 3], [7, 7_000, 7]);
        assert_eq!(exit(&[(still, false), (varies, true)]), Exit::Fine);
        assert_eq!(exit(&[(still, false), (varies, false)]), Exit::NotComparable);
        assert_eq!(exit(&[]), Exit::NotMeasured);
        let mut cut = outcome(&[(varies, false)]);
        cut.interrupted = Some((1, 12));
        assert_eq!(cut.exit(), Exit::NotMeasured);
        let mut broken = outcome(&[(varies, false), (still, false)]);
        broken.findings[1].standing = Standing::Failed;
        assert_eq!(broken.exit(), Exit::Broke);
    }

    #[test]
    fn what_is_expected_and_gone_is_a_hole() {
        let mut outcome = outcome(&[([7; 3], false)]);
        outcome.absent.push("b".into());
        assert_eq!(outcome.exit(), Exit::NotMeasured);
    }

    #[test]
    fn a_false_alarm_is_a_count_beyond_the_limit_around_the_first() {
        let still = [1_000; 3];
        let one = made("a", [[1_000, 1_049, 950], still, [1_000, 1_050, 1_000], still]);
        let policy = Policy::default();
        let found = falses(std::slice::from_ref(&one), &policy, |_| false);
        let told: Vec<_> = found.iter().map(|f| (f.condition, f.alarms.len(), f.of)).collect();
        let all = Condition::ALL;
        assert_eq!(told, [(all[0], 1, 2), (all[1], 0, 3), (all[2], 1, 3), (all[3], 0, 3)]);
        assert_eq!(found[0].alarms, ["a instructions"]);
        assert_eq!(falses(&[one], &policy, |_| true), []);
    }

    #[test]
    fn a_bench_that_failed_once_is_not_said_to_repeat() {
        let mut series = made("a", [[7; 3]; 4]);
        series.errors.push("boom".into());
        series.broke = true;
        assert_eq!(Finding::of(&series, &Policy::default(), false).standing, Standing::Failed);
        series.values.clear();
        let nothing = Finding::of(&series, &Policy::default(), false);
        assert_eq!((nothing.standing, nothing.range), (Standing::Failed, None));
        series.broke = false;
        let idle = Finding::of(&series, &Policy::default(), false);
        assert_eq!(idle.standing, Standing::NeverRan);
        let outcome = Outcome { findings: vec![idle], ..Outcome::default() };
        assert_eq!(outcome.exit(), Exit::NotMeasured);
    }
}
