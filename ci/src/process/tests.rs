//! Programs that end, hang, leave children behind, and say why they failed.

use super::*;

fn shell(script: &str, deadline: Duration) -> Outcome {
    run(Command::new("sh").args(["-c", script]), deadline).expect("sh runs")
}

#[test]
fn output_and_exit_code_are_kept() {
    let outcome = shell("echo out; echo err >&2; exit 3", Duration::from_secs(60));
    assert_eq!((outcome.stdout.as_str(), outcome.stderr.as_str()), ("out\n", "err\n"));
    assert!(matches!(outcome.ending, Ending::Exited(status) if status.code() == Some(3)));
    assert!(!outcome.success());
}

#[test]
fn a_program_past_its_deadline_is_ended_with_its_children() {
    let outcome = shell("sleep 1000 & echo $!; wait", Duration::from_millis(200));
    assert_eq!(outcome.ending, Ending::Overdue(Duration::from_millis(200)));
    assert!(ends(&outcome.stdout));
}

/// The kernel takes a moment to end what was killed.
fn ends(pid: &str) -> bool {
    let stat = format!("/proc/{}/stat", pid.trim());
    let gone = || {
        let state = fs::read_to_string(&stat).unwrap_or_default();
        state.is_empty() || state.contains(") Z ")
    };
    (0..2_000).any(|_| {
        gone() || {
            std::thread::sleep(POLL);
            false
        }
    })
}

#[test]
fn a_panic_is_told_without_the_advice_around_it() {
    let stderr = "gungraun-runner: \nthread 'main' (1) panicked at a.rs:1:2:\nboom\n\
                  stack backtrace:\n   0: main\nnote: run with `RUST_BACKTRACE=1`\n";
    let ending = Ending::Overdue(Duration::from_secs(1));
    let outcome = |stderr: &str| Outcome { ending, stdout: String::new(), stderr: stderr.into() };
    let said = outcome(stderr).last_words();
    assert_eq!(said, "thread 'main' (1) panicked at a.rs:1:2: boom");
    assert_eq!(outcome("a\nb\n\nc\n").last_words(), "b; c");
    let compiler = "warning: x\nerror[E0308]: mismatched types\n --> a.rs:1:2\n\nhelp: y\n";
    let told = outcome(compiler).errors(2);
    assert_eq!(told.as_deref(), Some("error[E0308]: mismatched types\n --> a.rs:1:2"));
    assert_eq!(outcome("a\n").errors(2), None);
    assert_eq!(outcome("").last_words(), "still ran after 1 s and was ended");
}

#[test]
fn a_child_that_outlives_its_parent_does_not_hang_us() {
    let outcome = shell("sleep 1000 & exit 0", Duration::from_secs(60));
    assert!(outcome.success());
}

#[test]
fn a_child_that_left_the_group_with_our_pipes_is_ended_too() {
    // A hundred times longer than anybody waits for this test.
    let outcome = shell("setsid sleep 1000 & echo $!; exit 1", Duration::from_secs(60));
    assert!(matches!(outcome.ending, Ending::Exited(status) if status.code() == Some(1)));
    assert!(ends(&outcome.stdout), "the child still runs");
}

#[test]
fn a_pinned_program_runs_there_and_we_do_not_stay_there() {
    let before = sched_getaffinity(None).expect("known");
    let cpu = (0..CpuSet::MAX_CPU).find(|&cpu| before.is_set(cpu)).expect("one");
    let script = ["-c", "grep Cpus_allowed_list /proc/self/status"];
    let outcome =
        run_on(Command::new("sh").args(script), Duration::from_secs(60), &[cpu]).expect("sh runs");
    assert_eq!(outcome.stdout.trim(), format!("Cpus_allowed_list:\t{cpu}"));
    assert_eq!(sched_getaffinity(None).expect("known"), before);
}

#[test]
fn a_program_in_sight_is_ended_with_its_exit_code() {
    let ending = run_visibly(Command::new("sh").args(["-c", "exit 7"]), true).expect("sh runs");
    assert!(matches!(ending, Ending::Exited(status) if status.code() == Some(7)));
}

#[test]
fn a_program_that_is_not_there_is_named() {
    let error = run(&mut Command::new("no-such-program"), Duration::from_secs(1)).unwrap_err();
    assert_eq!(error.to_string(), "failed to start 'no-such-program'");
}
