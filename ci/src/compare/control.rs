//! What vouches for a run: rounds in which no code differs.

use bench_core::judge::Verdict;
use bench_core::judge::sequential::{Control, Round, Together, Vouch, control};

use super::course::Course;
use crate::render::number;

/// What vouches for the run, and whether it moved: the ids whose code is the same on both sides;
/// where there is none, the base against a copy of itself, id by id and all one after the other.
pub(super) fn controlled(courses: &[Course]) -> (String, Option<String>) {
    let judged = courses.iter().filter(|course| !course.judged.is_empty());
    let same: Vec<&Course> = judged.filter(|course| course.subject.same_code).collect();
    if !same.is_empty() {
        let told = format!("control: {} ids with the same code on both sides", same.len());
        let (told, moved) = ask(told, &same, own, Together::ByIndex);
        return (told, moved.or_else(|| same.iter().find_map(|course| changed(course))));
    }
    let copied: Vec<&Course> = courses.iter().filter(|one| !one.copies.is_empty()).collect();
    if copied.is_empty() {
        return ("no round vouches for the run: it has no control".to_owned(), None);
    }
    let rounds: usize = copied.iter().map(|course| course.copies.len()).sum();
    let told = format!("control: a copy of the base, {rounds} rounds in {} ids", copied.len());
    ask(told, &copied, copies, Together::InARow)
}

fn own(course: &Course) -> (String, &[Round]) {
    (course.subject.id.clone(), &course.judged)
}

fn copies(course: &Course) -> (String, &[Round]) {
    (format!("{} (the base and a copy of it)", course.subject.id), &course.copies)
}

/// Asks the rounds that `of` takes from each course.
fn ask(
    told: String,
    courses: &[&Course],
    of: fn(&Course) -> (String, &[Round]),
    how: Together,
) -> (String, Option<String>) {
    let named: Vec<_> = courses.iter().map(|course| of(course)).collect();
    let controls: Vec<Control<'_>> = named
        .iter()
        .zip(courses)
        .map(|((id, rounds), course)| Control { id, rule: &course.subject.rule, rounds })
        .collect();
    match control(&controls, how) {
        Vouch::Still => (told, None),
        Vouch::TooFew => (format!("{told}: too few to vouch for the run"), None),
        Vouch::Moved(why) => (told, Some(why)),
    }
}

/// An id whose code is the same and whose own trial calls it changed is a control that moved,
/// whatever the controls say, whose bar is a little higher.
fn changed(course: &Course) -> Option<String> {
    let judgement = course.trial.judgement();
    let id = &course.subject.id;
    matches!(judgement.verdict, Some(Verdict::Regressed | Verdict::Improved)).then(|| {
        let change = number::change(judgement.estimate.ratio);
        format!("the code of {id} is the same on both sides, yet it moved by {change}")
    })
}

#[cfg(test)]
mod tests {
    use super::super::course::tests::{pair, subject};
    use super::*;

    /// An id with so few copies that they tell nothing by themselves.
    fn short(id: &str, slower: f64) -> Course {
        let mut course = Course::new(subject(id), 20);
        for number in 0..16 {
            let mut both = pair(number, 0.0);
            let copy = pair(number, slower);
            both.slices.insert('c', copy.slices[&'b'].clone());
            course.take(both);
        }
        course
    }

    #[test]
    fn a_few_copies_of_many_ids_tell_together_what_none_tells_alone() {
        let ids: Vec<String> = (0..20).map(|number| format!("a/{number}")).collect();
        let courses =
            |slower: f64| -> Vec<Course> { ids.iter().map(|id| short(id, slower)).collect() };
        let (told, moved) = controlled(&courses(0.2));
        assert_eq!(told, "control: a copy of the base, 300 rounds in 20 ids");
        assert!(moved.is_some_and(|why| why.contains("yet together they moved")));
        let (told, moved) = controlled(&courses(0.2)[..1]);
        assert_eq!(moved, None, "15 rounds tell nothing");
        let few = "control: a copy of the base, 15 rounds in 1 ids: too few to vouch for the run";
        assert_eq!(told, few);
        assert_eq!(controlled(&courses(0.0)).1, None);
    }
}
