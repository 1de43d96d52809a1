//! `cargo perf selftest` on a checkout in which nothing real is built: that it passes where the gate
//! answers as it must, and does not where it cannot.

mod checkout;

use std::process::Stdio;

use checkout::{Checkout, await_file, expect, interrupt, runs, said};

/// A checkout with the files that canaries are injected into.
fn checkout() -> Checkout {
    let checkout = Checkout::counting(1_000, 1_000);
    let file = |name: &str, text: &str| {
        std::fs::write(checkout.root().join(name), text).expect("written");
    };
    file("benches/Cargo.toml", "[package]\nname = 'benches'\n");
    file("benches/expected.toml", "[count]\nids = [\n    \"pool/cycle/4KiB\",\n]\n");
    std::fs::create_dir_all(checkout.root().join("benches/count")).expect("created");
    file("benches/count/a.rs", "");
    checkout
}

fn selftest(checkout: &Checkout, args: &[&str]) -> (i32, String) {
    said(checkout.perf("selftest", args).output().expect("the self-test runs"))
}

#[test]
fn a_gate_that_answers_as_it_must_passes_and_the_users_tree_stays_as_it_is() {
    let checkout = checkout();
    let before = checkout.repository();
    let answer = selftest(&checkout, &["--only=filter", "--only=baseline"]);
    expect(&answer, 0, &["selftest: 2 of 2 as wanted; exit code 0"]);
    assert_eq!(checkout.repository(), before);
    let left = checkout.read("target/perf/selftest.json");
    assert!(left.contains("\"judgement\":\"as wanted\""), "{left}");
}

#[test]
fn a_gate_that_says_something_else_slept() {
    // Scripts are no executables of which the code could be told to be the same.
    let answer = selftest(&checkout(), &["--only=same-code", "--only=filter"]);
    let slept = "same-code: slept: it takes the same code for different code";
    expect(&answer, 1, &[slept, "selftest: 1 of 2 as wanted; exit code 1"]);
}

#[test]
fn a_canary_that_is_not_there_is_no_success() {
    let answer = selftest(&checkout(), &["--only=instructions"]);
    expect(&answer, 4, &["instructions: was not tested", "0 of 1 as wanted; exit code 4"]);
    let checkout = checkout();
    std::fs::write(checkout.root().join("benches/expected.toml"), "").expect("written");
    expect(&selftest(&checkout, &["--only=hang"]), 4, &["has no list of counts to inject into"]);
}

#[test]
fn what_can_not_be_blessed_tests_nothing_and_says_why() {
    let answer = selftest(&checkout(), &["--only=text-baseline"]);
    let why = "text-baseline: was not tested: no answer of the gate, exit code 4: error: no id \
               matches --only 'payload/fill/64KiB'";
    expect(&answer, 4, &[why, "0 of 1 as wanted; exit code 4"]);
}

#[test]
fn a_copy_that_does_not_build_tests_nothing_and_the_compiler_says_why() {
    let checkout = checkout();
    let cargo = checkout.read_tool("cargo");
    let script = cargo.strip_prefix("#!/bin/sh\n").expect("a script");
    let broken = "*) printf 'error[E0308]: mismatched types\n --> a.rs:1:2\n  |\n1 | x\n' >&2; exit 101;; esac";
    let (before, _) = script.rsplit_once("*)").expect("a case");
    checkout.tool("cargo", &format!("{before}{broken}"));
    let answer = selftest(&checkout, &["--only=same-code"]);
    let why = "does not build: error[E0308]: mismatched types\n --> a.rs:1:2\n  |\n1 | x";
    expect(&answer, 4, &["same-code: was not tested", why]);
}

#[test]
fn a_filter_that_matches_no_canary_is_no_success() {
    let answer = selftest(&checkout(), &["--only=none-such"]);
    expect(&answer, 4, &["no canary matches --only 'none-such'"]);
}

#[test]
fn an_interrupt_ends_the_gate_and_names_what_was_left() {
    let checkout = checkout();
    let pid = checkout.folder.path().join("pid");
    checkout.tool("count_a", &format!("echo $$ > {}; sleep 1000", pid.display()));
    let mut command = checkout.perf("selftest", &["--only=same-code", "--only=filter"]);
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("starts");
    await_file(&pid);
    interrupt(child.id());
    let answer = said(child.wait_with_output().expect("ends"));
    expect(&answer, 4, &["interrupted before same-code, filter", "0 of 2 as wanted"]);
    assert!(!runs(&std::fs::read_to_string(pid).expect("a pid")), "a bench still runs");
}

#[test]
fn the_users_history_and_what_a_gate_left_are_no_business_of_a_self_test() {
    let checkout = checkout();
    let cargo = checkout.read_tool("cargo");
    let target = format!("{}/target", checkout.root().display());
    let own = format!("'\"${{CARGO_TARGET_DIR:-{target}}}\"'");
    let script = cargo.strip_prefix("#!/bin/sh\n").expect("a script");
    checkout.tool("cargo", &script.replace(&target, &own));
    let perf = checkout.root().join("target/perf");
    std::fs::create_dir_all(&perf).expect("created");
    std::fs::write(perf.join("gate.md"), "the user's\n").expect("written");
    let mut command = checkout.perf("selftest", &["--only=same-code"]);
    // Opened, it would be an error of its own.
    command.env("WEIGHBRIDGE_HISTORY", "/dev/null/history.sqlite");
    let answer = said(command.output().expect("the self-test runs"));
    expect(&answer, 1, &["same-code: slept: it takes the same code for different code"]);
    assert_eq!(checkout.read("target/perf/gate.md"), "the user's\n");
    let own = checkout.read("target/perf/selftest/target/perf/gate-head.json");
    assert!(own.contains("pool/cycle"), "{own}");
}

#[test]
fn a_bench_that_will_not_end_does_not_outlive_an_interrupted_self_test() {
    let checkout = checkout();
    let pid = checkout.folder.path().join("pid");
    let script = format!("trap '' TERM; echo $$ > {}; while :; do sleep 1; done", pid.display());
    checkout.tool("count_a", &script);
    let mut command = checkout.perf("selftest", &["--only=same-code"]);
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("starts");
    await_file(&pid);
    interrupt(child.id());
    let answer = said(child.wait_with_output().expect("ends"));
    expect(&answer, 4, &["interrupted before same-code"]);
    assert!(!runs(&std::fs::read_to_string(pid).expect("a pid")), "a bench still runs");
}
