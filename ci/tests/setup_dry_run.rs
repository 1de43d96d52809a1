//! `cargo perf setup --dry-run` installs nothing and prints what it would run.

mod front_door;

use std::process::Command;

use front_door::Folder;

#[test]
fn a_dry_run_prints_commands() {
    let folder = Folder::new();
    let told = folder.run(&["setup", "--dry-run", "--json"]).exits(0).stdout;
    let json: serde_json::Value = serde_json::from_str(&told).expect("one JSON object");
    let commands = json["commands"].as_array().expect("commands");
    let known = |command: &str| command.contains("install") || command.contains("add");
    assert!(commands.iter().all(|command| known(command.as_str().expect("text"))), "{told}");
}

#[test]
fn without_miri_its_tests_are_refused_and_do_not_pass() {
    let run = Command::new(env!("CARGO_BIN_EXE_weighbridge"))
        .args(["test", "--miri"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .env("PATH", "/nonexistent")
        .output()
        .expect("the front door starts");
    let told = String::from_utf8_lossy(&run.stderr);
    assert_eq!(run.status.code(), Some(4), "{told}");
    assert!(told.contains("rustup toolchain install nightly --component miri"), "{told}");
}
