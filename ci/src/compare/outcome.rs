//! From courses to verdicts and one exit code.

use bench_core::judge::modality::{Mode, Modes, modes};
use bench_core::judge::sequential::Judgement;
use bench_core::judge::stats::median;
use bench_core::judge::{Comparability, Pair, Verdict};
use bench_core::record::Metric;

use super::control::controlled;
use super::course::{BASE, Course, End, HEAD, LeftOut};
use super::race::Finish;
use super::rows::{failure, is_mended, row};
use super::subject::Subjects;
use crate::exit::Exit;
use crate::gate::standing;
use crate::pairs::round::Round;
use crate::render::number;
use crate::render::verdicts::Word;

/// One id with what is thought of it.
#[derive(Clone, Debug)]
pub(crate) struct Compared {
    /// Its rows on both sides, with the raw samples.
    pub(crate) pair: Pair,
    pub(crate) verdict: Verdict,
    pub(crate) word: Word,
    /// What the rounds say; `None` where none was judged.
    pub(crate) judgement: Option<Judgement>,
    /// Nanoseconds per operation of both sides, one per judged round.
    pub(crate) times: [Vec<f64>; 2],
    /// The modes of a side that has two.
    pub(crate) modes: [Option<Modes>; 2],
    pub(crate) left_out: LeftOut,
    /// Sentences without full stops.
    pub(crate) notes: Vec<String>,
}

/// All that was found.
#[derive(Clone, Debug)]
pub(crate) struct Outcome {
    pub(crate) compared: Vec<Compared>,
    /// In the base only, and still expected.
    pub(crate) missing: Vec<String>,
    pub(crate) removed: Vec<String>,
    pub(crate) new: Vec<String>,
    /// What vouches for the run, in one sentence.
    pub(crate) control: String,
    /// Why the run says nothing.
    pub(crate) moved: Option<String>,
    pub(crate) finish: Finish,
    /// Milliseconds since the epoch at which the first round began; none without rounds.
    pub(crate) began_ms: Option<u64>,
}

/// Judges what the courses came to. `run` names the run in the rows.
pub(crate) fn outcome(
    courses: &[Course],
    subjects: &Subjects,
    finish: Finish,
    run: &str,
) -> Outcome {
    let (control, moved) = controlled(courses);
    Outcome {
        compared: courses.iter().map(|course| compared(course, moved.as_deref(), run)).collect(),
        missing: subjects.missing.clone(),
        removed: subjects.removed.clone(),
        new: subjects.new.clone(),
        control,
        moved,
        finish,
        began_ms: courses.iter().flat_map(|course| course.rounds.first()).map(began_ms).min(),
    }
}

const fn began_ms(round: &Round) -> u64 {
    round.at_ms.saturating_sub(round.took_ms)
}

fn compared(course: &Course, moved: Option<&str>, run: &str) -> Compared {
    let judgement = (!course.judged.is_empty()).then(|| course.trial.judgement());
    let times = [BASE, HEAD].map(|arm| {
        let rounds = course.judged_at.iter().map(|&at| &course.rounds[at]);
        rounds.filter_map(|round| super::course::time(round, arm)).collect()
    });
    let modes = split(course, &times);
    let verdict = match verdict(course, judgement.as_ref(), moved) {
        // That the middle stayed where it was says nothing of the modes.
        Verdict::Unchanged if modes.iter().any(Option::is_some) => Verdict::Undecided,
        verdict => verdict,
    };
    let word = if is_mended(course) { Word::Mended } else { Word::from(&verdict) };
    let pair = Pair {
        id: course.subject.id.clone(),
        metric: Metric::WallTime,
        unit: "ns".to_owned(),
        base: row(course, BASE, run),
        head: row(course, HEAD, run),
        comparability: Comparability::Yes,
        effect: None,
    };
    let mut notes = notes(course);
    if judgement.is_none() && failure(course).is_none() {
        notes.push("no round could be judged".to_owned());
    }
    let told = ["base", "head"].into_iter().zip(&modes);
    notes.extend(told.filter_map(|(side, modes)| Some(in_words(side, modes.as_ref()?))));
    let left_out = course.left_out;
    Compared { pair, verdict, word, judgement, times, modes, left_out, notes }
}

/// The modes of each side that has two. Only where the ratios have two as well: a machine that
/// changes its speed half-way gives both sides two modes, and the ratio one.
fn split(course: &Course, times: &[Vec<f64>; 2]) -> [Option<Modes>; 2] {
    let ratios: Vec<f64> = course.judged.iter().map(|round| round.log_ratio().exp()).collect();
    let of_itself = !ratios.is_empty() && modes(&ratios).is_split();
    times.each_ref().map(|times| of_itself.then(|| modes(times)).filter(Modes::is_split))
}

fn in_words(side: &str, modes: &Modes) -> String {
    let mode = |mode: &Mode| {
        let (centre, share) = (number::time(mode.centre), mode.share * 100.0);
        format!("{centre} in {share:.0} % of rounds")
    };
    let modes: Vec<String> = modes.modes.iter().map(mode).collect();
    format!("two modes on the {side}: {}", modes.join(", "))
}

fn verdict(course: &Course, judgement: Option<&Judgement>, moved: Option<&str>) -> Verdict {
    if failure(course).is_some() {
        return Verdict::Missing;
    }
    if let Some(why) = moved {
        return Verdict::Incomparable(why.to_owned());
    }
    judgement.and_then(|judgement| judgement.verdict.clone()).unwrap_or(Verdict::Undecided)
}

fn notes(course: &Course) -> Vec<String> {
    let mut notes = Vec::new();
    match &course.end {
        Some(End::Failed(failed)) => {
            let side = if failed.arm == BASE { "base" } else { "head" };
            notes.push(format!("{side} failed in round {}: {}", failed.round, failed.why));
        }
        Some(End::Budget) => notes.push(format!("{} s are up", course.subject.seconds)),
        Some(End::Decided) => {}
        None => notes.push("interrupted".to_owned()),
    }
    if course.subject.same_code {
        notes.push("same code".to_owned());
    }
    let LeftOut { jumps, busy } = course.left_out;
    for (number, why) in
        [(jumps, "suspended, or the clock was set"), (busy, "time stolen, or the processor slower")]
    {
        if number > 0 {
            notes.push(format!("rounds left out: {number} ({why})"));
        }
    }
    notes
}

impl Compared {
    /// The median time of an operation on each side, in nanoseconds; none of a side with two modes,
    /// which it would describe neither of.
    pub(crate) fn medians(&self) -> [Option<f64>; 2] {
        let median = |side: usize| {
            let known = self.modes[side].is_none() && !self.times[side].is_empty();
            known.then(|| median(&self.times[side]))
        };
        [median(0), median(1)]
    }

    fn failed(&self) -> bool {
        self.word == Word::Missing
    }

    /// Whether it was measured and no round of it could be judged.
    fn says_nothing(&self) -> bool {
        self.judgement.is_none() && self.word != Word::Mended
    }
}

impl Outcome {
    /// The exit code, by the rules of the gate ([`standing::exit`]); a bench that broke on either
    /// side is one that broke. What an interrupt left out says nothing; what is known stays known.
    pub(crate) fn exit(&self, strict: bool) -> Exit {
        let judged: Vec<_> = self
            .compared
            .iter()
            .filter(|one| one.word != Word::Mended)
            .map(|one| (&one.pair, &one.verdict))
            .collect();
        match standing::exit(&judged, strict) {
            Exit::Regressed => Exit::Regressed,
            _ if self.compared.iter().any(Compared::failed) => Exit::Broke,
            _ if self.finish == Finish::Interrupted
                || !self.missing.is_empty()
                || self.compared.iter().any(Compared::says_nothing) =>
            {
                Exit::NotMeasured
            }
            exit => exit,
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::super::course::tests::{pair, round, subject};
    use super::*;

    /// A course of rounds until it ends, the head slower by this share from round to round.
    pub(crate) fn run(id: &str, slower: f64) -> Course {
        let mut course = Course::new(subject(id), 3);
        // Rounds of a second, so that even one without a verdict ends.
        while course.end.is_none() {
            let number = course.next();
            course.take(crate::pairs::round::Round { took_ms: 100, ..pair(number, slower) });
        }
        course
    }

    fn whole(courses: &[Course]) -> Outcome {
        outcome(courses, &Subjects::default(), Finish::Whole, "run")
    }

    fn crashed(arm: char, number: u32) -> Course {
        let mut course = Course::new(subject("a/crash"), 3);
        (0..number).for_each(|number| course.take(pair(number, 0.0)));
        let time = |one| if one == arm { Err("wrong byte") } else { Ok(1000.0) };
        course.take(round(number, &[('a', time('a')), ('b', time('b'))]));
        course
    }

    #[test]
    fn a_change_beyond_the_margin_is_exit_3_and_none_is_exit_0() {
        let slower = whole(&[run("a/b", 0.2), run("a/c", 0.0)]);
        assert_eq!(slower.compared[0].verdict, Verdict::Regressed);
        assert_eq!(slower.compared[1].verdict, Verdict::Unchanged);
        assert_eq!((slower.exit(true), slower.exit(false)), (Exit::Regressed, Exit::Regressed));
        let faster = whole(&[run("a/b", -0.2), run("a/c", 0.0)]);
        assert_eq!(faster.exit(true), Exit::Fine);
        let [base, head] = slower.compared[0].medians();
        assert!(head > base, "{base:?} {head:?}");
    }

    #[test]
    fn a_crash_on_either_side_is_exit_1_unless_the_head_mended_it_or_something_is_worse() {
        for arm in ['a', 'b'] {
            let outcome = whole(&[crashed(arm, 7), run("a/b", 0.0)]);
            assert_eq!(outcome.exit(false), Exit::Broke, "{arm}");
            assert_eq!(outcome.compared[0].word, Word::Missing);
            assert!(outcome.compared[0].notes[0].ends_with("failed in round 7: wrong byte"));
            assert_eq!(whole(&[crashed(arm, 7), run("a/b", 0.2)]).exit(false), Exit::Regressed);
        }
        let mended = whole(&[crashed('a', 0), run("a/b", 0.0)]);
        assert_eq!((mended.exit(true), mended.compared[0].word), (Exit::Fine, Word::Mended));
        assert_eq!(whole(&[crashed('a', 0)]).exit(false), Exit::NotMeasured, "nothing was judged");
    }

    #[test]
    fn a_control_that_moved_takes_every_verdict_with_it() {
        let same = |mut course: Course| {
            course.subject.same_code = true;
            course
        };
        let calm = whole(&[same(run("a/b", 0.0)), run("a/c", 0.2)]);
        assert_eq!((calm.moved.as_deref(), calm.exit(false)), (None, Exit::Regressed));
        assert!(calm.control.contains("1 ids with the same code"), "{}", calm.control);
        let moved = whole(&[same(run("a/b", 0.2)), run("a/c", 0.2)]);
        assert!(moved.moved.as_deref().is_some_and(|why| why.contains("a/b")));
        assert_eq!(moved.exit(false), Exit::NotComparable);
        assert!(moved.compared.iter().all(|one| one.word == Word::Incomparable));
    }

    #[test]
    fn one_id_with_the_same_code_is_never_a_regression() {
        for slower in [0.2, -0.2] {
            let mut course = Course::new(subject("a/b"), 1);
            // As few rounds as make the verdict: the id's own bar is lower than the control's.
            while course.end.is_none() {
                course.take(pair(course.next(), slower));
            }
            course.subject.same_code = true;
            let moved = whole(&[course]);
            assert!(moved.moved.as_deref().is_some_and(|why| why.contains("a/b")));
            assert_eq!(moved.exit(false), Exit::NotComparable, "{slower}");
        }
    }

    #[test]
    fn an_id_of_which_no_round_was_judged_is_exit_4_and_says_so() {
        let mut short = Course::new(subject("a/short"), 1);
        short.take(crate::pairs::round::Round { took_ms: 90_000, ..pair(0, 0.0) });
        assert!(short.end.is_some());
        let nothing = whole(&[run("a/b", 0.0), short.clone()]);
        assert_eq!(
            (nothing.exit(false), nothing.exit(true)),
            (Exit::NotMeasured, Exit::NotMeasured)
        );
        assert_eq!(nothing.compared[1].notes, ["60 s are up", "no round could be judged"]);
        assert_eq!(whole(&[run("a/b", 0.2), short]).exit(false), Exit::Regressed);
    }

    #[test]
    fn a_copy_of_the_base_is_the_control_where_all_code_differs() {
        let course = |share: f64| {
            let mut course = Course::new(subject("a/b"), 1);
            while course.end.is_none() {
                let number = course.next();
                let mut both = pair(number, 0.0);
                let copy = pair(number, share);
                both.slices.insert('c', copy.slices[&'b'].clone());
                course.take(both);
            }
            course
        };
        let calm = whole(&[course(0.0)]);
        assert!(calm.control.contains("a copy of the base"), "{}", calm.control);
        assert_eq!(calm.exit(false), Exit::Fine);
        let moved = whole(&[course(0.2)]);
        assert!(moved.moved.as_deref().is_some_and(|why| why.contains("a copy of it")));
        assert_eq!(moved.exit(false), Exit::NotComparable);
        assert!(whole(&[run("a/b", 0.0)]).control.contains("has no control"));
    }

    #[test]
    fn two_modes_are_told_and_not_averaged() {
        let mut course = Course::new(subject("a/b"), 1);
        // The head takes twice as long in two of five rounds, the base never.
        while course.end.is_none() {
            let number = course.next();
            course.take(pair(number, if number % 5 < 2 { 1.0 } else { 0.0 }));
        }
        let [base, head] = outcome_of(&course).medians();
        assert!(base.is_some() && head.is_none(), "{base:?} {head:?}");
        let one = outcome_of(&course);
        assert_ne!(one.verdict, Verdict::Unchanged);
        let told = one.notes.iter().any(|note| note.contains("two modes on the head: 1.0"));
        assert!(told, "{:?}", one.notes);
        // A machine that slows down half-way does so for both.
        let mut slowed = Course::new(subject("a/b"), 1);
        for number in 0..200 {
            let speed = if number < 100 { 1.0 } else { 2.0 };
            let luck = |step: u32| speed * (1000.0 + f64::from(number * step % 21));
            slowed.take(round(number, &[('a', Ok(luck(7))), ('b', Ok(luck(8)))]));
        }
        assert!(outcome_of(&slowed).modes.iter().all(Option::is_none));
    }

    fn outcome_of(course: &Course) -> Compared {
        whole(std::slice::from_ref(course)).compared.remove(0)
    }

    #[test]
    fn an_interrupt_keeps_what_is_known_and_never_passes() {
        let mut open = Course::new(subject("a/open"), 2);
        (0..5).for_each(|number| open.take(pair(number, 0.0)));
        let interrupted =
            |courses: &[Course]| outcome(courses, &Subjects::default(), Finish::Interrupted, "run");
        let calm = interrupted(&[run("a/b", 0.0), open.clone()]);
        assert_eq!(calm.exit(false), Exit::NotMeasured);
        assert_eq!(calm.compared[1].verdict, Verdict::Undecided);
        assert_eq!(calm.compared[1].notes, ["interrupted"]);
        assert_eq!(interrupted(&[run("a/b", 0.2), open]).exit(false), Exit::Regressed);
        let nothing = interrupted(&[Course::new(subject("a/none"), 1)]);
        assert_eq!(nothing.exit(false), Exit::NotMeasured);
        assert!(nothing.compared[0].judgement.is_none());
    }

    #[test]
    fn missing_ids_are_exit_4_and_undecided_ones_exit_6_when_strict() {
        let subjects = Subjects { missing: vec!["a/gone".to_owned()], ..Subjects::default() };
        let gone = outcome(&[run("a/b", 0.0)], &subjects, Finish::Whole, "run");
        assert_eq!(gone.exit(false), Exit::NotMeasured);
        let mut short = Course::new(subject("a/b"), 1);
        while short.end.is_none() {
            let slow = crate::pairs::round::Round { took_ms: 20_000, ..pair(short.next(), 0.0) };
            short.take(slow);
        }
        let undecided = whole(&[short]);
        assert_eq!((undecided.exit(false), undecided.exit(true)), (Exit::Fine, Exit::Undecided));
        assert_eq!(undecided.compared[0].notes, ["60 s are up"]);
    }
}
