//! `cargo perf report` of two records and of verdicts, in every form: what lies where afterwards,
//! and what is refused.

mod front_door;

use front_door::{Folder, Ran};

fn record(run: &str, value: u64) -> String {
    format!(
        r#"{{"schema":1,"run_id":"{run}","started_at":"2026-11-20T09:12:44Z","environment":{{"rustc":"1","target":"x","rustflags":"","profile":"bench","glibc":"2","cpu_features":["avx2"],"glibc_tunables":"","valgrind":"3"}},"rows":[{{"id":"a/x/1KiB","metric":"instructions","unit":"instructions","gates":true,"data":{{"kind":"count","value":{value}}},"dimensions":{{}},"ok":true}}]}}"#
    )
}

fn verdicts(head: &str, flamegraph: &str) -> String {
    format!(
        r#"{{"verdicts":1,"command":"gate","sentence":"gate did not pass (exit 3): 1 regressed","exit":3,"base":{{"name":"main","commit":null,"record":"base.json"}},"head":{{"name":"tree","commit":null,"record":{head}}},"remarks":[],"judged":[{{"id":"a/x/1KiB","metric":"instructions","unit":"instructions","word":"regressed","base":1000.0,"head":2000.0,"ratio":2.0,"interval":null,"note":null,"bound":"limit","flamegraph":{flamegraph}}}]}}"#
    )
}

fn sides(folder: &Folder) -> (String, String) {
    let (base, head) = (
        record("019a9f3e-7c1d-7a44-8e0a-3f1a6a1f2b11", 1_000),
        record("019a9f3e-7c1d-7a44-8e0a-3f1a6a1f2b12", 2_000),
    );
    (folder.write("base.json", &base), folder.write("head.json", &head))
}

/// Runs a report as a step of GitHub does.
fn step(folder: &Folder, verdicts: &str, summary: &str) -> Ran {
    let call = "GITHUB_STEP_SUMMARY=\"$2\" exec \"$0\" report \"$1\" --format github";
    let program = env!("CARGO_BIN_EXE_weighbridge");
    folder.run_as("sh", &folder.path(""), &["-c", call, program, verdicts, summary])
}

#[test]
fn verdicts_become_every_form_that_was_asked_for() {
    let folder = Folder::new();
    sides(&folder);
    let verdicts = folder.write("verdicts.json", &verdicts("\"head.json\"", "null"));
    let forms = "markdown,html,csv,json,junit";
    let out = folder.path("out");
    folder
        .run(&["report", &verdicts, "--format", forms, "--output", &out])
        .exits(0)
        .prints("gate did not pass (exit 3): 1 regressed");
    for name in ["report.md", "report.html", "report.csv", "report.json", "report.junit.xml"] {
        let text = folder.read(&format!("out/{name}"));
        assert!(text.contains("a/x/1KiB") && text.contains("regressed"), "{name}:\n{text}");
    }
    folder.run(&["report", &verdicts, "--format", "pdf"]).exits(2);
}

#[test]
fn two_records_are_judged_by_the_policy() {
    let folder = Folder::new();
    let (base, head) = sides(&folder);
    folder.run(&["report", &base, &head]).exits(0).prints("two records, offline: 1 regressed");
    assert!(folder.read("report.md").contains("| regressed | a/x/1KiB |"));
    let other = record("019a9f3e-7c1d-7a44-8e0a-3f1a6a1f2b13", 1).replace("a/x/1KiB", "b/y");
    let other = folder.write("other.json", &other);
    folder.run(&["report", &base, &other]).exits(4).complains("no id in common");
}

#[test]
fn a_step_of_github_gets_annotations_and_a_summary() {
    let folder = Folder::new();
    sides(&folder);
    let verdicts = folder.write("verdicts.json", &verdicts("\"head.json\"", "null"));
    let summary = folder.write("summary.md", "from another step");
    let ran = step(&folder, &verdicts, &summary);
    assert!(
        ran.stderr.starts_with("::error title=a/x/1KiB instructions%3A regressed::"),
        "{}",
        ran.stderr
    );
    ran.exits(0);
    let told = folder.read("summary.md");
    assert!(told.starts_with("from another step\n# gate did not pass"), "{told}");
    folder.write("summary.md", &"x".repeat(1 << 20));
    let ran = step(&folder, &verdicts, &summary);
    assert!(ran.stderr.contains("the step's summary is full"), "{}", ran.stderr);
    ran.exits(0);
    assert_eq!(folder.read("summary.md").len(), 1 << 20);
}

#[test]
fn verdicts_that_make_no_sense_are_one_sentence() {
    let folder = Folder::new();
    sides(&folder);
    let good = verdicts("\"head.json\"", "null");
    let cases = [
        (good.replace("\"verdicts\":1", "\"verdicts\":2"), 2, "verdicts of version 2"),
        (good.replace("\"exit\":3,", ""), 2, "holds no verdicts: missing field `exit`"),
        (good[..good.len() - 9].to_owned(), 2, "bad.json"),
        (verdicts("null", "null"), 2, "names no record of the head"),
        (verdicts("\"void.json\"", "null"), 4, "void.json"),
        (verdicts("\"../head.json\"", "null"), 2, "a file outside of its folder: '../head.json'"),
        (verdicts("\"head.json\"", "\"/etc/passwd\""), 2, "a file outside of its folder"),
        (verdicts("\"head.json\"", "\"void.svg\""), 4, "failed to read the flamegraph"),
        (good.replace("\"regressed\",\"base\"", "\"awful\",\"base\""), 2, "awful"),
    ];
    for (text, code, part) in cases {
        let path = folder.write("bad.json", &text);
        folder.run(&["report", &path]).exits(code).complains(part);
    }
    assert_eq!(folder.names(), ["bad.json", "base.json", "head.json"], "nothing was written");
}

#[test]
fn a_gate_whose_benches_all_vanished_is_reported() {
    let folder = Folder::new();
    let (_, head) = sides(&folder);
    let text = folder.read("head.json");
    let start = text.find("\"rows\":[").expect("rows") + 8;
    folder.write("head.json", &format!("{}]}}", &text[..start]));
    let gone = verdicts("\"head.json\"", "null")
        .replace("\"regressed\",\"base\"", "\"missing\",\"base\"")
        .replace("\"head\":2000.0,\"ratio\":2.0", "\"head\":null,\"ratio\":null");
    let path = folder.write("verdicts.json", &gone);
    folder.run(&["report", &path, "--format", "markdown,html,junit"]).exits(0);
    for name in ["report.md", "report.html", "report.junit.xml"] {
        let text = folder.read(name);
        assert!(text.contains("a/x/1KiB") && text.contains("missing"), "{name}:\n{text}");
    }
    folder.run(&["report", &head]).exits(4).complains("holds no row");
}

#[test]
fn a_history_that_draws_nothing_is_said() {
    let folder = Folder::new();
    let (base, head) = sides(&folder);
    let url = format!("--store={}", folder.path("history.sqlite"));
    folder.run(&["history", &url, "record", &base]).exits(0);
    let history = format!("--history={}", folder.path("history.sqlite"));
    folder.run(&["report", &head, &history]).exits(4).complains("1 of 1 rows have fewer than 3");
    assert!(!folder.names().contains(&"report.html".to_owned()));
}

#[test]
fn a_history_that_is_not_there_is_said() {
    let folder = Folder::new();
    let (base, _) = sides(&folder);
    let url = format!("--history={}", folder.path("void.sqlite"));
    folder.run(&["report", &base, &url]).exits(4).complains("there is no history");
}
