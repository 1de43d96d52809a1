//! Tests of the verdicts and the exit code, and records for the tests of others.

use bench_core::record::{Environment, Metric};

use super::*;

pub(crate) fn record(rows: &[(&str, Result<u64, &str>)]) -> RunRecord {
    let known = || Some("x".to_owned());
    let mut record = RunRecord::begin(Environment {
        rustc: known(),
        target: known(),
        rustflags: known(),
        profile: known(),
        glibc: known(),
        cpu_features: vec!["avx2".into()],
        glibc_tunables: known(),
        valgrind: known(),
        ..Environment::default()
    });
    for (id, value) in rows {
        let mut row = match value {
            Ok(value) => {
                let data = Data::Count { value: *value };
                Row::measured(id, Metric::Instructions, "instructions", data)
            }
            Err(error) => Row::failed(id, Metric::Instructions, "instructions", error),
        };
        row.dimensions.insert("target".into(), "count_a".into());
        record.rows.push(row);
    }
    record
}

type Rows<'a> = &'a [(&'a str, Result<u64, &'a str>)];

fn code(same: bool) -> BTreeMap<String, Code> {
    let hash = |text: &str| Some(CodeHash { text: text.into(), data: String::new() });
    let head = hash(if same { "1" } else { "2" });
    [("count_a".to_owned(), Code { base: hash("1"), head })].into()
}

fn ask(base: Rows<'_>, head: Rows<'_>, expected: Option<&[&str]>, same_code: bool) -> Outcome {
    let expected: Option<Vec<String>> =
        expected.map(|ids| ids.iter().map(|&id| id.to_owned()).collect());
    let question = Question {
        policy: &crate::policy::read(std::path::Path::new("/nonexistent")).expect("sound"),
        fences: &Fences::new(),
        codes: &code(same_code),
        expected: expected.as_deref(),
        listed: &head.iter().map(|(id, _)| (*id).to_owned()).collect(),
        interrupted: None,
    };
    outcome(&record(base), &record(head), question)
}

#[test]
fn exit_codes_follow_the_gravest_verdict() {
    let cases: [(Rows<'_>, Rows<'_>, Exit); 10] = [
        (&[("a", Ok(10_000))], &[("a", Ok(10_000))], Exit::Fine),
        (&[("a", Ok(10_000))], &[("a", Ok(10_049))], Exit::Fine),
        (&[("a", Ok(10_000))], &[("a", Ok(10_050))], Exit::Regressed),
        (&[("a", Ok(10_000))], &[("a", Ok(9_000))], Exit::Fine),
        (&[("a", Ok(9)), ("b", Ok(9))], &[("a", Ok(900)), ("b", Err("hung"))], Exit::Regressed),
        (&[("a", Ok(9)), ("b", Ok(9))], &[("a", Ok(9)), ("b", Err("hung"))], Exit::Broke),
        (&[("a", Ok(9)), ("b", Err("hung"))], &[("a", Ok(9)), ("b", Ok(9))], Exit::Fine),
        (&[("b", Err("hung"))], &[("b", Ok(9))], Exit::NotMeasured),
        (&[("a", Ok(9)), ("b", Ok(9))], &[("a", Ok(9))], Exit::NotMeasured),
        (&[], &[("a", Ok(9))], Exit::NotMeasured),
    ];
    for (base, head, exit) in cases {
        assert_eq!(ask(base, head, None, false).exit(false), exit, "{base:?} {head:?}");
    }
}

#[test]
fn what_was_mended_is_announced_with_what_it_was() {
    let base: Rows<'_> = &[("a", Ok(9)), ("b", Err("hung"))];
    let outcome = ask(base, &[("a", Ok(9)), ("b", Ok(7))], Some(&["a", "b"]), false);
    let mended = Mended {
        id: "b".into(),
        metric: Metric::Instructions,
        unit: "instructions".into(),
        head: 7,
        error: "hung".into(),
    };
    assert_eq!(outcome.mended, [mended]);
    assert_eq!((outcome.judged.len(), outcome.verdict()), (1, Verdict::Unchanged));
}

#[test]
fn the_list_of_what_is_expected_tells_removed_from_missing() {
    let base: Rows<'_> = &[("a", Ok(9)), ("b", Ok(9))];
    let head: Rows<'_> = &[("a", Ok(9)), ("c", Ok(7))];
    let gone = ask(base, head, Some(&["a"]), false);
    assert_eq!(gone.exit(false), Exit::Fine);
    assert_eq!(gone.removed, ["b"]);
    let new = New { id: "c".into(), metric: Metric::Instructions, head: 7 };
    assert_eq!((gone.new, gone.unlisted), (vec![new], vec!["c".to_owned()]));
    let missing = ask(base, head, Some(&["a", "b"]), false);
    assert_eq!(missing.exit(false), Exit::NotMeasured);
    assert_eq!(missing.absent, ["b"]);
    let note = missing.judged.iter().find_map(|one| one.note.as_deref());
    assert_eq!(note, Some("in the base only"));
}

#[test]
fn the_same_code_never_regresses() {
    let far = ask(&[("a", Ok(10_000))], &[("a", Ok(20_000))], None, true);
    assert_eq!(far.exit(false), Exit::NotComparable);
    assert!(far.judged[0].note.as_deref().is_some_and(|note| note.contains("10000 and 20000")));
    let near = ask(&[("a", Ok(10_000))], &[("a", Ok(10_001))], None, true);
    assert_eq!(near.exit(true), Exit::Fine);
    assert!(near.judged[0].note.is_some());
}

#[test]
fn every_metric_of_an_id_is_judged_by_itself_and_the_bound_that_decided_is_named() {
    let with = |instructions, calls| {
        let mut record = record(&[("a", Ok(instructions))]);
        let data = Data::Count { value: calls };
        let row = Row::measured("a", Metric::Allocations, "allocations", data);
        record.rows.push(Row { gates: true, ..row });
        record
    };
    let fences = Fences::from([(("a".to_owned(), Metric::Instructions), 0.05)]);
    let question = Question {
        policy: &crate::policy::read(std::path::Path::new("/nonexistent")).expect("sound"),
        fences: &fences,
        codes: &code(false),
        expected: None,
        listed: &["a".to_owned()].into(),
        interrupted: None,
    };
    let more_calls = outcome(&with(10_000, 0), &with(10_400, 1), question);
    assert_eq!(more_calls.exit(false), Exit::Regressed);
    let words: Vec<_> = more_calls.judged.iter().map(|j| (j.name(), &j.verdict)).collect();
    let expected =
        [("a".into(), &Verdict::Unchanged), ("a allocations".into(), &Verdict::Regressed)];
    assert_eq!(words, expected);
    let said = more_calls.judged[1].note.as_deref();
    assert_eq!(said, Some("1 allocations more, where 0 pass by the absolute floor"));
    let slower = outcome(&with(10_000, 0), &with(10_501, 0), question);
    let said = slower.judged[0].note.as_deref();
    let bound = "501 instructions more, where 500 pass by the fence of its own history, 5 %";
    assert_eq!(said, Some(bound));
}

#[test]
fn a_budget_that_is_exceeded_fails_and_one_for_nothing_does_not_pass() {
    let mut outcome = ask(&[("a", Ok(9))], &[("a", Ok(9))], None, false);
    outcome.spent.unmet.push("budget x matches no id that there is".into());
    assert_eq!((outcome.exit(false), outcome.verdict()), (Exit::NotMeasured, Verdict::Missing));
    outcome.spent.over.push("a takes 9 instructions per byte, and budget x allows 1".into());
    assert_eq!((outcome.exit(false), outcome.verdict()), (Exit::Regressed, Verdict::Mixed));
    assert_eq!(outcome.sentences().len(), 2);
}

#[test]
fn an_interrupted_gate_never_passes_and_hides_no_regression() {
    let interrupted = |head: Rows<'_>| {
        let base: Rows<'_> = &[("a", Ok(9)), ("b", Ok(9))];
        Outcome { interrupted: Some((2, 4)), ..ask(base, head, None, false) }
    };
    let calm: Rows<'_> = &[("a", Ok(9)), ("b", Ok(9))];
    assert_eq!(interrupted(calm).exit(false), Exit::NotMeasured);
    let worse: Rows<'_> = &[("a", Ok(900)), ("b", Ok(9))];
    assert_eq!(interrupted(worse).exit(false), Exit::Regressed);
    let hung: Rows<'_> = &[("a", Ok(9)), ("b", Err("hung"))];
    assert_eq!(interrupted(hung).exit(false), Exit::NotMeasured);
}
