//! `cargo perf compare` of two sides that can be run. The benches are scripts that leave what
//! criterion leaves and say how long they took, so no verdict here hangs on a clock.

mod front_door;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use bench_core::record::RunRecord;
use front_door::{Folder, Ran};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

/// Long enough for a loaded machine; nothing is decided by it but that a test failed.
const PATIENCE: Duration = Duration::from_secs(120);

/// A bench executable that lists these ids and sets `ns`, the time of an operation of `$id`, in
/// `script`.
fn bench(folder: &Folder, name: &str, ids: &[&str], script: &str) -> String {
    let ids: String = ids.iter().map(|id| format!("echo '{id}: benchmark'; ")).collect();
    let text = format!(
        r#"#!/bin/sh
if [ "$2" = --list ]; then {ids} exit 0; fi
id=$3
{script}
mkdir -p "$CRITERION_HOME/x/new"
printf '{{"full_id":"%s","throughput":{{"Bytes":4096}}}}' "$id" > "$CRITERION_HOME/x/new/benchmark.json"
printf '{{"iters":[1,1,1],"times":[%s,%s,%s]}}' $ns $ns $ns > "$CRITERION_HOME/x/new/sample.json"
"#
    );
    let path = folder.write(name, &text);
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("may run");
    path
}

fn compare(folder: &Folder, args: &[&str]) -> Ran {
    let all: Vec<&str> = ["compare"].iter().chain(args).copied().collect();
    folder.run_in(&folder.path(""), &all)
}

fn json(folder: &Folder, args: &[&str], exit: i32) -> Value {
    let all: Vec<&str> = ["--json"].iter().chain(args).copied().collect();
    let told = compare(folder, &all).exits(exit).stdout;
    serde_json::from_str(&told).expect("one JSON object")
}

fn run_folder(json: &Value) -> PathBuf {
    json["folder"].as_str().expect("a path").into()
}

fn lines(path: &Path) -> Vec<Value> {
    let text = fs::read_to_string(path).unwrap_or_default();
    text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
}

const IDS: [&str; 2] = ["a/x/1KiB", "a/y/1KiB"];

#[test]
fn the_same_executable_is_unchanged_and_leaves_records_exports_and_verdicts() {
    let folder = Folder::new();
    let one = bench(&folder, "wall_a", &IDS, "ns=1000");
    let told = json(&folder, &[&one, &one, "--strict"], 0);
    for id in told["ids"].as_array().expect("ids") {
        assert_eq!(id["verdict"], "unchanged");
        // A machine that is shared may have more to say of its rounds.
        assert!(id["note"].as_str().expect("a note").starts_with("same code"), "{id}");
    }
    assert!(told["remarks"][0].as_str().expect("a control").contains("2 ids with the same code"));
    let run = run_folder(&told);
    for name in ["base.json", "head.json"] {
        let record = RunRecord::read(&run.join(name)).expect("a valid record");
        assert_eq!(record.rows.len(), 2);
        let row = &record.rows[0];
        let rounds: usize = row.dimensions["rounds"].parse().expect("a number");
        assert_eq!(row.per_operation(), vec![1000.0; 3 * rounds]);
        assert_eq!(row.dimensions["bytes"], "4096");
    }
    let verdicts: Value =
        serde_json::from_str(&fs::read_to_string(run.join("verdicts.json")).expect("written"))
            .expect("JSON");
    assert_eq!(verdicts["command"], "compare");
    assert!(fs::read_to_string(run.join("compare.md")).expect("written").contains("| a/x/1KiB |"));
    let export = |name: &str| run.join(name).to_str().expect("UTF-8").to_owned();
    let (base, head) = (export("critcmp-base.json"), export("critcmp-head.json"));
    compare(&folder, &[&base, &head]).exits(0).prints("unpaired");
    critcmp_reads(&base, "(base)");
    critcmp_reads(&head, "(head)");
}

#[test]
fn a_side_may_be_named_from_the_folder_that_we_are_in() {
    let folder = Folder::new();
    bench(&folder, "wall_a", &IDS[..1], "ns=1000");
    compare(&folder, &["wall_a", "./wall_a"]).exits(0).prints("same code");
}

/// `ns` is one per cent more on the head, which is beyond every margin of the policy.
#[test]
fn a_margin_decides_what_passes_and_is_told() {
    let folder = Folder::new();
    let base = bench(&folder, "wall_a", &IDS[..1], "ns=1000");
    let head = bench(&folder, "next/wall_a", &IDS[..1], "ns=1010");
    compare(&folder, &[&base, &head]).exits(3);
    let told = compare(&folder, &[&base, &head, "--margin", "5"]).exits(0);
    told.prints("margin of 5.00 %").prints("changes up to 5 % pass here");
    let again = compare(&folder, &[&base, &head, "--margin", "2", "--resume"]).exits(2);
    let why = "another margin, floor or CPUs for a/x/1KiB; compare without --resume";
    assert!(again.stderr.contains(why), "{}", again.stderr);
}

/// What critcmp 0.1.8 asks of an export, by its src/data.rs: it refuses a file without one of these.
fn critcmp_reads(path: &str, name: &str) {
    let json: Value =
        serde_json::from_str(&fs::read_to_string(path).expect("written")).expect("JSON");
    assert!(json["name"].as_str().expect("a name").ends_with(name), "{json}");
    let all = json["benchmarks"].as_object().expect("by id");
    assert_eq!(all.keys().collect::<Vec<_>>(), IDS.iter().collect::<Vec<_>>());
    for one in all.values() {
        assert!(one["baseline"].is_string() && one["fullname"].is_string(), "{one}");
        let bench = &one["criterion_benchmark_v1"];
        for text in ["group_id", "full_id", "directory_name"] {
            assert!(bench[text].is_string(), "{text}: {bench}");
        }
        assert_eq!(bench["throughput"]["Bytes"], 4096);
        for which in ["mean", "median", "median_abs_dev", "std_dev"] {
            let estimate = &one["criterion_estimates_v1"][which];
            let interval = &estimate["confidence_interval"];
            for (of, number) in [
                (estimate, "point_estimate"),
                (estimate, "standard_error"),
                (interval, "confidence_level"),
                (interval, "lower_bound"),
                (interval, "upper_bound"),
            ] {
                assert!(of[number].is_number(), "{which} {number}: {of}");
            }
        }
    }
}

#[test]
fn a_slower_head_is_exit_3_and_a_faster_one_is_no_failure() {
    let folder = Folder::new();
    let fast = bench(&folder, "fast/wall_a", &IDS, "ns=1000");
    let slow = bench(&folder, "slow/wall_a", &IDS, "ns=1000; [ $id = a/y/1KiB ] && ns=2000");
    let ran = compare(&folder, &[&fast, &slow]).exits(3).prints("regressed").prints("unchanged");
    assert!(ran.stdout.contains("control: a copy of the base"), "{}", ran.stdout);
    assert!(ran.stderr.contains("2 ids, 120 s of measuring at most"), "{}", ran.stderr);
    compare(&folder, &[&slow, &fast, "--only=a/y/*"]).exits(0).prints("improved");
    let folders = [&folder.path("fast"), &folder.path("slow")];
    compare(&folder, &[folders[0], folders[1], "--only=a/y/*"]).exits(3);
}

#[test]
fn a_crash_in_round_7_costs_its_id_only_and_keeps_what_was_measured() {
    let folder = Folder::new();
    let counter = folder.path("calls");
    let crash = format!(
        "ns=1000; if [ $id = a/y/1KiB ]; then echo x >> {counter}; \
         [ $(wc -l < {counter}) -gt 7 ] && {{ echo 'wrong byte' >&2; exit 101; }}; fi"
    );
    let base = bench(&folder, "base/wall_a", &IDS, "ns=1000");
    let head = bench(&folder, "head/wall_a", &IDS, &crash);
    let told = json(&folder, &[&base, &head], 1);
    assert_eq!(told["ids"][0]["verdict"], "unchanged");
    assert_eq!(told["ids"][1]["note"], "head failed in round 7: wrong byte");
    let rounds = lines(&run_folder(&told).join("rounds.jsonl"));
    assert_eq!(rounds.iter().filter(|line| line["id"] == "a/y/1KiB").count(), 8);
    let record = RunRecord::read(&run_folder(&told).join("head.json")).expect("valid");
    assert_eq!(record.rows[1].error.as_deref(), Some("in round 7: wrong byte"));
    let base = RunRecord::read(&run_folder(&told).join("base.json")).expect("valid");
    assert_eq!(base.rows[1].per_operation().len(), 6 * 3);
}

#[test]
fn a_bench_on_one_side_only_is_missing_or_new() {
    let folder = Folder::new();
    let two = bench(&folder, "two/wall_a", &IDS, "ns=1000");
    let one = bench(&folder, "one/wall_a", &IDS[..1], "ns=1000");
    compare(&folder, &[&two, &one]).exits(4).prints("the head has no such bench");
    compare(&folder, &[&one, &two]).exits(0).prints("in the head only");
    let other = bench(&folder, "other/wall_a", &["b/z"], "ns=1000");
    compare(&folder, &[&one, &other]).exits(4).complains("no id in common");
}

#[test]
fn what_the_time_does_not_suffice_for_is_undecided() {
    let folder = Folder::new();
    // A round takes longer than half a second, and a verdict needs more than twenty.
    let slow = bench(&folder, "wall_a", &IDS[..1], "ns=1000; sleep 0.3");
    let args = [slow.as_str(), &slow, "--seconds-per-id=3"];
    compare(&folder, &args).exits(0).prints("undecided").prints("3 s are up");
    compare(&folder, &[args[0], args[1], args[2], "--strict"]).exits(6);
}

#[test]
fn an_interrupt_shows_what_is_known_and_the_run_goes_on_where_it_was() {
    let folder = Folder::new();
    let slow = bench(&folder, "wall_a", &IDS[..1], "ns=1000; sleep 0.05");
    let mut child = Command::new(env!("CARGO_BIN_EXE_weighbridge"))
        .current_dir(folder.path(""))
        .args(["compare", &slow, &slow])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("the program starts");
    let runs = PathBuf::from(folder.path("target/perf/compare"));
    let journal = || {
        let entries = fs::read_dir(&runs).ok()?.flatten();
        entries.map(|entry| entry.path().join("rounds.jsonl")).find(|path| path.is_file())
    };
    let begun = Instant::now();
    while journal().is_none_or(|path| lines(&path).len() < 4) {
        assert!(begun.elapsed() < PATIENCE, "it measures nothing");
        std::thread::sleep(Duration::from_millis(10));
    }
    kill_process(Pid::from_child(&child), Signal::INT).expect("it is there to be interrupted");
    assert_eq!(child.wait().expect("it ends").code(), Some(4));
    let told = std::io::read_to_string(child.stdout.take().expect("piped")).expect("text");
    assert!(told.contains("undecided") && told.contains("interrupted"), "{told}");
    let kept = lines(&journal().expect("kept")).len();
    // A line that broke off, as when the machine lost its power.
    let mut text = fs::read_to_string(journal().expect("kept")).expect("text");
    text.push_str("{\"id\":\"a/x/1KiB\",\"rou");
    fs::write(journal().expect("kept"), text).expect("written");

    let told = json(&folder, &[&slow, &slow, "--resume"], 0);
    assert_eq!(told["ids"][0]["verdict"], "unchanged");
    assert_eq!(run_folder(&told).join("rounds.jsonl"), journal().expect("the same run"));
    let rounds = lines(&journal().expect("kept"));
    assert!(rounds.len() > kept, "{} {kept}", rounds.len());
    let numbers: Vec<u64> = rounds.iter().filter_map(|line| line["round"].as_u64()).collect();
    assert_eq!(numbers, (0..numbers.len() as u64).collect::<Vec<_>>());

    bench(&folder, "wall_a", &IDS[..1], "ns=1001");
    compare(&folder, &[&slow, &slow, "--resume"]).exits(2).complains("another wall_a of the base");
}

#[test]
fn what_can_not_be_run_or_resumed_is_refused_in_one_sentence() {
    let folder = Folder::new();
    let good = bench(&folder, "wall_a", &IDS, "ns=1000");
    compare(&folder, &[&good, &good, "--resume"]).exits(4).complains("no run under");
    compare(&folder, &[&good, "."]).exits(2).complains("no cargo workspace in a git repository");
    let mute = folder.write("mute/wall_a", "#!/bin/sh\necho 'no such flag' >&2\nexit 2\n");
    fs::set_permissions(&mute, fs::Permissions::from_mode(0o755)).expect("may run");
    compare(&folder, &[&good, &mute]).exits(1).complains("no such flag");
    let none = folder.write("none/readme.txt", "nothing");
    let none = Path::new(&none).parent().expect("a folder").to_str().expect("UTF-8");
    compare(&folder, &[&good, none]).exits(2).complains("is no git ref, bench executable");
    let record = folder.write("run.json", "{}");
    compare(&folder, &[&good, &record]).exits(2).complains("is measured before");
}

/// A checkout whose cargo "builds" the script `wall_a` of the tree, or fails where the tree says so.
fn checkout(folder: &Folder) -> String {
    let root = folder.path("checkout");
    let metadata = format!(r#"{{"workspace_root":"{root}","target_directory":"{root}/target"}}"#);
    let built = r#"{"target":{"kind":["bench"],"name":"wall_a"},"executable":"'$PWD'/wall_a"}"#;
    let error = r#"{"reason":"compiler-message","message":{"level":"error","rendered":"error: expected one of these"}}"#;
    let cargo = format!(
        "#!/bin/sh\ncase $1 in metadata) echo '{metadata}';; *) if [ -e broken ]; then \
         echo '{error}'; exit 101; fi; echo '{built}';; esac\n"
    );
    let cargo = folder.write("bin/cargo", &cargo);
    fs::set_permissions(&cargo, fs::Permissions::from_mode(0o755)).expect("may run");
    folder.write("checkout/Cargo.toml", "[workspace]\n");
    folder.write("checkout/.gitignore", "/target\n");
    bench(folder, "checkout/wall_a", &IDS, "ns=1000");
    git(&root, &["init", "--quiet", "--initial-branch=main", "."]);
    git(&root, &["add", "--all"]);
    let who = ["-c", "user.name=a", "-c", "user.email=a@example.org"];
    git(&root, &[&who[..], &["commit", "--quiet", "--message=x"]].concat());
    root
}

fn git(root: &str, args: &[&str]) {
    let status = Command::new("git").arg("-C").arg(root).args(args).status().expect("git runs");
    assert!(status.success());
}

/// `compare` in the checkout, with its cargo.
fn compare_refs(folder: &Folder, root: &str, args: &[&str]) -> (Option<i32>, String, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_weighbridge"))
        .current_dir(root)
        .env("CARGO", folder.path("bin/cargo"))
        .env_remove("CARGO_TARGET_DIR")
        .env_remove("CARGO_BUILD_TARGET")
        .arg("compare")
        .args(args)
        .output()
        .expect("the program starts");
    let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code(), text(&output.stdout), text(&output.stderr))
}

#[test]
fn a_ref_and_the_working_tree_are_built_in_one_place_and_judged() {
    let folder = Folder::new();
    let root = checkout(&folder);
    bench(&folder, "checkout/wall_a", &IDS, "ns=1500");
    let (code, out, err) = compare_refs(&folder, &root, &["main", ".", "--only=a/x/*"]);
    assert_eq!(code, Some(3), "{out}\n{err}");
    assert!(out.contains("regressed") && out.contains("+50.00 %"), "{out}");
    assert!(out.contains("both sides were built in one place"), "{out}");
    assert!(err.contains("uncommitted changes"), "{err}");
}

#[test]
fn a_side_that_does_not_build_is_named_with_the_compilers_message() {
    let folder = Folder::new();
    let root = checkout(&folder);
    folder.write("checkout/broken", "");
    for (args, side) in [
        (["main", "."], "the head (the working tree)"),
        ([".", "main"], "the base (the working tree)"),
    ] {
        let (code, out, err) = compare_refs(&folder, &root, &args);
        assert_eq!(code, Some(1), "{out}\n{err}");
        let said = format!("{side} does not build: error: expected one of these");
        assert!(err.contains(&said), "{err}");
    }
    let (code, _, err) = compare_refs(&folder, &root, &["main", "no-such-branch"]);
    assert_eq!(code, Some(2), "{err}");
    assert!(err.contains("git knows no commit 'no-such-branch'"), "{err}");
}
