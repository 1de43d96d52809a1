//! `cargo perf audit` on benches that count what a script says: what it calls varying, why, and with
//! which exit code it ends.

mod checkout;

use std::process::Stdio;

use checkout::{Checkout, await_file, expect, interrupt, said};
use serde_json::Value;

/// A checkout in which the bench `pool/cycle/4KiB` counts what `shell` makes of `$N`.
fn counting(shell: &str) -> Checkout {
    let checkout = Checkout::counting(1_000, 1_000);
    let script = checkout.read_tool("count_a");
    let body = script.strip_prefix("#!/bin/sh\n").expect("a script");
    let varied = format!("if [ $F = cycle ]; then {shell}; fi\nO=");
    checkout.tool("count_a", &body.replace("O=", &varied));
    checkout
}

fn audit(checkout: &Checkout, args: &[&str]) -> (i32, String) {
    said(checkout.perf("audit", args).output().expect("the audit runs"))
}

#[test]
fn what_repeats_under_every_condition_passes() {
    let checkout = counting("true");
    expect(&audit(&checkout, &[]), 0, &["2 repeat, 0 vary", "exit code 0"]);
    let json: Value = serde_json::from_str(&checkout.read("target/perf/audit.json")).expect("JSON");
    for (_, counts) in
        serde_json::from_value::<Vec<(String, Vec<u64>)>>(json["ids"][0]["counts"].clone())
            .expect("counts by condition")
    {
        assert_eq!(counts, [1_000; 3]);
    }
    assert!(checkout.read("target/perf/audit.md").contains("2 repeat"));
}

#[test]
fn what_the_environment_or_the_path_moves_is_told_apart() {
    let environment = counting("N=$((N + ${#GUNGRAUN_ENVS}))");
    let likely = "pool/cycle/4KiB: varies with the length of the environment; likely cause: the \
                  length of the environment";
    let advice = "[count] varies = [\"pool/cycle/4KiB\"]";
    expect(&audit(&environment, &[]), 5, &[likely, advice, "1 repeat", "exit code 5"]);
    let path = counting("N=$((N + ${#0}))");
    let verdict = "varies with its path, of one length at a gate";
    let answer = audit(&path, &[]);
    expect(&answer, 0, &["likely cause: the length of the path", verdict, "exit code 0"]);
    assert!(!answer.1.contains("[count] varies"), "{}", answer.1);
}

#[test]
fn what_is_listed_as_varying_passes_and_is_said() {
    let checkout = counting("N=$((N + ${#GUNGRAUN_ENVS}))");
    let list = checkout.root().join("benches/expected.toml");
    std::fs::write(&list, "[count]\nids = []\nvaries = ['pool/*']\n").expect("written");
    let answer = audit(&checkout, &[]);
    expect(&answer, 0, &["varies, and is listed as varying", "1 vary and are listed"]);
    expect(&answer, 0, &["listed as varying, and repeated this time: pool/other/4KiB"]);
}

#[test]
fn what_a_budget_bounds_is_counted_too() {
    let checkout = counting("true");
    let file = checkout.folder.path().join("asked");
    let log = format!("case \"$*\" in *collect-systime*) echo $F >> '{}';; esac", file.display());
    let script = checkout.read_tool("count_a");
    let body = script.strip_prefix("#!/bin/sh\n").expect("a script");
    checkout.tool("count_a", &body.replace("\nN=", &format!("\n{log}\nN=")));
    let list = checkout.root().join("benches/expected.toml");
    let budget = "[count]\nids = []\n[[budget]]\nid = 'pool/cycle/*'\nsyscalls = 9\n";
    std::fs::write(&list, budget).expect("written");
    // The script leaves no profile, so the system calls are not there: no pass.
    expect(&audit(&checkout, &[]), 1, &["pool/cycle/4KiB"]);
    let asked = std::fs::read_to_string(&file).expect("asked for");
    assert_eq!(asked.lines().collect::<Vec<_>>(), ["cycle"; 12]);
}

#[test]
fn what_varies_by_no_more_than_the_gate_lets_pass_may_gate() {
    let once =
        |more: u64| counting(&format!("case $GUNGRAUN_HOME in */i001/*) N=$((N + {more}));; esac"));
    expect(&audit(&once(49), &[]), 0, &["varies within its limit"]);
    let far = audit(&once(50), &[]);
    expect(&far, 5, &["varies from run to run; likely cause: not known"]);
}

#[test]
fn a_bench_that_fails_once_breaks_the_audit() {
    let checkout = counting("case $GUNGRAUN_HOME in */p001/*) echo boom >&2; exit 1;; esac");
    let why = "pool/cycle/4KiB: with the length of the path, repetition 2: boom";
    expect(&audit(&checkout, &[]), 1, &[why, "1 failed", "exit code 1"]);
}

#[test]
fn filters_and_repeats_that_make_no_sense_are_refused() {
    let checkout = counting("true");
    expect(&audit(&checkout, &["--only=no/such*"]), 4, &["no id matches --only 'no/such*'"]);
    expect(&audit(&checkout, &["--repeats=1"]), 2, &["1 is not in 2..=20"]);
    expect(&audit(&Checkout::new("true"), &[]), 4, &["has no count bench"]);
}

#[test]
fn an_interrupt_keeps_what_was_counted_and_ends_the_neighbours() {
    let checkout = counting(
        "case $GUNGRAUN_HOME in */b*) echo $$ > \"$GUNGRAUN_HOME/pid\"; sleep 1000;; esac",
    );
    let script = checkout.read_tool("count_a");
    let file = checkout.folder.path().join("pid");
    let script = script.replace("\"$GUNGRAUN_HOME/pid\"", &file.display().to_string());
    checkout.tool("count_a", script.strip_prefix("#!/bin/sh\n").expect("a script"));
    let mut command = checkout.perf("audit", &[]);
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("starts");
    await_file(&file);
    interrupt(child.id());
    // The neighbours are threads: when the program has ended, so have they.
    let answer = said(child.wait_with_output().expect("ends"));
    expect(&answer, 4, &["interrupted: ", " of 24 counts taken"]);
    assert!(checkout.read("target/perf/audit.json").contains("pool/cycle/4KiB"));
}

#[test]
fn what_is_expected_and_gone_is_missed() {
    let checkout = counting("true");
    let list = checkout.root().join("benches/expected.toml");
    std::fs::write(&list, "[count]\nids = ['pool/cycle/4KiB', 'pool/gone/4KiB']\n")
        .expect("written");
    let missed = "expected and not there to be counted: pool/gone/4KiB";
    expect(&audit(&checkout, &[]), 4, &[missed, "2 repeat", "exit code 4"]);
    expect(&audit(&checkout, &["--only=*/cycle/*"]), 0, &["1 repeat", "exit code 0"]);
}

#[test]
fn a_bench_that_never_ran_is_a_hole_and_no_breakage() {
    let checkout = counting("exit 0");
    expect(&audit(&checkout, &[]), 4, &["as if it had not run", "1 never ran, 0 failed"]);
}

#[test]
fn false_alarms_are_counted_idle_and_loaded_apart() {
    let checkout = counting("case $GUNGRAUN_HOME in */b001/*) N=$((N + 50));; esac");
    let idle = "false 0 of 4 comparisons, idle";
    let busy = "false 1 of 6 comparisons, with every core busy: pool/cycle/4KiB instructions";
    expect(&audit(&checkout, &[]), 5, &[idle, busy]);
}
