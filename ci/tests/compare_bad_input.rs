//! `cargo perf compare` with what it can and can't use: one sentence each, and the exit code.

mod front_door;

use front_door::{Folder, Ran};

fn record(folder: &Folder, name: &str, rows: &str) -> String {
    let text = format!(
        r#"{{"schema":1,"run_id":"019a9f3e-7c1d-7a44-8e0a-3f1a6a1f2b10","started_at":"2026-11-20T09:12:44Z","environment":{{"host_id":"h","rustc":"1.95.0","target":"t","rustflags":"","profile":"bench","glibc":"2.36","cpu_features":["avx2"],"glibc_tunables":"","valgrind":"3.19.0"}},"rows":[{rows}]}}"#
    );
    folder.write(name, &text)
}

fn count(id: &str, value: u64) -> String {
    format!(
        r#"{{"id":"{id}","metric":"instructions","unit":"instructions","gates":true,"data":{{"kind":"count","value":{value}}},"dimensions":{{}},"ok":true}}"#
    )
}

fn time(id: &str, ns: u64) -> String {
    let values: Vec<String> = (0..20).map(|step| (ns + step).to_string()).collect();
    let (values, ones) = (values.join(","), ["1"; 20].join(","));
    format!(
        r#"{{"id":"{id}","metric":"wall_time","unit":"ns","gates":false,"data":{{"kind":"samples","values":[{values}],"iterations":[{ones}]}},"dimensions":{{}},"ok":true}}"#
    )
}

fn compare(folder: &Folder, args: &[&str]) -> Ran {
    let all: Vec<&str> = ["compare"].iter().chain(args).copied().collect();
    folder.run(&all)
}

#[test]
fn counts_compare_exactly_and_a_regression_is_exit_3() {
    let folder = Folder::new();
    let base = record(&folder, "a.json", &count("pool/cycle/4KiB", 100_000));
    let head = record(&folder, "b.json", &count("pool/cycle/4KiB", 150_000));
    compare(&folder, &[&base, &base]).exits(0).prints("unchanged");
    compare(&folder, &[&base, &head]).exits(3).prints("+50.00 %").prints("regressed");
    compare(&folder, &[&head, &base]).exits(0).prints("improved");
}

#[test]
fn times_are_shown_unpaired_and_undecided() {
    let folder = Folder::new();
    let base = record(&folder, "a.json", &time("pool/cycle/4KiB", 1000));
    let head = record(&folder, "b.json", &time("pool/cycle/4KiB", 3000));
    compare(&folder, &[&base, &head]).exits(0).prints("undecided").prints("unpaired");
    compare(&folder, &[&base, &head, "--strict"]).exits(6);
    let told = compare(&folder, &["--json", &base, &head]).exits(0).stdout;
    let json: serde_json::Value = serde_json::from_str(&told).expect("one JSON object");
    let row = &json["comparisons"][0];
    assert_eq!(row["verdict"], "undecided");
    assert!(row["ratio_low"].as_f64().expect("an interval") > 2.5, "{row}");
}

#[test]
fn what_the_head_lacks_is_exit_4_and_what_it_adds_is_announced() {
    let folder = Folder::new();
    let one = record(&folder, "a.json", &count("a/x", 1));
    let two = record(&folder, "b.json", &format!("{},{}", count("a/x", 1), count("a/y", 2)));
    compare(&folder, &[&two, &one]).exits(4).prints("not measured on the head");
    compare(&folder, &[&one, &two]).exits(0).prints("new");
    let other = record(&folder, "c.json", &count("b/z", 1));
    compare(&folder, &[&one, &other]).exits(4).complains("no id in common");
    compare(&folder, &[&one, &two, "--only", "zzz/*"]).exits(4).complains("--only 'zzz/*'");
    compare(&folder, &[&one, &two, "--only", "a/*", "--only", "zzz/*"])
        .exits(4)
        .complains("'zzz/*'");
    compare(&folder, &[&one, &two, "--only", "[a]"]).exits(2).complains("is not a pattern");
}

fn failed(id: &str) -> String {
    format!(
        r#"{{"id":"{id}","metric":"instructions","unit":"instructions","gates":true,"error":"hung","dimensions":{{}},"ok":false}}"#
    )
}

#[test]
fn what_failed_on_the_head_is_exit_1_and_what_was_mended_is_announced() {
    let folder = Folder::new();
    let both =
        |name: &str, row: String| record(&folder, name, &format!("{},{row}", count("a/x", 1)));
    let (good, bad) = (both("a.json", count("a/y", 1)), both("b.json", failed("a/y")));
    let without = record(&folder, "c.json", &count("a/x", 1));
    compare(&folder, &[&good, &bad]).exits(1).prints("failed: hung");
    compare(&folder, &[&without, &bad]).exits(1).prints("failed: hung");
    compare(&folder, &[&bad, &good]).exits(0).prints("mended: base failed: hung");
    compare(&folder, &[&bad, &good, "--only=a/y"]).exits(4).prints("Nothing on the head");
}

#[test]
fn a_count_that_does_not_gate_is_told_when_it_changed() {
    let folder = Folder::new();
    let errors = |name: &str, value: u64| {
        let row = count("a/x", value)
            .replace("instructions", "errors")
            .replace("\"gates\":true", "\"gates\":false");
        record(&folder, name, &row)
    };
    let (none, many) = (errors("a.json", 0), errors("b.json", 500));
    let told =
        "1 of 1 comparisons are counts that changed without a verdict, 1 of them for the worse";
    let ran = compare(&folder, &[&none, &many]).exits(0).prints(told);
    assert!(!ran.stdout.contains("Nothing is known to be worse"), "{}", ran.stdout);
    compare(&folder, &[&many, &none]).exits(0).prints("verdict, 0 of them for the worse");
    compare(&folder, &[&many, &many]).exits(0).prints("Nothing is known to be worse.");
}

#[test]
fn another_toolchain_is_exit_5() {
    let folder = Folder::new();
    let base = record(&folder, "a.json", &count("a/x", 1));
    let text = folder.read("a.json").replace("1.95.0", "1.96.0");
    let head = folder.write("b.json", &text);
    compare(&folder, &[&base, &head]).exits(5).prints("rustc differs").prints("incomparable");
}

#[test]
fn exports_of_critcmp_are_read_and_have_no_interval() {
    let folder = Folder::new();
    let export = |name: &str, ns: u64| {
        let text = format!(
            r#"{{"name":"x","benchmarks":{{"a/x":{{"criterion_benchmark_v1":{{"full_id":"a/x"}},"criterion_estimates_v1":{{"median":{{"point_estimate":{ns}.0}}}}}}}}}}"#
        );
        folder.write(name, &text)
    };
    let (base, head) = (export("a.json", 100), export("b.json", 204));
    compare(&folder, &[&base, &head]).exits(0).prints("2.04 times").prints("an estimate");
    let record = record(&folder, "c.json", &time("a/x", 100));
    compare(&folder, &[&record, &head]).exits(5);
    let broken = folder.write("d.json", r#"{"benchmarks":{"a":{}}}"#);
    compare(&folder, &[&base, &broken]).exits(2).complains("'a' has no median");
}

#[test]
fn files_that_are_no_records_are_exit_2_and_named() {
    let folder = Folder::new();
    let good = record(&folder, "a.json", &count("a/x", 1));
    let cut = folder.write("cut.json", &folder.read("a.json")[..200]);
    compare(&folder, &[&good, &cut]).exits(2).complains("cut.json");
    let newer = folder.write("v9.json", r#"{"schema":9,"rows":"whatever"}"#);
    compare(&folder, &[&good, &newer]).exits(2).complains("schema version 9");
    compare(&folder, &[&good, "void.json"]).exits(4).complains("no file 'void.json'");
}

#[test]
fn baselines_that_criterion_overwrites_or_nobody_saved_are_refused() {
    let folder = Folder::new();
    let sample = r#"{"iters":[1.0,2.0,3.0,4.0,5.0,6.0],"times":[1.0,2.1,3.0,4.2,5.0,6.3]}"#;
    let benchmark = r#"{"full_id":"a/x","throughput":null}"#;
    for name in ["main", "pr"] {
        folder.write(&format!("criterion/a_x/{name}/sample.json"), sample);
        folder.write(&format!("criterion/a_x/{name}/benchmark.json"), benchmark);
    }
    compare(&folder, &["main", "pr"]).exits(0).prints("unpaired");
    for name in ["base", "new", "change", "report", "profile"] {
        compare(&folder, &["main", name]).exits(2).complains("criterion overwrites");
    }
    compare(&folder, &["main", "typo"]).exits(4).complains("saved are main, pr");
    folder.write("criterion/a_x/pr/sample.json", &sample[..20]);
    compare(&folder, &["main", "pr"]).exits(2).complains("sample.json");
}

#[test]
fn names_that_do_not_go_together_or_could_be_two_things_are_refused() {
    let folder = Folder::new();
    let record = record(&folder, "a.json", &time("a/x", 100));
    compare(&folder, &[&record, "."]).exits(2).complains("is measured before and '.' (git ref)");
    compare(&folder, &[&record, &record, "--resume"]).exits(2).complains("--resume is for what");
    compare(&folder, &[&record, &record, "--seconds-per-id=0"]).exits(2);
    compare(&folder, &["no-such-ref", "."]).exits(2).complains("no commit 'no-such-ref'");
    compare(&folder, &["neither", "nor"]).exits(2).complains("'neither' is no git ref");
    // A baseline that is called as a commit is.
    let sample = r#"{"iters":[1.0,2.0,3.0,4.0,5.0,6.0],"times":[1.0,2.1,3.0,4.2,5.0,6.3]}"#;
    folder.write("criterion/a_x/HEAD/sample.json", sample);
    folder.write("criterion/a_x/HEAD/benchmark.json", r#"{"full_id":"a/x","throughput":null}"#);
    compare(&folder, &["HEAD", "HEAD"]).exits(2).complains("--as ref or --as baseline");
    compare(&folder, &["HEAD", "HEAD", "--as", "baseline"]).exits(0).prints("unpaired");
    let taken = compare(&folder, &["HEAD", &record]);
    assert!(taken.stderr.contains("'HEAD' is a git ref too"), "{}", taken.stderr);
}
