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
    let start = RECORD.find("\"rows\":[").expect("rows") + 8;
    let empty = folder.write("empty.json", &format!("{}]}}", &RECORD[..start]));
    folder.run(&["report", &empty]).exits(4).complains("empty.json holds no row");
    let void = folder.path("void.json");
    folder.run(&["report", &void]).exits(4).complains("no record at");
    assert_eq!(folder.read("report.md"), "old");
    assert_eq!(folder.names(), ["cut.json", "empty.json", "newer.json", "report.md", "text.json"]);
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

#[test]
fn a_disk_that_takes_no_more_is_one_sentence_and_leaves_the_old_report() {
    let folder = Folder::new();
    let record = folder.write("run-1.json", RECORD);
    folder.write("report.md", "old");
    folder.write("report.html", "old");
    // The limit's signal would end the program before the write fails as on a full disk.
    let limited = "trap '' XFSZ; ulimit -f 0; exec \"$0\" report \"$1\"";
    let program = env!("CARGO_BIN_EXE_weighbridge");
    let told = folder.run_as("sh", &folder.path(""), &["-c", limited, program, &record]);
    told.exits(1).complains("report.md");
    assert_eq!(
        (folder.read("report.md"), folder.read("report.html")),
        ("old".into(), "old".into())
    );
    assert_eq!(folder.names(), ["report.html", "report.md", "run-1.json"]);
}
