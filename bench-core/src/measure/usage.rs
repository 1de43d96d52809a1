//! What this process uses: processor time by thread, page faults, peak memory. Differences of two
//! readings are what happened in between.
//!
//! Not read: what other processes do on our behalf, and the kernel's own threads, which for a
//! loopback socket do next to nothing. Threads that ended between two readings are missing in the
//! times by thread, not in the total.

use std::fs;

use rustix::time::{ClockId, clock_gettime};

/// One reading. `None` is what this kernel does not tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Usage {
    /// Nanoseconds on a processor, of all threads, user and system.
    pub cpu_ns: u64,
    /// What the other side of a connection had of a processor: part of `cpu_ns` where it is threads
    /// of this process, and beside it where it is another one.
    pub other_cpu_ns: Option<u64>,
    /// Page faults, minor and major.
    pub faults: Option<u64>,
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

impl Usage {
    /// Reads it now.
    pub fn now(other: Other) -> Self {
        let time = clock_gettime(ClockId::ProcessCPUTime);
        Self {
            cpu_ns: time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64,
            other_cpu_ns: match other {
                Other::Threads(name) => threads_cpu_ns("/proc/self/task", name),
                Other::Process(id) => threads_cpu_ns(&format!("/proc/{id}/task"), ""),
                Other::Unknown => None,
            },
            faults: fs::read_to_string("/proc/self/stat").ok().as_deref().and_then(faults),
        }
    }

    /// What was used since an earlier reading.
    #[must_use]
    pub fn since(self, earlier: Self) -> Self {
        let of = |now: Option<u64>, then: Option<u64>| Some(now?.saturating_sub(then?));
        Self {
            cpu_ns: self.cpu_ns.saturating_sub(earlier.cpu_ns),
            other_cpu_ns: of(self.other_cpu_ns, earlier.other_cpu_ns),
            faults: of(self.faults, earlier.faults),
        }
    }
}

/// The largest resident memory since the start of the process or since [`reset_peak`], in bytes.
pub fn peak_bytes() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    Some(line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()? * 1024)
}

/// Lets [`peak_bytes`] begin anew with what is resident now; whether the kernel allows it.
pub fn reset_peak() -> bool {
    fs::write("/proc/self/clear_refs", "5").is_ok()
}

/// The time on a processor of the threads whose name begins so; `None` where there is none.
fn threads_cpu_ns(folder: &str, name: &str) -> Option<u64> {
    let tasks = fs::read_dir(folder).ok()?;
    let mut sum = None;
    for task in tasks.flatten() {
        let read = |file: &str| fs::read_to_string(task.path().join(file)).unwrap_or_default();
        if read("comm").starts_with(name) {
            let ns: u64 = read("schedstat").split_whitespace().next()?.parse().ok()?;
            *sum.get_or_insert(0) += ns;
        }
    }
    sum
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
        let (go, started) = mpsc::channel();
        let (done, stop) = mpsc::channel::<()>();
        let body = move || {
            spin(Duration::from_millis(50));
            go.send(()).expect("somebody waits");
            let _ended = stop.recv();
        };
        let before = Usage::now(Other::Threads("usage-spin"));
        let thread = std::thread::Builder::new().name("usage-spin-1".into()).spawn(body);
        started.recv().expect("it spins");
        let after = Usage::now(Other::Threads("usage-spin"));
        drop(done);
        thread.expect("it starts").join().expect("it ends");
        assert_eq!(before.other_cpu_ns, None, "there was no such thread");
        let named = after.other_cpu_ns.expect("this kernel has schedstat");
        // It may have waited for a processor; it can't have used more than passed.
        assert!(named > 0 && named <= after.since(before).cpu_ns, "{named} {after:?}");
    }

    #[test]
    fn touching_fresh_memory_faults_and_raises_the_peak() {
        let before = Usage::now(Other::Unknown);
        let resets = reset_peak();
        let low = peak_bytes().expect("Linux tells");
        let memory = black_box(vec![1_u8; 64 << 20]);
        let used = Usage::now(Other::Unknown).since(before);
        let own = Usage::now(Other::Process(std::process::id())).other_cpu_ns;
        assert!(own.expect("we run") > 0, "our own process is one, too");
        // A page is 4 KiB or, with huge pages, 2 MiB.
        assert!(used.faults.expect("Linux tells") >= 32, "{used:?}");
        let high = peak_bytes().expect("Linux tells");
        assert!(!resets || high >= low + (32 << 20), "{low} {high}");
        drop(memory);
    }

    #[test]
    fn a_name_with_brackets_and_blanks_does_not_shift_the_fields() {
        let stat = "12 (a) b) (c) S 1 2 3 4 5 6 70 8 9 10 11";
        assert_eq!(faults(stat), Some(79));
        assert_eq!(faults("12 (a) S 1 2"), None);
        assert_eq!(faults(""), None);
    }
}
