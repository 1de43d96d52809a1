//! `cargo perf report` with what it can and can't use: one sentence each, the exit code, and
//! nothing half-written.

mod front_door;

use front_door::Folder;

const RECORD: &str = r#"{"schema":1,"run_id":"019a9f3e-7c1d-7a44-8e0a-3f1a6a1f2b10","started_at":"2026-11-20T09:12:44Z","environment":{},"rows":[{"id":"a/x/1KiB","metric":"instructions","unit":"instructions","gates":true,"data":{"kind":"count","value":7},"dimensions":{"bytes":"1024"},"ok":true}]}"#;

#[test]
fn a_record_becomes_two_reports_beside_it_or_where_it_was_asked() {
    let folder = Folder::new();
    let record = folder.write("run-1.json", RECORD);
    folder.run(&["report", &record]).exits(0).prints("1 benchmark measured");
    assert_eq!(folder.names(), ["report.html", "report.md", "run-1.json"]);
    assert!(folder.read("report.md").contains("a/x/1KiB"));
    let elsewhere = folder.path("deep/er");
    folder.run(&["report", &record, "--output", &elsewhere]).exits(0);
    assert!(folder.read("deep/er/report.html").contains("a/x/1KiB"));
}

#[test]
fn what_is_no_record_is_refused_and_leaves_the_old_report() {
    let folder = Folder::new();
    folder.write("report.md", "old");
    let newer = folder.write("newer.json", &RECORD.replace("\"schema\":1", "\"schema\":2"));
    folder.run(&["report", &newer]).exits(2).complains("schema version 2");
    let cut = folder.write("cut.json", &RECORD[..150]);
    folder.run(&["report", &cut]).exits(2).complains("cut.json");
    let text = folder.write("text.json", "no JSON at all");
    folder.run(&["report", &text]).exits(2).complains("text.json");
    let void = folder.path("void.json");
    folder.run(&["report", &void]).exits(4).complains("no record at");
    assert_eq!(folder.read("report.md"), "old");
    assert_eq!(folder.names(), ["cut.json", "newer.json", "report.md", "text.json"]);
}

#[test]
fn without_a_record_the_command_that_makes_one_is_told() {
    let folder = Folder::new();
    folder
        .write("Cargo.toml", "[package]\nname = \"x\"\nversion = \"0.0.0\"\nedition = \"2024\"\n");
    folder.write("src/lib.rs", "");
    let told = folder.run_in(&folder.path(""), &["report"]);
    told.exits(4).complains("make one with `cargo perf run`");
    assert_eq!(folder.names(), ["Cargo.toml", "src"]);
}
