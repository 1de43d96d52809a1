//! `report.junit.xml`: each id and metric as a test, for dashboards that know tests. Regressed and
//! missing are failures, what does not compare is an error, undecided is skipped.

use quick_junit::{NonSuccessKind, Report as Document, TestCase, TestCaseStatus, TestSuite};

use super::super::{Report, words};
use super::{Line, failed, lines};

/// The whole file.
pub(crate) fn report(report: &Report<'_>) -> String {
    let mut document = Document::new("cargo perf");
    let mut suites: Vec<TestSuite> = Vec::new();
    for line in lines(report) {
        let room = line.id.split('/').next().unwrap_or(line.id);
        let place = suites.iter().position(|suite| suite.name.as_str() == room);
        let place = place.unwrap_or_else(|| {
            suites.push(TestSuite::new(room));
            suites.len() - 1
        });
        suites[place].add_test_case(case(&line));
    }
    let bad = |case: &TestCase| matches!(case.status, TestCaseStatus::NonSuccess { .. });
    let all_well = !suites.iter().flat_map(|suite| &suite.test_cases).any(bad);
    if let Some(why) = failed(report).filter(|_| all_well) {
        let mut status = TestCaseStatus::non_success(NonSuccessKind::Failure);
        status.set_type("failed").set_message(why);
        let mut suite = TestSuite::new("cargo perf");
        suite.add_test_case(TestCase::new("the whole", status));
        suites.push(suite);
    }
    document.add_test_suites(suites);
    document.to_string().expect("what this program wrote is XML")
}

fn case(line: &Line<'_>) -> TestCase {
    let kind = match line.word {
        "regressed" | "mixed" | "missing" | "failed" => Some(NonSuccessKind::Failure),
        "incomparable" => Some(NonSuccessKind::Error),
        _ => None,
    };
    let said = line.judged.map_or_else(|| line.note.clone(), words::change);
    let status = match (kind, line.word) {
        (Some(kind), word) => {
            let mut status = TestCaseStatus::non_success(kind);
            status.set_type(word).set_message(format!("{word}: {said}"));
            status
        }
        (None, "undecided") => {
            let mut status = TestCaseStatus::skipped();
            status.set_type("undecided").set_message(said.clone());
            status
        }
        (None, _) => TestCaseStatus::success(),
    };
    let mut case = TestCase::new(format!("{} {}", line.id, line.metric), status);
    case.set_classname(line.id);
    case.set_system_out(format!("{}: {said}", line.word));
    case
}

#[cfg(test)]
mod tests {
    use super::super::golden::{self, EVIL, Small};
    use super::*;
    use crate::render::view::sample;

    #[test]
    fn the_file_is_as_it_was_agreed() {
        golden::agrees("report.junit.xml", &report(&Small::new().report()));
    }

    #[test]
    fn hostile_text_is_text_to_a_reader_of_xml() {
        let told = report(&Small::spoilt(EVIL).report());
        assert!(!told.contains("<img") && !told.contains("]]>"), "{told}");
        assert!(told.chars().all(|c| !c.is_control() || c == '\n' || c == '\r' || c == '\t'));
        let back = Document::deserialize_from_str(&told).expect("XML");
        let cases: usize = back.test_suites.iter().map(|suite| suite.test_cases.len()).sum();
        assert_eq!(cases, Small::new().report().verdicts.expect("some").judged.len());
    }

    #[test]
    fn a_gate_that_fails_without_an_id_is_a_failure_too() {
        let told = report(&Small::failed_by_a_budget().report());
        assert!(told.contains("over its budget") && told.contains("failures=\"1\""), "{told}");
    }

    #[test]
    fn what_failed_in_a_record_alone_is_a_failure() {
        let told = report(&Report::of(&sample::record()));
        assert_eq!(told.matches("<failure").count(), 1, "{told}");
        assert!(told.contains("stream reset by peer"));
    }
}
