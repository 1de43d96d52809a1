//! What the two ends of a connection use: processor time by thread, page faults, peak memory. A
//! [`Meter`] reads before and after; the differences are what happened in between.
//!
//! Not read: what other processes do on our behalf, and the kernel's own threads, which for a
//! loopback socket do next to nothing. Threads that ended between two readings are missing in the
//! times by thread and in those of another process, not in the total of this one.
//!
//! A reading takes time and memory of its own. What is said to be used leaves it out: the total and
//! the faults are read last before and first after.

use std::fs;
use std::path::{Path, PathBuf};

use rustix::time::{ClockId, clock_gettime};

use super::watch;

/// What was used. `None` is what this kernel does not tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Usage {
    /// Nanoseconds on a processor, user and system, of all threads of this process, and of the
    /// other side where it is another process; `None` where that one's are not known. Without the
    /// threads that were set aside.
    pub cpu_ns: Option<u64>,
    /// The other side's part of `cpu_ns`.
    pub other_cpu_ns: Option<u64>,
    /// Page faults of this process, minor and major.
    pub faults: Option<u64>,
    /// Those of the other side, where it is another process.
    pub other_faults: Option<u64>,
    /// Resident memory of this process.
    pub memory: Option<Memory>,
    /// That of the other side, where it is another process.
    pub other_memory: Option<Memory>,
}

/// Resident memory while something ran: what it took is the difference.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Memory {
    /// What was resident when it began, in bytes.
    pub before_bytes: u64,
    /// The most that was resident, in bytes.
    pub peak_bytes: u64,
}

/// Where the other side of a connection runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Other {
    /// On threads of this process whose names begin so.
    Threads(&'static str),
    /// In the process of this id.
    Process(u32),
    /// On our own threads, or out of sight.
    Unknown,
}

/// Running, from [`Meter::start`] to [`Meter::stop`].
#[must_use = "what was used is told by stopping it"]
#[derive(Clone, Debug)]
pub struct Meter {
    other: Other,
    aside: Option<&'static str>,
    memory: Option<u64>,
    other_memory: Option<u64>,
    before: Reading,
}

/// Counters since the start of a process.
#[derive(Clone, Copy, Debug, Default)]
struct Reading {
    cpu_ns: u64,
    other_cpu_ns: Option<u64>,
    aside_cpu_ns: Option<u64>,
    faults: Option<u64>,
    other_faults: Option<u64>,
}

impl Meter {
    /// Begins. Threads of this process whose names begin with `aside` belong to neither side, as
    /// those of an emulated link; nor does that of a watch (`measure::watch`).
    pub fn start(other: Other, aside: Option<&'static str>) -> Self {
        let memory = restart_peak(Path::new("/proc/self"));
        let other_memory = process(other).and_then(|folder| restart_peak(&folder));
        let mut before = Reading::default();
        before.read_others(other, aside);
        before.read_own();
        Self { other, aside, memory, other_memory, before }
    }

    /// What was used since.
    pub fn stop(self) -> Usage {
        let mut after = Reading::default();
        after.read_own();
        after.read_others(self.other, self.aside);
        let memory = |folder: &Path, before: Option<u64>| {
            let (before_bytes, peak_bytes) = (before?, status_bytes(folder, "VmHWM:")?);
            Some(Memory { before_bytes, peak_bytes })
        };
        Usage {
            memory: memory(Path::new("/proc/self"), self.memory),
            other_memory: process(self.other).and_then(|it| memory(&it, self.other_memory)),
            ..after.since(self.before, self.other)
        }
    }
}

impl Reading {
    fn read_own(&mut self) {
        self.faults = stat_faults(Path::new("/proc/self"));
        let time = clock_gettime(ClockId::ProcessCPUTime);
        self.cpu_ns = time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64;
    }

    fn read_others(&mut self, other: Other, aside: Option<&str>) {
        let own = Path::new("/proc/self/task");
        let aside = [aside, Some(watch::THREAD)].into_iter().flatten();
        self.aside_cpu_ns =
            aside.filter_map(|name| threads_cpu_ns(own, name)).reduce(|sum, ns| sum + ns);
        self.other_cpu_ns = match other {
            Other::Threads(name) => threads_cpu_ns(own, name),
            Other::Process(_) | Other::Unknown => None,
        };
        if let Some(folder) = process(other) {
            self.other_cpu_ns = threads_cpu_ns(&folder.join("task"), "");
            self.other_faults = stat_faults(&folder);
        }
    }

    /// The differences; memory is no difference of these.
    fn since(self, before: Self, other: Other) -> Usage {
        let of = |now: Option<u64>, then: Option<u64>| Some(now?.saturating_sub(then?));
        let other_cpu_ns = of(self.other_cpu_ns, before.other_cpu_ns);
        let aside = of(self.aside_cpu_ns, before.aside_cpu_ns).unwrap_or_default();
        let own = self.cpu_ns.saturating_sub(before.cpu_ns).saturating_sub(aside);
        Usage {
            cpu_ns: match other {
                Other::Process(_) => other_cpu_ns.map(|other| own + other),
                Other::Threads(_) | Other::Unknown => Some(own),
            },
            other_cpu_ns,
            faults: of(self.faults, before.faults),
            other_faults: of(self.other_faults, before.other_faults),
            memory: None,
            other_memory: None,
        }
    }
}

/// What is resident of this process, in bytes; `None` where the kernel does not tell.
pub fn resident_bytes() -> Option<u64> {
    status_bytes(Path::new("/proc/self"), "VmRSS:")
}

fn process(other: Other) -> Option<PathBuf> {
    match other {
        Other::Process(id) => Some(PathBuf::from(format!("/proc/{id}"))),
        Other::Threads(_) | Other::Unknown => None,
    }
}

/// Lets the peak begin anew with what is resident now, which it returns; `None` where the kernel
/// does not allow it, and a peak would be that of something before.
fn restart_peak(folder: &Path) -> Option<u64> {
    fs::write(folder.join("clear_refs"), "5").ok()?;
    status_bytes(folder, "VmRSS:")
}

/// A line of `status` that ends in `kB`, in bytes.
fn status_bytes(folder: &Path, name: &str) -> Option<u64> {
    let status = fs::read_to_string(folder.join("status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix(name))?;
    Some(line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()? * 1024)
}

/// The time on a processor of the threads whose name begins so; `None` where there is none. One
/// that ends while it is read is none.
fn threads_cpu_ns(folder: &Path, name: &str) -> Option<u64> {
    let mut sum = None;
    for task in fs::read_dir(folder).ok()?.flatten() {
        let read = |file: &str| fs::read_to_string(task.path().join(file)).ok();
        if !read("comm").is_some_and(|comm| comm.starts_with(name)) {
            continue;
        }
        let stat = read("schedstat");
        let first = stat.as_deref().and_then(|stat| stat.split_whitespace().next()?.parse().ok());
        let Some(ns): Option<u64> = first else { continue };
        *sum.get_or_insert(0) += ns;
    }
    sum
}

fn stat_faults(folder: &Path) -> Option<u64> {
    faults(&fs::read_to_string(folder.join("stat")).ok()?)
}

/// Minor and major faults: the 10th and 12th field of `stat`, counted behind the name, which may
/// hold anything.
fn faults(stat: &str) -> Option<u64> {
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace().skip(7);
    let minor: u64 = fields.next()?.parse().ok()?;
    let major: u64 = fields.nth(1)?.parse().ok()?;
    Some(minor + major)
}

#[cfg(test)]
mod tests {
    use std::hint::black_box;
    use std::sync::mpsc;
    use std::time::{Duration, Instant};

    use super::*;

    fn spin(time: Duration) {
        let start = Instant::now();
        while start.elapsed() < time {
            black_box(0);
        }
    }

    #[test]
    fn the_time_of_a_named_thread_is_told_from_ours() {
        let (tell, ready) = mpsc::channel();
        let (go, told_to) = mpsc::channel();
        let (spun, started) = mpsc::channel();
        let (done, stop) = mpsc::channel::<()>();
        let body = move || {
            tell.send(()).expect("somebody waits");
            told_to.recv().expect("somebody says so");
            spin(Duration::from_millis(50));
            spun.send(()).expect("somebody waits");
            let _ended = stop.recv();
        };
        let thread = std::thread::Builder::new().name("usage-spin-1".into()).spawn(body);
        let thread = thread.expect("it starts");
        ready.recv().expect("it runs");
        let (told, aside) = (Other::Threads("usage-spin"), Some("usage-spin"));
        // One within the other: what the tests beside this one use, both see, or the outer alone.
        let outer = Meter::start(told, None);
        let inner = Meter::start(Other::Unknown, aside);
        go.send(()).expect("it waits");
        started.recv().expect("it spins");
        let apart = inner.stop();
        let named = outer.stop();
        drop(done);
        thread.join().expect("it ends");
        let spun = named.other_cpu_ns.expect("this kernel has schedstat");
        // It may have waited for a processor; it can't have used more than passed.
        assert!(spun > 0 && Some(spun) <= named.cpu_ns, "{named:?}");
        assert!(apart.cpu_ns < named.cpu_ns, "{apart:?} {named:?}");
        assert_eq!(apart.other_cpu_ns, None);
    }

    #[test]
    fn touching_fresh_memory_faults_and_raises_the_peak() {
        // Our own process, seen as if it were another one, too.
        let meter = Meter::start(Other::Process(std::process::id()), None);
        let resident = resident_bytes().expect("Linux tells");
        let memory = black_box(vec![1_u8; 64 << 20]);
        assert!(resident_bytes().expect("Linux tells") >= resident + (32 << 20));
        let used = meter.stop();
        // A page is 4 KiB or, with huge pages, 2 MiB.
        for faults in [used.faults, used.other_faults] {
            assert!(faults.expect("Linux tells") >= 32, "{used:?}");
        }
        assert!(used.cpu_ns > used.other_cpu_ns && used.other_cpu_ns.is_some(), "{used:?}");
        for took in [used.memory, used.other_memory].into_iter().flatten() {
            assert!(took.peak_bytes >= took.before_bytes + (32 << 20), "{took:?}");
        }
        drop(memory);
    }

    #[test]
    fn what_nobody_tells_is_not_nothing() {
        let before = Reading { cpu_ns: 10, aside_cpu_ns: Some(1), ..Reading::default() };
        let after = Reading { cpu_ns: 50, aside_cpu_ns: Some(6), ..before };
        let of = |other| after.since(before, other);
        assert_eq!(of(Other::Unknown).cpu_ns, Some(35), "without what was set aside");
        assert_eq!(of(Other::Process(1)).cpu_ns, None, "the total lacks the other side's part");
        let (before, after) = (
            Reading { other_cpu_ns: Some(100), ..before },
            Reading { other_cpu_ns: Some(107), ..after },
        );
        assert_eq!(after.since(before, Other::Process(1)).cpu_ns, Some(42));
        assert_eq!(after.since(before, Other::Threads("x")).cpu_ns, Some(35), "part of the total");
        assert_eq!(after.since(before, Other::Threads("x")).faults, None);
    }

    #[test]
    fn a_thread_that_vanished_is_skipped_and_no_peak_is_that_of_before() {
        let folder = tempfile::tempdir().expect("a folder");
        for (id, files) in [
            ("1", [("comm", "work\n"), ("schedstat", "5 1 1\n")].as_slice()),
            ("2", &[("comm", "work\n")]),
            ("3", &[]),
        ] {
            let task = folder.path().join(id);
            fs::create_dir(&task).expect("made");
            for (name, text) in files {
                fs::write(task.join(name), text).expect("written");
            }
        }
        assert_eq!(threads_cpu_ns(folder.path(), "work"), Some(5));
        assert_eq!(threads_cpu_ns(folder.path(), "other"), None);
        // A kernel that has nothing to write to, and one that tells nothing.
        assert_eq!(restart_peak(&folder.path().join("none")), None);
        assert_eq!(status_bytes(folder.path(), "VmHWM:"), None);
        fs::write(folder.path().join("status"), "VmHWM:\t  12 kB\n").expect("written");
        assert_eq!(status_bytes(folder.path(), "VmHWM:"), Some(12 << 10));
    }

    #[test]
    fn a_name_with_brackets_and_blanks_does_not_shift_the_fields() {
        let stat = "12 (a) b) (c) S 1 2 3 4 5 6 70 8 9 10 11";
        assert_eq!(faults(stat), Some(79));
        assert_eq!(faults("12 (a) S 1 2"), None);
        assert_eq!(faults(""), None);
    }
}
