//! The gate from outside: what it refuses, what it survives, and what it leaves untouched. Cargo
//! is a script here that "builds" benches in an instant or not at all, so nothing real is
//! compiled or counted.

mod checkout;

use std::fs;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use checkout::{Checkout, await_file, interrupt, runs, said};

#[test]
fn refs_that_are_none_are_usage_errors_before_anything_is_built() {
    let checkout = Checkout::new("echo built > \"$(dirname \"$0\")/built\"; exit 1");
    for bad in ["no-such-ref", "-x", "--help", "--upload-pack=x", ""] {
        let (code, text) = checkout.run(&[&format!("--base={bad}")]);
        assert_eq!(code, 2, "{text}");
        assert!(text.contains(&format!("'{bad}'")), "{text}");
    }
    let (code, text) = checkout.run(&["--base", "-x"]);
    assert_eq!(code, 2, "{text}");
    assert!(!checkout.folder.path().join("bin/built").exists());
}

#[test]
fn a_branch_behind_main_is_judged_by_where_it_left() {
    let checkout = Checkout::counting(1_000, 2_000);
    let first = checkout.git(&["rev-parse", "main"]);
    checkout.git(&["checkout", "--quiet", "-b", "mine"]);
    checkout.git(&["checkout", "--quiet", "main"]);
    fs::write(checkout.root().join("source.txt"), "theirs\n").expect("write");
    checkout.commit();
    let tip = checkout.git(&["rev-parse", "main"]);
    checkout.git(&["checkout", "--quiet", "mine"]);
    let (code, text) = checkout.run(&["--base=main"]);
    assert_eq!(code, 0, "{text}");
    let said = format!("main is at {} by now; the base is {}", tip.trim(), first.trim());
    assert!(text.contains(&said), "{text}");
    assert!(checkout.read("target/perf/gate-base.json").contains(first.trim()));
    checkout.git(&["checkout", "--quiet", "--orphan", "alone"]);
    fs::write(checkout.root().join("source.txt"), "alone\n").expect("write");
    checkout.commit();
    let (code, text) = checkout.run(&["--base=main"]);
    assert_eq!(code, 2, "{text}");
    assert!(text.contains("have no common ancestor here"), "{text}");
}

#[test]
fn a_folder_without_repository_is_a_usage_error() {
    let checkout = Checkout::new("exit 1");
    fs::remove_dir_all(checkout.root().join(".git")).expect("remove");
    let (code, text) = checkout.run(&["--base=main"]);
    assert_eq!(code, 2, "{text}");
    assert!(text.contains("is not in a git repository"), "{text}");
}

#[test]
fn what_git_refuses_is_told_in_its_own_words() {
    let checkout = Checkout::new("exit 1");
    let mut gate = checkout.gate(&["--base=main"]);
    // Git's own switch for tests: as if the folder were somebody else's.
    gate.env("GIT_TEST_ASSUME_DIFFERENT_OWNER", "1");
    gate.env("GIT_CONFIG_GLOBAL", "/dev/null").env("GIT_CONFIG_NOSYSTEM", "1");
    let (code, text) = said(gate.output().expect("the gate runs"));
    assert_eq!(code, 2, "{text}");
    assert!(text.contains("dubious ownership") && text.contains("safe.directory"), "{text}");
    assert!(!text.contains("not in a git repository"), "{text}");
}

#[test]
fn without_valgrind_nothing_is_built_and_setup_is_named() {
    let checkout = Checkout::new("echo built > \"$(dirname \"$0\")/built\"; exit 1");
    checkout.tool("valgrind", "exit 127");
    let (code, text) = checkout.run(&["--base=main"]);
    assert_eq!(code, 4, "{text}");
    assert!(text.contains("cargo perf setup"), "{text}");
    assert!(!checkout.folder.path().join("bin/built").exists());
}

#[test]
fn a_filter_that_matches_nothing_is_not_success() {
    let checkout = Checkout::with_bench("exit 1");
    let (code, text) = checkout.run(&["--base=main", "--only=no/such*"]);
    assert_eq!(code, 4, "{text}");
    assert!(text.contains("--only 'no/such*'"), "{text}");
    let (code, text) = checkout.run(&["--base=main", "--only=pool/*", "--only=no/such*"]);
    assert_eq!(code, 4, "{text}");
    assert!(text.contains("--only 'no/such*'"), "{text}");
    let (code, text) = checkout.run(&["--base=main", "--only=a[b"]);
    assert_eq!(code, 2, "{text}");
}

#[test]
fn a_tree_without_count_benches_is_not_success() {
    let checkout = Checkout::new("echo 'error: no bench target matches pattern' >&2; exit 101");
    let (code, text) = checkout.run(&["--base=main"]);
    assert_eq!(code, 4, "{text}");
}

#[test]
fn a_build_that_fails_says_which_side_and_the_compilers_first_error() {
    let message = r#"{"message":{"level":"error","rendered":"error: no such thing"}}"#;
    let checkout = Checkout::new(&format!("echo '{message}'; exit 101"));
    let (code, text) = checkout.run(&["--base=main"]);
    assert_eq!(code, 1, "{text}");
    assert!(text.contains("the base main does not build: error: no such thing"), "{text}");
}

#[test]
fn settings_outside_of_the_tree_are_not_answered_from_the_cache() {
    let checkout = Checkout::with_bench("exit 1");
    let script = checkout.read_tool("cargo").replace("*) EXE", "*) echo >> \"${0%/*}/built\"; EXE");
    checkout.tool("cargo", &script);
    let home = checkout.folder.path().join("home");
    fs::create_dir(&home).expect("create");
    let built = || {
        let mut gate = checkout.gate(&["--base=main"]);
        let (code, text) = said(gate.env("CARGO_HOME", &home).output().expect("the gate runs"));
        assert_eq!(code, 1, "{text}");
        checkout.read("../bin/built").len()
    };
    assert_eq!((built(), built()), (1, 1));
    fs::write(home.join("config.toml"), "[build]\nrustflags = ['-Copt-level=0']\n").expect("write");
    assert_eq!((built(), built()), (2, 2));
    let above = checkout.folder.path().join(".cargo");
    fs::create_dir(&above).expect("create");
    fs::write(above.join("config"), "[profile.bench]\nlto = true\n").expect("write");
    assert_eq!((built(), built()), (3, 3));
}

#[test]
fn a_target_triple_is_refused_before_anything_is_built() {
    let checkout = Checkout::new("echo built > \"$(dirname \"$0\")/built\"; exit 1");
    let mut gate = checkout.gate(&["--base=main"]);
    gate.env("CARGO_BUILD_TARGET", "x86_64-unknown-linux-musl");
    let (code, text) = said(gate.output().expect("the gate runs"));
    assert_eq!(code, 2, "{text}");
    assert!(text.contains("CARGO_BUILD_TARGET sets build.target"), "{text}");
    assert!(!checkout.folder.path().join("bin/built").exists());
}

#[test]
fn two_benches_that_share_an_id_break_the_gate() {
    let checkout = Checkout::with_bench("exit 1");
    checkout.tool(
        "count_a",
        "echo 'count_a::pool::cycle::_4KiB: benchmark'; echo 'count_a::pool::cycle::4KiB: benchmark'",
    );
    let (code, text) = checkout.run(&["--base=main"]);
    assert_eq!(code, 1, "{text}");
    assert!(text.contains("two benches are called pool/cycle/4KiB: count_a::"), "{text}");
}

/// A fingerprint under `target` that cargo would take for newer than any source.
fn from_the_future(checkout: &Checkout, target: &str) -> PathBuf {
    let path = checkout.root().join(target).join("release/.fingerprint/benches-1/dep-bench");
    fs::create_dir_all(path.parent().expect("a folder")).expect("create");
    fs::write(&path, "").expect("write");
    let file = fs::File::options().write(true).open(&path).expect("open");
    file.set_modified(std::time::SystemTime::now() + Duration::from_secs(86_400)).expect("set");
    path
}

#[test]
fn fingerprints_from_the_future_are_forgotten_before_a_side_is_built() {
    let checkout = Checkout::with_bench("exit 1");
    let future = from_the_future(&checkout, "target/perf/gate/target");
    let (code, text) = checkout.run(&["--base=main"]);
    assert_eq!(code, 1, "{text}");
    assert!(!future.exists());
}

#[test]
fn what_the_user_built_is_left_alone() {
    let checkout = Checkout::with_bench("exit 1");
    let fingerprint = from_the_future(&checkout, "target");
    let runner = checkout.root().join("target/release/gungraun-runner");
    fs::write(&runner, "the user's own").expect("write");
    let (code, text) = checkout.run(&["--base=main"]);
    assert_eq!(code, 1, "{text}");
    assert!(fingerprint.exists());
    assert_eq!(checkout.read("target/release/gungraun-runner"), "the user's own");
}

#[test]
fn a_feature_that_is_not_there_is_a_usage_error() {
    let unknown = "error: the package 'benches' does not contain this feature: nosuch";
    let checkout = Checkout::with_bench("exit 1");
    let build = checkout.read_tool("cargo").replace(
        "*) EXE",
        &format!("*) case $* in *nosuch*) echo \"{unknown}\" >&2; exit 101;; esac; EXE"),
    );
    checkout.tool("cargo", &build);
    let (code, text) = checkout.run(&["--base=main", "--features=nosuch"]);
    assert_eq!(code, 2, "{text}");
    assert!(text.contains("the working tree has no feature 'nosuch'"), "{text}");
}

#[test]
fn a_bench_that_panics_or_hangs_is_one_row_and_the_gate_breaks() {
    let checkout = Checkout::with_bench(
        "case \"$*\" in *other*) sleep 1000;; esac\n\
         echo \"thread 'main' (1) panicked at a.rs:1:2:\" >&2; echo 'boom' >&2; exit 1",
    );
    fs::write(checkout.root().join("source.txt"), "two\n").expect("write");
    let before = checkout.repository();
    let (code, text) = checkout.run(&["--base=main", "--deadline=1"]);
    assert_eq!(code, 1, "{text}");
    assert!(
        text.contains("pool/cycle/4KiB: thread 'main' (1) panicked at a.rs:1:2: boom"),
        "{text}"
    );
    assert!(text.contains("pool/other/4KiB: the bench still ran after 1 s"), "{text}");
    assert!(text.contains("uncommitted changes"), "{text}");
    let record = checkout.read("target/perf/gate-head.json");
    assert!(record.contains("boom") && record.contains("\"git_dirty\":true"), "{record}");
    assert!(checkout.read("target/perf/gate.md").contains("panicked"));
    assert_eq!(checkout.repository(), before);
    assert_eq!(checkout.git(&["worktree", "list"]).lines().count(), 1);
}

#[test]
fn an_interrupt_while_it_builds_ends_the_children_and_leaves_the_repository_alone() {
    let checkout = Checkout::new("sleep 1000 & echo $! > \"$(dirname \"$0\")/pid\"; wait");
    let before = checkout.repository();
    let mut gate = checkout.gate(&["--base=main"]);
    let child = gate.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("starts");
    let pid_file = checkout.folder.path().join("bin/pid");
    await_file(&pid_file);
    interrupt(child.id());
    let (code, text) = said(child.wait_with_output().expect("ends"));
    assert_eq!(code, 4, "{text}");
    assert!(text.contains("interrupted while building the base main"), "{text}");
    assert!(!runs(&fs::read_to_string(pid_file).expect("pid")), "the build still runs");
    assert_eq!(checkout.repository(), before);
    assert_eq!(checkout.git(&["worktree", "list"]).lines().count(), 1);
}

#[test]
fn an_interrupt_while_it_counts_keeps_what_was_counted() {
    // Interrupts once a bench runs; whoever comes after it finds the flag set.
    let checkout = Checkout::with_bench("echo $$ > \"${0%/*}/../../../../../../pid\"; sleep 1000");
    let mut gate = checkout.gate(&["--base=main"]);
    let child = gate.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("starts");
    let pid_file = checkout.root().join("pid");
    await_file(&pid_file);
    interrupt(child.id());
    let (code, text) = said(child.wait_with_output().expect("ends"));
    assert_eq!(code, 4, "{text}");
    assert!(text.contains("interrupted: 0 of 2 ids counted"), "{text}");
    assert!(!runs(&fs::read_to_string(pid_file).expect("pid")), "a bench still runs");
    assert!(checkout.read("target/perf/gate-head.json").contains("\"schema\""));
    assert!(checkout.read("target/perf/gate.md").contains("interrupted"));
}
