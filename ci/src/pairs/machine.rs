//! What the machine did while a round ran: whether it was suspended, and how much of its time
//! other machines took.

use rustix::time::{ClockId, clock_gettime};

/// The machine at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Moment {
    /// Nanoseconds that the clock which counts suspended time is ahead of the one that does not.
    suspended_ns: i128,
    /// Nanoseconds since the epoch less those of the monotonic clock: moves when the clock is set.
    set_ns: i128,
    /// Ticks of all processors that the hypervisor gave to others.
    steal_ticks: u64,
}

/// What happened between two moments.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Meanwhile {
    /// How long the machine was suspended.
    pub(crate) suspended_ns: u64,
    /// By how much the clock was set forwards or backwards.
    pub(crate) clock_set_ns: u64,
    /// Ticks (mostly 10 ms) that were stolen.
    pub(crate) steal_ticks: u64,
}

impl Moment {
    pub(crate) fn now() -> Self {
        let ns = |clock| {
            let time = clock_gettime(clock);
            i128::from(time.tv_sec) * 1_000_000_000 + i128::from(time.tv_nsec)
        };
        let monotonic = ns(ClockId::Monotonic);
        let stat = std::fs::read_to_string("/proc/stat").unwrap_or_default();
        Self {
            suspended_ns: ns(ClockId::Boottime) - monotonic,
            set_ns: ns(ClockId::Realtime) - monotonic,
            steal_ticks: steal_ticks(&stat),
        }
    }

    /// What happened since `earlier`.
    pub(crate) fn since(self, earlier: Self) -> Meanwhile {
        let moved = |now: i128, then: i128| u64::try_from((now - then).abs()).unwrap_or(u64::MAX);
        Meanwhile {
            suspended_ns: moved(self.suspended_ns, earlier.suspended_ns),
            clock_set_ns: moved(self.set_ns, earlier.set_ns),
            steal_ticks: self.steal_ticks.saturating_sub(earlier.steal_ticks),
        }
    }
}

/// The eighth number of the line of all processors, proc(5); 0 where there is none.
fn steal_ticks(stat: &str) -> u64 {
    let all = stat.lines().find_map(|line| line.strip_prefix("cpu "));
    all.and_then(|numbers| numbers.split_whitespace().nth(7)?.parse().ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steal_is_the_eighth_number() {
        assert_eq!(steal_ticks("cpu  1 2 3 4 5 6 7 42 9 10\ncpu0 1 1 1 1 1 1 1 1\n"), 42);
        assert_eq!(steal_ticks(""), 0);
    }

    #[test]
    fn suspension_and_a_clock_that_was_set_are_told_apart() {
        let before = Moment { suspended_ns: 5, set_ns: 100, steal_ticks: 7 };
        let slept = Moment { suspended_ns: 2_000_000_005, set_ns: 2_000_000_100, steal_ticks: 9 };
        let meanwhile = slept.since(before);
        assert_eq!((meanwhile.suspended_ns, meanwhile.steal_ticks), (2_000_000_000, 2));
        let set_back = Moment { set_ns: 40, ..before };
        let meanwhile = set_back.since(before);
        assert_eq!((meanwhile.suspended_ns, meanwhile.clock_set_ns), (0, 60));
    }
}
