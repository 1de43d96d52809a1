//! The workflows for GitHub and GitLab: they call nothing but `cargo perf`, in words that it knows;
//! every job ends in time; no text of others becomes part of a command.
//!
//! Read line by line: both files keep to one line a command, which is held here too.

use std::fs;
use std::path::Path;
use std::process::Command;

const GITHUB: &str = ".github/workflows/perf.yml";
const GITLAB: &str = "ci/gitlab/weighbridge.gitlab-ci.yml";

/// What follows a command after which GitLab goes on, and how such a script ends.
const LATER: &str = " || first=${first:-$?}";
const END: &str = "exit ${first:-0}";
/// What follows a command on GitHub of which a regression is no failure.
const ADVISORY: &str = " || test $? -eq 3";

/// A flag that is given where its variable is not empty, and what it then is.
const OPTIONAL: [(&str, &str); 2] = [
    (r#"${THRESHOLD:+--threshold "$THRESHOLD"}"#, r#"--threshold "$THRESHOLD""#),
    (
        r#"${WEIGHBRIDGE_THRESHOLD:+--threshold "$WEIGHBRIDGE_THRESHOLD"}"#,
        r#"--threshold "$WEIGHBRIDGE_THRESHOLD""#,
    ),
];

/// Keys of GitLab's that are no jobs.
const NO_JOBS: [&str; 1] = ["variables"];

fn lines(name: &str) -> Vec<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("ci lies in the workspace");
    let text = fs::read_to_string(root.join(name)).expect(name);
    let lines = text.lines().map(str::trim_end).filter(|line| !line.trim().starts_with('#'));
    lines.map(str::to_owned).collect()
}

fn indent(line: &str) -> usize {
    line.len() - line.trim_start().len()
}

/// Each job with its lines: keys that stand at `depth` below `jobs:`, or at the left edge.
fn jobs(name: &str, depth: usize) -> Vec<(String, Vec<String>)> {
    let lines = lines(name);
    let from = lines.iter().position(|line| line == "jobs:").map_or(0, |at| at + 1);
    let mut jobs: Vec<(String, Vec<String>)> = Vec::new();
    for line in &lines[from..] {
        match line.trim().strip_suffix(':').filter(|_| indent(line) == depth) {
            Some(job) => jobs.push((job.to_owned(), Vec::new())),
            None => jobs.last_mut().into_iter().for_each(|(_, of)| of.push(line.clone())),
        }
    }
    jobs.retain(|(job, _)| !job.starts_with('.') && !NO_JOBS.contains(&job.as_str()));
    assert!(jobs.len() >= 7, "only {} jobs in {name}: the reading is broken", jobs.len());
    jobs
}

/// What the jobs run, on GitHub: `run: COMMAND`.
fn github_commands(lines: &[String]) -> Vec<String> {
    let run = |line: &String| {
        let line = line.trim().trim_start_matches("- ");
        let command = line.strip_prefix("run:")?.trim();
        Some(command.strip_suffix(ADVISORY).unwrap_or(command).to_owned())
    };
    lines.iter().filter_map(run).collect()
}

/// What the jobs run, on GitLab, script by script: the items below the three keys for scripts.
fn gitlab_scripts(lines: &[String]) -> Vec<Vec<String>> {
    let mut scripts: Vec<Vec<String>> = Vec::new();
    let mut within = None;
    for line in lines {
        let key = line.trim().trim_end_matches(':');
        if within.is_some_and(|depth| indent(line) <= depth) {
            within = None;
        }
        match within {
            Some(_) => {
                let command = line.trim().strip_prefix("- ").expect("one command an item");
                scripts.last_mut().expect("begun").push(command.to_owned());
            }
            None if ["script", "before_script", "after_script"].contains(&key) => {
                assert!(line.ends_with(':'), "commands stand below their key: {line}");
                within = Some(indent(line));
                scripts.push(Vec::new());
            }
            None => assert!(!line.contains("script:"), "commands stand below their key: {line}"),
        }
    }
    scripts
}

/// The calls alone, without what GitLab's shell does with their exit codes.
fn gitlab_commands(lines: &[String]) -> Vec<String> {
    let commands = gitlab_scripts(lines).into_iter().flatten().filter(|command| command != END);
    commands.map(|command| command.strip_suffix(LATER).unwrap_or(&command).to_owned()).collect()
}

fn all_commands() -> Vec<String> {
    let github = github_commands(&lines(GITHUB));
    let gitlab = gitlab_commands(&lines(GITLAB));
    assert!(github.len() >= 20 && gitlab.len() >= 20, "the reading is broken");
    let whole = |command: String| {
        OPTIONAL.iter().fold(command, |command, (may, is)| command.replace(may, is))
    };
    github.into_iter().chain(gitlab).map(whole).collect()
}

/// The words of a command as a shell reads them; `None` where it would do more than call a program.
fn words(command: &str) -> Option<Vec<String>> {
    let mut words: Vec<String> = Vec::new();
    let mut word: Option<String> = None;
    let mut quoted = false;
    let mut rest = command.chars().peekable();
    while let Some(c) = rest.next() {
        match c {
            '"' => {
                quoted = !quoted;
                word.get_or_insert_default();
            }
            ' ' if !quoted => words.extend(word.take()),
            // Unquoted it would be split, and its parts looked up as files.
            '$' if quoted => {
                let name = |c: &char| c.is_ascii_alphanumeric() || *c == '_';
                let mut variable = String::new();
                while let Some(c) = rest.next_if(name) {
                    variable.push(c);
                }
                word.get_or_insert_default().push_str(value(&variable)?);
            }
            '*' | '/' | '.' | ',' | '-' | '_' => word.get_or_insert_default().push(c),
            c if c.is_ascii_alphanumeric() || (quoted && c == ' ') => {
                word.get_or_insert_default().push(c);
            }
            _ => return None,
        }
    }
    words.extend(word);
    (!quoted).then_some(words)
}

/// What a variable may hold; `None` for one that no workflow sets.
fn value(variable: &str) -> Option<&'static str> {
    match variable.trim_start_matches("WEIGHBRIDGE_") {
        "BASE" | "CI_MERGE_REQUEST_DIFF_BASE_SHA" | "CI_COMMIT_BEFORE_SHA" => Some("origin/main"),
        "COMMIT" | "CI_COMMIT_SHA" => Some("f00d"),
        "ITERATIONS" => Some("3"),
        "THRESHOLD" => Some("0.2"),
        "SCALE" => Some("quick"),
        "RUN_URL" | "CI_JOB_URL" => Some("https://forge.example/1"),
        _ => None,
    }
}

#[test]
fn every_command_is_one_that_cargo_perf_knows() {
    for command in all_commands() {
        let words = words(&command).unwrap_or_else(|| panic!("more than a call: {command}"));
        assert_eq!(words[..2], ["cargo", "perf"], "{command}");
        // The command line is read up to the last word, and then the help is printed.
        let program = env!("CARGO_BIN_EXE_weighbridge");
        let read = Command::new(program).args(&words[2..]).arg("--help").output().expect("starts");
        let told = String::from_utf8_lossy(&read.stderr);
        assert!(read.status.success(), "{command}: {told}");
    }
}

#[test]
fn a_command_of_another_kind_is_seen() {
    for wrong in [
        "cargo perf gate && rm -rf x",
        "cargo perf gate --base $BASE",
        "cargo perf gate --base \"$TITLE\"",
        "cargo perf gate --base '$BASE'",
        "cargo perf gate --base \"${{ github.head_ref }}\"",
        "|",
        ">-",
        "cargo perf run > x",
        "cargo perf gate --base \"$BASE",
    ] {
        assert!(words(wrong).is_none(), "{wrong}");
    }
    let right = words("cargo perf gate --base \"$BASE\" --only a/*").expect("a call");
    assert_eq!(right, ["cargo", "perf", "gate", "--base", "origin/main", "--only", "a/*"]);
}

/// The steps of a job on GitHub.
fn steps(lines: &[String]) -> Vec<Vec<String>> {
    let mut steps: Vec<Vec<String>> = Vec::new();
    for line in lines {
        match line.starts_with("      - ") {
            true => steps.push(vec![line.clone()]),
            false => steps.last_mut().into_iter().for_each(|step| step.push(line.clone())),
        }
    }
    steps
}

#[test]
fn what_a_run_measured_is_kept_whatever_its_exit_code() {
    let mut runs = 0;
    for (job, lines) in jobs(GITHUB, 2) {
        let steps = steps(&lines);
        let is_run = |step: &Vec<String>| step.iter().any(|line| line.contains("cargo perf run "));
        let Some(at) = steps.iter().position(is_run) else { continue };
        runs += 1;
        for step in &steps[at + 1..] {
            let goes_on = |line: &String| {
                line.trim().starts_with("if: ")
                    && (line.contains("!cancelled()") || line.contains("always()"))
            };
            assert!(step.iter().any(goes_on), "{job}: {}", step[0]);
        }
    }
    for (job, lines) in jobs(GITLAB, 0) {
        for script in gitlab_scripts(&lines) {
            let is_run = |command: &String| command.starts_with("cargo perf run ");
            runs += usize::from(script.iter().any(is_run));
            let kept = |command: &String| command.ends_with(LATER);
            let Some(at) = script.iter().position(|one| kept(one) || is_run(one)) else { continue };
            let (end, later) = script[at..].split_last().expect("there is one");
            assert_eq!(end, END, "{job} ends as if nothing had failed");
            assert!(later.iter().all(kept), "{job}: {later:?}");
        }
    }
    assert_eq!(runs, 6, "the reading is broken");
}

#[test]
fn of_a_comparison_only_a_regression_is_no_failure() {
    let github = lines(GITHUB);
    assert!(!github.iter().any(|line| line.contains("continue-on-error")));
    let advisory = |line: &&String| line.ends_with(ADVISORY);
    let advisory: Vec<&str> = github.iter().filter(advisory).map(|line| line.trim()).collect();
    assert!(advisory.len() == 1 && advisory[0].starts_with("run: cargo perf compare "));
    for (code, passes) in [(0, true), (1, false), (2, false), (3, true), (4, false), (5, false)] {
        let script = format!("set -e\n(exit {code}){ADVISORY}");
        let ended = Command::new("sh").args(["-c", &script]).status().expect("sh starts");
        assert_eq!(ended.success(), passes, "{code}");
    }
    let gitlab = lines(GITLAB);
    let allowed = gitlab.iter().filter(|line| line.contains("allow_failure"));
    assert_eq!(allowed.count(), 1);
    assert!(gitlab.contains(&"    exit_codes: [3]".to_owned()));
    let says = |line: &&String| line.contains("comment") && line.contains("--name compare");
    for says in github.iter().chain(&gitlab).filter(says) {
        assert!(says.contains(" --otherwise "), "an older comment would stay: {says}");
    }
}

#[test]
fn no_run_that_waits_for_the_history_is_ended() {
    let lines = lines(GITHUB);
    let groups = lines.iter().enumerate().filter(|(_, line)| line.trim() == "group: perf-history");
    let below: Vec<&[String]> = groups.map(|(at, _)| &lines[at + 1..at + 3]).collect();
    assert_eq!(below.len(), 2);
    for keys in below {
        assert_eq!(keys, ["      cancel-in-progress: false", "      queue: max"]);
    }
}

#[test]
fn a_gate_knows_the_history_and_does_not_write_it() {
    let (_, gate) = jobs(GITHUB, 2).into_iter().find(|(job, _)| job == "gate").expect("a gate");
    let steps = steps(&gate);
    let has = |step: &Vec<String>, text: &str| step.iter().any(|line| line.contains(text));
    let of_history: Vec<_> =
        steps.iter().filter(|step| has(step, "target/perf/history.sqlite")).collect();
    assert_eq!(of_history.len(), 1);
    assert!(has(of_history[0], "actions/cache/restore@"), "{of_history:?}");
    assert!(has(of_history[0], "restore-keys: perf-history-"), "{of_history:?}");
    for (job, lines) in jobs(GITLAB, 0).iter().filter(|(job, _)| job.starts_with("perf-gate")) {
        assert!(lines.contains(&"  extends: .perf-gate".to_owned()), "{job}");
    }
    let lines = lines(GITLAB);
    let mut below = lines.iter().skip_while(|line| *line != ".perf-gate:").skip(1);
    let of_gate: Vec<&String> = below.by_ref().take_while(|line| indent(line) > 0).collect();
    let at = of_gate.iter().position(|line| line.contains("key: perf-history"));
    let cache: Vec<&str> = of_gate[at.expect("the history")..].iter().map(|l| l.trim()).collect();
    let read = ["- key: perf-history", "paths: [target/perf/history.sqlite]", "policy: pull"];
    assert_eq!(cache[..3], read);
}

#[test]
fn the_history_is_kept_after_a_failure_too() {
    let lines = lines(GITLAB);
    let caches = lines.split(|line| line.trim().starts_with("- key:")).skip(1);
    let saved = |cache: &&[String]| {
        let has = |text: &str| cache.iter().any(|line| line.contains(text));
        cache.iter().take(3).any(|line| line.contains("history.sqlite")) && !has("policy: pull")
    };
    let saved: Vec<&[String]> = caches.filter(saved).collect();
    assert!(!saved.is_empty(), "the reading is broken");
    for cache in saved {
        assert!(cache.iter().take(3).any(|line| line.trim() == "when: always"), "{cache:?}");
    }
}

#[test]
fn a_script_that_goes_on_ends_with_the_first_code() {
    for (codes, first) in [(["0", "0", "0"], 0), (["0", "3", "0"], 3), (["4", "0", "1"], 4)] {
        let calls = codes.map(|code| format!("(exit {code}){LATER}\n")).concat();
        let script = format!("set -eu\n{calls}{END}");
        let ended = Command::new("sh").args(["-c", &script]).status().expect("sh starts");
        assert_eq!(ended.code(), Some(first), "{script}");
    }
}

#[test]
fn the_policy_holds_where_no_threshold_is_named() {
    for name in [GITHUB, GITLAB] {
        let named = lines(name).into_iter().filter(|line| line.contains("--threshold"));
        let named: Vec<String> = named.collect();
        assert!(!named.is_empty(), "the reading is broken");
        let may = |line: &String| OPTIONAL.iter().any(|(may, _)| line.contains(may));
        assert!(named.iter().all(may), "{name}: {named:?}");
    }
    for (flag, _) in OPTIONAL {
        for (value, words) in
            [("", "0:"), ("0.5", "2:--threshold 0.5"), ("a b", "2:--threshold a b")]
        {
            let script = format!("set -eu\nset -- {flag}\necho \"$#:$*\"");
            let sh = Command::new("sh")
                .args(["-c", &script])
                .envs(["THRESHOLD", "WEIGHBRIDGE_THRESHOLD"].map(|name| (name, value)))
                .output();
            let told = String::from_utf8(sh.expect("sh starts").stdout).expect("text");
            assert_eq!(told.trim_end(), words, "{flag} with '{value}'");
        }
    }
}

#[test]
fn every_job_ends_in_time() {
    let has = |lines: &[String], key: &str, depth: usize| {
        lines.iter().any(|line| indent(line) == depth && line.trim().starts_with(key))
    };
    for (job, lines) in jobs(GITHUB, 2) {
        assert!(has(&lines, "timeout-minutes: ", 4), "{job} of {GITHUB}");
        assert!(has(&lines, "permissions:", 4), "{job} of {GITHUB} says no permissions");
        assert!(!github_commands(&lines).is_empty(), "{job} of {GITHUB} does nothing");
    }
    for (job, lines) in jobs(GITLAB, 0) {
        assert!(has(&lines, "timeout: ", 2), "{job} of {GITLAB}");
        assert!(has(&lines, "rules:", 2), "{job} of {GITLAB} says not when");
        assert!(!gitlab_commands(&lines).is_empty(), "{job} of {GITLAB} does nothing");
    }
}

#[test]
fn no_text_of_others_becomes_part_of_a_command() {
    let lines = lines(GITHUB);
    // Such a job would run a stranger's code with our token.
    assert!(!lines.iter().any(|line| line.contains("pull_request_target")));
    for line in lines.iter().filter(|line| line.contains("${{")) {
        assert!(!line.contains("run:"), "{line}");
        for untrusted in ["title", "head.ref", "head_ref", "body", "commits", "head.label"] {
            assert!(!line.contains(untrusted), "{line}");
        }
    }
}

#[test]
fn what_others_wrote_is_used_as_of_one_commit() {
    let lines = lines(GITHUB);
    let uses: Vec<&str> =
        lines.iter().filter_map(|line| line.split_once("uses: ")).map(|(_, of)| of).collect();
    assert!(uses.len() >= 10, "the reading is broken");
    for of in uses {
        let commit = of.split_once('@').and_then(|(_, rest)| rest.split_once(" # v"));
        let (commit, _) = commit.unwrap_or_else(|| panic!("write ACTION@COMMIT # vVERSION: {of}"));
        let hash = commit.len() == 40 && commit.bytes().all(|b| b.is_ascii_hexdigit());
        assert!(hash, "{of}");
    }
}

#[test]
fn artefacts_are_kept_for_30_90_or_365_days() {
    for (name, key) in [(GITHUB, "retention-days: "), (GITLAB, "expire_in: ")] {
        let lines = lines(name);
        let kept = lines.iter().filter_map(|line| line.trim().strip_prefix(key));
        let kept: Vec<&str> = kept.map(|days| days.trim_end_matches(" days")).collect();
        let either = "${{ github.event_name == 'push' && 365 || 30 }}";
        assert!(kept.iter().all(|days| ["30", "90", "365", either].contains(days)), "{kept:?}");
        let all = ["30", "90", "365"].iter().all(|days| kept.contains(days));
        assert!(all, "{name}: {kept:?}");
        let artefacts = |line: &&String| {
            line.contains("actions/upload-artifact@") || line.trim() == "artifacts:"
        };
        assert_eq!(lines.iter().filter(artefacts).count(), kept.len(), "{name}");
    }
}
