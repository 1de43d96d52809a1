//! What a thread used, as the kernel tells it of each: processor time, context switches, page
//! faults. Two system calls, before and after the work, inside of what others may measure of it.

use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeValLike;
use rustix::time::{ClockId, clock_gettime};

/// Counters of a thread since it began, or their differences.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Used {
    /// Nanoseconds on a processor.
    pub cpu_ns: u64,
    /// Microseconds in user space and in the kernel, as `getrusage(2)` divides them; the time itself
    /// is exact only above.
    pub divided_us: (u64, u64),
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
        let cpu_ns = cpu_ns(ClockId::ThreadCPUTime);
        let Ok(usage) = getrusage(UsageWho::RUSAGE_THREAD) else {
            return Self { cpu_ns, ..Self::default() };
        };
        let whole = |count: i64| u64::try_from(count).unwrap_or(0);
        Self {
            cpu_ns,
            divided_us: (
                whole(usage.user_time().num_microseconds()),
                whole(usage.system_time().num_microseconds()),
            ),
            switches: whole(usage.voluntary_context_switches())
                + whole(usage.involuntary_context_switches()),
            major_faults: whole(usage.major_page_faults()),
            minor_faults: whole(usage.minor_page_faults()),
        }
    }

    /// What came since.
    pub const fn since(self, before: Self) -> Self {
        Self {
            cpu_ns: self.cpu_ns.saturating_sub(before.cpu_ns),
            divided_us: (
                self.divided_us.0.saturating_sub(before.divided_us.0),
                self.divided_us.1.saturating_sub(before.divided_us.1),
            ),
            switches: self.switches.saturating_sub(before.switches),
            major_faults: self.major_faults.saturating_sub(before.major_faults),
            minor_faults: self.minor_faults.saturating_sub(before.minor_faults),
        }
    }

    /// Of two threads.
    pub fn join(&mut self, other: Self) {
        let (user, system) = other.divided_us;
        self.cpu_ns += other.cpu_ns;
        self.divided_us = (self.divided_us.0 + user, self.divided_us.1 + system);
        self.switches += other.switches;
        self.major_faults += other.major_faults;
        self.minor_faults += other.minor_faults;
    }

    /// The share of the time that was spent in user space. The kernel divides by ticks of some
    /// milliseconds: of a short run it is coarse, and all of it where no tick fell into the kernel,
    /// as the kernel itself has it.
    pub fn user_share(self) -> f64 {
        let (user, system) = self.divided_us;
        if user + system == 0 { 1.0 } else { user as f64 / (user + system) as f64 }
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

#[cfg(test)]
mod tests {
    use std::hint::black_box;
    use std::thread;
    use std::time::Duration;

    use bench_core::fixture::BufferPool;
    use bench_core::units::ByteSize;
    use bytes::BufMut;

    use super::*;

    #[test]
    fn work_faults_and_sleep_are_seen() {
        // Fresh from the kernel; a vector may lie where another test freed one.
        let size = ByteSize::mib(8);
        let pool = BufferPool::builder(size).class(size).build().expect("sound");
        let before = Used::by_this_thread();
        let mut memory = pool.try_acquire(size).expect("the first");
        memory.put_bytes(1, size.len());
        thread::sleep(Duration::from_millis(1));
        let used = Used::by_this_thread().since(before);
        assert!(used.cpu_ns > 0 && process_cpu_ns() >= used.cpu_ns);
        // A page is 4 KiB or, with huge pages, 2 MiB.
        assert!(used.minor_faults >= 4 && used.switches >= 1, "{used:?}");
        assert!(black_box(&memory).iter().all(|&byte| byte == 1));
        let mut two = used;
        two.join(used);
        assert_eq!(two.cpu_ns, 2 * used.cpu_ns);
    }

    #[test]
    fn time_is_divided_as_the_kernel_says_and_never_all_the_kernels_for_want_of_a_tick() {
        let of = |divided_us| Used { divided_us, ..Used::default() }.user_share();
        assert_eq!((of((1, 3)), of((0, 5)), of((0, 0))), (0.25, 0.0, 1.0));
        let before = Used::by_this_thread();
        while Used::by_this_thread().since(before).cpu_ns < 100_000_000 {
            black_box((0..1000_u64).fold(1, |all: u64, n| all.wrapping_mul(31).wrapping_add(n)));
        }
        let used = Used::by_this_thread().since(before);
        let (user, system) = used.divided_us;
        // Both clocks tell the same time, but for what passed between two calls.
        assert!((user + system).abs_diff(used.cpu_ns / 1000) < 50_000, "{used:?}");
    }
}
