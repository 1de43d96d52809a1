//! A meter at work: the clock of one thread of a job, what counts by it, and when it is over.

use std::cell::Cell;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use bench_storage::files::job::{Done, Watch};

use super::meter::{Meter, WINDOW_NS};
use super::usage::{Used, process_cpu_ns};

/// When operations count.
#[derive(Clone, Copy, Debug, Default)]
pub struct Limits {
    /// Not those that end before this time has passed: `ramp_time`.
    pub ramp_ns: u64,
    /// None begins when this has passed after that: `runtime`.
    pub runtime_ns: Option<u64>,
}

/// What had been used when operations began to count.
#[derive(Clone, Copy, Debug)]
pub struct Baseline {
    /// By this thread.
    pub thread: Used,
    /// Of the processors, by all threads.
    pub process_ns: u64,
}

impl Baseline {
    /// Now, on this thread.
    pub fn now() -> Self {
        Self { thread: Used::by_this_thread(), process_ns: process_cpu_ns() }
    }
}

/// A meter with a clock, at work.
#[derive(Debug)]
pub struct Running<'a> {
    clock: Instant,
    began: bool,
    limits: Limits,
    /// When operations begin to count.
    counts_from: u64,
    end: u64,
    /// What had been used when they did.
    used: Option<Baseline>,
    window_end: u64,
    stop: &'a AtomicBool,
    /// Whether that has kept an operation from being begun.
    stopped: Cell<bool>,
    meter: Meter,
}

impl<'a> Running<'a> {
    /// Begins with the first look at the clock; over after its limits, or when `stop` is set.
    pub fn new(clock: Instant, limits: Limits, stop: &'a AtomicBool) -> Self {
        let meter = Meter::new();
        Self {
            clock,
            began: false,
            limits,
            counts_from: u64::MAX,
            end: u64::MAX,
            used: None,
            window_end: 0,
            stop,
            stopped: Cell::new(false),
            meter,
        }
    }

    /// What was kept, and what had been used when that began; `None` where none of it counted.
    pub fn finish(self) -> (Meter, Option<Baseline>) {
        (Meter { interrupted: self.stopped.get(), ..self.meter }, self.used)
    }

    fn elapsed_ns(&self) -> u64 {
        u64::try_from(self.clock.elapsed().as_nanos()).expect("centuries")
    }

    fn begin(&mut self) -> u64 {
        let Limits { ramp_ns, runtime_ns } = self.limits;
        // The system calls for it are not in the first operation's time.
        let used = (ramp_ns == 0).then(Baseline::now);
        let now = self.elapsed_ns();
        self.began = true;
        self.counts_from = now.saturating_add(ramp_ns);
        let end = |runtime| self.counts_from.saturating_add(runtime);
        self.end = runtime_ns.map_or(u64::MAX, end);
        if let Some(used) = used {
            self.count(used);
        }
        now
    }

    fn count(&mut self, used: Baseline) {
        self.used = Some(used);
        self.window_end = self.counts_from + WINDOW_NS;
        self.meter.span = Some((self.counts_from, self.counts_from));
    }

    fn close_windows(&mut self, now: u64) {
        while now >= self.window_end {
            for book in &mut self.meter.books {
                let window = std::mem::take(&mut book.window);
                book.windows.push(window);
            }
            self.window_end += WINDOW_NS;
        }
    }
}

impl Watch for Running<'_> {
    #[inline]
    fn now(&mut self) -> u64 {
        if self.began { self.elapsed_ns() } else { self.begin() }
    }

    #[inline]
    fn is_over(&self, now: u64) -> bool {
        if now >= self.end {
            return true;
        }
        let stopped = self.stop.load(Ordering::Relaxed);
        if stopped {
            self.stopped.set(true);
        }
        stopped
    }

    #[inline]
    fn submitted(&mut self, operations: usize, in_flight: usize) {
        if self.used.is_none() {
            return;
        }
        self.meter.submits.add(operations, 1);
        for depth in in_flight - operations..in_flight {
            self.meter.depths.add(depth + 1, 1);
        }
    }

    #[inline]
    fn reaped(&mut self, operations: usize) {
        if self.used.is_none() {
            return;
        }
        self.meter.completes.add(operations, 1);
    }

    #[inline]
    fn ended(&mut self, done: Done) {
        if self.used.is_none() {
            if done.ended < self.counts_from {
                return;
            }
            self.count(Baseline::now());
        }
        if done.ended >= self.window_end {
            self.close_windows(done.ended);
        }
        self.meter.books[done.kind as usize].add(&done);
        if let Some((_, last)) = &mut self.meter.span {
            *last = done.ended;
        }
    }
}

#[cfg(test)]
mod tests {
    use bench_storage::files::job::Kind;

    use super::*;

    const LONG: Limits = Limits { ramp_ns: 0, runtime_ns: Some(1_000_000_000_000) };
    const SHORT: Limits = Limits { ramp_ns: 0, runtime_ns: Some(1) };

    fn done(kind: Kind, bytes: usize, [began, queued, ended]: [u64; 3]) -> Done {
        Done { kind, bytes, began, queued, ended }
    }

    #[test]
    fn operations_are_booked_by_direction_window_and_depth() {
        let stop = AtomicBool::new(false);
        let mut running = Running::new(Instant::now(), Limits::default(), &stop);
        let start = running.now();
        running.submitted(3, 3);
        running.submitted(1, 20);
        let at = |times: [u64; 3]| times.map(|time| start + time);
        running.ended(done(Kind::Read, 4096, at([0, 10, 110])));
        running.ended(done(Kind::Read, 4096, at([0, 10, WINDOW_NS + 10])));
        running.ended(done(Kind::Sync, 0, at([5, 5, 3 * WINDOW_NS])));
        running.reaped(3);
        let meter = running.finish().0;
        let reads = meter.book(Kind::Read);
        assert_eq!((reads.bytes, reads.operations(), reads.submission.count), (8192, 2, 2));
        assert_eq!((reads.completion.min, reads.total.min), (100, 110));
        assert_eq!(reads.windows, [(4096, 1), (4096, 1), (0, 0)]);
        assert_eq!(meter.book(Kind::Sync).submission.count, 0, "a call");
        assert_eq!(meter.book(Kind::Write).operations(), 0);
        assert_eq!(meter.depths.0, [1, 2, 0, 0, 1, 0, 0]);
        assert_eq!((meter.submits.0[1], meter.completes.0[1]), (1, 1));
        assert_eq!(meter.elapsed_ns(), 3 * WINDOW_NS);
        let mut both = meter.clone();
        both.join(&meter);
        assert_eq!(both.book(Kind::Read).windows[0], (8192, 2));
        assert_eq!(both.elapsed_ns(), meter.elapsed_ns(), "at the same time");
    }

    #[test]
    fn it_is_over_after_its_time_or_when_told() {
        let stop = AtomicBool::new(false);
        let mut running = Running::new(Instant::now(), LONG, &stop);
        let now = running.now();
        assert!(!running.is_over(now) && running.is_over(now + 1_000_000_000_000));
        let stopped = AtomicBool::new(true);
        let running = Running::new(Instant::now(), SHORT, &stopped);
        assert!(running.is_over(u64::MAX), "its own time has come");
        assert!(!running.finish().0.interrupted);
        let mut running = Running::new(Instant::now(), Limits::default(), &stopped);
        let now = running.now();
        assert!(running.is_over(now));
        let (mut both, cut) = (Meter::new(), running.finish().0);
        both.join(&cut);
        assert!(cut.interrupted && both.interrupted);
    }

    #[test]
    fn what_ends_before_the_ramp_does_is_not_booked() {
        let stop = AtomicBool::new(false);
        let limits = Limits { ramp_ns: 1_000_000_000_000, runtime_ns: Some(500) };
        let mut running = Running::new(Instant::now(), limits, &stop);
        let counts_from = running.now() + limits.ramp_ns;
        running.submitted(1, 1);
        running.ended(done(Kind::Read, 4096, [0, 10, counts_from - 1]));
        running.reaped(1);
        assert!(!running.is_over(counts_from + 499), "the ramp is not of its time");
        running.ended(done(Kind::Read, 4096, [counts_from - 5, counts_from - 4, counts_from + 7]));
        running.submitted(1, 1);
        assert!(running.is_over(counts_from + 500));
        let (meter, used) = running.finish();
        assert!(used.is_some());
        assert_eq!((meter.book(Kind::Read).operations(), meter.elapsed_ns()), (1, 7));
        assert_eq!((meter.submits.0[0], meter.completes.0[0]), (1, 0));

        let mut early = Running::new(Instant::now(), limits, &stop);
        let now = early.now();
        early.ended(done(Kind::Read, 4096, [now, now, now + 1]));
        let (meter, used) = early.finish();
        assert!(used.is_none() && meter.book(Kind::Read).operations() == 0);
    }
}
