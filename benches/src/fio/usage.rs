//! What a thread used, as the kernel tells it of each: processor time, context switches, page
//! faults. Read before and after the clock, never inside.

use std::fs;

use rustix::time::{ClockId, clock_gettime};

/// Counters of a thread since it began, or their differences.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Used {
    /// Nanoseconds on a processor.
    pub cpu_ns: u64,
    /// Ticks in user space and in the kernel: by these the time is divided.
    pub ticks: (u64, u64),
    /// Context switches.
    pub switches: u64,
    /// Page faults that needed the disk.
    pub major_faults: u64,
    /// Those that did not.
    pub minor_faults: u64,
}

impl Used {
    /// Of the calling thread so far. What the kernel does not tell is 0.
    pub fn by_this_thread() -> Self {
        let read = |name: &str| {
            fs::read_to_string(format!("/proc/thread-self/{name}")).unwrap_or_default()
        };
        let (stat, status) = (read("stat"), read("status"));
        let field = |number: usize| stat_field(&stat, number);
        Self {
            cpu_ns: cpu_ns(ClockId::ThreadCPUTime),
            ticks: (field(14), field(15)),
            switches: switches(&status),
            major_faults: field(12),
            minor_faults: field(10),
        }
    }

    /// What came since.
    pub const fn since(self, before: Self) -> Self {
        Self {
            cpu_ns: self.cpu_ns.saturating_sub(before.cpu_ns),
            ticks: (
                self.ticks.0.saturating_sub(before.ticks.0),
                self.ticks.1.saturating_sub(before.ticks.1),
            ),
            switches: self.switches.saturating_sub(before.switches),
            major_faults: self.major_faults.saturating_sub(before.major_faults),
            minor_faults: self.minor_faults.saturating_sub(before.minor_faults),
        }
    }

    /// Of two threads.
    pub fn join(&mut self, other: Self) {
        self.cpu_ns += other.cpu_ns;
        self.ticks = (self.ticks.0 + other.ticks.0, self.ticks.1 + other.ticks.1);
        self.switches += other.switches;
        self.major_faults += other.major_faults;
        self.minor_faults += other.minor_faults;
    }

    /// The share of the time that was spent in user space. A tick is ten milliseconds: of a short
    /// run it is coarse, and 0 where there was none.
    pub fn user_share(self) -> f64 {
        let (user, system) = self.ticks;
        if user + system == 0 { 0.0 } else { user as f64 / (user + system) as f64 }
    }
}

/// Processor time of all threads of this process: with those that an engine keeps for itself.
pub fn process_cpu_ns() -> u64 {
    cpu_ns(ClockId::ProcessCPUTime)
}

fn cpu_ns(clock: ClockId) -> u64 {
    let time = clock_gettime(clock);
    time.tv_sec.unsigned_abs() * 1_000_000_000 + time.tv_nsec.unsigned_abs()
}

/// A field of `/proc/<id>/stat`, by its number in proc(5). The name, the second, may hold anything.
fn stat_field(stat: &str, number: usize) -> u64 {
    let rest = stat.rsplit_once(')').map_or("", |(_, rest)| rest);
    rest.split_whitespace().nth(number - 3).and_then(|field| field.parse().ok()).unwrap_or(0)
}

fn switches(status: &str) -> u64 {
    let of = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name));
        line.and_then(|rest| rest.trim().parse::<u64>().ok()).unwrap_or(0)
    };
    of("voluntary_ctxt_switches:") + of("nonvoluntary_ctxt_switches:")
}

#[cfg(test)]
mod tests {
    use std::hint::black_box;
    use std::thread;
    use std::time::Duration;

    use super::*;

    #[test]
    fn work_faults_and_sleep_are_seen() {
        let before = Used::by_this_thread();
        let memory = black_box(vec![1_u8; 8 << 20]);
        thread::sleep(Duration::from_millis(1));
        let used = Used::by_this_thread().since(before);
        assert!(used.cpu_ns > 0 && process_cpu_ns() >= used.cpu_ns);
        // A page is 4 KiB or, with huge pages, 2 MiB.
        assert!(used.minor_faults >= 4 && used.switches >= 1, "{used:?}");
        drop(memory);
        let mut two = used;
        two.join(used);
        assert_eq!(two.cpu_ns, 2 * used.cpu_ns);
    }

    #[test]
    fn fields_are_found_behind_any_name() {
        let stat = "12 (a) b) (c) S 1 2 3 4 5 6 70 8 9 10 11 12";
        assert_eq!((stat_field(stat, 10), stat_field(stat, 14), stat_field("", 14)), (70, 11, 0));
        assert_eq!(switches("voluntary_ctxt_switches:\t5\nnonvoluntary_ctxt_switches:\t2\n"), 7);
        assert_eq!(Used { ticks: (1, 3), ..Used::default() }.user_share(), 0.25);
        assert_eq!(Used::default().user_share(), 0.0);
    }
}
