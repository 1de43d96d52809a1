//! Waiting for sockets and for a time that is met to some microseconds.
//!
//! A sleep ends late, the deeper the processor sleeps the more: on a virtual machine by 50 to 300
//! microseconds, and by more when its host is busy. Most of a wait is therefore slept, with a timer
//! slack of one nanosecond, and the tail is spun: sockets are asked without waiting until the time has
//! come. The tail covers how late the last sleeps were: the longest is remembered, and each that is
//! less late takes a sixteenth of the difference from it. On a machine with one CPU nothing is spun,
//! because that would keep everybody else from running.

use std::num::NonZeroU64;
use std::os::fd::OwnedFd;

use rustix::event::{PollFd, PollFlags, Timespec, epoll, poll};
use rustix::io::Errno;

use bench_core::fixture::cpus;

/// The tail that is spun beside what sleeps were late.
const TAIL_NS: u64 = 60_000;
/// The most that a sleep counts as late: one that was stopped for longer is no measure of the next.
const LATE_NS_MAX: u64 = 1_000_000;
/// What part of the difference is forgotten with each sleep that was less late.
const FORGOTTEN: u64 = 16;

/// How the calling thread waits.
#[derive(Debug)]
pub(crate) struct Waiter {
    spins: bool,
    late_ns: u64,
}

impl Waiter {
    /// Sets the calling thread's timer slack to the least, where the system lets it.
    pub(crate) fn new() -> Self {
        // Not fatal: the spun tail covers the 50 microseconds of the ordinary slack.
        let _ = rustix::thread::set_current_timer_slack(NonZeroU64::new(1));
        Self { spins: cpus::available().is_ok_and(|cpus| cpus.len() > 1), late_ns: 0 }
    }

    /// Fills `events` with what the sockets have to say, at once if they have or if `until_ns` has
    /// passed, else when either comes. `None` waits for the sockets alone.
    pub(crate) fn wait(
        &mut self,
        epoll: &OwnedFd,
        events: &mut Vec<epoll::Event>,
        until_ns: Option<u64>,
        now: impl Fn() -> u64,
    ) -> Result<(), Errno> {
        let begin_ns = now();
        let left_ns = until_ns.map(|until_ns| until_ns.saturating_sub(begin_ns));
        let tail_ns = if self.spins { TAIL_NS + self.late_ns } else { 0 };
        let slept_ns = left_ns.map(|left_ns| left_ns.saturating_sub(tail_ns));
        if slept_ns != Some(0) {
            let timeout = slept_ns.map(|ns| Timespec {
                tv_sec: (ns / 1_000_000_000) as i64,
                tv_nsec: (ns % 1_000_000_000) as i64,
            });
            // `epoll_wait` counts in milliseconds; `ppoll` on the epoll counts in nanoseconds.
            match poll(&mut [PollFd::new(epoll, PollFlags::IN)], timeout.as_ref()) {
                Ok(0) => {
                    let woken_ns = begin_ns + slept_ns.unwrap_or(0);
                    self.late_ns = late_ns(self.late_ns, now().saturating_sub(woken_ns));
                }
                Ok(_) | Err(Errno::INTR) => (),
                Err(error) => return Err(error),
            }
        }
        loop {
            ready(epoll, events)?;
            if !events.is_empty() || until_ns.is_none_or(|until_ns| now() >= until_ns) {
                return Ok(());
            }
            if !self.spins {
                // The sleep ended early, if at all; the caller comes again.
                return Ok(());
            }
        }
    }
}

/// How late sleeps are by what was known and the last one.
fn late_ns(known_ns: u64, last_ns: u64) -> u64 {
    let last_ns = last_ns.min(LATE_NS_MAX);
    last_ns.max(known_ns - known_ns.saturating_sub(last_ns).div_ceil(FORGOTTEN))
}

/// What the sockets have to say now.
fn ready(epoll: &OwnedFd, events: &mut Vec<epoll::Event>) -> Result<(), Errno> {
    const NOW: Timespec = Timespec { tv_sec: 0, tv_nsec: 0 };
    events.clear();
    match epoll::wait(epoll, rustix::buffer::spare_capacity(events), Some(&NOW)) {
        Ok(_) | Err(Errno::INTR) => Ok(()),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use rustix::event::{EventfdFlags, eventfd};

    use super::*;

    fn watched() -> (OwnedFd, OwnedFd) {
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC).expect("epoll");
        let event = eventfd(0, EventfdFlags::CLOEXEC).expect("eventfd");
        let (data, flags) = (epoll::EventData::new_u64(7), epoll::EventFlags::IN);
        epoll::add(&epoll, &event, data, flags).expect("watch");
        (epoll, event)
    }

    #[test]
    fn a_time_is_never_met_early() {
        let ((epoll, _event), start) = (watched(), Instant::now());
        let now = || start.elapsed().as_nanos() as u64;
        let mut waiter = Waiter::new();
        for wait_us in [0, 10, 100, 700, 3_000] {
            let mut events = Vec::with_capacity(8);
            let until_ns = now() + wait_us * 1_000;
            while now() < until_ns {
                waiter.wait(&epoll, &mut events, Some(until_ns), now).expect("wait");
                assert!(events.is_empty());
                assert!(now() >= until_ns || !waiter.spins);
            }
        }
    }

    #[test]
    fn an_event_ends_the_wait() {
        let ((epoll, event), start) = (watched(), Instant::now());
        rustix::io::write(&event, &1_u64.to_ne_bytes()).expect("write");
        let mut events = Vec::with_capacity(8);
        let now = || start.elapsed().as_nanos() as u64;
        for until_ns in [None, Some(u64::MAX)] {
            Waiter::new().wait(&epoll, &mut events, until_ns, now).expect("wait");
            assert_eq!(events.len(), 1);
            assert_eq!(events[0].data.u64(), 7);
        }
        assert!(start.elapsed() < Duration::from_secs(60));
    }

    #[test]
    fn the_tail_follows_how_late_sleeps_are_and_is_bounded() {
        assert_eq!(late_ns(0, 150_000), 150_000, "a sleep that is later counts at once");
        assert_eq!(late_ns(160_000, 0), 150_000, "one that is not lets a part of it be forgotten");
        assert_eq!(late_ns(0, 90_000_000), LATE_NS_MAX, "a machine that stood still is no measure");
        let settled = (0..200).fold(LATE_NS_MAX, |known, _| late_ns(known, 70_000));
        assert_eq!(settled, 70_000);
    }
}
