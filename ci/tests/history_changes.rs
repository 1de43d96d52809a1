//! `cargo perf history changes` and `export` from their command line: a known step is found at its
//! commit, environments do not mix, and whoever reads the exit code can trust it.

mod front_door;

use bench_core::record::{Data, Environment, Metric, Row, RunRecord};
use front_door::{Folder, Ran};
use serde_json::Value;

/// An id that would end a cell, a line and an element, were it pasted into one.
const HOSTILE: &str = "a|b`<script>\n# x";

fn history(folder: &Folder, args: &[&str]) -> Ran {
    history_in(folder, env!("CARGO_MANIFEST_DIR"), args)
}

fn history_in(folder: &Folder, place: &str, args: &[&str]) -> Ran {
    let store = folder.path("store.sqlite");
    let mut all = vec!["history", "--store", &store];
    all.extend(args);
    folder.run_in(place, &all)
}

/// A run of one id on one host, with a C library of its own; its commit is its day, unless one is given.
struct Run<'a> {
    day: u64,
    id: &'a str,
    host: &'a str,
    value: u64,
    commit: Option<&'a str>,
    dirty: bool,
}

fn store(folder: &Folder, runs: impl IntoIterator<Item = Run<'static>>) {
    store_of(folder, runs);
}

fn store_of<'a>(folder: &Folder, runs: impl IntoIterator<Item = Run<'a>>) {
    let mut files = Vec::new();
    for (number, run) in runs.into_iter().enumerate() {
        let day = format!("{:02x}", run.day).repeat(20);
        let environment = Environment {
            host_id: Some(run.host.to_owned()),
            glibc: Some(run.host.to_owned()),
            git_commit: Some(run.commit.unwrap_or(&day).to_owned()),
            git_dirty: Some(run.dirty),
            ..Environment::default()
        };
        let mut record = RunRecord::begin(environment);
        let number = number + 1_000 * run.host.len();
        record.run_id = format!("019a9f3e-7c1d-7a44-8e0a-{:06x}{number:06}", run.day);
        record.started_at = format!("2026-01-{:02}T00:00:00Z", run.day);
        let data = Data::Count { value: run.value };
        record.rows.push(Row::measured(run.id, Metric::Syscalls, "1", data));
        let text = record.to_json().expect("sound");
        files.push(folder.write(&format!("records/{}-{number}.json", run.host), &text));
    }
    let mut args = vec!["record"];
    args.extend(files.iter().map(String::as_str));
    history(folder, &args).exits(0);
}

/// Twenty days, the level up by a tenth on the eleventh.
fn step(id: &'static str, host: &'static str) -> impl Iterator<Item = Run<'static>> {
    (1..=20).map(move |day| {
        let value = if day <= 10 { 1_000 } else { 1_100 } + day % 3;
        Run { day, id, host, value, commit: None, dirty: false }
    })
}

fn flat(id: &'static str, host: &'static str) -> impl Iterator<Item = Run<'static>> {
    (1..=20).map(move |day| Run {
        day,
        id,
        host,
        value: 5_000 + day % 3,
        commit: None,
        dirty: false,
    })
}

fn json(ran: &Ran) -> Value {
    serde_json::from_str(&ran.stdout).expect("JSON")
}

#[test]
fn a_known_step_is_found_at_its_index_commit_and_means() {
    let folder = Folder::new();
    store(&folder, step("a/x", "h"));
    let told = history(&folder, &["changes"]).exits(0);
    told.prints("worse").prints("between 0a0a0a0a0a0a and 0b0b0b0b0b0b").prints("1 level changed");
    let json = json(&history(&folder, &["--json", "changes"]).exits(0));
    assert_eq!(
        (&json["found"], &json["worse"], &json["series"]),
        (&1.into(), &1.into(), &1.into())
    );
    let change = &json["changes"][0];
    assert_eq!(change["index"], 10);
    assert_eq!(change["commit"], "0b".repeat(20));
    assert_eq!(change["earlier_commit"], "0a".repeat(20));
    assert_eq!((&change["before"], &change["after"]), (&1_001.0.into(), &1_101.1.into()));
    assert_eq!((&change["values_before"], &change["values_after"]), (&10.into(), &10.into()));
    assert_eq!(change["range"], Value::Null, "no repository knows these commits");
    assert!(change["p_value"].as_f64().is_some_and(|p| p < 0.001));
}

#[test]
fn two_environments_do_not_mix() {
    let folder = Folder::new();
    // Day by day in turns: as one line it would jump every time.
    store(&folder, step("a/x", "h"));
    store(&folder, flat("a/x", "other"));
    let json = json(&history(&folder, &["--json", "changes"]).exits(0));
    assert_eq!((&json["series"], &json["found"]), (&2.into(), &1.into()));
    assert_eq!(json["changes"][0]["index"], 10);
}

#[test]
fn an_environment_that_was_replaced_is_no_step() {
    let folder = Folder::new();
    store(&folder, step("a/x", "old").take(10));
    store(&folder, step("a/x", "new").skip(10));
    let told = history(&folder, &["changes"]).exits(0).prints("no change point");
    told.prints("series looked at: 2");
}

#[test]
fn changed_trees_are_left_out_and_said() {
    let folder = Folder::new();
    let dirty = (11..=20).map(|day| Run {
        day,
        id: "a/x",
        host: "h",
        value: 2_000,
        commit: None,
        dirty: true,
    });
    store(&folder, step("a/x", "h").take(10).chain(dirty));
    let told = history(&folder, &["changes"]).exits(0).prints("no change point");
    told.prints("values of changed trees left out: 10");
}

#[test]
fn since_min_change_and_worse_choose_what_is_told() {
    let folder = Folder::new();
    store(&folder, step("a/x", "h").chain(flat("b/y", "h")));
    let found = |args: &[&str]| {
        let all = [&["--json", "changes"][..], args].concat();
        json(&history(&folder, &all).exits(0))["found"].as_u64().expect("a number")
    };
    for (args, expected) in [
        (["--since", "2026-01-11"], 1),
        (["--since", "2026-01-12"], 0),
        (["--since", "10 runs"], 1),
        (["--since", "9 runs"], 0),
        (["--since", "0b0b0b0b"], 1),
        (["--since", "0c0c0c0c0c"], 0),
        (["--min-change", "9.9"], 1),
        (["--min-change", "11"], 0),
        (["--only", "a/*"], 1),
        (["--only", "b/*"], 0),
    ] {
        assert_eq!(found(&args), expected, "{args:?}");
    }
    let none = Folder::new();
    let better = step("a/x", "h").map(|run| Run { value: 3_000 - run.value, ..run });
    store(&none, better);
    history(&none, &["changes"]).exits(0).prints("better");
    history(&none, &["changes", "--worse"]).exits(0).prints("no change point");
    history(&none, &["changes", "--fail-on-worse"]).exits(0);
}

#[test]
fn fail_on_worse_is_exit_3_only_for_a_worse_one_that_is_told() {
    let folder = Folder::new();
    store(&folder, step("a/x", "h"));
    history(&folder, &["changes", "--fail-on-worse"]).exits(3).prints("worse");
    history(&folder, &["changes", "--fail-on-worse", "--since", "2026-01-11"]).exits(3);
    history(&folder, &["changes", "--fail-on-worse", "--since", "2026-01-12"]).exits(0);
    history(&folder, &["changes", "--fail-on-worse", "--min-change", "50"]).exits(0);
}

#[test]
fn nothing_to_look_at_is_exit_4_and_a_wrong_wish_exit_2() {
    let folder = Folder::new();
    history(&folder, &["changes"]).exits(4).complains("there is no history at");
    store(&folder, step("a/x", "h").take(2).chain(flat("b/y", "h").take(1)));
    let short = history(&folder, &["changes"]).exits(4);
    short.complains("has 2 series").complains("fewer than 3 values");
    history(&folder, &["changes", "--only", "c/*"]).exits(4).complains("'c/*'");
    let unknown = ["changes", "--since", "badc0ffee"];
    history(&folder, &unknown).exits(4).complains("no run of the commit badc0ffee");
    for wrong in [
        ["--window", "1"],
        ["--window", "1001"],
        ["--min-change", "-1"],
        ["--min-change", "nan"],
        ["--since", "yesterday"],
        ["--since", "0 runs"],
    ] {
        let ran = history(&folder, &[&["changes"][..], &wrong].concat()).exits(2);
        assert!(ran.stderr.contains(wrong[0]), "{}", ran.stderr);
    }
    let out = folder.path("out");
    let export = ["export", "--format", "otava", "--output", &out, "--only", "c/*"];
    history(&folder, &export).exits(4).complains("'c/*'");
}

#[test]
fn the_file_is_written_when_there_is_something_to_say() {
    let folder = Folder::new();
    store(&folder, step(HOSTILE, "h"));
    let path = folder.path("issue.md");
    let none = ["--json", "changes", "--markdown", &path, "--since", "1 run"];
    let ran = history(&folder, &none).exits(0);
    assert!(ran.stderr.contains("was not written"), "{}", ran.stderr);
    assert_eq!(json(&ran)["markdown"], Value::Null);
    assert!(!folder.names().contains(&"issue.md".to_owned()));
    let ran = history(&folder, &["--json", "changes", "--markdown", &path]).exits(0);
    assert_eq!(json(&ran)["markdown"], path);
    let text = folder.read("issue.md");
    assert!(text.starts_with("# 1 level changed, worse\n"), "{text}");
    assert!(text.contains("| worse | a\\|b\\`&lt;script&gt; # x | syscalls |"), "{text}");
    assert!(!text.contains("<script>"), "{text}");
    let missing = folder.path("void/issue.md");
    history(&folder, &["changes", "--markdown", &missing]).exits(1).complains("no such folder");
}

#[test]
fn an_issue_of_very_many_changes_is_cut_at_a_whole_row() {
    let folder = Folder::new();
    for number in 0..250 {
        let id: &'static str = format!("room/{}/{number}", "x".repeat(200)).leak();
        store_one(&folder, number, id);
    }
    let files: Vec<String> =
        (0..250).flat_map(|n| (1..=4).map(move |d| format!("records/{n}-{d}.json"))).collect();
    let paths: Vec<String> = files.iter().map(|file| folder.path(file)).collect();
    let mut args = vec!["record"];
    args.extend(paths.iter().map(String::as_str));
    history(&folder, &args).exits(0);
    let path = folder.path("issue.md");
    history(&folder, &["changes", "--markdown", &path]).exits(0);
    let text = folder.read("issue.md");
    assert!(text.len() <= 60_000 && text.len() > 55_000, "{}", text.len());
    assert!(text.contains("Cut here for length: "), "{}", &text[text.len() - 300..]);
    let rows = text.lines().filter(|line| line.starts_with("| worse")).count();
    assert!(text.contains(&format!("{} more rows", 250 - rows)), "{rows} rows");
    assert!(text.lines().filter(|line| line.starts_with("| worse")).all(|row| row.ends_with(" |")));
}

/// Four runs of an id with a step at the third.
fn store_one(folder: &Folder, number: usize, id: &str) {
    for day in 1..=4 {
        let mut record = RunRecord::begin(Environment::default());
        record.started_at = format!("2026-01-{day:02}T00:00:00Z");
        let data = Data::Count { value: if day < 3 { 10 } else { 20 } };
        record.rows.push(Row::measured(id, Metric::Syscalls, "1", data));
        let text = record.to_json().expect("sound");
        folder.write(&format!("records/{number}-{day}.json"), &text);
    }
}

#[test]
fn the_commits_between_two_runs_are_named_and_stay_text() {
    let folder = Folder::new();
    folder.write("house/a.txt", "one");
    let house = folder.path("house");
    let git = |args: &[&str]| {
        let who = ["-c", "user.name=a", "-c", "user.email=a@example.org"];
        let ran = folder.run_as("git", &house, &[&who[..], args].concat()).exits(0);
        ran.stdout.trim().to_owned()
    };
    git(&["init", "--quiet", "--initial-branch=main", "."]);
    let commit = |subject: &str| {
        git(&["commit", "--quiet", "--allow-empty", "--message", subject]);
        git(&["rev-parse", "HEAD"])
    };
    let mut commits: Vec<String> = (1..=10).map(|day| commit(&format!("day {day}"))).collect();
    // Two that nobody measured, and the one that was.
    commit("| <img src=x> |");
    commit("`quiet`");
    commits.extend((11..=20).map(|day| commit(&format!("day {day}"))));
    let runs = step("a/x", "h").zip(&commits);
    store_of(&folder, runs.map(|(run, commit)| Run { commit: Some(commit.as_str()), ..run }));
    let path = folder.path("issue.md");
    let told = history_in(&folder, &house, &["changes", "--markdown", &path]).exits(0);
    told.prints("one of 3 commits after ").prints("day 11");
    let text = folder.read("issue.md");
    assert!(text.contains("\\| &lt;img src=x&gt; \\|\n"), "{text}");
    assert!(text.contains("\\`quiet\\`\n") && !text.contains("<img"), "{text}");
    let json = json(&history_in(&folder, &house, &["--json", "changes"]).exits(0));
    let range = &json["changes"][0]["range"];
    assert_eq!(range["commits"], 3);
    assert_eq!(range["named"][1]["subject"], "`quiet`");
    assert_eq!(json["changes"][0]["commit"], commits[10]);
}

#[test]
fn an_export_for_otava_is_as_it_was_agreed() {
    let folder = Folder::new();
    store(&folder, step("a/x", "h").take(2));
    let (out, key) = (folder.path("out"), environment(&folder));
    let export = ["export", "--format", "otava", "--output", &out];
    let told = history(&folder, &export).exits(0);
    let told = told.prints(&format!("wrote {key}.csv and otava.yaml"));
    told.prints("otava analyze --config-file otava.yaml --since 2026-01-01T00:00:00Z all");
    let csv = format!(
        "time,commit,run,a/x syscalls\n\
         2026-01-01T00:00:00Z,{},019a9f3e-7c1d-7a44-8e0a-000001001000,1001\n\
         2026-01-02T00:00:00Z,{},019a9f3e-7c1d-7a44-8e0a-000002001001,1002\n",
        "01".repeat(20),
        "02".repeat(20)
    );
    assert_eq!(folder.read(&format!("out/{key}.csv")), csv);
    let config = format!(
        "tests:\n  \"{key}\":\n    type: csv\n    file: \"{key}.csv\"\n    time_column: time\n    \
         attributes: [commit, run]\n    metrics:\n      \"a/x syscalls\":\n        \
         column: \"a/x syscalls\"\n        direction: -1\ntest_groups:\n  all: [\"{key}\"]\n"
    );
    assert_eq!(folder.read("out/otava.yaml"), config);
}

fn environment(folder: &Folder) -> String {
    let listed = json(&history(folder, &["--json", "list"]).exits(0));
    listed["series"][0]["environment"].as_str().expect("a key").to_owned()
}
