//! The raw samples of a course as rows of two records.

use bench_core::record::{Data, Metric, Row};

use super::course::{BASE, Course, End, Failed, samples};
use crate::pairs::round::Round;

const UNIT: &str = "ns";

/// The row of one arm: the raw samples of every round that was judged; where the other arm failed at
/// once, those of the first; an error where this arm failed. `None` while there is nothing.
///
/// `run` names the run whose two sides were interleaved.
pub(crate) fn row(course: &Course, arm: char, run: &str) -> Option<Row> {
    let id = &course.subject.id;
    let failed = failure(course).filter(|failed| failed.arm == arm);
    let mut row = match failed {
        Some(Failed { round, why, .. }) => {
            Row::failed(id, Metric::WallTime, UNIT, &format!("in round {round}: {why}"))
        }
        None => measured(course, arm)?,
    };
    row.dimensions.insert("target".into(), course.subject.key.clone());
    row.dimensions.insert("rounds".into(), course.judged.len().to_string());
    row.dimensions.insert("interleaved".into(), run.to_owned());
    let bytes = course.rounds.iter().find_map(|round| samples(round, arm)?.bytes);
    row.dimensions.extend(bytes.map(|bytes| ("bytes".to_owned(), bytes.to_string())));
    Some(row)
}

/// What an arm failed at.
pub(crate) fn failure(course: &Course) -> Option<&Failed> {
    match &course.end {
        Some(End::Failed(failed)) => Some(failed),
        _ => None,
    }
}

/// Whether the base failed at once and the head did not: the head mended it.
pub(crate) fn is_mended(course: &Course) -> bool {
    failure(course).is_some_and(|failed| failed.arm == BASE && failed.round == 0)
        && course.rounds.first().is_some_and(|round| samples(round, super::course::HEAD).is_some())
}

fn measured(course: &Course, arm: char) -> Option<Row> {
    let judged = course.judged_at.iter().map(|&at| &course.rounds[at]);
    let rounds: Vec<&Round> = match is_mended(course) {
        true => course.rounds.iter().collect(),
        false => judged.collect(),
    };
    let all = || rounds.iter().filter_map(|round| samples(round, arm));
    let values: Vec<f64> = all().flat_map(|samples| samples.values.iter().copied()).collect();
    let iterations = all().flat_map(|samples| samples.iterations.iter().copied()).collect();
    let data = Data::Samples { values, iterations };
    (!rounds.is_empty()).then(|| Row::measured(&course.subject.id, Metric::WallTime, UNIT, data))
}

#[cfg(test)]
mod tests {
    use super::super::course::tests::{pair, round, subject};
    use super::super::course::{COPY, HEAD};
    use super::*;

    fn course(rounds: impl IntoIterator<Item = Round>) -> Course {
        let mut course = Course::new(subject("a/b"), 1);
        rounds.into_iter().for_each(|round| course.take(round));
        course
    }

    #[test]
    fn a_row_has_the_samples_of_the_judged_rounds_and_says_that_it_was_interleaved() {
        let mut odd = pair(2, 0.0);
        odd.suspended_ns = 1_000_000_000;
        let course = course([pair(0, 0.0), pair(1, 0.0), odd, pair(3, 0.0)]);
        for arm in [BASE, HEAD] {
            let row = row(&course, arm, "run").expect("measured");
            row.check().expect("sound");
            assert_eq!(row.per_operation().len(), 6, "two rounds of three samples");
            assert_eq!((&*row.dimensions["rounds"], &*row.dimensions["interleaved"]), ("2", "run"));
        }
        assert_eq!(row(&course, COPY, "run").map(|row| row.per_operation().len()), Some(0));
    }

    #[test]
    fn the_arm_that_failed_has_an_error_and_the_other_keeps_its_samples() {
        let crash = round(3, &[('a', Ok(1.0)), ('b', Err("wrong byte"))]);
        let course = course([pair(0, 0.0), pair(1, 0.0), pair(2, 0.0), crash]);
        let head = row(&course, HEAD, "run").expect("failed");
        assert_eq!(head.error.as_deref(), Some("in round 3: wrong byte"));
        head.check().expect("sound");
        assert_eq!(row(&course, BASE, "run").expect("measured").per_operation().len(), 6);
        assert!(!is_mended(&course));
    }

    #[test]
    fn what_failed_at_once_in_the_base_only_is_mended() {
        let mended = course([round(0, &[('a', Err("broke")), ('b', Ok(1.0))])]);
        assert!(is_mended(&mended));
        assert!(row(&mended, HEAD, "run").expect("measured").ok);
        assert!(!row(&mended, BASE, "run").expect("failed").ok);
        let both = course([round(0, &[('a', Err("broke")), ('b', Err("broke"))])]);
        assert!(!is_mended(&both));
        assert_eq!(row(&course([pair(0, 0.0)]), HEAD, "run"), None);
    }
}
