//! Runs programs so that none outlives us: each in a process group of its own, with a deadline,
//! ended when the user interrupts.

use std::fmt;
use std::fs;
use std::io::{self, Read};
use std::os::fd::{AsFd, AsRawFd};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::{Duration, Instant};

use anyhow::Context;
use rustix::process::{Pid, Signal, kill_process, kill_process_group, test_kill_process_group};
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};

/// How long a group may take to end after it was asked to, and its pipes to close after that.
const GRACE: Duration = Duration::from_millis(500);
/// The same for a program that ends programs of its own with a [`GRACE`] of theirs.
const LONG_GRACE: Duration = Duration::from_secs(3);
/// Lines that say nothing of why a program failed.
const NOISE: [&str; 5] =
    ["note: run with", "note: Some details", "Error in task", "gungraun-runner:", "Benchmarking "];
/// What follows is for who debugs the program.
const BACKTRACE: &str = "stack backtrace:";
/// How often to look whether a program ended, first and when it runs longer than [`SOON`]: each
/// look takes time from what is measured beside us.
const POLL: Duration = Duration::from_millis(5);
const POLL_LATER: Duration = Duration::from_millis(50);
const SOON: Duration = Duration::from_millis(100);

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

    /// What the program printed on standard error from the first line on that begins with "error", at
    /// most so many lines; `None` where there is no such line.
    pub(crate) fn errors(&self, lines_max: usize) -> Option<String> {
        let from_error = self.stderr.lines().skip_while(|line| !line.starts_with("error"));
        let told = from_error.take(lines_max).collect::<Vec<_>>().join("\n").trim().to_owned();
        (!told.is_empty()).then_some(told)
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
/// Nothing of its process group is left running, nor what left the group and kept our pipes.
///
/// # Errors
/// When the program can't be started.
pub(crate) fn run(command: &mut Command, deadline: Duration) -> anyhow::Result<Outcome> {
    run_on(command, deadline, &[])
}

/// As [`run`], for a program that ends programs of its own: it gets the time for that.
///
/// # Errors
/// When the program can't be started.
pub(crate) fn run_patiently(command: &mut Command, deadline: Duration) -> anyhow::Result<Outcome> {
    run_with(command, deadline, &[], LONG_GRACE)
}

/// As [`run`], on these processors only; on any when none is named.
///
/// # Errors
/// When the program can't be started, or may not run on any of them.
pub(crate) fn run_on(
    command: &mut Command,
    deadline: Duration,
    cpus: &[usize],
) -> anyhow::Result<Outcome> {
    run_with(command, deadline, cpus, GRACE)
}

fn run_with(
    command: &mut Command,
    deadline: Duration,
    cpus: &[usize],
    grace: Duration,
) -> anyhow::Result<Outcome> {
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = pinned(cpus, || start(command))?;
    let stdout = Reader::of(child.stdout.take().expect("standard output is a pipe"));
    let stderr = Reader::of(child.stderr.take().expect("standard error is a pipe"));
    let ending = watch(&mut child, Some(deadline), grace)?;
    Ok(Outcome { ending, stdout: stdout.text(), stderr: stderr.text() })
}

/// Runs a program whose output is the user's to see, as long as it takes or until the user
/// interrupts. What it prints goes where ours goes; with `apart` all to standard error, where
/// standard output belongs to a result. Nothing of its process group is left running.
///
/// # Errors
/// When the program can't be started.
pub(crate) fn run_visibly(command: &mut Command, apart: bool) -> anyhow::Result<Ending> {
    let stdout = match apart {
        true => {
            io::stderr().as_fd().try_clone_to_owned().context("standard error is closed")?.into()
        }
        false => Stdio::inherit(),
    };
    let mut child = start(command.stdout(stdout).stderr(Stdio::inherit()))?;
    watch(&mut child, None, LONG_GRACE)
}

/// Does `what` while this thread may run on these processors only: a program inherits that from the
/// thread that starts it.
///
/// # Errors
/// When it may not run on any of them; what `what` meets.
pub(crate) fn pinned<T>(
    cpus: &[usize],
    what: impl FnOnce() -> anyhow::Result<T>,
) -> anyhow::Result<T> {
    if cpus.is_empty() {
        return what();
    }
    let mut wanted = CpuSet::new();
    cpus.iter().for_each(|&cpu| wanted.set(cpu));
    let before = sched_getaffinity(None).context("failed to ask where we may run")?;
    sched_setaffinity(None, &wanted)
        .with_context(|| format!("failed to run on processor {cpus:?} only"))?;
    let done = what();
    sched_setaffinity(None, &before).context("failed to run everywhere again")?;
    done
}

fn start(command: &mut Command) -> anyhow::Result<Child> {
    let name = command.get_program().to_string_lossy().into_owned();
    let child = command.process_group(0).stdin(Stdio::null()).spawn();
    child.with_context(|| format!("failed to start '{name}'"))
}

fn watch(child: &mut Child, deadline: Option<Duration>, grace: Duration) -> anyhow::Result<Ending> {
    let started = Instant::now();
    let ending = loop {
        if let Some(status) = child.try_wait().context("failed to wait for a program")? {
            break Ending::Exited(status);
        }
        if interrupted() {
            break Ending::Interrupted;
        }
        let passed = started.elapsed();
        if let Some(deadline) = deadline.filter(|deadline| passed >= *deadline) {
            break Ending::Overdue(deadline);
        }
        std::thread::sleep(if passed < SOON { POLL } else { POLL_LATER });
    };
    end_group(child, grace);
    Ok(ending)
}

/// Asks the group to end, then makes it. A group of which nothing is left is fine.
fn end_group(child: &mut Child, grace: Duration) {
    let group = Pid::from_child(child);
    if kill_process_group(group, Signal::TERM).is_ok() {
        let asked = Instant::now();
        let mut left = || {
            // The program itself is of its group until it is waited for.
            let _status = child.try_wait();
            test_kill_process_group(group).is_ok()
        };
        while asked.elapsed() < grace && left() {
            std::thread::sleep(POLL);
        }
        let _gone = kill_process_group(group, Signal::KILL);
    }
    let _reaped = child.wait();
}

/// Reads a pipe to its end on a thread of its own, so that the program never waits for us.
struct Reader {
    /// What the system calls the pipe.
    pipe: Option<PathBuf>,
    read: Arc<Mutex<Vec<u8>>>,
    /// Says nothing, and closes at the end of the pipe.
    end: Receiver<()>,
}

impl Reader {
    fn of<R: Read + AsRawFd + Send + 'static>(mut pipe: R) -> Self {
        let name = fs::read_link(format!("/proc/self/fd/{}", pipe.as_raw_fd())).ok();
        let read = Arc::new(Mutex::new(Vec::new()));
        let (open, end) = mpsc::channel::<()>();
        let filled = Arc::clone(&read);
        std::thread::spawn(move || {
            let _open = open;
            let mut chunk = [0; 16 << 10];
            loop {
                match pipe.read(&mut chunk) {
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                    // What was read before an error is all that the program has to say.
                    Ok(0) | Err(_) => break,
                    Ok(length) => {
                        filled.lock().expect("no reader panics").extend(&chunk[..length]);
                    }
                }
            }
        });
        Self { pipe: name, read, end }
    }

    /// What the program printed. A process that left the group may hold the pipe open for ever:
    /// it is ended as well, and what was read so far is all there is.
    fn text(self) -> String {
        if self.is_open() {
            self.pipe.iter().flat_map(|pipe| writers(pipe)).for_each(|pid| {
                let _gone = kill_process(pid, Signal::KILL);
            });
            let _closed = self.is_open();
        }
        String::from_utf8_lossy(&self.read.lock().expect("no reader panics")).into_owned()
    }

    fn is_open(&self) -> bool {
        self.end.recv_timeout(GRACE) == Err(RecvTimeoutError::Timeout)
    }
}

/// The processes that can write into the pipe.
fn writers(pipe: &Path) -> Vec<Pid> {
    let entries = |folder: PathBuf| fs::read_dir(folder).into_iter().flatten().flatten();
    let writes = |end: &Path| {
        let writable =
            fs::symlink_metadata(end).is_ok_and(|it| it.permissions().mode() & 0o200 != 0);
        writable && fs::read_link(end).is_ok_and(|name| name == pipe)
    };
    let pid = |process: fs::DirEntry| {
        let pid = Pid::from_raw(process.file_name().to_str()?.parse().ok()?)?;
        entries(process.path().join("fd")).any(|end| writes(&end.path())).then_some(pid)
    };
    let own = rustix::process::getpid();
    entries("/proc".into()).filter_map(pid).filter(|pid| *pid != own).collect()
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
mod tests;
