//! `cargo perf run`, `profile` and `test` from outside, with what goes wrong. Cargo is a script
//! that "builds" one bench target, a script as well, so nothing real is compiled or measured.

mod front_door;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use front_door::{Folder, Ran};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

/// Long enough for a loaded machine; nothing is decided by it but that a test failed.
const PATIENCE: Duration = Duration::from_secs(60);
const LISTS_TWO: &str = "echo 'a/one/1KiB: benchmark'; echo 'a/two/1KiB: benchmark'";
/// The bench says that it started and does not end.
const HANGS: &str = "echo $$ > \"$ROOT/started\"; exec sleep 1000";

/// A workspace with the bench target `wall_a`.
struct Workspace {
    folder: Folder,
}

impl Workspace {
    /// `listing` is what the target does to list its ids, `bench` what it does to measure the id
    /// `$3`; `row` writes a sound row of it.
    fn new(listing: &str, bench: &str) -> Self {
        let workspace = Self { folder: Folder::new() };
        let root = workspace.folder.path("");
        let root = root.trim_end_matches('/');
        workspace.folder.write("Cargo.toml", "[workspace]\n");
        workspace.folder.write("benches/Cargo.toml", "");
        let metadata =
            format!(r#"{{"workspace_root":"{root}","target_directory":"{root}/target"}}"#);
        let artifact = format!(
            r#"{{"target":{{"kind":["bench"],"name":"wall_a"}},"executable":"{root}/bin/wall_a"}}"#
        );
        let no_target =
            "echo 'error: no bench target named `wall_b` in `benches` package' >&2; exit 101";
        let other = "echo noise; exit 0";
        workspace.tool(
            "cargo",
            &format!(
                "case \"$*\" in *--bench=wall_b*) {no_target};; esac; \
                 case $1 in metadata) echo '{metadata}';; bench) echo '{artifact}';; \
                 fmt) if [ -f \"$ROOT/slow\" ]; then {HANGS}; fi; {other};; *) {other};; esac"
            ),
        );
        let row = r#"row() { printf '{"row":{"id":"%s","metric":"operations","unit":"1","gates":false,"data":{"kind":"count","value":7},"dimensions":{},"ok":true}}\n' "$1" >> "$WEIGHBRIDGE_ROWS"; }"#;
        workspace.tool(
            "wall_a",
            &format!("case \"$*\" in *--list*) {listing}; exit;; esac\n{row}\n{bench}"),
        );
        workspace.tool("valgrind", "echo valgrind-3.19.0");
        workspace
    }

    /// Puts a program first on the path.
    fn tool(&self, name: &str, script: &str) {
        let path = self.folder.write(&format!("bin/{name}"), &format!("#!/bin/sh\n{script}\n"));
        fs::set_permissions(path, fs::Permissions::from_mode(0o755)).expect("executable");
    }

    fn command(&self, args: &[&str]) -> Command {
        let path = std::env::var("PATH").unwrap_or_default();
        let mut command = Command::new(env!("CARGO_BIN_EXE_weighbridge"));
        command
            .current_dir(self.folder.path(""))
            .env("ROOT", self.folder.path(""))
            .env("CARGO", self.folder.path("bin/cargo"))
            .env("PATH", format!("{}:{path}", self.folder.path("bin")))
            .env_remove("CARGO_TARGET_DIR")
            .args(args);
        command
    }

    fn run(&self, args: &[&str]) -> Ran {
        ran(self.command(args).output().expect("the program starts"))
    }

    /// Runs until the bench says that it started, then sends the signal.
    fn stop(&self, args: &[&str], signal: Signal) -> Ran {
        let mut command = self.command(args);
        let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("starts");
        let started = self.folder.path("started");
        let asked = Instant::now();
        while fs::read_to_string(&started).unwrap_or_default().is_empty() {
            assert!(asked.elapsed() < PATIENCE, "nothing started");
            std::thread::sleep(Duration::from_millis(10));
        }
        kill_process(Pid::from_child(&child), signal).expect("it runs");
        let ran = ran(child.wait_with_output().expect("ends"));
        let pid = fs::read_to_string(started).expect("there");
        let stat = fs::read_to_string(format!("/proc/{}/stat", pid.trim())).unwrap_or_default();
        assert!(stat.is_empty() || stat.contains(") Z "), "still runs: {stat}");
        ran
    }

    /// What is kept under `target/perf`.
    fn kept(&self) -> Vec<String> {
        let entries = fs::read_dir(self.folder.path("target/perf")).into_iter().flatten().flatten();
        let names = entries.map(|entry| entry.file_name().to_string_lossy().into_owned());
        let mut names: Vec<String> = names.collect();
        names.sort();
        names
    }

    /// Ids of the newest run, each with whether it was measured.
    fn rows(&self) -> Vec<(String, bool)> {
        let run = self.kept().into_iter().rfind(|name| name.starts_with("run-")).expect("a run");
        let record = self.folder.read(&format!("target/perf/{run}"));
        let record: Value = serde_json::from_str(&record).expect("JSON");
        let rows = record["rows"].as_array().expect("rows").iter();
        rows.map(|row| (row["id"].as_str().expect("id").to_owned(), row["ok"] == true)).collect()
    }
}

fn ran(output: std::process::Output) -> Ran {
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    Ran { code: output.status.code(), stdout: text(output.stdout), stderr: text(output.stderr) }
}

fn ok(id: &str) -> (String, bool) {
    (id.to_owned(), true)
}

#[test]
fn without_valgrind_nothing_is_built_and_set_up_is_named() {
    let workspace = Workspace::new(LISTS_TWO, "row $3");
    workspace.tool("valgrind", "exit 127");
    workspace.run(&["run"]).exits(4).complains("`cargo perf setup` installs it");
    assert!(workspace.kept().is_empty());
}

#[test]
fn each_filter_has_to_match_something_of_either_harness() {
    let workspace = Workspace::new(LISTS_TWO, "row $3");
    workspace.run(&["run", "--only=no/such*"]).exits(4).complains("--only 'no/such*'");
    let told = workspace.run(&["run", "--only=a/one/*", "--only=typo/*"]).exits(4);
    assert!(!told.stderr.contains("a/one"), "{}", told.stderr);
    told.complains("--only 'typo/*'");
    assert!(workspace.kept().is_empty(), "{:?}", workspace.kept());
    workspace.run(&["run", "--only=a/one/*"]).exits(0);
    assert_eq!(workspace.rows(), [ok("a/one/1KiB")]);
}

#[test]
fn a_target_that_is_named_has_to_be_there_and_ids_of_others_are_not_missed() {
    let workspace = Workspace::new(LISTS_TWO, "row $3");
    let expected = "[timed]\nquick = [\"a/one/1KiB\", \"a/two/1KiB\", \"b/one/1KiB\"]\n";
    workspace.folder.write("benches/expected.toml", expected);
    let all = workspace.run(&["run"]);
    assert!(all.code == Some(4) && all.stderr.contains("b/one/1KiB"), "{}", all.stderr);
    workspace.run(&["run", "--bench", "wall_a"]).exits(0);
    for command in [&["run"][..], &["audit"], &["profile", "b/one/1KiB"]] {
        let command = [command, &["--bench", "wall_b"]].concat();
        workspace.run(&command).exits(2).complains("has no target 'wall_b'");
    }
}

#[test]
fn an_interrupt_of_some_targets_counts_nothing_that_nobody_looked_for() {
    let bench = format!("case $3 in *two*) {HANGS};; *) row $3;; esac");
    let workspace = Workspace::new(LISTS_TWO, &bench);
    workspace.folder.write("benches/expected.toml", "[timed]\nquick = [\"b/one/1KiB\"]\n");
    let stopped = workspace.stop(&["run", "--bench", "wall_a"], Signal::INT);
    assert_eq!(stopped.code, Some(4), "{}", stopped.stderr);
    assert!(!stopped.stderr.contains("expected ids are not measured"), "{}", stopped.stderr);
}

#[test]
fn what_doctor_finds_is_in_the_record() {
    let workspace = Workspace::new(LISTS_TWO, "row $3");
    workspace.run(&["run"]).exits(0);
    let record = workspace.folder.read("target/perf/latest.json");
    let record: Value = serde_json::from_str(&record).expect("JSON");
    assert!(record["environment"]["doctor"].is_array(), "{}", record["environment"]);
}

#[test]
fn a_workspace_without_benches_measures_nothing_and_says_so() {
    let workspace = Workspace::new("true", "row $3");
    workspace.run(&["run"]).exits(4).complains("has no bench");
    assert!(workspace.kept().is_empty(), "{:?}", workspace.kept());
}

#[test]
fn bad_output_costs_one_row_and_the_last_sentence_names_all_that_is_wrong() {
    let bench = "case $3 in *one*) echo hello > \"$WEIGHBRIDGE_ROWS\";; *) row $3;; esac";
    let workspace = Workspace::new(LISTS_TWO, bench);
    let expected = "[timed]\nsmoke = ['a/one/1KiB', 'gone/x']\n";
    workspace.folder.write("benches/expected.toml", expected);
    let told = workspace.run(&["run", "--json"]).exits(1);
    assert_eq!(workspace.rows(), [("a/one/1KiB".to_owned(), false), ok("a/two/1KiB")]);
    let lines: Vec<&str> = told.stderr.lines().collect();
    assert_eq!(lines[0], "measured and not yet in benches/expected.toml: a/two/1KiB");
    let wrong = "error: failed: a/one/1KiB; expected and not measured: gone/x;";
    assert!(lines[1].starts_with(wrong), "{}", lines[1]);
    let json: Value = serde_json::from_str(&told.stdout).expect("one JSON object");
    assert_eq!(json["new"], serde_json::json!(["a/two/1KiB"]));
}

#[test]
fn an_interrupt_while_ids_are_listed_is_no_failure_of_the_target() {
    let workspace = Workspace::new(HANGS, "row $3");
    let told = workspace.stop(&["run"], Signal::INT).exits(4);
    told.complains("interrupted while wall_a listed its ids");
    assert!(workspace.kept().is_empty(), "{:?}", workspace.kept());
}

#[test]
fn an_interrupt_keeps_what_was_measured() {
    let bench = format!("case $3 in *two*) row $3; {HANGS};; *) row $3;; esac");
    let workspace = Workspace::new(LISTS_TWO, &bench);
    let told = workspace.stop(&["run"], Signal::INT).exits(4);
    assert!(told.stderr.contains("interrupted: 1 rows are kept"), "{}", told.stderr);
    assert_eq!(workspace.rows(), [ok("a/one/1KiB")]);
    assert!(workspace.folder.read("target/perf/report.md").contains("a/one/1KiB"));
}

#[test]
fn an_interrupt_before_the_first_row_leaves_the_last_run_as_it_was() {
    let workspace = Workspace::new(LISTS_TWO, "row $3");
    workspace.run(&["run"]).exits(0);
    let contents = || {
        let files = workspace.kept();
        let read = |name: &String| workspace.folder.read(&format!("target/perf/{name}"));
        files.iter().map(|name| (name.clone(), read(name))).collect::<Vec<_>>()
    };
    let before = contents();
    assert_eq!(before.len(), 4, "record, latest.json and two reports: {:?}", workspace.kept());
    workspace.tool("wall_a", &format!("case \"$*\" in *--list*) {LISTS_TWO};; *) {HANGS};; esac"));
    let told = workspace.stop(&["run"], Signal::TERM).exits(4);
    told.complains("interrupted before anything was measured");
    assert!(contents() == before, "{:?}", workspace.kept());
}

#[test]
fn a_profile_that_breaks_is_told_from_one_that_shows_nothing() {
    let panics = "echo \"thread 'main' (1) panicked at a.rs:1:2:\" >&2; echo boom >&2; exit 101";
    let too_few = "echo '9 samples in 5 s are too few for a flamegraph' >&2; exit 101";
    for (bench, code, why) in [
        (panics, 1, "could not be profiled: thread 'main' (1) panicked at a.rs:1:2: boom"),
        (too_few, 4, "9 samples in 5 s"),
        ("exit 0", 4, "left no flamegraph"),
    ] {
        let workspace = Workspace::new(LISTS_TWO, bench);
        workspace.run(&["profile", "a/one/1KiB"]).exits(code).complains(why);
        assert!(!Path::new(&workspace.folder.path("target/perf/profile")).exists());
    }
}

#[test]
fn the_checks_print_beside_the_one_json_object() {
    let workspace = Workspace::new(LISTS_TWO, "row $3");
    let told = workspace.run(&["test", "--json"]).exits(0);
    let json: Value = serde_json::from_str(&told.stdout).expect("one JSON object");
    assert!(json["passed"].is_array());
    assert!(told.stderr.contains("noise"), "{}", told.stderr);
    assert!(workspace.run(&["test"]).exits(0).stdout.contains("noise"));
}

#[test]
fn a_check_ends_with_us() {
    let workspace = Workspace::new(LISTS_TWO, "row $3");
    workspace.folder.write("slow", "");
    let told = workspace.stop(&["test"], Signal::TERM).exits(4);
    assert!(told.stderr.contains("interrupted in: formatting"), "{}", told.stderr);
}
