//! Threads that want the processors.
//!
//! Each burns so much of the time that its share of a processor is what was asked for, as its own
//! clock of processor time says, and sleeps otherwise. What it really got is read from elsewhere, from
//! the scheduler's accounts in `/proc/self/task/*/schedstat`, and so is how long it waited for a
//! processor while it wanted one: where more is asked for than the machine has, all of the lack is
//! waiting, and the overload is shown by that.
//!
//! The threads are not pinned and have ordinary priority. They burn registers, not caches or memory
//! bandwidth.

use std::fs;
use std::hint::black_box;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use bench_core::fixture::cpus;
use rustix::thread::gettid;
use rustix::time::{ClockId, clock_gettime};

use super::{FaultError, Proof, absurd, not_shown};
use crate::error::Error;

/// What the threads are called, so that their time can be told from that of the service.
pub const THREAD: &str = "cpu-overload";

/// More than one process needs to overload any machine.
const THREADS_MAX: usize = 1024;
/// How long a thread burns before it looks at the time.
const BURN: Duration = Duration::from_micros(200);
/// How long a thread that has had its share sleeps at least and at most, so that it neither does nothing but
/// look at the time nor overlooks that it has to end.
const SLEEP: (Duration, Duration) = (Duration::from_micros(500), Duration::from_millis(10));
/// Before that nothing can be said: the accounts of a running thread are a tick of the scheduler old.
const TIME_MIN: Duration = Duration::from_millis(100);
/// By how much a share may differ from what was asked for.
const TOLERANCE: f64 = 0.05;

/// So many threads that each want so much of a processor. Dropping it ends them.
#[derive(Debug)]
#[must_use = "the overload is gone as soon as this guard is dropped"]
pub struct CpuOverload {
    asked: Asked,
    start: Instant,
    /// By thread: its number, and its account when all had begun.
    before: Vec<(i32, Account)>,
    stop: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
}

#[derive(Clone, Copy, Debug)]
struct Asked {
    threads: usize,
    percent: u32,
}

/// Nanoseconds of a thread since it began, as the scheduler counts them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Account {
    ran_ns: u64,
    waited_ns: u64,
}

impl CpuOverload {
    /// Starts `threads` threads that each want `percent` of one processor.
    ///
    /// # Errors
    /// No thread or more than 1024, a share outside of 1 to 100; what the system refused;
    /// [`FaultError::NotShown`] where this kernel keeps no accounts.
    pub fn start(threads: usize, percent: u32) -> Result<Self, Error> {
        let asked = Asked { threads, percent };
        asked.check()?;
        let mut this = Self {
            asked,
            start: Instant::now(),
            before: Vec::new(),
            stop: Arc::new(AtomicBool::new(false)),
            threads: Vec::new(),
        };
        let (tell, told) = mpsc::channel();
        for _ in 0..threads {
            let (tell, stop) = (tell.clone(), Arc::clone(&this.stop));
            let body = move || {
                // Not beside an end that is pinned where the caller is.
                let _refused = cpus::unpin();
                let _ = tell.send(gettid().as_raw_nonzero().get());
                drop(tell);
                burn(f64::from(percent) / 100.0, &stop);
            };
            let thread = thread::Builder::new().name(THREAD.to_owned()).spawn(body);
            this.threads.push(thread.map_err(Error::io("start a thread"))?);
        }
        drop(tell);
        let numbers: Vec<i32> = told.iter().collect();
        this.start = Instant::now();
        for number in numbers {
            this.before.push((number, account(number).ok_or_else(|| asked.untold())?));
        }
        Ok(this)
    }

    /// That the threads have had their share, or waited for it, since they began.
    ///
    /// # Errors
    /// [`FaultError::NotShown`] with both numbers.
    pub fn proof(&self) -> Result<Proof, Error> {
        let mut accounts = Vec::new();
        for (number, before) in &self.before {
            let now = account(*number).ok_or_else(|| self.asked.untold())?;
            accounts.push(Account {
                ran_ns: now.ran_ns.saturating_sub(before.ran_ns),
                waited_ns: now.waited_ns.saturating_sub(before.waited_ns),
            });
        }
        Ok(judge(self.asked, self.start.elapsed(), &accounts)?)
    }

    /// Ends the threads; that they had their share.
    ///
    /// # Errors
    /// As [`proof`](Self::proof); they have ended all the same.
    pub fn end(self) -> Result<Proof, Error> {
        self.proof()
    }
}

impl Drop for CpuOverload {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        for thread in self.threads.drain(..) {
            // Bounded: it looks at the flag every few milliseconds.
            let _ = thread.join();
        }
    }
}

impl Asked {
    fn name(self) -> String {
        format!("cpu_overload {} x {}%", self.threads, self.percent)
    }

    fn check(self) -> Result<(), FaultError> {
        if !(1..=THREADS_MAX).contains(&self.threads) {
            let bounds = format!("1 to {THREADS_MAX}");
            return Err(absurd("cpu_overload", "number of threads", self.threads, bounds));
        }
        if !(1..=100).contains(&self.percent) {
            let found = format!("{}%", self.percent);
            return Err(absurd("cpu_overload", "share of a thread", found, "1% to 100%"));
        }
        Ok(())
    }

    fn untold(self) -> FaultError {
        not_shown(self.name(), "this kernel keeps no /proc/self/task/*/schedstat of its threads")
    }
}

/// Whether accounts of that time show the overload: each thread had its share, or was in the queue
/// for a processor as long as it lacked it.
fn judge(asked: Asked, time: Duration, accounts: &[Account]) -> Result<Proof, FaultError> {
    let missing = |reason: String| not_shown(asked.name(), reason);
    if time < TIME_MIN {
        return Err(missing(format!("it ended after {time:?}, and {TIME_MIN:?} are needed")));
    }
    if accounts.len() != asked.threads {
        return Err(missing(format!("{} threads have an account", accounts.len())));
    }
    let share = |ns: u64| ns as f64 / time.as_nanos() as f64;
    let wanted = f64::from(asked.percent) / 100.0;
    for account in accounts {
        let (ran, waited) = (share(account.ran_ns), share(account.waited_ns));
        if ran > wanted + TOLERANCE || ran + waited < wanted - TOLERANCE {
            let (ran, waited) = (ran * 100.0, waited * 100.0);
            return Err(missing(format!(
                "a thread ran {ran:.1}% and waited {waited:.1}% of the time"
            )));
        }
    }
    let sum = |of: fn(&Account) -> u64| accounts.iter().map(of).sum::<u64>();
    let (ran, waited) = (share(sum(|a| a.ran_ns)), share(sum(|a| a.waited_ns)));
    Ok(Proof {
        fault: asked.name(),
        times: accounts.len() as u64,
        unit: "threads",
        measured: format!("{ran:.2} processors used and {waited:.2} waited for over {time:.1?}"),
    })
}

/// `/proc/self/task/N/schedstat`: ran, waited, number of times.
fn account(number: i32) -> Option<Account> {
    parse(&fs::read_to_string(format!("/proc/self/task/{number}/schedstat")).ok()?)
}

fn parse(text: &str) -> Option<Account> {
    let mut fields = text.split_whitespace().map(str::parse);
    Some(Account { ran_ns: fields.next()?.ok()?, waited_ns: fields.next()?.ok()? })
}

fn burn(share: f64, stop: &AtomicBool) {
    let (start, before) = (Instant::now(), own_time());
    while !stop.load(Ordering::Relaxed) {
        let (had, due) = (own_time() - before, start.elapsed().mul_f64(share));
        if had < due || share >= 1.0 {
            let begin = Instant::now();
            while begin.elapsed() < BURN {
                black_box(());
            }
        } else {
            thread::sleep((had - due).div_f64(share).clamp(SLEEP.0, SLEEP.1));
        }
    }
}

fn own_time() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn accounts(ran_ms: u64, waited_ms: u64) -> [Account; 2] {
        [Account { ran_ns: ran_ms * 1_000_000, waited_ns: waited_ms * 1_000_000 }; 2]
    }

    #[test]
    fn an_overload_is_shown_by_the_scheduler() {
        let overload = CpuOverload::start(2, 50).expect("it starts");
        let begin = Instant::now();
        while begin.elapsed() < Duration::from_millis(400) {
            thread::sleep(Duration::from_millis(10));
        }
        // On a machine that is busy they waited; they wanted it in any case.
        let proof = overload.end().expect("shown");
        assert_eq!((proof.times, proof.unit), (2, "threads"));
        assert!(proof.measured.contains("processors used"), "{}", proof.measured);
    }

    #[test]
    fn dropping_it_ends_its_threads() {
        let overload = CpuOverload::start(3, 100).expect("it starts");
        let numbers: Vec<i32> = overload.before.iter().map(|(number, _)| *number).collect();
        assert!(numbers.iter().all(|number| account(*number).is_some()));
        drop(overload);
        assert!(numbers.iter().all(|number| account(*number).is_none()));
    }

    #[test]
    fn one_that_ended_at_once_is_not_shown() {
        let text = CpuOverload::start(1, 100).expect("it starts").end();
        // A machine that stood still for that long would have shown it.
        if let Err(error) = text {
            assert!(error.to_string().contains("100ms are needed"), "{error}");
        }
    }

    #[test]
    fn a_share_is_had_or_waited_for_or_not_shown() {
        let asked = Asked { threads: 2, percent: 50 };
        for (ran, waited) in [(500, 0), (480, 10), (540, 0), (100, 400), (0, 1000)] {
            let proof = judge(asked, SECOND, &accounts(ran, waited)).expect("shown");
            assert_eq!(proof.fault, "cpu_overload 2 x 50%");
        }
        for (ran, waited) in [(0, 0), (440, 0), (300, 100), (900, 0)] {
            let error = judge(asked, SECOND, &accounts(ran, waited)).expect_err("not as asked");
            let said = format!("a thread ran {:.1}%", ran as f64 / 10.0);
            assert!(error.to_string().contains(&said), "{error}");
        }
        let error = judge(asked, SECOND, &accounts(500, 0)[..1]).expect_err("one is gone");
        assert!(error.to_string().contains("1 threads have an account"), "{error}");
    }

    #[test]
    fn numbers_that_make_no_sense_are_refused() {
        for (threads, percent, said) in
            [(0, 50, "threads of"), (2000, 50, "1 to 1024"), (1, 0, "0%"), (1, 101, "1% to 100%")]
        {
            let error = CpuOverload::start(threads, percent).expect_err(said).to_string();
            assert!(error.contains(said), "{error}");
        }
    }

    #[test]
    fn an_account_is_read_or_unknown() {
        assert_eq!(parse("12 34 5\n"), Some(Account { ran_ns: 12, waited_ns: 34 }));
        assert_eq!((parse("12"), parse("a b"), parse("")), (None, None, None));
    }
}
