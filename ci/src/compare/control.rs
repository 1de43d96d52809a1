//! What vouches for a run: rounds in which no code differs.

use bench_core::judge::TimeRule;
use bench_core::judge::sequential::{Control, Round, control};

use super::course::Course;

/// The margin that stands for every margin where ids are looked at together.
const MARGIN: f64 = 0.01;

/// What vouches for the run, and whether it moved: the ids whose code is the same on both sides;
/// where there is none, the base against a copy of itself, id by id and all one after the other.
pub(super) fn controlled(courses: &[Course]) -> (String, Option<String>) {
    let judged = courses.iter().filter(|course| !course.judged.is_empty());
    let same: Vec<Control<'_>> = judged
        .filter(|course| course.subject.same_code)
        .map(|course| of(&course.subject.id, &course.subject.rule, &course.judged))
        .collect();
    if !same.is_empty() {
        let told = format!("control: {} ids with the same code on both sides", same.len());
        return (told, control(&same));
    }
    let copied: Vec<&Course> = courses.iter().filter(|one| !one.copies.is_empty()).collect();
    if copied.is_empty() {
        return ("no round vouches for the run: it has no control".to_owned(), None);
    }
    let name = |course: &&Course| format!("{} (the base and a copy of it)", course.subject.id);
    let names: Vec<String> = copied.iter().map(name).collect();
    let (together, rule) = (in_a_row(&copied), TimeRule { margin: MARGIN, ..no_floor() });
    let each = names.iter().zip(&copied);
    let each = each.map(|(name, course)| of(name, &course.subject.rule, &course.copies));
    let all = of("all ids together (the base and a copy of it)", &rule, &together);
    let (ids, rounds) = (copied.len(), together.len());
    let told = format!("control: a copy of the base, {rounds} rounds in {ids} ids");
    (told, control(&each.chain([all]).collect::<Vec<_>>()))
}

const fn of<'a>(id: &'a str, rule: &'a TimeRule, rounds: &'a [Round]) -> Control<'a> {
    Control { id, rule, rounds }
}

fn no_floor() -> TimeRule {
    TimeRule { floor_ns: 0.0, ..TimeRule::default() }
}

/// The rounds of all copies one after the other, in units of their own margins, as if each had one
/// of [`MARGIN`]. Few as they are for each id, together they may tell.
fn in_a_row(courses: &[&Course]) -> Vec<Round> {
    let scaled = |course: &&Course| -> Vec<Round> {
        let unit = MARGIN.ln_1p() / course.subject.rule.margin.ln_1p();
        let round = |round: &Round| Round::new(1.0, (round.log_ratio() * unit).exp());
        course.copies.iter().filter_map(round).collect()
    };
    courses.iter().flat_map(scaled).collect()
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
        assert!(moved.is_some_and(|why| why.contains("all ids together")));
        assert_eq!(controlled(&courses(0.2)[..1]).1, None, "15 rounds tell nothing");
        assert_eq!(controlled(&courses(0.0)).1, None);
    }
}
