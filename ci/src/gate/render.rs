//! The gate's result for the terminal and for scripts. Says, does not decide.

use bench_core::judge::Verdict;
use serde::Serialize;
use serde_json::{Value, json};

use super::outcome::{Judged, Mended, New, Outcome, named};
use crate::exit::Exit;
use crate::explain::{Explanation, tables};
use crate::render::table::{Table, Tone};
use crate::render::{COMMENT_ROWS_MAX, number, words};

/// More unchanged ids than this are one line.
const UNCHANGED_MAX: usize = 20;
const TITLES: [&str; 6] = ["id", "base", "head", "difference", "change", "verdict"];

/// What is said besides the numbers.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct Facts {
    /// The ref as the user wrote it, or the file of the text baseline.
    pub(crate) base_ref: String,
    /// Full hash; empty for a text baseline.
    pub(crate) base_commit: String,
    /// Full hash of the commit that the working tree is of.
    pub(crate) head_commit: String,
    /// Whether the working tree differs from that commit.
    pub(crate) dirty: bool,
    /// Features of the working tree's side.
    pub(crate) features: Vec<String>,
    /// SHA-256 over `.text` of every target; the same on both sides when `same_code`.
    pub(crate) text_sha256: String,
    /// Whether every target runs the same code on both sides.
    pub(crate) same_code: bool,
    /// Sentences on how the counts came about.
    pub(crate) remarks: Vec<String>,
    pub(crate) seconds: f64,
    /// Seconds of them spent on counting.
    pub(crate) counting_seconds: f64,
}

/// What is compared, in one sentence.
fn headline(facts: &Facts) -> String {
    let short = |commit: &str| commit.get(..12).unwrap_or(commit).to_owned();
    let base = match facts.base_commit.as_str() {
        "" => facts.base_ref.clone(),
        commit => format!("{} ({})", facts.base_ref, short(commit)),
    };
    let state = if facts.dirty { "with uncommitted changes" } else { "clean" };
    let features = match facts.features.as_slice() {
        [] => String::new(),
        features => format!(", features {}", features.join(", ")),
    };
    format!(
        "base {base}, head: the working tree at {}, {state}{features}",
        short(&facts.head_commit),
    )
}

/// Sentences before the table.
pub(crate) fn sentences(facts: &Facts) -> Vec<String> {
    let mut said = vec![headline(facts)];
    if facts.same_code {
        let hash = facts.text_sha256.get(..16).unwrap_or(&facts.text_sha256);
        said.push(format!("same code on both sides (.text sha256 {hash}…)"));
    }
    said.extend(facts.remarks.iter().cloned());
    said
}

/// Sentences after the table: what is not a number, and the end of it.
fn remarks(outcome: &Outcome, exit: Exit) -> Vec<String> {
    let mut said = Vec::new();
    let mut list = |ids: &[String], what: &str| {
        if !ids.is_empty() {
            said.push(format!("{what}: {}", ids.join(", ")));
        }
    };
    list(&outcome.absent, "expected and not there to be counted");
    list(&outcome.removed, "in the base only, and no longer expected");
    said.extend(unlisted(outcome));
    for judged in &outcome.judged {
        if let Some(note) = &judged.note {
            said.push(format!("{}: {note}", judged.name()));
        }
    }
    for Mended { id, metric, error, .. } in &outcome.mended {
        let id = named(id, metric);
        said.push(format!("{id}: mended: base failed: {error}"));
    }
    said.extend(outcome.interrupted.map(interrupted));
    said.extend(outcome.sentences());
    said.push(verdict_sentence(outcome, exit));
    said
}

pub(crate) fn interrupted((done, all): (usize, usize)) -> String {
    format!("interrupted: {done} of {all} ids counted")
}

pub(crate) fn unlisted(outcome: &Outcome) -> Option<String> {
    let ids = &outcome.unlisted;
    (!ids.is_empty())
        .then(|| format!("not in benches/expected.toml; add it there: {}", ids.join(", ")))
}

/// The end of it, in one sentence.
pub(crate) fn verdict_sentence(outcome: &Outcome, exit: Exit) -> String {
    let number = |wanted: fn(&Verdict) -> bool| {
        outcome.judged.iter().filter(|judged| wanted(&judged.verdict)).count()
    };
    let mut parts = vec![
        (number(|v| *v == Verdict::Regressed), "regressed"),
        (number(|v| *v == Verdict::Improved), "improved"),
        (number(|v| *v == Verdict::Unchanged), "unchanged"),
        (number(|v| matches!(v, Verdict::Incomparable(_))), "incomparable"),
        (number(|v| *v == Verdict::Undecided), "undecided"),
        (number(|v| *v == Verdict::Missing) + outcome.absent.len(), "missing"),
        (outcome.new.len(), "new"),
        (outcome.mended.len(), "mended"),
    ];
    parts.retain(|(number, _)| *number > 0);
    let parts: Vec<String> =
        parts.iter().map(|(number, what)| format!("{number} {what}")).collect();
    let counted = if parts.is_empty() { "nothing was counted".into() } else { parts.join(", ") };
    let none_gates = exit == Exit::NotMeasured && !outcome.judged.is_empty() && !outcome.gates();
    let counted = if none_gates { counted + ", none of which gates" } else { counted };
    let passed = if exit == Exit::Fine { "passed" } else { "did not pass" };
    format!("gate {passed} (exit {}): {counted}", exit as u8)
}

fn rows(outcome: &Outcome) -> Vec<(Tone, Vec<String>)> {
    let mut judged: Vec<&Judged> = outcome.judged.iter().collect();
    let unchanged = |judged: &&Judged| judged.verdict == Verdict::Unchanged;
    if judged.iter().filter(|j| unchanged(j)).count() > UNCHANGED_MAX {
        judged.retain(|judged| !unchanged(judged));
    }
    let new = outcome.new.iter().map(|New { id, metric, head }| {
        let name = named(id, metric);
        let cells = [&name, "-", &number::count(*head), "", "", "new"].map(str::to_owned);
        (Tone::Quiet, cells.to_vec())
    });
    let mended = outcome.mended.iter().map(|Mended { id, metric, head, .. }| {
        let id = named(id, metric);
        let cells = [&id, "failed", &number::count(*head), "", "", "mended"].map(str::to_owned);
        (Tone::Good, cells.to_vec())
    });
    judged.into_iter().map(row).chain(new).chain(mended).collect()
}

fn row(judged: &Judged) -> (Tone, Vec<String>) {
    let tone = tone(&judged.verdict);
    let (difference, change) = match judged.counts() {
        Some((base, head)) => (words::difference(base, head), percent(base, head)),
        None => (String::new(), String::new()),
    };
    let side = |row: Option<&bench_core::record::Row>| {
        row.and_then(super::outcome::count).map_or_else(|| "-".to_owned(), number::count)
    };
    let (base, head) = (side(judged.pair.measured_base()), side(judged.pair.measured_head()));
    (tone, vec![judged.name(), base, head, difference, change, judged.verdict.name().into()])
}

fn tone(verdict: &Verdict) -> Tone {
    match verdict {
        Verdict::Improved => Tone::Good,
        Verdict::Unchanged => Tone::Quiet,
        Verdict::Undecided => Tone::Neutral,
        Verdict::Regressed | Verdict::Mixed | Verdict::Missing | Verdict::Incomparable(_) => {
            Tone::Bad
        }
    }
}

fn percent(base: u64, head: u64) -> String {
    if base == 0 { String::new() } else { number::change(head as f64 / base as f64) }
}

fn summary(outcome: &Outcome) -> Option<String> {
    let unchanged: Vec<&Judged> =
        outcome.judged.iter().filter(|j| j.verdict == Verdict::Unchanged).collect();
    let exact = unchanged.iter().filter(|j| j.counts().is_some_and(|(b, h)| b == h)).count();
    (unchanged.len() > UNCHANGED_MAX)
        .then(|| format!("{} ids unchanged, {exact} of them to the last digit", unchanged.len()))
}

/// The result as text.
pub(crate) fn text(facts: &Facts, outcome: &Outcome, exit: Exit, colour: bool) -> String {
    let mut table = Table::new(&TITLES);
    rows(outcome).into_iter().for_each(|(tone, cells)| table.push(tone, cells));
    let mut text = sentences(facts).join("\n") + "\n\n";
    if !table.is_empty() {
        text += &(table.text(colour) + "\n");
    }
    text.extend(summary(outcome).map(|line| line + "\n\n"));
    for explanation in &outcome.explanations {
        text += &tables::text(explanation, colour);
    }
    text + &remarks(outcome, exit).join("\n") + &format!("\n{}\n", times(facts))
}

fn times(facts: &Facts) -> String {
    format!("{:.1} s, {:.1} s of them counting", facts.seconds, facts.counting_seconds)
}

/// The result for scripts.
pub(crate) fn json(facts: &Facts, outcome: &Outcome, exit: Exit) -> Value {
    let id = |judged: &Judged| {
        let side = |row: Option<&bench_core::record::Row>| row.and_then(super::outcome::count);
        json!({
            "id": judged.pair.id,
            "metric": judged.pair.metric.name(),
            "base": side(judged.pair.measured_base()),
            "head": side(judged.pair.measured_head()),
            "verdict": judged.verdict.name(),
            "limit": judged.bound.map(|bound| json!({
                "change": bound.change, "by": bound.by.to_string(),
            })),
            "note": judged.note,
            "functions": judged.changes.iter().take(COMMENT_ROWS_MAX).collect::<Vec<_>>(),
        })
    };
    let new = |New { id, metric, head }: &New| json!({ "id": id, "metric": metric, "head": head });
    let mended = |Mended { id, metric, unit, head, error }: &Mended| json!({ "id": id, "metric": metric, "unit": unit, "head": head, "base_error": error });
    json!({
        "command": "gate",
        "exit": exit as u8,
        "verdict": outcome.verdict().name(),
        "facts": facts,
        "ids": outcome.judged.iter().map(id).collect::<Vec<_>>(),
        "new": outcome.new.iter().map(new).collect::<Vec<_>>(),
        "mended": outcome.mended.iter().map(mended).collect::<Vec<_>>(),
        "removed": outcome.removed,
        "absent": outcome.absent,
        "unlisted": outcome.unlisted,
        "explained": outcome.explanations.iter().map(Explanation::json).collect::<Vec<_>>(),
        "budgets": {
            "over": outcome.spent.over, "unmet": outcome.spent.unmet,
            "left_out": outcome.spent.left_out, "kept": outcome.spent.kept,
        },
        "interrupted": outcome.interrupted.map(|(done, all)| json!({ "counted": done, "of": all })),
    })
}

#[cfg(test)]
mod tests {
    use bench_core::judge::{Policy, compare, judge};
    use bench_core::record::Metric;

    use super::super::explain::Change;
    use super::super::outcome::tests::record;
    use super::*;

    fn sample(ids: usize) -> Outcome {
        let names: Vec<String> = (0..ids).map(|n| format!("a/{n}")).collect();
        let mut base: Vec<(&str, Result<u64, &str>)> = vec![("pool/fill", Ok(10_000))];
        base.extend(names.iter().map(|name| (name.as_str(), Ok(500))));
        let mut head = base.clone();
        head[0].1 = Ok(12_500);
        let judged = compare(&record(&base), &record(&head)).into_iter().map(|pair| {
            let verdict = judge(&pair, &Policy::default());
            Judged { pair, verdict, bound: None, note: None, changes: Vec::new() }
        });
        let mut outcome = Outcome { judged: judged.collect(), ..Outcome::default() };
        let change = Change {
            function: "fill<u8>".into(),
            base: 1,
            head: 2_501,
            place: Some("a.rs:7".into()),
        };
        outcome.judged.iter_mut().find(|j| j.pair.id == "pool/fill").expect("there").changes =
            vec![change.clone()];
        outcome.explanations = vec![Explanation {
            id: "pool/fill".into(),
            functions: vec![change],
            allocations: Vec::new(),
            stacks: Default::default(),
        }];
        outcome
    }

    #[test]
    fn a_regression_names_numbers_and_function_everywhere() {
        let (facts, outcome) = (Facts { same_code: false, ..Facts::default() }, sample(2));
        let text = text(&facts, &outcome, Exit::Regressed, false);
        for part in ["pool/fill", "12,500", "+2,500", "+25.00 %", "regressed", "fill<u8>", "a.rs:7"]
        {
            assert!(text.contains(part), "{part} is not in\n{text}");
        }
        assert!(text.contains("gate did not pass (exit 3): 1 regressed, 2 unchanged"), "{text}");
        let json = json(&facts, &outcome, Exit::Regressed);
        assert_eq!(json["exit"], 3);
        assert_eq!(json["verdict"], "regressed");
    }

    #[test]
    fn what_was_mended_is_said_in_both() {
        let mut outcome = sample(1);
        outcome.mended = vec![Mended {
            id: "b/x".into(),
            metric: Metric::AllocatedBytes,
            unit: "bytes".into(),
            head: 1_234,
            error: "hung".into(),
        }];
        let facts = Facts::default();
        let text = text(&facts, &outcome, Exit::Fine, false);
        for part in ["b/x allocated_bytes: mended: base failed: hung", "1,234", "1 mended"] {
            assert!(text.contains(part), "{part} is not in\n{text}");
        }
        let json = json(&facts, &outcome, Exit::Fine);
        assert_eq!(json["mended"][0]["base_error"], "hung");
        assert_eq!(json["mended"][0]["unit"], "bytes");
    }

    #[test]
    fn many_unchanged_ids_are_one_line() {
        let text = text(&Facts::default(), &sample(21), Exit::Regressed, false);
        assert!(text.contains("21 ids unchanged, 21 of them to the last digit"), "{text}");
        assert!(!text.contains("a/7"), "{text}");
    }

    #[test]
    fn the_same_code_is_said_in_both() {
        let facts = Facts { same_code: true, text_sha256: "ab".repeat(32), ..Facts::default() };
        let outcome = sample(1);
        let said = "same code on both sides (.text sha256 abababababababab";
        assert!(text(&facts, &outcome, Exit::Fine, false).contains(said));
        assert_eq!(json(&facts, &outcome, Exit::Fine)["facts"]["same_code"], true);
    }
}
