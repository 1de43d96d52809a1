//! The rounds: every id that has no end yet in turn, so that a slow hour of the machine meets all of
//! them, until none is left or the user interrupts. Ids with the same code on both sides go on beyond
//! their verdict, one of them in each turn: what vouches for a run must see all of it, and need not
//! cost as much as what it vouches for.

use super::course::{Course, End};
use crate::pairs::round::Round;
use crate::ui::Ui;

/// Whether all ids came to their end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Finish {
    Whole,
    Interrupted,
}

/// Runs the courses. `measure` makes the next round of an id, or nothing where the user interrupted;
/// `keep` writes it down before it is judged.
///
/// # Errors
/// What `keep` meets.
pub(crate) fn race(
    courses: &mut [Course],
    mut measure: impl FnMut(&Course) -> Option<Round>,
    mut keep: impl FnMut(&Round) -> anyhow::Result<()>,
    ui: Ui,
) -> anyhow::Result<Finish> {
    let bar = ui.progress(courses.len(), "comparing");
    bar.set_position(ended(courses));
    while courses.iter().any(|course| course.end.is_none()) {
        for index in turn(courses) {
            let course = &mut courses[index];
            bar.set_message(course.subject.id.clone());
            let Some(round) = measure(course) else {
                bar.finish_and_clear();
                return Ok(Finish::Interrupted);
            };
            keep(&round)?;
            course.take(round);
            if let Some(End::Failed(failed)) = &course.end {
                let (id, round, why) = (&course.subject.id, failed.round, &failed.why);
                bar.suspend(|| ui.say(&format!("{id} failed in round {round}: {why}")));
            }
        }
        bar.set_position(ended(courses));
    }
    bar.finish_and_clear();
    Ok(Finish::Whole)
}

/// Who takes a round: all that are open, and of those that watch the one with the fewest rounds.
fn turn(courses: &[Course]) -> Vec<usize> {
    let all = || courses.iter().enumerate();
    let open = all().filter(|(_, course)| course.end.is_none());
    let watching = all().filter(|(_, course)| course.watches());
    let watch = watching.min_by_key(|(_, course)| course.rounds.len());
    open.chain(watch).map(|(index, _)| index).collect()
}

fn ended(courses: &[Course]) -> u64 {
    courses.iter().filter(|course| course.end.is_some()).count() as u64
}

#[cfg(test)]
mod tests {
    use super::super::course::tests::{pair, round, subject};
    use super::*;

    const UI: Ui = Ui { json: true };

    fn courses() -> Vec<Course> {
        ["a/x", "a/y"].map(|id| Course::new(subject(id), 2)).into()
    }

    #[test]
    fn ids_take_turns_and_one_that_crashes_costs_no_other() {
        let mut courses = courses();
        let mut kept = Vec::new();
        let measure = |course: &Course| {
            let crash = course.subject.id == "a/y" && course.next() == 7;
            let crashed = || round(7, &[('a', Ok(1.0)), ('b', Err("wrong byte"))]);
            Some(if crash { crashed() } else { pair(course.next(), 0.5) })
        };
        let keep = |round: &Round| {
            kept.push(round.round);
            Ok(())
        };
        assert_eq!(race(&mut courses, measure, keep, UI).expect("kept"), Finish::Whole);
        assert_eq!(kept[..6], [0, 0, 1, 1, 2, 2]);
        assert_eq!(courses[0].end, Some(End::Decided));
        assert!(matches!(&courses[1].end, Some(End::Failed(failed)) if failed.round == 7));
        assert_eq!(kept.len(), courses[0].rounds.len() + courses[1].rounds.len());
    }

    #[test]
    fn ids_with_the_same_code_are_watched_in_turns_while_another_is_open() {
        let mut courses: Vec<Course> =
            ["a/open", "a/same", "b/same"].map(|id| Course::new(subject(id), 3)).into();
        courses[1..].iter_mut().for_each(|course| course.subject.same_code = true);
        let measure = |course: &Course| {
            let slower = if course.subject.same_code { 0.0 } else { 0.0095 };
            let round = pair(course.next(), slower);
            // It is open until its time is up; the others have their verdicts long before.
            Some(Round { took_ms: if course.subject.same_code { 1 } else { 300 }, ..round })
        };
        race(&mut courses, measure, |_| Ok(()), UI).expect("kept");
        let rounds: Vec<usize> = courses.iter().map(|course| course.rounds.len()).collect();
        let decided = courses[1].trial.judgement().estimate.rounds + 1;
        assert_eq!(courses[1].end, Some(End::Decided));
        assert_eq!((rounds[0], courses[0].end.clone()), (200, Some(End::Budget)));
        // From then on one of them in every turn of the open one.
        assert_eq!(rounds[1] + rounds[2], decided + rounds[0], "{rounds:?}");
        assert!(rounds[1].abs_diff(rounds[2]) <= 1, "{rounds:?}");
    }

    #[test]
    fn an_interrupt_keeps_what_there_is_and_a_disk_that_refuses_is_an_error() {
        let mut some = courses();
        let measure = |course: &Course| (course.next() < 3).then(|| pair(course.next(), 0.0));
        assert_eq!(race(&mut some, measure, |_| Ok(()), UI).expect("kept"), Finish::Interrupted);
        assert!(some.iter().all(|course| course.rounds.len() == 3 && course.end.is_none()));
        let full = |_: &Round| anyhow::bail!("the disk is full");
        race(&mut courses(), |_| Some(pair(0, 0.0)), full, UI).expect_err("full");
    }

    #[test]
    fn a_race_that_goes_on_with_old_rounds_ends_as_one_that_was_never_stopped() {
        let measure = |course: &Course| Some(pair(course.next(), 0.03));
        let mut whole = courses();
        race(&mut whole, measure, |_| Ok(()), UI).expect("kept");
        let mut resumed = courses();
        for course in &mut resumed {
            (0..9).for_each(|number| course.take(pair(number, 0.03)));
        }
        race(&mut resumed, measure, |_| Ok(()), UI).expect("kept");
        for (one, other) in whole.iter().zip(&resumed) {
            assert_eq!(one.rounds, other.rounds);
            assert_eq!(one.trial.judgement(), other.trial.judgement());
        }
    }
}
