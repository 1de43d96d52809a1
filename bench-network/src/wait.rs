//! Waiting for sockets and for a time that is met to some microseconds.
//!
//! A sleep ends late: by 50 microseconds after half a millisecond, by 200 after 90 (measured on a
//! virtual machine: the deeper the processor sleeps, the longer it takes to wake). Most of a wait
//! is therefore slept, with a timer slack of one nanosecond, and the tail is spun: sockets are
//! asked without waiting until the time has come. On a machine with one CPU nothing is spun, because
//! that would keep everybody else from running.

use std::num::NonZeroU64;
use std::os::fd::OwnedFd;

use rustix::event::{PollFd, PollFlags, Timespec, epoll, poll};
use rustix::io::Errno;

use bench_core::fixture::cpus;

/// The tail that is spun: this much, and a part of the whole wait, and never more than the last.
const TAIL_NS: u64 = 60_000;
const TAIL_PART: u64 = 200;
const TAIL_NS_MAX: u64 = 300_000;

/// How the calling thread waits.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Waiter {
    spins: bool,
}

impl Waiter {
    /// Sets the calling thread's timer slack to the least, where the system lets it.
    pub(crate) fn new() -> Self {
        // Not fatal: the spun tail covers the 50 microseconds of the ordinary slack.
        let _ = rustix::thread::set_current_timer_slack(NonZeroU64::new(1));
        Self { spins: cpus::available().is_ok_and(|cpus| cpus.len() > 1) }
    }

    /// Fills `events` with what the sockets have to say, at once if they have or if `until_ns` has
    /// passed, else when either comes. `None` waits for the sockets alone.
    pub(crate) fn wait(
        self,
        epoll: &OwnedFd,
        events: &mut Vec<epoll::Event>,
        until_ns: Option<u64>,
        now: impl Fn() -> u64,
    ) -> Result<(), Errno> {
        let left_ns = until_ns.map(|until_ns| until_ns.saturating_sub(now()));
        let tail_ns = left_ns.filter(|_| self.spins).map_or(0, tail_ns);
        let slept_ns = left_ns.map(|left_ns| left_ns.saturating_sub(tail_ns));
        if slept_ns != Some(0) {
            let timeout = slept_ns.map(|ns| Timespec {
                tv_sec: (ns / 1_000_000_000) as i64,
                tv_nsec: (ns % 1_000_000_000) as i64,
            });
            // `epoll_wait` counts in milliseconds; `ppoll` on the epoll counts in nanoseconds.
            match poll(&mut [PollFd::new(epoll, PollFlags::IN)], timeout.as_ref()) {
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

fn tail_ns(left_ns: u64) -> u64 {
    (TAIL_NS + left_ns / TAIL_PART).min(TAIL_NS_MAX).min(left_ns)
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
        let waiter = Waiter::new();
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
    fn the_tail_is_a_part_of_the_wait_and_bounded() {
        assert_eq!([0, 30_000, 100_000].map(tail_ns), [0, 30_000, 60_500]);
        assert_eq!([25_000_000, 90_000_000_000].map(tail_ns), [185_000, 300_000]);
    }
}
