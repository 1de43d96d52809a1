//! What a gate leaves behind and what it lets pass: no verdict of an earlier gate, no pass where
//! nothing was judged, and none lost on the way to its file.

mod checkout;

use std::fs;

use checkout::{Checkout, said};

fn run(checkout: &Checkout, command: &str, args: &[&str]) -> (i32, String) {
    said(checkout.perf(command, args).output().expect("it runs"))
}

fn expect(checkout: &Checkout, toml: &str) {
    fs::write(checkout.root().join("benches/expected.toml"), toml).expect("write");
}

#[test]
fn a_bench_that_never_ran_is_a_hole_for_whoever_asks() {
    let checkout = Checkout::with_bench("exit 0");
    for (command, args) in [("gate", &["--base=main"][..]), ("bless", &[])] {
        let (code, text) = run(&checkout, command, args);
        assert_eq!(code, 4, "{command}: {text}");
        assert!(text.contains("pool/cycle/4KiB"), "{text}");
    }
    let (code, text) = run(&checkout, "explain", &["pool/cycle/4KiB", "--base=main"]);
    assert_eq!(code, 4, "{text}");
}

#[test]
fn a_history_that_can_not_be_read_is_told_before_anything_is_built() {
    let checkout = Checkout::new("echo built > \"$(dirname \"$0\")/built\"; exit 1");
    fs::write(checkout.root().join("broken.sqlite"), "this is no database at all").expect("write");
    let (code, text) = run(&checkout, "gate", &["--base=main", "--history=broken.sqlite"]);
    assert_ne!(code, 0, "{text}");
    assert!(text.contains("broken.sqlite"), "{text}");
    assert!(!checkout.folder.path().join("bin/built").exists());
}

#[test]
fn a_gate_that_ends_early_leaves_no_verdict_of_an_earlier_one() {
    let checkout = Checkout::counting(1_000, 2_000);
    assert_eq!(run(&checkout, "gate", &["--base=main"]).0, 0);
    let left = ["gate-verdicts.json", "gate.md", "gate-base.json", "gate-head.json"];
    let there = |name: &&str| checkout.root().join("target/perf").join(name).exists();
    assert!(left.iter().all(there));
    fs::create_dir_all(checkout.root().join("target/perf/gate-explain")).expect("create");
    let (code, text) = run(&checkout, "gate", &["--base=main", "--only=no/such*"]);
    assert_eq!(code, 4, "{text}");
    assert!(!left.iter().any(there) && !there(&"gate-explain"));
}

#[test]
fn where_no_count_gates_nothing_passes() {
    let checkout = Checkout::counting(1_000, 2_000);
    expect(&checkout, "[count]\nvaries = ['pool/*']\n");
    let (code, text) = run(&checkout, "gate", &["--base=main"]);
    assert_eq!(code, 4, "{text}");
    assert!(text.contains("2 unchanged, none of which gates"), "{text}");
    expect(&checkout, "[count]\nvaries = ['pool/cycle/*']\n");
    assert_eq!(run(&checkout, "gate", &["--base=main"]).0, 0);
}

#[test]
fn what_varies_is_blessed_without_a_ratchet() {
    let checkout = Checkout::counting(1_000, 2_000);
    expect(&checkout, "[count]\nvaries = ['pool/cycle/*']\n");
    assert_eq!(run(&checkout, "bless", &[]).0, 0);
    checkout.count("cycle", Some(1_500));
    let (code, text) = run(&checkout, "bless", &[]);
    assert_eq!(code, 0, "{text}");
    assert!(text.contains("1,500"), "{text}");
    checkout.count("other", Some(2_500));
    assert_eq!(run(&checkout, "bless", &[]).0, 3);
}

#[test]
fn budgets_alone_take_no_bench_out_on_purpose() {
    let checkout = Checkout::counting(1_000, 2_000);
    assert_eq!(run(&checkout, "bless", &[]).0, 0);
    expect(&checkout, "[[budget]]\nid = 'pool/cycle/*'\ninstructions_per_byte = 9.0\n");
    checkout.count("other", None);
    let (code, text) = run(&checkout, "gate", &[]);
    assert_eq!(code, 4, "{text}");
    assert!(text.contains("pool/other/4KiB: in the base only"), "{text}");
}
