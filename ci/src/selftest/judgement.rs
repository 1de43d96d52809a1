//! From what the gate answered to what that says of the gate. Pure.
//!
//! That a canary is in the tree is seen in the counts, which are evidence of their own: where they
//! do not show it, no verdict was put to the test, and the self-test does not pass. Where they show
//! it and the gate says something else than it must, the gate slept.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::Value;

use super::canary::{Canary, Effect, PER_BYTE, QUADRATIC, VANISHED, Weight};
use crate::exit::Exit;

/// What the gate answered.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Answer {
    /// `None` where it did not end by itself.
    pub(crate) code: Option<i32>,
    /// What it printed on standard output; `Null` where that is no JSON.
    pub(crate) json: Value,
    /// The last words on standard error.
    pub(crate) said: String,
    pub(crate) took: Duration,
}

/// What an answer says of the gate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Judgement {
    /// It said what it must.
    Found,
    /// It did not, though the canary was there.
    Slept(String),
    /// The canary was not there, or not of its size: nothing was put to the test.
    NotInjected(String),
}

use Judgement::{Found, NotInjected, Slept};

/// Judges one answer.
pub(crate) fn judge(canary: &Canary, answer: &Answer) -> Judgement {
    let verdict = match canary.effect {
        Effect::Silence => silence(answer, "same_code"),
        Effect::SilentRebuild => silence(answer, "dirty"),
        Effect::Worse { metric, ids, by } => worse(answer, metric, ids, by),
        Effect::OverBudget => over_budget(answer),
        Effect::OverPerByte => over_per_byte(answer),
        Effect::Failed { id, why } => failed(answer, id, why),
        Effect::Absent => absent(answer),
        Effect::Error(sentence) => says(answer, sentence),
    };
    match verdict {
        Found if answer.code != Some(canary.exit as i32) => {
            Slept(format!("it said so and exited with {}", code(answer)))
        }
        verdict => verdict,
    }
}

/// The exit code of the whole: a gate that slept is broken, whatever else was not tested.
pub(crate) fn exit(judgements: &[&Judgement]) -> Exit {
    if judgements.iter().any(|one| matches!(one, Slept(_))) {
        Exit::Broke
    } else if judgements.is_empty() || judgements.iter().any(|one| **one != Found) {
        Exit::NotMeasured
    } else {
        Exit::Fine
    }
}

/// The exit code as people write it.
pub(crate) fn code(answer: &Answer) -> String {
    answer.code.map_or_else(|| "none".to_owned(), |code| code.to_string())
}

/// One count that the gate judged.
struct Judged<'a> {
    id: &'a str,
    base: Option<u64>,
    head: Option<u64>,
    verdict: &'a str,
}

/// The counts of this metric that the gate judged.
fn judged<'a>(answer: &'a Answer, metric: &str) -> Vec<Judged<'a>> {
    let all = answer.json["ids"].as_array().map_or(&[][..], Vec::as_slice);
    let of_metric = all.iter().filter(|one| one["metric"] == metric);
    let text = |value: &'a Value| value.as_str().unwrap_or_default();
    of_metric
        .map(|one| Judged {
            id: text(&one["id"]),
            base: one["base"].as_u64(),
            head: one["head"].as_u64(),
            verdict: text(&one["verdict"]),
        })
        .collect()
}

/// There is no answer to judge: the canary's tree did not build, or the gate was not understood.
fn no_answer(answer: &Answer) -> Judgement {
    let why = if answer.said.is_empty() { "it printed nothing" } else { &answer.said };
    NotInjected(format!("no answer of the gate, exit code {}: {why}", code(answer)))
}

/// Nothing changed; what it is that did not, the gate must know.
fn silence(answer: &Answer, fact: &str) -> Judgement {
    let ids = judged(answer, "instructions");
    if ids.is_empty() {
        return no_answer(answer);
    }
    match (fact, answer.json["facts"][fact] == true) {
        (_, true) => {}
        ("dirty", false) => return NotInjected("both sides are of the same sources".into()),
        _ => return Slept("it takes the same code for different code".into()),
    }
    let loud: Vec<&str> =
        ids.iter().filter(|one| one.verdict != "unchanged").map(|one| one.id).collect();
    if loud.is_empty() {
        Found
    } else {
        Slept(format!("it says of {} that it changed", list(loud)))
    }
}

fn worse(answer: &Answer, metric: &str, wanted: &[&str], by: Weight) -> Judgement {
    let ids = judged(answer, metric);
    if ids.is_empty() {
        return no_answer(answer);
    }
    for id in wanted {
        let counts = ids.iter().find(|one| one.id == *id).and_then(|one| one.base.zip(one.head));
        let Some((base, head)) = counts else {
            return NotInjected(format!("{metric} of {id} were not counted"));
        };
        let (more, fraction) = (head.saturating_sub(base), head as f64 / base as f64 - 1.0);
        let of_its_size = match by {
            Weight::Relative(least, most) => (least..=most).contains(&fraction),
            Weight::Exactly(number) => more == number,
        };
        if !of_its_size {
            return NotInjected(format!("{metric} of {id} went from {base} to {head}"));
        }
    }
    let wanted: BTreeSet<&str> = wanted.iter().copied().collect();
    let found: BTreeSet<&str> =
        ids.iter().filter(|one| one.verdict == "regressed").map(|one| one.id).collect();
    let asleep: Vec<&str> = wanted.difference(&found).copied().collect();
    if !asleep.is_empty() {
        return Slept(format!("it lets {metric} of {} pass", list(asleep)));
    }
    let wrong: Vec<&str> = ids
        .iter()
        .filter(|one| !wanted.contains(one.id) && one.verdict != "unchanged")
        .map(|one| one.id)
        .collect();
    match wrong.is_empty() {
        true => Found,
        false => Slept(format!("it blames {}, which nothing was done to", list(wrong))),
    }
}

/// The instructions of an id that the base does not have.
fn new_count(answer: &Answer, id: &str) -> Option<u64> {
    let new = answer.json["new"].as_array().map_or(&[][..], Vec::as_slice);
    let mine = |one: &&Value| one["id"] == id && one["metric"] == "instructions";
    new.iter().find(mine).and_then(|one| one["head"].as_u64())
}

/// Whether a budget is said to be exceeded in a sentence that begins so and holds this.
fn over(answer: &Answer, begins: &str, holds: &str) -> bool {
    let over = answer.json["budgets"]["over"].as_array().map_or(&[][..], Vec::as_slice);
    let said = |text: &str| text.starts_with(begins) && text.contains(holds);
    over.iter().filter_map(Value::as_str).any(said)
}

fn over_per_byte(answer: &Answer) -> Judgement {
    let (id, bytes, allowed) = PER_BYTE;
    let Some(count) = new_count(answer, id) else { return no_answer(answer) };
    if count as f64 <= allowed * bytes as f64 {
        return NotInjected(format!("{id} takes {count} instructions for {bytes} bytes"));
    }
    match over(answer, id, "instructions per byte") {
        true => Found,
        false => Slept(format!("{id} takes {count} instructions and is over no budget")),
    }
}

fn over_budget(answer: &Answer) -> Judgement {
    let count = |size: &str| new_count(answer, &format!("{QUADRATIC}/{size}"));
    let Some((small, large)) = count("64KiB").zip(count("1MiB")) else {
        return no_answer(answer);
    };
    // Sixteen times the size: sixteen times the work where that is linear.
    if large < 32 * small {
        let counts = format!("{small} instructions of 64 KiB and {large} of 1 MiB");
        return NotInjected(format!("{QUADRATIC} is not quadratic: {counts}"));
    }
    match over(answer, QUADRATIC, "grows by") {
        true => Found,
        false => Slept(format!("{QUADRATIC} is quadratic and over no budget")),
    }
}

fn failed(answer: &Answer, id: &str, why: &str) -> Judgement {
    let all = answer.json["ids"].as_array().map_or(&[][..], Vec::as_slice);
    let Some(one) = all.iter().find(|one| one["id"] == id) else {
        return no_answer(answer);
    };
    if !one["head"].is_null() {
        return NotInjected(format!("{id} was counted, and should not have been"));
    }
    match one["note"].as_str() {
        Some(note) if note.contains(why) => Found,
        note => Slept(format!("it says of {id}: {}", note.unwrap_or("nothing"))),
    }
}

fn absent(answer: &Answer) -> Judgement {
    let Some(absent) = answer.json["absent"].as_array() else { return no_answer(answer) };
    match absent.iter().any(|id| id == VANISHED) {
        true => Found,
        false => Slept(format!("{VANISHED} is expected, gone, and not missed")),
    }
}

fn says(answer: &Answer, sentence: &str) -> Judgement {
    match answer.said.contains(sentence) {
        true => Found,
        false if answer.json.is_null() => no_answer(answer),
        false => Slept("it judges all the same".into()),
    }
}

/// The first few, and how many more.
fn list(ids: Vec<&str>) -> String {
    let shown = ids.iter().take(3).copied().collect::<Vec<_>>().join(", ");
    let more = ids.len().saturating_sub(3);
    if more == 0 { shown } else { format!("{shown} and {more} more") }
}

#[cfg(test)]
mod tests;
