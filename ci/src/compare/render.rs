//! The result for the terminal, for Markdown, for scripts and for the report. Says, does not decide.

use std::fmt::Write;

use bench_core::judge::Verdict;
use bench_core::record::Metric;
use serde_json::{Value, json};

use super::outcome::{Compared, Outcome};
use crate::exit::Exit;
use crate::render::markdown::cell;
use crate::render::number;
use crate::render::table::{Table, Tone};
use crate::render::verdicts::{Judged, Side, Verdicts, Word};

const TITLES: [&str; 8] = ["id", "base", "head", "change", "interval", "rounds", "verdict", "note"];

/// What is compared, and what is said besides the numbers.
#[derive(Clone, Debug, Default)]
pub(crate) struct Facts {
    pub(crate) base: Side,
    pub(crate) head: Side,
    pub(crate) remarks: Vec<String>,
    pub(crate) seconds: f64,
}

/// The document that the report shows.
pub(crate) fn verdicts(facts: &Facts, outcome: &Outcome, exit: Exit) -> Verdicts {
    let (base, head) = (facts.base.clone(), facts.head.clone());
    let mut all = Verdicts::new("compare", exit, String::new(), base, head);
    all.judged = outcome.compared.iter().map(judged).collect();
    let absent = |ids: &[String], word, why: &str| -> Vec<Judged> {
        ids.iter().map(|id| Judged::absent(id, Metric::WallTime, word, why)).collect()
    };
    all.judged.extend(absent(&outcome.missing, Word::Missing, "the head has no such bench"));
    all.judged.extend(absent(&outcome.removed, Word::Removed, "in the base only"));
    all.judged.extend(absent(&outcome.new, Word::New, "in the head only"));
    all.remarks = facts.remarks.clone();
    all.remarks.push(outcome.control.clone());
    all.remarks.extend(outcome.moved.clone());
    all.sentence = sentence(&all, exit);
    all
}

fn judged(one: &Compared) -> Judged {
    let [base, head] = one.medians();
    let mut judged = Judged::of(&one.pair, one.word);
    (judged.base, judged.head) = (base, head);
    if let Some(judgement) = &one.judgement {
        let estimate = judgement.estimate;
        // Of two modes there is no one ratio; where it lies still bears the verdict out.
        judged.ratio = (base.is_some() && head.is_some()).then_some(estimate.ratio);
        judged.interval = estimate.interval.map(|interval| (interval.low, interval.high));
        judged.bound = Some(format!("margin of {:.2} %", judgement.margin * 100.0));
    }
    let notes: Vec<&str> = one.notes.iter().map(String::as_str).collect();
    judged.note = (!notes.is_empty()).then(|| notes.join("; "));
    judged
}

fn sentence(all: &Verdicts, exit: Exit) -> String {
    let counts: Vec<String> =
        all.counts().iter().map(|(word, number)| format!("{number} {}", word.name())).collect();
    let told = match exit {
        Exit::Fine => "nothing is known to be worse",
        Exit::Regressed => "something regressed",
        Exit::Broke => "something broke",
        Exit::NotComparable => "this run says nothing",
        Exit::Undecided => "something is undecided",
        Exit::NotMeasured | Exit::Usage => "not all was measured",
    };
    format!("{told} (exit {}): {}", exit as u8, counts.join(", "))
}

/// The result as text.
pub(crate) fn text(facts: &Facts, all: &Verdicts, outcome: &Outcome, colour: bool) -> String {
    let mut table = Table::new(&TITLES);
    for (tone, cells) in rows(all, outcome) {
        table.push(tone, cells);
    }
    format!(
        "{}\n\n{}\n{}\n{}\n{:.1} s\n",
        headline(facts),
        table.text(colour),
        all.remarks.join("\n"),
        all.sentence,
        facts.seconds
    )
}

/// The result as Markdown.
pub(crate) fn markdown(facts: &Facts, all: &Verdicts, outcome: &Outcome) -> String {
    let mut out = String::from("# Comparison of times\n\n");
    let mut line = |text: String| writeln!(out, "{text}").expect("a string takes all");
    line(format!("**{}**\n", cell(&all.sentence)));
    line(format!("{}\n", cell(&headline(facts))));
    line(format!("| {} |\n|---|--:|--:|--:|--:|--:|---|---|", TITLES.join(" | ")));
    for (_, cells) in rows(all, outcome) {
        line(format!("| {} |", cells.iter().map(|one| cell(one)).collect::<Vec<_>>().join(" | ")));
    }
    line(String::new());
    all.remarks.iter().for_each(|remark| line(format!("- {}", cell(remark))));
    out
}

fn headline(facts: &Facts) -> String {
    let told = |side: &Side| {
        let commit = side.commit.as_deref().and_then(|commit| commit.get(..12));
        let commit = commit.map(|commit| format!(" ({commit})")).unwrap_or_default();
        match side.name.as_str() {
            super::name::WORKING_TREE => format!("the working tree{commit}"),
            name => format!("{name}{commit}"),
        }
    };
    format!("base {}, head {}, in turns", told(&facts.base), told(&facts.head))
}

fn rows(all: &Verdicts, outcome: &Outcome) -> Vec<(Tone, Vec<String>)> {
    let row = |one: &Judged| {
        let rounds = outcome.compared.iter().find(|compared| compared.pair.id == one.id);
        let rounds = rounds.map(|compared| compared.times[0].len().to_string());
        let time = |value: Option<f64>| value.map(number::time).unwrap_or_default();
        let note = [one.bound.as_deref(), one.note.as_deref()];
        let cells = vec![
            one.id.clone(),
            time(one.base),
            time(one.head),
            one.ratio.map(number::change).unwrap_or_default(),
            one.interval
                .map(|(low, high)| format!("{} to {}", number::change(low), number::change(high)))
                .unwrap_or_default(),
            rounds.unwrap_or_default(),
            one.word.name().to_owned(),
            note.into_iter().flatten().collect::<Vec<_>>().join("; "),
        ];
        (tone(one.word), cells)
    };
    all.by_gravity().into_iter().map(row).collect()
}

const fn tone(word: Word) -> Tone {
    match word {
        Word::Improved | Word::Mended => Tone::Good,
        Word::Unchanged | Word::New | Word::Removed => Tone::Quiet,
        Word::Undecided => Tone::Neutral,
        Word::Regressed | Word::Mixed | Word::Missing | Word::Incomparable => Tone::Bad,
    }
}

/// The result for scripts.
pub(crate) fn json(facts: &Facts, all: &Verdicts, outcome: &Outcome) -> Value {
    let id = |one: &Compared| {
        let [base, head] = one.medians();
        let judgement = one.judgement.as_ref();
        let interval = judgement.and_then(|judgement| judgement.estimate.interval);
        json!({
            "id": one.pair.id,
            "base_ns": base,
            "head_ns": head,
            "ratio": judgement.map(|judgement| judgement.estimate.ratio),
            "ratio_low": interval.map(|interval| interval.low),
            "ratio_high": interval.map(|interval| interval.high),
            "margin": judgement.map(|judgement| judgement.margin),
            "rounds": one.times[0].len(),
            "left_out": one.left_out.jumps + one.left_out.busy,
            "verdict": one.word.name(),
            "note": one.notes.join("; "),
        })
    };
    let verdict = Verdict::join_all(outcome.compared.iter().map(|one| one.verdict.clone()));
    json!({
        "command": "compare",
        "exit": all.exit,
        "verdict": verdict.name(),
        "base": facts.base,
        "head": facts.head,
        "ids": outcome.compared.iter().map(id).collect::<Vec<_>>(),
        "missing": outcome.missing,
        "removed": outcome.removed,
        "new": outcome.new,
        "remarks": all.remarks,
        "seconds": facts.seconds,
    })
}

#[cfg(test)]
mod tests {
    use super::super::outcome::outcome;
    use super::super::outcome::tests::run;
    use super::super::race::Finish;
    use super::super::subject::Subjects;
    use super::*;

    fn sample() -> (Facts, Outcome) {
        let subjects = Subjects { new: vec!["a/<new>".to_owned()], ..Subjects::default() };
        let courses = [run("a/slower", 0.2), run("a/same", 0.0)];
        let side = |name: &str| Side { name: name.to_owned(), ..Side::default() };
        let facts = Facts { base: side("main"), head: side("."), ..Facts::default() };
        (facts, outcome(&courses, &subjects, Finish::Whole, "run"))
    }

    #[test]
    fn every_form_tells_change_interval_rounds_and_verdict() {
        let (facts, outcome) = sample();
        let all = verdicts(&facts, &outcome, outcome.exit(false));
        let rounds = outcome.compared[0].times[0].len().to_string();
        let text = text(&facts, &all, &outcome, false);
        let markdown = markdown(&facts, &all, &outcome);
        for form in [&text, &markdown] {
            for part in ["a/slower", "regressed", "unchanged", "margin of 1.00 %", &rounds, " to +"]
            {
                assert!(form.contains(part), "no '{part}' in\n{form}");
            }
            assert!(form.contains("something regressed (exit 3): 1 regressed, 1 new, 1 unchanged"));
            assert!(form.contains("base main, head the working tree, in turns"));
        }
        assert!(markdown.contains("a/&lt;new&gt;"), "{markdown}");
        let json = json(&facts, &all, &outcome);
        assert_eq!((&json["exit"], &json["ids"][0]["verdict"]), (&json!(3), &json!("regressed")));
        assert!(json["ids"][0]["ratio_low"].as_f64().expect("an interval") > 1.0);
    }
}
