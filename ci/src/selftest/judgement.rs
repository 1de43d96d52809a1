//! From what the gate answered to what that says of the gate. Pure.
//!
//! That a canary is in the tree is seen in the counts, which are evidence of their own: where they
//! do not show it, no verdict was put to the test, and the self-test does not pass. Where they show
//! it and the gate says something else than it must, the gate slept.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::Value;

use super::canary::{Canary, Effect, QUADRATIC, VANISHED, Weight};
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
        Effect::Silence => silence(answer),
        Effect::Worse { metric, ids, by } => worse(answer, metric, ids, by),
        Effect::OverBudget => over_budget(answer),
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

fn silence(answer: &Answer) -> Judgement {
    let ids = judged(answer, "instructions");
    if ids.is_empty() {
        return no_answer(answer);
    }
    if answer.json["facts"]["same_code"] != true {
        return Slept("it takes the same code for different code".into());
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

fn over_budget(answer: &Answer) -> Judgement {
    let new = answer.json["new"].as_array().map_or(&[][..], Vec::as_slice);
    let count = |size: &str| {
        let id = format!("{QUADRATIC}/{size}");
        let mine = |one: &&Value| one["id"] == *id && one["metric"] == "instructions";
        new.iter().find(mine).and_then(|one| one["head"].as_u64())
    };
    let Some((small, large)) = count("64KiB").zip(count("1MiB")) else {
        return no_answer(answer);
    };
    // Sixteen times the size: sixteen times the work where that is linear.
    if large < 32 * small {
        let counts = format!("{small} instructions of 64 KiB and {large} of 1 MiB");
        return NotInjected(format!("{QUADRATIC} is not quadratic: {counts}"));
    }
    let over = answer.json["budgets"]["over"].as_array().map_or(&[][..], Vec::as_slice);
    let grows = |one: &Value| one.as_str().is_some_and(|text| text.starts_with(QUADRATIC));
    match over.iter().any(grows) {
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
mod tests {
    use serde_json::json;

    use super::super::canary::CANARIES;
    use super::*;

    fn canary(name: &str) -> &'static Canary {
        CANARIES.iter().find(|canary| canary.name == name).expect("a canary")
    }

    fn answer(code: i32, json: Value) -> Answer {
        Answer { code: Some(code), json, ..Answer::default() }
    }

    /// An answer about three canaries of so many instructions, and a control.
    fn fills(code: i32, head: u64, verdict: &str, control: &str) -> Answer {
        let fill = |size: &str| {
            json!({"id": format!("payload/fill/{size}"), "metric": "instructions",
                   "base": 100_000, "head": head, "verdict": verdict})
        };
        let fresh = json!({"id": "pool/fresh/4KiB", "metric": "instructions",
                           "base": 700, "head": 700, "verdict": control});
        answer(code, json!({"ids": [fill("64KiB"), fill("256KiB"), fill("1MiB"), fresh]}))
    }

    fn of(name: &str, answer: &Answer) -> Judgement {
        judge(canary(name), answer)
    }

    fn slept(judgement: &Judgement, part: &str) {
        assert!(matches!(judgement, Slept(why) if why.contains(part)), "{judgement:?}");
    }

    fn not_injected(judgement: &Judgement) {
        assert!(matches!(judgement, NotInjected(_)), "{judgement:?}");
    }

    #[test]
    fn half_a_percent_must_be_found_with_its_exit_code_and_nothing_else_be_blamed() {
        let instructions = |answer| of("instructions", &answer);
        assert_eq!(instructions(fills(3, 100_500, "regressed", "unchanged")), Found);
        slept(&instructions(fills(0, 100_500, "unchanged", "unchanged")), "pass");
        slept(&instructions(fills(0, 100_500, "regressed", "unchanged")), "exited with 0");
        slept(&instructions(fills(3, 100_500, "regressed", "regressed")), "blames pool/fresh");
    }

    #[test]
    fn a_canary_that_is_not_there_or_not_of_its_size_tests_nothing() {
        for head in [100_000, 100_400, 102_000, 99_000] {
            not_injected(&of("instructions", &fills(3, head, "regressed", "unchanged")));
        }
        not_injected(&of("instructions", &answer(3, json!({"ids": []}))));
        for canary in CANARIES {
            let broken =
                Answer { code: Some(1), said: "does not build".into(), ..Answer::default() };
            not_injected(&judge(&canary, &broken));
        }
    }

    #[test]
    fn one_allocation_more_is_one_and_no_other_number() {
        let answer = |head: u64, verdict: &str| {
            let one = |id: &str| {
                json!({"id": id, "metric": "allocations", "base": 2, "head": head,
                       "verdict": verdict})
            };
            answer(3, json!({"ids": [one("pool/cycle/4KiB"), one("pool/cycle/1MiB")]}))
        };
        assert_eq!(of("allocation", &answer(3, "regressed")), Found);
        slept(&of("allocation", &answer(3, "unchanged")), "allocations of");
        not_injected(&of("allocation", &answer(4, "regressed")));
    }

    #[test]
    fn a_quadratic_loop_must_be_over_its_budget_without_a_base() {
        let answer = |large: u64, over: &[&str], code| {
            let one = |size: &str, head: u64| {
                json!({"id": format!("payload/verify/{size}"), "metric": "instructions",
                       "head": head})
            };
            let new = [one("64KiB", 1_000), one("1MiB", large)];
            answer(code, json!({"new": new, "budgets": {"over": over}}))
        };
        let grows = ["payload/verify grows by size^1.86, and budget payload/* allows size^1.1"];
        assert_eq!(of("quadratic", &answer(200_000, &grows, 3)), Found);
        slept(&of("quadratic", &answer(200_000, &[], 0)), "over no budget");
        slept(&of("quadratic", &answer(200_000, &grows, 4)), "exited with 4");
        not_injected(&of("quadratic", &answer(16_000, &grows, 3)));
    }

    #[test]
    fn the_same_code_must_be_silent() {
        let answer = |same: bool, verdict: &str, code| {
            let one = json!({"id": "a", "metric": "instructions", "verdict": verdict});
            answer(code, json!({"facts": {"same_code": same}, "ids": [one]}))
        };
        assert_eq!(of("same-code", &answer(true, "unchanged", 0)), Found);
        slept(&of("same-code", &answer(true, "regressed", 3)), "a that it changed");
        slept(&of("same-code", &answer(false, "unchanged", 0)), "different code");
    }

    #[test]
    fn benches_that_fail_must_be_said_to_and_have_their_own_exit_code() {
        let answer = |id: &str, note: &str, code| {
            answer(code, json!({"ids": [{"id": id, "head": null, "note": note}]}))
        };
        let never = "the bench ended without a result, as if it had not run";
        assert_eq!(of("never-runs", &answer("canary/never/1KiB", never, 4)), Found);
        slept(&of("never-runs", &answer("canary/never/1KiB", never, 0)), "exited with 0");
        let panics = "thread 'main' panicked: this bench panics on purpose";
        assert_eq!(of("panic", &answer("fault/panic/1KiB", panics, 1)), Found);
        slept(&of("hang", &answer("fault/hang/1KiB", "no idea", 1)), "no idea");
    }

    #[test]
    fn what_is_gone_or_was_never_there_must_be_missed() {
        let absent = |ids: &[&str]| answer(4, json!({ "absent": ids }));
        assert_eq!(of("vanished", &absent(&[VANISHED])), Found);
        slept(&of("vanished", &absent(&[])), "not missed");
        let said =
            |said: &str, code| Answer { code: Some(code), said: said.into(), ..Answer::default() };
        assert_eq!(of("baseline", &said("error: there is no baseline ci/baselines/x", 4)), Found);
        slept(&of("baseline", &said("error: there is no baseline", 0)), "exited with 0");
        slept(&of("filter", &answer(0, json!({"ids": []}))), "all the same");
    }

    #[test]
    fn a_gate_that_slept_is_broken_and_a_canary_that_was_not_there_no_proof() {
        let (slept, gone) = (Slept(String::new()), NotInjected(String::new()));
        assert_eq!(exit(&[&Found, &Found]), Exit::Fine);
        assert_eq!(exit(&[&Found, &gone]), Exit::NotMeasured);
        assert_eq!(exit(&[&gone, &slept]), Exit::Broke);
        assert_eq!(exit(&[]), Exit::NotMeasured);
    }
}
