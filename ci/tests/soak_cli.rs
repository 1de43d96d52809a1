//! `cargo perf soak` with journals that show nothing: one sentence each and the exit code.

mod front_door;

use front_door::Folder;

const HEADER: &str = r#"{"journal":1,"arms":{"a":"as it is","d":"with extra work"},"executables":{},"seed":42,"settings":{"warm_up_ms":5,"measurement_ms":30,"samples":10,"cpus":[0],"scale":"quick","deadline_s":60},"extra_work":{},"environment":{}}"#;
const ROUND: &str = r#"{"id":"reference/hash/64KiB","round":1,"at_ms":5,"order":"ad","padding":3,"suspended_ns":0,"clock_set_ns":0,"steal_ticks":0,"slices":{"a":{"samples":{"iterations":[1],"values":[10.5]}},"d":{"samples":{"iterations":[1],"values":[10.6]}}}}"#;
const IDS: [&str; 12] = [
    "reference/hash/64KiB",
    "reference/sort/64KiB",
    "payload/fill/64KiB",
    "payload/verify/64KiB",
    "pool/cycle/64KiB",
    "reference/copy/1MiB",
    "reference/sum/64MiB",
    "pool/fresh/1MiB",
    "storage/read_warm/64KiB",
    "storage/read_cold/64KiB",
    "network/echo/one_thread/1KiB",
    "grpc/write/default/64KiB",
];

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

/// A journal of rounds that cost two seconds each, of equal arms and of one slower by a share.
fn journal(slower: f64) -> String {
    let mut lines = vec![HEADER.to_owned()];
    for number in 0..181_u64 {
        // Scatters by a thousandth.
        let noise = |salt: u64| ((number * 7 + salt * 31) * 7_919 % 1_000) as f64 / 1e6;
        let slice = |arm: &str, salt: u64, factor: f64| {
            let ns = 1e6 * (1.0 + noise(salt)) * factor;
            format!(r#""{arm}":{{"samples":{{"iterations":[1,1],"values":[{ns},{ns}]}}}}"#)
        };
        let slices = [
            slice("a", 1, 1.0),
            slice("b", 2, 1.0),
            slice("c", 3, 1.0),
            slice("d", 4, 1.0 + slower),
        ];
        for id in IDS {
            lines.push(format!(
                r#"{{"id":"{id}","round":{number},"at_ms":5,"took_ms":2000,"order":"abcd","padding":3,"suspended_ns":0,"clock_set_ns":0,"steal_ticks":0,"slices":{{{}}}}}"#,
                slices.join(",")
            ));
        }
    }
    lines.join("\n") + "\n"
}

#[test]
fn a_demand_that_does_not_hold_ends_a_replay_with_3() {
    let folder = Folder::new();
    let asleep = folder.write("asleep.jsonl", &journal(0.0));
    folder
        .run(&["soak", "replay", &asleep, "--stride", "8"])
        .exits(3)
        .prints("trials or more: 0 of 12 ids")
        .prints("does not hold");
    // Found each time, but too few comparisons of equal arms are in it to say how often it errs.
    let awake = folder.write("awake.jsonl", &journal(0.2));
    folder
        .run(&["soak", "replay", &awake, "--stride", "8"])
        .exits(4)
        .prints("trials or more: 12 of 12 ids: holds")
        .prints("too few comparisons to say");
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
