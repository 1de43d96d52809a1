//! The time that a delayed source waits for and that a prefetcher adapts to: the machine's, or one
//! that passes only when somebody sleeps, so that a test of minutes is over at once and comes out
//! the same every time.

use std::fmt;
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// Something that time passes on. Readings count from a moment of the clock's own choice and never
/// go back.
pub trait Clock: fmt::Debug + Send + Sync {
    /// The time now.
    fn now(&self) -> Duration;

    /// Returns when it is `moment`, at once if that is over.
    fn sleep_until(&self, moment: Duration);
}

/// The machine's monotonic clock. A sleep ends some tens of microseconds late, as the kernel's
/// timers have it.
#[derive(Clone, Copy, Debug)]
pub struct MonotonicClock {
    start: Instant,
}

impl MonotonicClock {
    /// A clock that reads zero now.
    pub fn start() -> Self {
        Self { start: Instant::now() }
    }
}

impl Clock for MonotonicClock {
    fn now(&self) -> Duration {
        self.start.elapsed()
    }

    fn sleep_until(&self, moment: Duration) {
        if let Some(left) = moment.checked_sub(self.now()) {
            thread::sleep(left);
        }
    }
}

/// A clock on which only sleeping takes time.
///
/// It is one time line for whoever sleeps on it: two threads that sleep at once each move it on, so
/// that waits of theirs which would overlap in real time may add up. For one thread it is exact.
#[derive(Debug, Default)]
pub struct VirtualClock {
    now: Mutex<Duration>,
}

impl Clock for VirtualClock {
    fn now(&self) -> Duration {
        *self.now.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn sleep_until(&self, moment: Duration) {
        let mut now = self.now.lock().unwrap_or_else(PoisonError::into_inner);
        *now = moment.max(*now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What every clock does.
    fn conforms(clock: &dyn Clock) {
        let before = clock.now();
        clock.sleep_until(before + Duration::from_millis(3));
        let after = clock.now();
        assert!(after >= before + Duration::from_millis(3), "{clock:?} woke early");
        clock.sleep_until(before);
        assert!(clock.now() >= after, "{clock:?} went back");
    }

    #[test]
    fn both_clocks_conform() {
        conforms(&MonotonicClock::start());
        conforms(&VirtualClock::default());
    }

    #[test]
    fn an_hour_of_virtual_time_is_exact_and_over_at_once() {
        let clock = VirtualClock::default();
        let hour = Duration::from_secs(3600);
        clock.sleep_until(hour);
        assert_eq!(clock.now(), hour);
    }
}
