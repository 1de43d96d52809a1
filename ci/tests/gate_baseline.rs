//! Text baselines from outside: `cargo perf bless` writes one, `cargo perf gate` without a ref judges
//! by it, and whatever is wrong with it has a sentence and an exit code of its own.

mod checkout;

use std::fs;
use std::path::PathBuf;

use checkout::{Checkout, said};

fn run(checkout: &Checkout, command: &str, args: &[&str]) -> (i32, String) {
    said(checkout.perf(command, args).output().expect("it runs"))
}

/// The one file under `ci/baselines`.
fn file(checkout: &Checkout) -> PathBuf {
    let folder = checkout.root().join("ci/baselines");
    let mut files = fs::read_dir(folder).expect("a baseline was written");
    let file = files.next().expect("one file").expect("readable").path();
    assert!(files.next().is_none(), "more than one file");
    file
}

fn blessed(cycle: u64, other: u64) -> Checkout {
    let checkout = Checkout::counting(cycle, other);
    let (code, text) = run(&checkout, "bless", &[]);
    assert_eq!(code, 0, "{text}");
    checkout
}

fn expect(checkout: &Checkout, toml: &str) {
    fs::write(checkout.root().join("benches/expected.toml"), toml).expect("write");
}

#[test]
fn without_a_baseline_the_command_that_writes_one_is_named() {
    let checkout = Checkout::counting(1_000, 2_000);
    let (code, text) = run(&checkout, "gate", &[]);
    assert_eq!(code, 4, "{text}");
    assert!(text.contains("there is no baseline ci/baselines/x86_64-unknown-linux-gnu-"), "{text}");
    assert!(text.contains("`cargo perf bless` writes it"), "{text}");
}

#[test]
fn what_is_counted_has_a_path_of_one_length() {
    let checkout = Checkout::counting(1_000, 1_000);
    let script = checkout.read_tool("count_a");
    let body = script.strip_prefix("#!/bin/sh\n").expect("a script");
    checkout.tool("count_a", &body.replace("O=", "N=$((${#0} * 10000 + ${#GUNGRAUN_HOME}))\nO="));
    assert_eq!(run(&checkout, "bless", &[]).0, 0);
    let text = fs::read_to_string(file(&checkout)).expect("text");
    // The folder, a separator and the target's name.
    assert!(text.contains("pool/cycle/4KiB instructions 2580250\n"), "{text}");
}

#[test]
fn a_tree_is_judged_by_the_file_that_it_was_blessed_with() {
    let checkout = blessed(1_000, 20_000);
    let text = fs::read_to_string(file(&checkout)).expect("text");
    let counts = "pool/cycle/4KiB instructions 1000\npool/other/4KiB instructions 20000\n";
    assert!(text.ends_with(counts), "{text}");
    assert_eq!(run(&checkout, "gate", &[]).0, 0);
    checkout.count("cycle", Some(1_049));
    assert_eq!(run(&checkout, "gate", &[]).0, 0);
    checkout.count("cycle", Some(1_050));
    let (code, text) = run(&checkout, "gate", &[]);
    assert_eq!(code, 3, "{text}");
    let bound = "pool/cycle/4KiB: 50 instructions more, where 49 pass by the absolute floor";
    assert!(text.contains(bound), "{text}");
    assert_eq!(run(&checkout, "gate", &["--only=pool/other/*"]).0, 0);
    checkout.count("cycle", Some(1_000));
    checkout.count("other", Some(20_060));
    let (code, text) = run(&checkout, "gate", &[]);
    assert_eq!(code, 3, "+0.3 %: {text}");
}

#[test]
fn a_baseline_goes_down_by_itself_and_up_only_on_demand() {
    let checkout = blessed(1_000, 2_000);
    let before = fs::read_to_string(file(&checkout)).expect("text");
    checkout.count("cycle", Some(1_500));
    checkout.count("other", Some(1_900));
    let (code, text) = run(&checkout, "bless", &[]);
    assert_eq!(code, 3, "{text}");
    assert!(text.contains("pool/cycle/4KiB from 1,000 to 1,500"), "{text}");
    assert_eq!(fs::read_to_string(file(&checkout)).expect("text"), before);
    let (code, text) = run(&checkout, "bless", &["--allow-worse=typo/*"]);
    assert_eq!(code, 4, "{text}");
    assert!(text.contains("no id matches --allow-worse 'typo/*'"), "{text}");
    let (code, text) = run(&checkout, "bless", &["--allow-worse=pool/cycle/*"]);
    assert_eq!(code, 0, "{text}");
    assert_eq!(run(&checkout, "gate", &[]).0, 0);
    checkout.count("other", Some(1_000));
    let (code, text) = run(&checkout, "gate", &[]);
    assert_eq!(code, 0, "{text}");
    assert!(text.contains("`cargo perf bless` keeps it"), "{text}");
    assert_eq!(run(&checkout, "bless", &["--only=pool/other/*"]).0, 0);
    checkout.count("other", Some(1_900));
    assert_eq!(run(&checkout, "gate", &[]).0, 3, "what was won can't be lost unseen");
}

#[test]
fn new_ids_are_announced_and_gone_ones_are_missing_until_nobody_expects_them() {
    let checkout = blessed(1_000, 2_000);
    expect(&checkout, "[count]\nids = ['pool/cycle/4KiB', 'pool/other/4KiB']\n");
    checkout.count("other", None);
    let (code, text) = run(&checkout, "gate", &[]);
    assert_eq!(code, 4, "{text}");
    assert!(text.contains("expected and not there to be counted: pool/other/4KiB"), "{text}");
    let (code, text) = run(&checkout, "bless", &[]);
    assert_eq!(code, 4, "{text}");
    assert!(text.contains("expected and not there to be counted: pool/other/4KiB"), "{text}");
    expect(&checkout, "[count]\nids = ['pool/cycle/4KiB']\n");
    let (code, text) = run(&checkout, "gate", &[]);
    assert_eq!(code, 0, "{text}");
    assert!(text.contains("in the base only, and no longer expected: pool/other/4KiB"), "{text}");
    assert_eq!(run(&checkout, "bless", &[]).0, 0);
    checkout.count("other", Some(7));
    let (code, text) = run(&checkout, "gate", &[]);
    assert_eq!(code, 0, "{text}");
    assert!(text.contains("1 unchanged, 1 new"), "{text}");
    assert!(text.contains("not in benches/expected.toml; add it there: pool/other/4KiB"), "{text}");
}

#[test]
fn a_baseline_of_another_toolchain_does_not_compare_until_it_is_made_anew() {
    let checkout = blessed(1_000, 2_000);
    checkout.tool("rustc", "printf 'rustc 1.96.0\\nhost: x86_64-unknown-linux-gnu\\n'");
    checkout.tool("valgrind", "echo valgrind-3.25.0");
    for command in ["gate", "bless"] {
        let (code, text) = run(&checkout, command, &[]);
        assert_eq!(code, 5, "{text}");
        for part in ["rustc differs: '", "valgrind differs: '3.19.0' and '3.25.0'", "bless --anew"]
        {
            assert!(text.contains(part), "{part} is not in {text}");
        }
    }
    checkout.count("cycle", Some(9_000));
    assert_eq!(run(&checkout, "bless", &["--anew"]).0, 0);
    assert_eq!(run(&checkout, "gate", &[]).0, 0);
}

#[test]
fn a_broken_baseline_is_named_with_its_line_before_anything_is_counted() {
    let checkout = blessed(1_000, 2_000);
    let path = file(&checkout);
    let text = fs::read_to_string(&path).expect("text");
    let lines = text.lines().count();
    fs::write(&path, format!("{text}<<<<<<< HEAD\n")).expect("write");
    for command in ["gate", "bless"] {
        let (code, said) = run(&checkout, command, &[]);
        assert_eq!(code, 2, "{said}");
        assert!(said.contains(&format!("can't be read in line {}: '<<<<<<<", lines + 1)), "{said}");
    }
}

#[test]
fn a_bench_that_fails_is_never_blessed() {
    let checkout = blessed(1_000, 2_000);
    let before = fs::read_to_string(file(&checkout)).expect("text");
    let script = checkout.read_tool("count_a");
    let broken =
        script.replace("N=$(cat", "case $F in other) echo boom >&2; exit 1;; esac\nN=$(cat");
    checkout.tool("count_a", &broken);
    fs::write(checkout.root().join("source.txt"), "so that it is built anew\n").expect("write");
    let (code, text) = run(&checkout, "bless", &[]);
    assert_eq!(code, 1, "{text}");
    assert!(text.contains("pool/other/4KiB: boom; the baseline is as it was"), "{text}");
    assert_eq!(fs::read_to_string(file(&checkout)).expect("text"), before);
}

#[test]
fn budgets_need_no_baseline_and_one_for_nothing_does_not_pass() {
    let checkout = Checkout::counting(40_960, 2_000);
    let budget = "[[budget]]\nid = 'pool/cycle/*'\ninstructions_per_byte = ";
    let gate = |toml: &str| {
        expect(&checkout, toml);
        run(&checkout, "gate", &["--base=main"])
    };
    let (code, text) = gate(&format!("{budget}10.0\n"));
    assert_eq!(code, 0, "{text}");
    let (code, text) = gate(&format!("{budget}9.5\n"));
    assert_eq!(code, 3, "{text}");
    let said =
        "pool/cycle/4KiB takes 10.0 instructions per byte, and budget pool/cycle/* allows 9.5";
    assert!(text.contains(said), "{text}");
    let (code, text) = gate("[[budget]]\nid = 'typo/*'\nallocations = 0\n");
    assert_eq!(code, 4, "{text}");
    assert!(text.contains("budget typo/* matches no id that there is"), "{text}");
    let (code, text) = gate("[[budget]]\nid = 'pool/*'\nexponent = 1.1\n");
    assert_eq!(code, 4, "{text}");
    assert!(text.contains("takes ids of 4 sizes and there are 1"), "{text}");
    let (code, text) = gate("[[budget]]\nid = 'pool/*'\n");
    assert_eq!(code, 2, "{text}");
    assert!(
        text.contains("expected.toml can't be read") && text.contains("bounds nothing"),
        "{text}"
    );
}

#[test]
fn a_history_that_was_named_and_is_not_there_is_told() {
    let checkout = blessed(1_000, 2_000);
    let (code, text) = run(&checkout, "gate", &["--history=no/such.sqlite"]);
    assert_eq!(code, 4, "{text}");
    assert!(text.contains("no/such.sqlite"), "{text}");
    let mut variable = checkout.gate(&[]);
    variable.env("WEIGHBRIDGE_HISTORY", "no/variable.sqlite");
    let (code, text) = said(variable.output().expect("the gate runs"));
    assert_eq!(code, 4, "{text}");
    assert!(text.contains("no/variable.sqlite"), "{text}");
}
