//! `cargo perf history` from its command line: what is stored, what is shown, and one sentence
//! with the right exit code for whatever is wrong with store, file or wish.

mod front_door;

use std::fs::File;
use std::io::Write;
use std::process::{Command, Stdio};

use bench_core::record::{Data, Environment, Metric, Row, RunRecord};
use front_door::{Folder, Ran};
use rustix::process::{Pid, Signal, kill_process};

const GO: &str = include_str!("import/go-bench.txt");
const FIO: &str = include_str!("import/fio.json");
/// Written by `fio --name=pair --numjobs=2 --size=64k --rw=read --bs=4k --ioengine=psync
/// --output-format=json` of fio 3.33.
const FIO_JOBS: &str = include_str!("import/fio-numjobs.json");
const K6: &str = include_str!("import/k6-export.json");
const GITHUB: &str = include_str!("import/github-action-benchmark.js");
const GUNGRAUN: &str = include_str!("import/gungraun-v7.json");
const CRITCMP: &str = r#"{"name":"main","benchmarks":{"a/x":{
    "criterion_benchmark_v1":{"full_id":"a/x"},
    "criterion_estimates_v1":{"median":{"point_estimate":100.0}}}}}"#;
/// An id that would end a statement, an attribute and a line, were it pasted into one.
const HOSTILE: &str = "a'; DROP TABLE history_rows; --\"<script>\n";

fn history(folder: &Folder, args: &[&str]) -> Ran {
    let store = folder.path("store.sqlite");
    let mut all = vec!["history", "--store", &store];
    all.extend(args);
    folder.run(&all)
}

fn record(folder: &Folder, name: &str, id: &str, value: u64) -> String {
    let environment = Environment { host_id: Some("h".to_owned()), ..Environment::default() };
    let mut record = RunRecord::begin(environment);
    record.rows.push(Row::measured(id, Metric::Syscalls, "1", Data::Count { value }));
    folder.write(name, &record.to_json().expect("sound"))
}

#[test]
fn what_is_recorded_is_listed_and_shown_and_stored_once() {
    let folder = Folder::new();
    let (one, two) = (record(&folder, "1.json", "a/x", 7), record(&folder, "2.json", "a/x", 14));
    history(&folder, &["record", &one]).exits(0).prints("stored 1 run with 1 row in ");
    let again = history(&folder, &["record", &one, &two]).exits(0);
    again.prints("stored 1 run with 1 row in ").prints("; 1 run was there already");
    history(&folder, &["list"]).exits(0).prints("syscalls").prints("rustc unknown");
    history(&folder, &["list", "--runs"]).exits(0).prints("cargo perf");
    history(&folder, &["show", "a/x"]).exits(0).prints("2.00 times");
    let last = history(&folder, &["--json", "show", "a/x", "--last", "1"]).exits(0);
    let json: serde_json::Value = serde_json::from_str(&last.stdout).expect("JSON");
    assert_eq!(json["series"][0]["points"].as_array().map(Vec::len), Some(1));
    assert_eq!(json["series"][0]["points"][0]["value"], 14.0);
    assert_eq!(folder.names(), ["1.json", "2.json", "store.sqlite"]);
}

#[test]
fn a_run_is_given_back_as_it_was_recorded() {
    let folder = Folder::new();
    let path = record(&folder, "1.json", HOSTILE, u64::MAX);
    history(&folder, &["record", &path]).exits(0);
    let text = folder.read("1.json");
    let run = RunRecord::from_json(&text).expect("sound").run_id;
    let restored = history(&folder, &["restore", &run]).exits(0);
    assert_eq!(restored.stdout.trim_end(), text);
    let json = history(&folder, &["--json", "restore", &run]).exits(0);
    assert_eq!(json.stdout.trim_end(), text);
    history(&folder, &["restore", "void"]).exits(4).complains("has no run 'void'");
}

#[test]
fn an_id_of_any_letters_comes_back_to_the_letter() {
    let folder = Folder::new();
    let path = record(&folder, "1.json", HOSTILE, 7);
    history(&folder, &["record", &path]).exits(0);
    let shown = history(&folder, &["--json", "show", HOSTILE]).exits(0);
    let json: serde_json::Value = serde_json::from_str(&shown.stdout).expect("JSON");
    assert_eq!(json["series"][0]["id"], HOSTILE);
    let listed = history(&folder, &["list"]).exits(0);
    assert!(listed.stdout.lines().any(|line| line.starts_with("a'; DROP TABLE")), "on one line");
}

#[test]
fn every_format_is_imported_and_the_same_file_once() {
    let files = [
        ("go", GO, "example.com/copying/Allocate-2"),
        ("fio", FIO, "fio/randread/read"),
        ("k6", K6, "k6/http_req_duration"),
        ("github-action-benchmark", GITHUB, "Go Benchmark/BenchmarkFib10"),
        ("gungraun", GUNGRAUN, "count_pool::pool::fresh::_64KiB"),
        ("critcmp", CRITCMP, "a/x"),
    ];
    let folder = Folder::new();
    for (format, text, id) in files {
        let path = folder.write(&format!("{format}.txt"), text);
        let mut import = vec!["import", format, &path, "--host", "box"];
        // Its runs name their commits themselves.
        let said = format != "github-action-benchmark";
        import.extend(said.then_some(["--commit", "f00d"]).into_iter().flatten());
        history(&folder, &import).exits(0).prints("stored ");
        history(&folder, &import)
            .exits(0)
            .prints("stored 0 runs with 0 rows")
            .prints("there already, in ")
            .prints(" s\n");
        let told = history(&folder, &[&import[..], &["--json"]].concat()).exits(0);
        let told: serde_json::Value = serde_json::from_str(&told.stdout).expect("JSON");
        assert!(told["seconds"].is_f64(), "{told}");
        let commit = if said { "f00d" } else { "5a2c1f0d4be7" };
        history(&folder, &["show", id]).exits(0).prints(commit);
    }
    let runs = history(&folder, &["list", "--runs"]).exits(0);
    for (format, _, _) in files {
        assert!(runs.stdout.contains(format), "{format} in:\n{}", runs.stdout);
    }
}

#[test]
fn saved_baselines_of_criterion_are_runs_and_join_those_of_the_machine() {
    let folder = Folder::new();
    for name in ["main", "pr", "new"] {
        let sample = r#"{"iters":[1.0,2.0],"times":[10.0,22.0]}"#;
        folder.write(&format!("criterion/a_x/{name}/sample.json"), sample);
        let benchmark = r#"{"full_id":"a/x","throughput":null}"#;
        folder.write(&format!("criterion/a_x/{name}/benchmark.json"), benchmark);
    }
    let home = folder.path("criterion");
    let import = ["import", "criterion", &home, "--here"];
    history(&folder, &import).exits(0).prints("stored 2 runs with 2 rows");
    history(&folder, &["list"]).exits(0).prints("a/x").prints("host ");
    let last = ["import", "criterion", &home, "--baseline", "new"];
    history(&folder, &last).exits(0).prints("stored 1 run with 1 row");
    history(&folder, &["import", "criterion", &home, "--baseline", "typo"])
        .exits(2)
        .complains("no baseline 'typo'");
    history(&folder, &["import", "criterion", "void"]).exits(2).complains("void can't be imported");
}

#[test]
fn a_folder_of_summaries_is_one_run() {
    let folder = Folder::new();
    folder.write("gungraun/a/summary.json", GUNGRAUN);
    folder.write("gungraun/b/c/summary.json", &GUNGRAUN.replace("_64KiB", "_1KiB"));
    folder.write("gungraun/b/callgrind.out", "no summary");
    let home = folder.path("gungraun");
    history(&folder, &["import", "gungraun", &home]).exits(0).prints("stored 1 run with");
    history(&folder, &["show", "count_pool::pool::fresh::_1KiB"]).exits(0).prints("66,222");
    folder.write("void/x", "");
    let void = folder.path("void");
    history(&folder, &["import", "gungraun", &void]).exits(2).complains("no summary.json below");
}

#[test]
fn one_broken_file_among_many_and_nothing_is_stored() {
    let files = [
        ("go", GO, "is cut short"),
        ("fio", FIO, "is cut short"),
        ("k6", K6, "is cut short"),
        ("github-action-benchmark", GITHUB, "is cut short"),
        ("gungraun", GUNGRAUN, "is cut short"),
        ("critcmp", CRITCMP, "is cut short"),
    ];
    let folder = Folder::new();
    for (format, text, told) in files {
        let good = folder.write("good", text);
        let broken = folder.write("broken", &text[..text.len() / 2]);
        let import = ["import", format, &good, &broken];
        history(&folder, &import).exits(2).complains("broken can't be imported").complains(told);
        let missing = ["import", format, &good, "void"];
        history(&folder, &missing).exits(2).complains("failed to read void");
    }
    let foreign = folder.write("foreign", "\u{feff}<html>");
    for (format, _, _) in files {
        history(&folder, &["import", format, &foreign]).exits(2).complains("foreign can't be");
    }
    let listed = history(&folder, &["list"]);
    assert_eq!(listed.code, Some(4), "nothing was stored: {}", listed.stdout);
}

#[test]
fn a_time_before_all_runs_is_refused() {
    let folder = Folder::new();
    let path = folder.write("go.txt", GO);
    let import = ["import", "go", &path, "--at", "1960-01-01T00:00:00Z"];
    history(&folder, &import).exits(2).complains("lies before 1970");
    let date = folder.write("data.js", &GITHUB.replace("1762078530123", "-1762078530123"));
    let import = ["import", "github-action-benchmark", &date];
    history(&folder, &import).exits(2).complains("lies before 1970");
    history(&folder, &["list"]).exits(4);
}

#[test]
fn an_interrupted_import_stores_nothing() {
    let folder = Folder::new();
    let (pipe, store) = (folder.path("pipe"), folder.path("store.sqlite"));
    assert!(Command::new("mkfifo").arg(&pipe).status().expect("mkfifo starts").success());
    let child = Command::new(env!("CARGO_BIN_EXE_weighbridge"))
        .args(["history", "--store", &store, "import", "go", &pipe])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts");
    // Opening waits for the reader, who by then listens for interrupts.
    let mut writer = File::options().write(true).open(&pipe).expect("opened");
    kill_process(Pid::from_child(&child), Signal::INT).expect("interrupted");
    writer.write_all(GO.as_bytes()).expect("read to the end");
    drop(writer);
    let output = child.wait_with_output().expect("it ends");
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(4), "{stderr}");
    assert!(stderr.contains("nothing was stored"), "{stderr}");
    history(&folder, &["list"]).exits(4);
}

#[test]
fn values_that_no_record_can_hold_are_left_out_and_said() {
    let folder = Folder::new();
    let path = folder.write("k6.json", r#"{"metrics":{"drift":{"value":-3,"min":-5,"max":1}}}"#);
    let ran = history(&folder, &["import", "k6", &path]).exits(0).prints("1 run with 1 row");
    assert_eq!(ran.stderr.matches("warning: left out: ").count(), 2, "{}", ran.stderr);
}

#[test]
fn a_record_without_a_row_or_that_is_none_is_refused() {
    let folder = Folder::new();
    let empty = RunRecord::begin(Environment::default()).to_json().expect("sound");
    let empty = folder.write("empty.json", &empty);
    history(&folder, &["record", &empty]).exits(4).complains("holds no row");
    history(&folder, &["record", "void.json"]).exits(4).complains("no record at void.json");
    let good = record(&folder, "good.json", "a/x", 1);
    let cut = folder.write("cut.json", &folder.read("good.json")[..100]);
    history(&folder, &["record", &good, &cut]).exits(2).complains("cut.json");
    history(&folder, &["list"]).exits(4);
}

#[test]
fn stores_that_are_not_there_empty_foreign_or_impossible_are_one_sentence() {
    let folder = Folder::new();
    let good = record(&folder, "good.json", "a/x", 1);
    history(&folder, &["list"]).exits(4).complains("there is no history at");
    history(&folder, &["show", "a/x"]).exits(4).complains("there is no history at");
    let at = |store: &str, args: &[&str]| {
        let mut all = vec!["history", "--store", store];
        all.extend(args);
        folder.run(&all)
    };
    at("mysql://localhost/x", &["list"]).exits(2).complains("'mysql' is none of these");
    at("/no/such/folder/x", &["record", &good]).exits(1).complains("/no/such/folder/x");
    at("/proc/x", &["record", &good]).exits(1).complains("/proc/x");
    at(&good, &["record", &good]).exits(2).complains("good.json is no SQLite database");
    // Nobody listens on port 1.
    let server = "postgres://me:secret@127.0.0.1:1/perf";
    let ran = at(server, &["list"]).exits(1).complains("postgres://127.0.0.1:1/perf");
    assert!(!ran.stderr.contains("secret"), "{}", ran.stderr);
}

#[test]
fn a_series_that_is_not_there_is_exit_4() {
    let folder = Folder::new();
    let path = record(&folder, "1.json", "a/x", 7);
    history(&folder, &["record", &path]).exits(0);
    history(&folder, &["show", "a/y"]).exits(4).complains("no such series of 'a/y'");
    history(&folder, &["show", "a/x", "--metric", "heat"]).exits(4).complains("no such series");
    history(&folder, &["show", "a/x", "--environment", "zz"]).exits(4).complains("no such series");
    history(&folder, &["list", "--only", "b/*"]).exits(4).complains("b/*");
}

#[test]
fn the_store_is_named_by_a_variable_or_lies_under_target() {
    let folder = Folder::new();
    let path = record(&folder, "1.json", "a/x", 7);
    let program = env!("CARGO_BIN_EXE_weighbridge");
    let variable = format!("WEIGHBRIDGE_HISTORY={}", folder.path("named.sqlite"));
    let args = [variable.as_str(), program, "history", "record", &path];
    folder.run_as("env", env!("CARGO_MANIFEST_DIR"), &args).exits(0).prints("named.sqlite");
    folder.write("house/Cargo.toml", "[workspace]\nmembers = []\nresolver = \"3\"\n");
    let house = folder.path("house");
    // Wherever this test itself is built, the house has a target folder of its own.
    let recording = || {
        let args = ["-u", "CARGO_TARGET_DIR", program, "history", "record"];
        folder.run_as("env", &house, &args)
    };
    recording().exits(4).complains("there is no record under");
    record(&folder, "house/target/perf/run-1.json", "a/x", 7);
    record(&folder, "house/target/perf/run-2.json", "a/x", 8);
    folder.write("house/target/perf/latest.json", "a copy");
    let told = recording().exits(0).prints("stored 2 runs with 2 rows");
    told.prints("target/perf/history.sqlite");
}

#[test]
fn a_time_or_commit_for_a_file_of_several_runs_is_refused() {
    let folder = Folder::new();
    let data = folder.write("data.js", GITHUB);
    for said in [["--at", "2026-01-01T00:00:00Z"], ["--commit", "f00d"]] {
        let import = ["import", "github-action-benchmark", &data, said[0], said[1]];
        history(&folder, &import).exits(2).complains("data.js holds several runs");
    }
    for name in ["main", "pr"] {
        let sample = r#"{"iters":[1.0],"times":[10.0]}"#;
        folder.write(&format!("criterion/a_x/{name}/sample.json"), sample);
        let benchmark = r#"{"full_id":"a/x","throughput":null}"#;
        folder.write(&format!("criterion/a_x/{name}/benchmark.json"), benchmark);
    }
    let home = folder.path("criterion");
    let import = ["import", "criterion", &home, "--commit", "f00d"];
    history(&folder, &import).exits(2).complains("criterion holds several runs");
    let one = ["import", "criterion", &home, "--commit", "f00d", "--baseline", "pr"];
    history(&folder, &one).exits(0).prints("stored 1 run with 1 row");
}

#[test]
fn an_imported_run_without_a_row_is_refused_with_what_was_left_out() {
    let folder = Folder::new();
    let entry = |benches: &str| {
        let commit = r#"{"id":"f00d","message":"m"}"#;
        format!(r#"{{"entries":{{"s":[{{"commit":{commit},"date":7,"benches":[{benches}]}}]}}}}"#)
    };
    let empty = folder.write("empty.json", &entry(""));
    let import = ["import", "github-action-benchmark", &empty];
    history(&folder, &import).exits(4).complains("holds no row");
    let below = folder.write("below.json", &entry(r#"{"name":"a","value":-1,"unit":"ns"}"#));
    let import = ["import", "github-action-benchmark", &below];
    let ran = history(&folder, &import).exits(4);
    let told = ran.stderr.lines().collect::<Vec<_>>();
    assert!(told[0].starts_with("warning: left out: ") && told[1].contains("holds no row"));
    history(&folder, &["list"]).exits(4);
}

#[test]
fn jobs_and_benches_of_one_name_are_lines_of_their_own() {
    let folder = Folder::new();
    let fio = folder.write("fio.json", FIO_JOBS);
    history(&folder, &["import", "fio", &fio]).exits(0).prints("stored 1 run with 14 rows");
    let bench = r#"{"name":"a","value":1,"unit":"ns"}"#;
    let commit = r#"{"id":"f00d","message":"m"}"#;
    let benches = format!("{bench},{bench}");
    let twice =
        format!(r#"{{"entries":{{"s":[{{"commit":{commit},"date":7,"benches":[{benches}]}}]}}}}"#);
    let twice = folder.write("twice.json", &twice);
    let import = ["import", "github-action-benchmark", &twice];
    history(&folder, &import).exits(0).prints("stored 1 run with 2 rows");
    let shown = history(&folder, &["--json", "show", "s/a"]).exits(0);
    let json: serde_json::Value = serde_json::from_str(&shown.stdout).expect("JSON");
    assert_eq!(json["series"].as_array().map(Vec::len), Some(2), "{json}");
    let listed = history(&folder, &["list"]).exits(0);
    listed.prints("job 1").prints("job 2").prints("repetition 2");
}

#[test]
fn looking_at_an_empty_file_leaves_it_empty() {
    let folder = Folder::new();
    folder.write("store.sqlite", "");
    history(&folder, &["list"]).exits(4).complains("there is no history at");
    history(&folder, &["show", "a/x"]).exits(4).complains("there is no history at");
    assert_eq!(folder.read("store.sqlite"), "");
    assert_eq!(folder.names(), ["store.sqlite"]);
}
