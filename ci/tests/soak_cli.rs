//! `cargo perf soak` with journals that show nothing: one sentence each and the exit code.

mod front_door;

use front_door::Folder;

const HEADER: &str = r#"{"journal":1,"arms":{"a":"as it is","d":"with extra work"},"executables":{},"seed":42,"settings":{"warm_up_ms":5,"measurement_ms":30,"samples":10,"cpus":[0],"scale":"quick","deadline_s":60},"extra_work":{},"environment":{}}"#;
const ROUND: &str = r#"{"id":"reference/hash/64KiB","round":1,"at_ms":5,"order":"ad","padding":3,"suspended_ns":0,"clock_set_ns":0,"steal_ticks":0,"slices":{"a":{"samples":{"iterations":[1],"values":[10.5]}},"d":{"samples":{"iterations":[1],"values":[10.6]}}}}"#;

#[test]
fn a_replay_of_nothing_does_not_pass() {
    let folder = Folder::new();
    let missing = folder.path("none.jsonl");
    folder.run(&["soak", "replay", &missing]).exits(4).complains("failed to read the journal");
    let empty = folder.write("empty.jsonl", "");
    folder.run(&["soak", "replay", &empty]).exits(2).complains("the file is empty");
    let foreign = folder.write("foreign.jsonl", "{\"hello\":1}\n");
    folder.run(&["soak", "replay", &foreign]).exits(2).complains("is not of a journal");
    let bare = folder.write("bare.jsonl", &format!("{HEADER}\n"));
    folder.run(&["soak", "replay", &bare]).exits(4).complains("no round of reference/hash/64KiB");
    let one = folder.write("one.jsonl", &format!("{HEADER}\n{ROUND}\n"));
    folder.run(&["soak", "replay", &one]).exits(4).complains("no round of reference/sort/64KiB");
}

#[test]
fn a_soak_needs_its_executables() {
    let folder = Folder::new();
    let bare = folder.path(".");
    let journal = folder.path("new.jsonl");
    folder
        .run(&["soak", "record", "--executables", &bare, "--journal", &journal])
        .exits(4)
        .complains("there is no executable");
    assert!(folder.names().is_empty(), "nothing is begun");
}
