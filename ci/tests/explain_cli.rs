//! `cargo perf explain` from outside: what it refuses, and with which exit code.

mod checkout;

use checkout::{Checkout, said};

fn explain(checkout: &Checkout, args: &[&str]) -> (i32, String) {
    said(checkout.perf("explain", args).output().expect("it runs"))
}

#[test]
fn refs_that_are_none_are_usage_errors_before_anything_is_built() {
    let checkout = Checkout::new("echo built > \"$(dirname \"$0\")/built\"; exit 1");
    for bad in ["no-such-ref", "-x", ""] {
        let (code, text) = explain(&checkout, &["pool/cycle/4KiB", &format!("--base={bad}")]);
        assert_eq!(code, 2, "{text}");
        assert!(text.contains(&format!("'{bad}'")), "{text}");
    }
    assert_eq!(explain(&checkout, &["pool/cycle/4KiB"]).0, 2, "a base is needed");
    assert_eq!(explain(&checkout, &["--base=main"]).0, 2, "an id is needed");
    assert!(!checkout.folder.path().join("bin/built").exists());
}

#[test]
fn an_id_that_is_not_there_is_not_measured() {
    let checkout = Checkout::with_bench("exit 1");
    for unknown in ["pool/cycle", "pool/*", "no/such"] {
        let (code, text) = explain(&checkout, &[unknown, "--base=main"]);
        assert_eq!(code, 4, "{text}");
        let named = format!("the working tree has no count bench with the id '{unknown}'");
        assert!(text.contains(&named), "{text}");
    }
}

#[test]
fn a_bench_that_fails_is_told_with_its_side() {
    let checkout = Checkout::with_bench("echo 'it has no room' >&2; exit 1");
    let (code, text) = explain(&checkout, &["pool/cycle/4KiB", "--base=main"]);
    assert_eq!(code, 1, "{text}");
    assert!(text.contains("the base main can't be counted: it has no room"), "{text}");
}

#[test]
fn a_bench_that_never_ran_is_a_hole_and_no_breakage() {
    let checkout = Checkout::with_bench("exit 0");
    let (code, text) = explain(&checkout, &["pool/cycle/4KiB", "--base=main"]);
    assert_eq!(code, 4, "{text}");
    assert!(text.contains("the base main can't be counted: "), "{text}");
}

#[test]
fn a_side_that_does_not_build_says_which_one() {
    let message = r#"{"message":{"level":"error","rendered":"error: no such thing"}}"#;
    let checkout = Checkout::new(&format!("echo '{message}'; exit 101"));
    let (code, text) = explain(&checkout, &["pool/cycle/4KiB", "--base=main"]);
    assert_eq!(code, 1, "{text}");
    assert!(text.contains("the working tree does not build: error: no such thing"), "{text}");
}
