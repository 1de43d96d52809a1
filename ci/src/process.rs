//! Runs programs so that none outlives us: each in a process group of its own, with a deadline,
//! ended when the user interrupts.

use std::fmt;
use std::io::Read;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::Context;
use rustix::process::{Pid, Signal, kill_process_group};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};

/// How long a group may take to end after it was asked to.
const GRACE: Duration = Duration::from_millis(500);
/// Lines that say nothing of why a program failed.
const NOISE: [&str; 5] =
    ["note: run with", "note: Some details", "Error in task", "gungraun-runner:", "Benchmarking "];
/// What follows is for who debugs the program.
const BACKTRACE: &str = "stack backtrace:";
const POLL: Duration = Duration::from_millis(5);

/// How a program ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    /// By itself.
    Exited(ExitStatus),
    /// We ended it: it was still running after this long.
    Overdue(Duration),
    /// We ended it, because the user interrupted us.
    Interrupted,
}

/// How a program ended and what it printed.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) ending: Ending,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Outcome {
    /// Whether the program ended by itself with exit code 0.
    pub(crate) fn success(&self) -> bool {
        matches!(self.ending, Ending::Exited(status) if status.success())
    }

    /// Why the program failed, in its own words: its panic without the advice and the backtrace
    /// around it, otherwise the last two lines on standard error, otherwise how it ended.
    pub(crate) fn last_words(&self) -> String {
        let lines: Vec<&str> = self
            .stderr
            .lines()
            .map(str::trim)
            .filter(|line| !line.is_empty() && !NOISE.iter().any(|start| line.starts_with(start)))
            .collect();
        match lines.iter().position(|line| line.starts_with("thread '")) {
            Some(panic) => {
                let said = lines[panic..].iter().take_while(|line| **line != BACKTRACE);
                said.take(3).copied().collect::<Vec<_>>().join(" ")
            }
            None if lines.is_empty() => self.ending.to_string(),
            None => lines[lines.len().saturating_sub(2)..].join("; "),
        }
    }
}

impl fmt::Display for Ending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exited(status) => write!(f, "ended with {status}"),
            Self::Overdue(limit) => {
                write!(f, "still ran after {} s and was ended", limit.as_secs())
            }
            Self::Interrupted => write!(f, "was interrupted"),
        }
    }
}

/// Runs the program to its end, its deadline or the user's interrupt, whichever comes first.
/// Nothing of its process group is left running.
///
/// # Errors
/// When the program can't be started.
pub(crate) fn run(command: &mut Command, deadline: Duration) -> anyhow::Result<Outcome> {
    let name = command.get_program().to_string_lossy().into_owned();
    let mut child = command
        .process_group(0)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .with_context(|| format!("failed to start '{name}'"))?;
    let stdout = collect(child.stdout.take());
    let stderr = collect(child.stderr.take());
    let ending = watch(&mut child, deadline)?;
    let text = |reader: JoinHandle<String>| reader.join().expect("a reader does not panic");
    Ok(Outcome { ending, stdout: text(stdout), stderr: text(stderr) })
}

fn watch(child: &mut Child, deadline: Duration) -> anyhow::Result<Ending> {
    let started = Instant::now();
    let ending = loop {
        if let Some(status) = child.try_wait().context("failed to wait for a program")? {
            break Ending::Exited(status);
        }
        if interrupted() {
            break Ending::Interrupted;
        }
        if started.elapsed() >= deadline {
            break Ending::Overdue(deadline);
        }
        std::thread::sleep(POLL);
    };
    end_group(child);
    Ok(ending)
}

/// Asks the group to end, then makes it. A group of which nothing is left is fine.
fn end_group(child: &mut Child) {
    let group = Pid::from_child(child);
    if kill_process_group(group, Signal::TERM).is_ok() {
        let asked = Instant::now();
        while asked.elapsed() < GRACE && matches!(child.try_wait(), Ok(None)) {
            std::thread::sleep(POLL);
        }
        let _gone = kill_process_group(group, Signal::KILL);
    }
    let _reaped = child.wait();
}

fn collect<R: Read + Send + 'static>(pipe: Option<R>) -> JoinHandle<String> {
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        // What was read before an error is all that the program has to say.
        let _end = pipe.map(|mut pipe| pipe.read_to_end(&mut bytes));
        String::from_utf8_lossy(&bytes).into_owned()
    })
}

/// Whether the user asked us to stop (Ctrl-C, or the terminal or a supervisor did).
pub(crate) fn interrupted() -> bool {
    flag().load(Ordering::Relaxed)
}

/// Starts to listen for interrupts; a second one ends the program at once.
pub(crate) fn listen() -> anyhow::Result<()> {
    for signal in [SIGINT, SIGTERM, SIGHUP] {
        signal_hook::flag::register_conditional_shutdown(signal, 128 + signal, Arc::clone(flag()))
            .and_then(|_| signal_hook::flag::register(signal, Arc::clone(flag())))
            .context("failed to listen for interrupts")?;
    }
    Ok(())
}

fn flag() -> &'static Arc<AtomicBool> {
    static FLAG: OnceLock<Arc<AtomicBool>> = OnceLock::new();
    FLAG.get_or_init(Arc::default)
}

#[cfg(test)]
mod tests {
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
        let grandchild = format!("/proc/{}/stat", outcome.stdout.trim());
        // The kernel takes a moment to end what was killed.
        let gone = || {
            let state = std::fs::read_to_string(&grandchild).unwrap_or_default();
            state.is_empty() || state.contains(") Z ")
        };
        assert!((0..2_000).any(|_| gone() || {
            std::thread::sleep(POLL);
            false
        }));
    }

    #[test]
    fn a_panic_is_told_without_the_advice_around_it() {
        let stderr = "gungraun-runner: \nthread 'main' (1) panicked at a.rs:1:2:\nboom\n\
                      stack backtrace:\n   0: main\nnote: run with `RUST_BACKTRACE=1`\n";
        let ending = Ending::Overdue(Duration::from_secs(1));
        let outcome =
            |stderr: &str| Outcome { ending, stdout: String::new(), stderr: stderr.into() };
        let said = outcome(stderr).last_words();
        assert_eq!(said, "thread 'main' (1) panicked at a.rs:1:2: boom");
        assert_eq!(outcome("a\nb\n\nc\n").last_words(), "b; c");
        assert_eq!(outcome("").last_words(), "still ran after 1 s and was ended");
    }

    #[test]
    fn a_child_that_outlives_its_parent_does_not_hang_us() {
        let outcome = shell("sleep 1000 & exit 0", Duration::from_secs(60));
        assert!(outcome.success());
    }

    #[test]
    fn a_program_that_is_not_there_is_named() {
        let error = run(&mut Command::new("no-such-program"), Duration::from_secs(1)).unwrap_err();
        assert_eq!(error.to_string(), "failed to start 'no-such-program'");
    }
}
