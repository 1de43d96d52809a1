//! The front door on this very workspace: builds the benches, measures, and looks at what comes
//! out. Takes minutes, so it runs with the feature `end-to-end` only, as in `cargo perf test`.

use std::collections::BTreeSet;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::OnceLock;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("ci lies in the workspace")
}

/// A Cargo that optimises only what the tests look at, which no variable can tell it. In `bench-core`, where
/// the canary sits, a line of one function must not move another's instructions: it is one unit, as in what
/// users build.
fn hasty_cargo() -> &'static Path {
    static WRITTEN: OnceLock<PathBuf> = OnceLock::new();
    WRITTEN.get_or_init(|| {
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join("hasty-cargo");
        let settings = [
            r#""*".debug=false"#,
            "bench-core.opt-level=1",
            "bench-core.codegen-units=1",
            "benches.opt-level=1",
            "benches.codegen-units=16",
        ]
        .map(|setting| format!("--config 'profile.bench.package.{setting}'"));
        let script = format!("#!/bin/sh\nexec '{}' {} \"$@\"\n", env!("CARGO"), settings.join(" "));
        fs::write(&path, script).expect("write");
        fs::set_permissions(&path, Permissions::from_mode(0o755)).expect("make it executable");
        path
    })
}

/// `cargo perf` with these arguments, in the workspace. What is built with [`FAULTS`] is built where the
/// gates build, so that other people's code is compiled once for all tests here.
fn front_door(arguments: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_weighbridge"));
    command.current_dir(root()).args(arguments.split_whitespace());
    // Compiling is most of the time that these tests take. By night they meet what users build.
    if !cfg!(feature = "night") {
        command.env("CARGO", hasty_cargo());
        command.env("CARGO_PROFILE_BENCH_OPT_LEVEL", "0");
        command.env("CARGO_PROFILE_BENCH_CODEGEN_UNITS", "256");
    }
    if arguments.contains(FAULTS) {
        command.env("CARGO_TARGET_DIR", root().join("target/perf/gate/target"));
    }
    command
}

/// What it prints with `--json`.
fn perf(arguments: &str) -> Output {
    let output = front_door(arguments).arg("--json").output().expect("the front door starts");
    eprintln!("{arguments}: {}\n{}", output.status, String::from_utf8_lossy(&output.stderr));
    output
}

fn json(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).expect("one JSON object on standard output")
}

/// Those that misbehave, too, in one build.
const FAULTS: &str = "--features faults";

/// The targets whose ids the tests look at, apart from those that vary on purpose: building the others
/// takes longer than all that the tests do, and `cargo test --workspace` runs those anyway.
const TARGETS: &str = "--bench fault_count --bench fault_wall --bench count_storage --bench count_pool \
                       --bench count_payload --bench wall_storage --bench wall_pool --bench wall_payload \
                       --bench scenario_load";

fn has_failed(row: &Value) -> bool {
    row["ok"] != true
}

/// Counts, times and scenarios of several rooms, which take a minute; all there are take four, and are
/// run in the night.
#[test]
fn a_run_measures_what_was_asked_for_and_what_misbehaves_is_a_failed_row() {
    let only = "--only fault/* --only storage/* --only pool/* --only grpc/load/*";
    let output = perf(&format!("run --scale smoke --deadline 20 {only} {FAULTS} {TARGETS}"));
    assert_eq!(output.status.code(), Some(1), "something misbehaved");
    let summary = json(&output);
    let file = |key: &str| PathBuf::from(summary[key].as_str().expect("a path"));
    let record: Value = serde_json::from_slice(&fs::read(file("record")).expect("record"))
        .expect("the record is JSON");
    let is_fault = |row: &&Value| row["id"].as_str().is_some_and(|id| id.starts_with("fault/"));
    let rows = record["rows"].as_array().expect("rows");
    let (faults, sound): (Vec<&Value>, Vec<&Value>) = rows.iter().partition(is_fault);
    assert!(sound.len() > 60, "only {} rows", sound.len());
    for row in sound {
        assert!(!has_failed(row) && row["data"].is_object(), "{row}");
    }
    for (id, why) in [
        ("fault/panic/1KiB", "panics on purpose"),
        ("fault/hang/1KiB", "still ran after 20 s"),
        ("fault/wrong/1KiB", "wrong on purpose"),
    ] {
        let said: Vec<&str> = faults
            .iter()
            .filter(|row| row["id"] == id && has_failed(row))
            .map(|row| row["error"].as_str().expect("it says why"))
            .collect();
        assert_eq!(said.len(), 2, "{id} fails under both harnesses: {said:?}");
        assert!(said.iter().all(|error| error.contains(why)), "{id}: {said:?}");
    }
    let html = fs::read_to_string(file("html")).expect("report");
    assert!(html.contains("storage/read_cold") && html.contains("grpc/load/closed/64KiB"));
}

/// The record of the run that printed this.
fn record_of(output: &Output) -> PathBuf {
    json(output)["record"].as_str().expect("a path").into()
}

/// The records that runs have left in this folder so far.
fn records(folder: &Path) -> BTreeSet<PathBuf> {
    let entries = fs::read_dir(folder).expect("an earlier run made it");
    let paths = entries.map(|entry| entry.expect("entry").path());
    let is_record = |path: &PathBuf| {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        name.starts_with("run-") && name.ends_with(".json")
    };
    paths.filter(is_record).collect()
}

fn rows(record: &Path) -> usize {
    let text = fs::read_to_string(record).expect("record");
    let record: Value = serde_json::from_str(&text).expect("a record is never half-written");
    record["rows"].as_array().expect("rows").len()
}

#[test]
fn an_interrupted_run_keeps_what_it_measured_and_leaves_no_process() {
    let output = perf(&format!("run --scale smoke --only pool/* {FAULTS} {TARGETS}"));
    assert_eq!(output.status.code(), Some(0));
    let earlier = record_of(&output);
    let perf_folder = earlier.parent().expect("a record lies in a folder");
    let executables = perf_folder.with_file_name("release").join("deps");
    let before = records(perf_folder);
    let mut child =
        front_door(&format!("run --scale full --only pool/* --only payload/* {FAULTS} {TARGETS}"))
            .stdout(Stdio::null())
            .spawn()
            .expect("the front door starts");
    let counted =
        || records(perf_folder).difference(&before).find(|record| rows(record) > 0).cloned();
    let record = loop {
        assert!(child.try_wait().expect("wait").is_none(), "it ended before it was interrupted");
        if let Some(record) = counted() {
            break record;
        }
        std::thread::sleep(Duration::from_millis(50));
    };
    kill_process(Pid::from_child(&child), Signal::INT).expect("it is there to be interrupted");
    assert_eq!(child.wait().expect("it ends").code(), Some(4));
    assert!(rows(&record) >= 30, "the counts are kept");
    let left: Vec<String> = fs::read_dir("/proc")
        .expect("proc")
        .filter_map(|entry| fs::read_to_string(entry.ok()?.path().join("cmdline")).ok())
        .filter(|line| line.contains(&*executables.to_string_lossy()))
        .collect();
    assert!(left.is_empty(), "still there: {left:?}");
}

/// A commit that holds what the working tree holds, so that nothing but what a test injects tells
/// the two sides of a gate apart.
fn this_tree() -> String {
    let stash = Command::new("git").current_dir(root()).args(["stash", "create"]).output();
    let commit = String::from_utf8(stash.expect("git starts").stdout).expect("a hash");
    if commit.trim().is_empty() { "HEAD".to_owned() } else { commit.trim().to_owned() }
}

/// All ids of both sides, which by day a gate of a few stands for.
#[cfg(feature = "night")]
#[test]
fn an_unchanged_tree_passes_the_gate_that_knows_it_is_unchanged() {
    let output = perf(&format!("gate --base {}", this_tree()));
    assert_eq!(output.status.code(), Some(0));
    let answer = json(&output);
    assert_eq!(answer["facts"]["same_code"], true);
    let ids = answer["ids"].as_array().expect("ids");
    assert!(ids.len() >= 24, "only {} ids", ids.len());
    for id in ids {
        let named = id["note"].as_str().is_some_and(|note| note.contains("does not repeat"));
        assert!(id["base"] == id["head"] || named, "it differs and nobody says why: {id}");
    }
}

#[test]
fn the_gate_names_the_canary_and_nothing_else() {
    let only = "--only payload/* --only pool/*";
    let base = this_tree();
    let output = perf(&format!("gate --base {base} --features slow-canary {only}"));
    assert_eq!(output.status.code(), Some(3));
    let answer = json(&output);
    let mut regressed = 0;
    for id in answer["ids"].as_array().expect("ids") {
        let name = id["id"].as_str().expect("id");
        // A pass costs 16 instructions and 2.4 a byte where it is optimised: over a few bytes less than
        // what passes.
        if ["/1B", "/63B", "/64B"].iter().any(|few| name.ends_with(few)) {
            continue;
        }
        let counted = id["metric"] == "instructions";
        let fills = counted && name.starts_with("payload/fill/");
        assert_eq!(id["verdict"] == "regressed", fills, "{id}");
        if fills {
            let function = id["functions"][0]["function"].as_str().expect("a function");
            assert!(function.ends_with("canary_pass"), "{id}");
            regressed += 1;
        }
    }
    assert_eq!(regressed, 8);
    let explained = answer["explained"].as_array().expect("explanations");
    assert!(explained.len() >= regressed, "{}", explained.len());
    assert!(explained.iter().all(|one| one["allocations"].as_array().is_some_and(Vec::is_empty)));
    an_explanation_draws_the_canary_and_finds_nothing_where_it_does_not_reach(&base);
}

/// Both sides of the gate before lie in its cache.
fn an_explanation_draws_the_canary_and_finds_nothing_where_it_does_not_reach(base: &str) {
    let explain = |id: &str| {
        let output = perf(&format!("explain {id} --base {base} --features slow-canary"));
        assert_eq!(output.status.code(), Some(0));
        json(&output)
    };
    let read = |answer: &Value, key: &str| {
        fs::read_to_string(answer[key].as_str().expect("a path")).expect("it was written")
    };
    let slower = explain("payload/fill/4KiB");
    assert!(slower["functions"][0]["function"].as_str().expect("one").ends_with("canary_pass"));
    for key in ["flamegraph", "html", "markdown"] {
        assert!(read(&slower, key).contains("canary_pass"), "{key}");
    }
    let same = explain("pool/fresh/4KiB");
    assert_eq!(same["functions_changed"], 0);
    assert!(read(&same, "markdown").contains("no difference"));
    // What DHAT finds of the operation alone: one vector.
    assert_eq!(same["counts"]["allocations"]["head"], 1);
    assert_eq!(same["counts"]["allocated_bytes"]["head"], 4096);
}

/// The row of `side` in the folder that this comparison left; it must be one record, and sound.
#[cfg(feature = "night")]
fn rows_of(answer: &Value, side: &str) -> usize {
    let folder = PathBuf::from(answer["folder"].as_str().expect("a folder"));
    let record = bench_core::record::RunRecord::read(&folder.join(side)).expect("a sound record");
    assert!(record.rows.iter().all(|row| row.ok && row.dimensions.contains_key("interleaved")));
    record.rows.len()
}

/// What it says of times is not looked at: on a busy machine that is anybody's guess.
#[cfg(feature = "night")]
#[test]
fn a_ref_and_the_working_tree_are_compared_in_turns() {
    let only = "--only payload/fill/64KiB --only pool/cycle/64KiB --seconds-per-id 5";
    let same = perf(&format!("compare {} . {only}", this_tree()));
    // Equal code never regresses: where it moves, the run says nothing.
    assert!(matches!(same.status.code(), Some(0 | 5)), "{:?}", same.status);
    let answer = json(&same);
    let ids = answer["ids"].as_array().expect("ids");
    assert_eq!(ids.len(), 2);
    for id in ids {
        assert!(id["note"].as_str().expect("a note").contains("same code"), "{id}");
        assert!(id["rounds"].as_u64().expect("a number") > 0, "{id}");
    }
    assert_eq!([rows_of(&answer, "base.json"), rows_of(&answer, "head.json")], [2, 2]);
}

#[test]
fn an_audit_names_the_reason_of_each_bench_that_varies() {
    let output = perf(&format!("audit --only varies/* {FAULTS} --bench fault_count_varies"));
    assert_eq!(output.status.code(), Some(5));
    let answer = json(&output);
    let ids = answer["ids"].as_array().expect("ids");
    for (name, reason) in [
        ("address", "address"),
        ("clock", "clock"),
        ("environment", "environment_length"),
        ("hasher", "random_hasher"),
        ("path", "path_length"),
        ("threads", "threads"),
    ] {
        let id = format!("varies/{name}/1KiB");
        let one = ids.iter().find(|one| one["id"] == id).expect("counted");
        let standing = if name == "path" { "with_path" } else { "varies" };
        assert_eq!(one["standing"], standing, "{one}");
        assert_eq!(one["causes"][0]["reason"], reason, "{one}");
    }
}

#[test]
fn a_profile_is_a_flamegraph() {
    let output = perf(&format!("profile payload/fill/1MiB --time 3 {FAULTS} {TARGETS}"));
    assert_eq!(output.status.code(), Some(0));
    let answer = json(&output);
    let svg =
        fs::read_to_string(answer["flamegraph"].as_str().expect("a path")).expect("the flamegraph");
    assert!(svg.contains("<svg") && svg.contains("Payload"), "no frame of ours");
}
