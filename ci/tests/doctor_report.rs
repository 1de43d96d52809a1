//! `cargo perf doctor` reports on any machine, with a verdict and what follows for each thing.

mod front_door;

use std::process::{Command, Stdio};

use front_door::Folder;

#[test]
fn every_thing_is_told_with_what_follows_from_it() {
    let told = Folder::new().run(&["doctor", "--json"]).exits(0).stdout;
    let json: serde_json::Value = serde_json::from_str(&told).expect("one JSON object");
    let findings = json["findings"].as_array().expect("findings");
    let named = |what: &str| findings.iter().find(|finding| finding["what"] == what);
    for what in ["valgrind", "hardware counters", "governor", "timer", "/dev/fuse", "netem"] {
        let finding = named(what).expect(what);
        assert!(!finding["consequence"].as_str().expect("text").is_empty(), "{finding}");
        let status = finding["status"].as_str().expect("text");
        assert!(["ok", "limited", "missing", "unknown"].contains(&status), "{status}");
    }
}

#[test]
fn a_line_each_and_outside_of_a_workspace_too() {
    let folder = Folder::new();
    let text = folder.run_in(&folder.path(""), &["doctor"]).exits(0).prints("stolen time");
    assert!(text.stdout.lines().count() > 15, "{}", text.stdout);
    assert!(!text.stdout.contains('\x1b'), "no colours in a pipe");
}

#[test]
fn a_reader_that_closed_the_pipe_is_no_failure() {
    for format in [&["doctor"][..], &["doctor", "--json"]] {
        let (reader, writer) = std::io::pipe().expect("a pipe");
        drop(reader);
        let mut command = Command::new(env!("CARGO_BIN_EXE_weighbridge"));
        let output = command.args(format).stdout(writer).stderr(Stdio::piped()).output();
        let output = output.expect("the program starts");
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!((output.status.code(), told.as_str()), (Some(0), ""));
    }
}
