//! One id on its way to a verdict. Takes rounds as they come, from the machine or from a journal, and
//! decides what each is good for; never looks at the machine itself.

use std::time::Duration;

use bench_core::judge::sequential::{self, Rule, Trial, rounds_to_speak, time_per_operation};

use super::subject::Subject;
use crate::pairs::round::Round;
use crate::pairs::slice::{Samples, Slice};
use crate::pairs::watch::{LeaveOut, Watch};

/// The arms: before, after, and a copy of the first.
pub(crate) const BASE: char = 'a';
pub(crate) const HEAD: char = 'b';
pub(crate) const COPY: char = 'c';
/// Every so many rounds a copy of the base runs too.
const COPY_EVERY: u32 = 4;

/// An id with its rounds so far.
#[derive(Clone, Debug)]
pub(crate) struct Course {
    pub(crate) subject: Subject,
    /// All of them, in their order.
    pub(crate) rounds: Vec<Round>,
    /// Those that are judged.
    pub(crate) judged: Vec<sequential::Round>,
    /// Where they stand among all of them.
    pub(crate) judged_at: Vec<usize>,
    /// The base against a copy of itself, where there is one.
    pub(crate) copies: Vec<sequential::Round>,
    pub(crate) left_out: LeftOut,
    pub(crate) trial: Trial,
    /// Why it has no more rounds.
    pub(crate) end: Option<End>,
    /// So many copies of each id can say that the run moved, if they do it together.
    copies_wanted: usize,
    watch: Watch,
    spent: Duration,
}

/// How many rounds were left out, and why; never for what was measured in them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct LeftOut {
    /// The machine was suspended, or its clock set.
    pub(crate) jumps: usize,
    /// The hypervisor gave far more time to others than usual, or the processor was far slower.
    pub(crate) busy: usize,
}

/// Why an id has no more rounds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// There is a verdict.
    Decided,
    /// Its time is up.
    Budget,
    /// An arm did not do what it had to.
    Failed(Failed),
}

/// What an arm did not do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Failed {
    pub(crate) arm: char,
    pub(crate) round: u32,
    pub(crate) why: String,
}

impl Course {
    /// No rounds yet, of one of `ids` ids that are judged together.
    pub(crate) fn new(subject: Subject, ids: usize) -> Self {
        let trial = Trial::new(Rule::of(&subject.rule, ids));
        Self {
            subject,
            rounds: Vec::new(),
            judged: Vec::new(),
            judged_at: Vec::new(),
            copies: Vec::new(),
            left_out: LeftOut::default(),
            trial,
            end: None,
            copies_wanted: rounds_to_speak(ids).div_ceil(ids),
            watch: Watch::default(),
            spent: Duration::ZERO,
        }
    }

    /// The number of the next round. The first one is for warming up.
    pub(crate) fn next(&self) -> u32 {
        self.rounds.last().map_or(0, |round| round.round + 1)
    }

    /// Whether a copy of the base runs in the next round too, where there is one: in every round
    /// until the copies could speak, and then in some.
    pub(crate) fn wants_copy(&self) -> bool {
        self.next().is_multiple_of(COPY_EVERY) || self.copies.len() < self.copies_wanted
    }

    /// Whether it has its verdict and may still be watched: its code is the same on both sides, so
    /// that it vouches for the others as long as they are measured, within its own time.
    pub(crate) fn watches(&self) -> bool {
        self.end == Some(End::Decided) && self.subject.same_code && !self.is_time_up()
    }

    /// Takes a round, unless the course has ended. One that [watches](Self::watches) keeps its
    /// verdict, and fails as before.
    pub(crate) fn take(&mut self, round: Round) {
        if self.end.is_some() && !self.watches() {
            return;
        }
        self.spent += Duration::from_millis(round.took_ms);
        let end = self.judge(&round);
        self.rounds.push(round);
        let up = self.is_time_up().then_some(End::Budget);
        self.end = match self.end.take() {
            Some(decided) => end.or(Some(decided)),
            None => end.or(up),
        };
    }

    fn is_time_up(&self) -> bool {
        self.spent.as_secs() >= self.subject.seconds
    }

    fn judge(&mut self, round: &Round) -> Option<End> {
        let left_out = self.watch.take(round);
        // Before any error: who was suspended may have missed a deadline.
        if left_out == Some(LeaveOut::Jump) {
            self.left_out.jumps += 1;
            return None;
        }
        if let Some((arm, why)) = error(round) {
            return failed(round, arm, why);
        }
        if left_out == Some(LeaveOut::Busy) {
            self.left_out.busy += 1;
            return None;
        }
        if round.round == 0 { None } else { self.pair(round) }
    }

    fn pair(&mut self, round: &Round) -> Option<End> {
        let pair = |one, other| sequential::Round::new(time(round, one)?, time(round, other)?);
        let Some(judged) = pair(BASE, HEAD) else {
            let arm = if time(round, BASE).is_none() { BASE } else { HEAD };
            return failed(round, arm, "criterion left no times above zero");
        };
        self.copies.extend(pair(BASE, COPY));
        self.judged.push(judged);
        self.judged_at.push(self.rounds.len());
        let decided = self.trial.push(judged).is_some();
        // A verdict waits the round or two until the copies could speak, where there are any.
        let waits = !self.copies.is_empty() && self.copies.len() < self.copies_wanted;
        (decided && !waits).then_some(End::Decided)
    }
}

fn failed(round: &Round, arm: char, why: &str) -> Option<End> {
    Some(End::Failed(Failed { arm, round: round.round, why: why.to_owned() }))
}

/// Nanoseconds per operation of an arm in a round.
pub(crate) fn time(round: &Round, arm: char) -> Option<f64> {
    let samples = samples(round, arm)?;
    time_per_operation(&samples.iterations, &samples.values)
}

/// The raw samples of an arm in a round.
pub(crate) fn samples(round: &Round, arm: char) -> Option<&Samples> {
    match round.slices.get(&arm)? {
        Slice::Samples(samples) => Some(samples),
        Slice::Error(_) => None,
    }
}

/// The arm that failed first in this round.
fn error(round: &Round) -> Option<(char, &str)> {
    let failed = |arm: char| match round.slices.get(&arm)? {
        // A copy of the base that fails says nothing that the base does not.
        Slice::Error(why) if arm != COPY => Some((arm, why.as_str())),
        _ => None,
    };
    round.order.chars().find_map(failed)
}

#[cfg(test)]
pub(crate) mod tests {
    use bench_core::judge::{TimeRule, Verdict};

    use super::*;
    use crate::pairs::slice::Settings;

    pub(crate) fn subject(id: &str) -> Subject {
        Subject {
            id: id.to_owned(),
            key: "wall_a".to_owned(),
            same_code: false,
            rule: TimeRule { margin: 0.01, floor_ns: 0.0, ..TimeRule::default() },
            seconds: 60,
            settings: Settings::default(),
        }
    }

    /// A round in which nothing happened but that each arm took so many nanoseconds.
    pub(crate) fn round(number: u32, times: &[(char, Result<f64, &str>)]) -> Round {
        let slice = |&(arm, ref time): &(char, Result<f64, &str>)| {
            let slice = match time {
                Ok(ns) => Slice::Samples(Samples {
                    iterations: vec![10; 3],
                    values: vec![ns * 10.0; 3],
                    bytes: None,
                }),
                Err(why) => Slice::Error((*why).to_owned()),
            };
            (arm, slice)
        };
        Round {
            id: "a/b".to_owned(),
            round: number,
            at_ms: 0,
            took_ms: 100,
            order: times.iter().map(|(arm, _)| *arm).collect(),
            padding: 0,
            suspended_ns: 0,
            clock_set_ns: 0,
            steal_ticks: 0,
            probe_ns: 0,
            slices: times.iter().map(slice).collect(),
        }
    }

    /// Times that scatter by up to 2 % around 1000 ns, the head slower by this share. The two arms
    /// take turns at being the one that luck favours.
    pub(crate) fn pair(number: u32, slower: f64) -> Round {
        let luck = f64::from(number * 7 % 21) / 1000.0;
        let (base, head) = if number.is_multiple_of(2) { (luck, 0.0) } else { (0.0, luck) };
        let times =
            [('a', Ok(1000.0 * (1.0 + base))), ('b', Ok(1000.0 * (1.0 + slower) * (1.0 + head)))];
        round(number, &times)
    }

    fn course() -> Course {
        Course::new(subject("a/b"), 1)
    }

    #[test]
    fn rounds_lead_to_a_verdict_and_the_first_has_no_part_in_it() {
        let mut course = course();
        course.take(round(0, &[('a', Ok(1.0)), ('b', Ok(9e9))]));
        assert!(course.judged.is_empty());
        while course.end.is_none() {
            course.take(pair(course.next(), 0.5));
        }
        assert_eq!(course.end, Some(End::Decided));
        assert_eq!(course.trial.judgement().verdict, Some(Verdict::Regressed));
        let rounds = course.rounds.len();
        assert_eq!(course.judged.len() + 1, rounds);
        course.take(pair(course.next(), 0.5));
        assert_eq!(course.rounds.len(), rounds, "what has ended takes no more");
    }

    #[test]
    fn a_crash_ends_it_and_keeps_what_there_is() {
        let mut course = course();
        (0..7).for_each(|number| course.take(pair(number, 0.0)));
        course.take(round(7, &[('a', Ok(1000.0)), ('b', Err("wrong byte"))]));
        let why = "wrong byte".to_owned();
        assert_eq!(course.end, Some(End::Failed(Failed { arm: 'b', round: 7, why })));
        assert_eq!((course.judged.len(), course.rounds.len()), (6, 8));
    }

    #[test]
    fn suspension_a_set_clock_and_a_burst_of_stolen_time_leave_rounds_out() {
        let mut course = course();
        (0..20).for_each(|number| course.take(pair(number, 0.0)));
        let judged = course.judged.len();
        let second = 1_000_000_000;
        course.take(Round { suspended_ns: second, ..pair(20, 0.9) });
        course.take(Round { clock_set_ns: second, ..pair(21, 0.9) });
        course.take(Round { steal_ticks: 50, ..pair(22, 0.9) });
        course.take(Round { suspended_ns: 1000, ..pair(23, 0.0) });
        assert_eq!(course.left_out, LeftOut { jumps: 2, busy: 1 });
        assert_eq!((course.judged.len(), course.next()), (judged + 1, 24));
    }

    #[test]
    fn an_arm_that_failed_while_the_machine_was_suspended_ends_nothing() {
        let mut course = course();
        for number in [0, 1] {
            let cut = round(number, &[('a', Ok(1000.0)), ('b', Err("took too long"))]);
            course.take(Round { suspended_ns: 1_000_000_000, ..cut });
        }
        assert_eq!((course.end.as_ref(), course.left_out.jumps), (None, 2));
    }

    #[test]
    fn time_that_is_up_is_an_end_without_a_verdict() {
        let mut course = course();
        for number in 0..5 {
            course.take(Round { took_ms: 20_000, ..pair(number, 0.0) });
        }
        assert_eq!((course.end, course.rounds.len()), (Some(End::Budget), 3));
    }

    #[test]
    fn a_copy_of_the_base_is_judged_apart_and_its_failure_is_nobodys() {
        let mut course = course();
        assert!(course.wants_copy());
        course.take(round(0, &[('a', Ok(1.0)), ('b', Ok(1.0)), ('c', Err("broke"))]));
        assert!(course.wants_copy() && course.end.is_none());
        course.take(round(1, &[('a', Ok(1.0)), ('b', Ok(2.0)), ('c', Ok(1.5))]));
        assert_eq!(course.copies, [sequential::Round::new(1.0, 1.5).expect("times")]);
        assert!(course.wants_copy(), "one copy can't speak");
        let mut many = Course::new(subject("a/b"), 100);
        let with_copy =
            |number| round(number, &[('a', Ok(1000.0)), ('b', Ok(2000.0)), ('c', Ok(1000.0))]);
        (0..2).for_each(|number| many.take(with_copy(number)));
        assert!(!many.wants_copy(), "of a hundred ids one copy each is enough");
        course.take(round(2, &[('a', Ok(1.0)), ('b', Ok(0.0))]));
        assert!(matches!(&course.end, Some(End::Failed(failed)) if failed.arm == 'b'));
    }
}
