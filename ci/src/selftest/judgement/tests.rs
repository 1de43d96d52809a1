//! What each answer says of the gate.

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
        let broken = Answer { code: Some(1), said: "does not build".into(), ..Answer::default() };
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
fn a_rebuild_must_be_silent_and_of_two_sources() {
    let answer = |dirty: bool, verdict: &str, code| {
        let one = json!({"id": "a", "metric": "instructions", "verdict": verdict});
        answer(code, json!({"facts": {"same_code": false, "dirty": dirty}, "ids": [one]}))
    };
    assert_eq!(of("rebuilt", &answer(true, "unchanged", 0)), Found);
    slept(&of("rebuilt", &answer(true, "regressed", 3)), "a that it changed");
    slept(&of("rebuilt", &answer(true, "unchanged", 3)), "exited with 3");
    not_injected(&of("rebuilt", &answer(false, "unchanged", 0)));
}

#[test]
fn work_for_every_byte_must_be_over_its_budget_without_a_base() {
    let answer = |count: u64, over: &[&str], code| {
        let one = json!({"id": PER_BYTE.0, "metric": "instructions", "head": count});
        answer(code, json!({"new": [one], "budgets": {"over": over}}))
    };
    let told = ["reference/sum/64KiB takes 0.75 instructions per byte, and budget x allows 0.5"];
    assert_eq!(of("per-byte", &answer(49_000, &told, 3)), Found);
    slept(&of("per-byte", &answer(49_000, &[], 0)), "over no budget");
    slept(&of("per-byte", &answer(49_000, &["reference/sum grows by size^2"], 3)), "no budget");
    not_injected(&of("per-byte", &answer(16_000, &told, 3)));
}

#[test]
fn a_system_call_more_is_found_where_there_was_none() {
    let answer = |head: u64, verdict: &str| {
        let one = |id: &str| {
            json!({"id": id, "metric": "syscalls", "base": 0, "head": head,
                   "verdict": verdict})
        };
        answer(3, json!({"ids": [one("reference/hash/1MiB"), one("reference/hash/4KiB")]}))
    };
    assert_eq!(of("system-call", &answer(1, "regressed")), Found);
    slept(&of("system-call", &answer(1, "unchanged")), "syscalls of");
    not_injected(&of("system-call", &answer(0, "unchanged")));
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
