//! The gate's result as the document that a report shows. Says, does not decide.

use bench_core::judge::Verdict;
use bench_core::record::{Metric, RunRecord};

use super::outcome::{self, Mended, New, Outcome};
use super::render::{self, Facts, verdict_sentence};
use crate::exit::Exit;
use crate::explain::file_name;
use crate::render::text::markdown;
use crate::render::verdicts::{Function, Judged, Side, Site, Verdicts, Word};
use crate::render::{MARKDOWN_BYTES_MAX, PAGE_ROWS_MAX, Report, number};

/// The records beside the document.
pub(crate) const BASE: &str = "gate-base.json";
pub(crate) const HEAD: &str = "gate-head.json";
/// The folder of the flamegraphs beside it.
pub(crate) const FLAMEGRAPHS: &str = "gate-explain";

/// The document of this outcome, which belongs into the folder of [`BASE`] and [`HEAD`].
pub(crate) fn document(facts: &Facts, outcome: &Outcome, exit: Exit) -> Verdicts {
    let side = |name: &str, commit: &str, record: &str| Side {
        name: name.to_owned(),
        commit: (!commit.is_empty()).then(|| commit.to_owned()),
        record: Some(record.to_owned()),
    };
    let base = side(&facts.base_ref, &facts.base_commit, BASE);
    let head = side("the working tree", &facts.head_commit, HEAD);
    let mut all = Verdicts::new("gate", exit, verdict_sentence(outcome, exit), base, head);
    all.remarks = render::sentences(facts);
    all.remarks.extend(render::unlisted(outcome));
    all.remarks.extend(outcome.interrupted.map(render::interrupted));
    all.remarks.extend(outcome.sentences());
    all.judged = outcome.judged.iter().map(|one| judged(one, outcome)).collect();
    all.judged.extend(outcome.new.iter().map(|New { id, metric, head }| {
        let new = Judged::absent(id, metric.clone(), Word::New, "in the head only");
        Judged { head: Some(*head as f64), unit: "1".into(), ..new }
    }));
    all.judged.extend(outcome.mended.iter().map(|one| {
        let Mended { id, metric, unit, head, error } = one;
        let note = format!("in the base: {error}");
        let mended = Judged::absent(id, metric.clone(), Word::Mended, &note);
        Judged { head: Some(*head as f64), unit: unit.clone(), ..mended }
    }));
    let absent = |ids: &[String], word, why: &str| -> Vec<Judged> {
        ids.iter().map(|id| Judged::absent(id, Metric::Instructions, word, why)).collect()
    };
    // One that was counted on the base has a pair of its own.
    let paired = |id: &&String| outcome.judged.iter().any(|one| one.pair.id == **id);
    let missing: Vec<String> = outcome.absent.iter().filter(|id| !paired(id)).cloned().collect();
    all.judged.extend(absent(&missing, Word::Missing, "expected, and not there to be counted"));
    all.judged.extend(absent(&outcome.removed, Word::Removed, "in the base only"));
    all
}

/// The document as `gate.md`: a comment on a pull request, cut to what one may hold.
pub(crate) fn markdown(all: &Verdicts, base: &RunRecord, head: &RunRecord) -> String {
    let report = Report { base: Some(base), verdicts: Some(all), ..Report::of(head) };
    markdown::report(&report, &format!("{FLAMEGRAPHS}/index.html"), MARKDOWN_BYTES_MAX)
}

fn judged(one: &outcome::Judged, outcome: &Outcome) -> Judged {
    let mut judged = Judged::of(&one.pair, Word::from(&one.verdict));
    judged.note = one.note.clone().or(judged.note);
    judged.bound = one.bound.map(|bound| {
        // What passes is whole: of 52.6 instructions 52 pass.
        format!("{} pass by {}", number::count(bound.change as u64), bound.by)
    });
    let function = |change: &crate::explain::functions::Change| Function {
        function: change.function.clone(),
        base: change.base,
        head: change.head,
        place: change.place.clone(),
    };
    judged.functions = one.changes.iter().map(function).collect();
    let changed =
        |one: &outcome::Judged| matches!(one.verdict, Verdict::Regressed | Verdict::Improved);
    // Told once of each id: below the first of its metrics that changed.
    let mut of_id = outcome.judged.iter().filter(|other| other.pair.id == one.pair.id);
    if of_id.find(|one| changed(one)).is_some_and(|first| std::ptr::eq(first, one)) {
        judged.sites = sites(outcome, &one.pair.id);
    }
    let drawn = one.pair.metric == Metric::Instructions
        && changed(one)
        && outcome.explanations.iter().any(|explained| explained.id == one.pair.id);
    judged.flamegraph = drawn.then(|| format!("{FLAMEGRAPHS}/{}.svg", file_name(&one.pair.id)));
    judged
}

/// Where the id allocates more or less than it did.
fn sites(outcome: &Outcome, id: &str) -> Vec<Site> {
    let explained = outcome.explanations.iter().find(|explained| explained.id == id);
    let changes = explained.map(|explained| explained.allocations.iter()).into_iter().flatten();
    changes.take(PAGE_ROWS_MAX).cloned().collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use bench_core::judge::Policy;

    use super::super::outcome::tests::record;
    use super::super::outcome::{Question, outcome};
    use super::super::past::Fences;
    use super::*;

    #[test]
    fn every_id_has_its_word_and_a_failing_one_its_bound() {
        let base = record(&[("a", Ok(1_000)), ("b", Ok(5)), ("gone", Ok(1)), ("m", Err("hung"))]);
        let head = record(&[("a", Ok(1_050)), ("b", Ok(5)), ("m", Ok(2)), ("new", Ok(7))]);
        let listed = head.rows.iter().map(|row| row.id.clone()).collect();
        let question = Question {
            policy: &Policy::default(),
            fences: &Fences::new(),
            codes: &BTreeMap::new(),
            expected: Some(&["a".into(), "b".into(), "m".into(), "lost".into()]),
            listed: &listed,
            interrupted: None,
        };
        let outcome = outcome(&base, &head, question);
        let facts = Facts { base_ref: "main".into(), ..Facts::default() };
        let all = document(&facts, &outcome, Exit::Regressed);
        let mut words: Vec<_> = all.judged.iter().map(|one| (one.id.as_str(), one.word)).collect();
        words.sort_unstable();
        let expected = [
            ("a", Word::Regressed),
            ("b", Word::Unchanged),
            ("gone", Word::Removed),
            ("lost", Word::Missing),
            ("m", Word::Mended),
            ("new", Word::New),
        ];
        assert_eq!(words, expected);
        assert_eq!(all.judged[0].bound.as_deref(), Some("49 pass by the absolute floor"));
        assert_eq!((all.base.commit, all.base.record.as_deref()), (None, Some(BASE)));
    }

    #[test]
    fn the_comment_fits_however_much_changed() {
        let ids: Vec<String> = (0..2_000).map(|n| format!("room/workload-{n}/4KiB")).collect();
        let side = |count| record(&ids.iter().map(|id| (&**id, Ok(count))).collect::<Vec<_>>());
        let (base, head) = (side(1_000), side(2_000));
        let question = Question {
            policy: &Policy::default(),
            fences: &Fences::new(),
            codes: &BTreeMap::new(),
            expected: None,
            listed: &ids.iter().cloned().collect(),
            interrupted: None,
        };
        let facts = Facts { same_code: true, text_sha256: "ab".repeat(32), ..Facts::default() };
        let all = document(&facts, &outcome(&base, &head, question), Exit::Regressed);
        let told = markdown(&all, &base, &head);
        assert!(told.len() <= MARKDOWN_BYTES_MAX, "{}", told.len());
        assert!(told.starts_with("# gate did not pass (exit 3): 2000 regressed"), "{told}");
        assert!(told.contains("same code on both sides (.text sha256 abababababababab"));
        assert!(told.contains("more table rows are in"));
    }
}
