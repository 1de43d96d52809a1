//! `cargo perf setup --dry-run` installs nothing and prints what it would run.

mod front_door;

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
