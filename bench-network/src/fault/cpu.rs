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
use crate::schedstat::{Account, account};

/// What the threads are called, so that their time can be told from that of the service.
pub const THREAD: &str = "cpu-overload";

/// More than one process needs to overload any machine.
const THREADS_MAX: usize = 1024;
/// How long a thread burns before it looks at the time.
const BURN: Duration = Duration::from_micros(200);
/// How long a thread that has had its share sleeps at least and at most, so that it neither does nothing but
/// look at the time nor overlooks that it has to end.
const SLEEP: (Duration, Duration) = (Duration::from_micros(500), Duration::from_millis(10));
/// Before that nothing can be said: the account of a running thread is a tick of the scheduler old,
/// which is 10 ms on some machines, and a thread that sleeps may be as late.
const TIME_MIN: Duration = Duration::from_millis(250);
/// By how much a share may differ from what was asked for.
const TOLERANCE: f64 = 0.05;

/// So many threads that each want so much of a processor. Dropping it ends them.
#[derive(Debug)]
#[must_use = "the overload is gone as soon as this guard is dropped"]
pub struct CpuOverload {
    asked: Asked,
    /// By thread: its number, and when it was started. Its account counts from there.
    born: Vec<(i32, Instant)>,
    stop: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
}

#[derive(Clone, Copy, Debug)]
struct Asked {
    threads: usize,
    percent: u32,
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
            born: Vec::new(),
            stop: Arc::new(AtomicBool::new(false)),
            threads: Vec::new(),
        };
        let (tell, told) = mpsc::channel();
        for _ in 0..threads {
            let (tell, stop, born) = (tell.clone(), Arc::clone(&this.stop), Instant::now());
            let body = move || {
                // Not beside an end that is pinned where the caller is.
                let _refused = cpus::unpin();
                let _ = tell.send((gettid().as_raw_nonzero().get(), born));
                drop(tell);
                burn(f64::from(percent) / 100.0, &stop);
            };
            let thread = thread::Builder::new().name(THREAD.to_owned()).spawn(body);
            this.threads.push(thread.map_err(Error::io("start a thread"))?);
        }
        drop(tell);
        this.born = told.iter().collect();
        match this.born.iter().all(|(number, _)| account(*number).is_some()) {
            true => Ok(this),
            false => Err(asked.untold().into()),
        }
    }

    /// That the threads have had their share, or waited for it, since they began.
    ///
    /// # Errors
    /// [`FaultError::NotShown`] with both numbers.
    pub fn proof(&self) -> Result<Proof, Error> {
        let mut accounts = Vec::new();
        for (number, born) in &self.born {
            let account = account(*number).ok_or_else(|| self.asked.untold())?;
            accounts.push((born.elapsed(), account));
        }
        Ok(judge(self.asked, &accounts)?)
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

/// Whether accounts of these times show the overload: each thread had its share, or was in the queue
/// for a processor as long as it lacked it.
fn judge(asked: Asked, accounts: &[(Duration, Account)]) -> Result<Proof, FaultError> {
    let missing = |reason: String| not_shown(asked.name(), reason);
    if accounts.len() != asked.threads {
        return Err(missing(format!("{} threads have an account", accounts.len())));
    }
    let wanted = f64::from(asked.percent) / 100.0;
    let (mut all_ran, mut all_waited, mut shortest) = (0.0, 0.0, Duration::MAX);
    for (time, account) in accounts {
        if *time < TIME_MIN {
            return Err(missing(format!("it ended after {time:?}, and {TIME_MIN:?} are needed")));
        }
        let share = |ns: u64| ns as f64 / time.as_nanos() as f64;
        let (ran, waited) = (share(account.ran_ns), share(account.waited_ns));
        if ran > wanted + TOLERANCE || ran + waited < wanted - TOLERANCE {
            let (ran, waited) = (ran * 100.0, waited * 100.0);
            return Err(missing(format!(
                "a thread ran {ran:.1}% and waited {waited:.1}% of the time"
            )));
        }
        (all_ran, all_waited) = (all_ran + ran, all_waited + waited);
        shortest = shortest.min(*time);
    }
    Ok(Proof {
        fault: asked.name(),
        times: accounts.len() as u64,
        unit: "threads",
        measured: format!(
            "{all_ran:.2} processors used and {all_waited:.2} waited for over {shortest:.1?}"
        ),
    })
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

    /// Two threads that both ran and waited for so long of a second.
    fn accounts(ran_ms: u64, waited_ms: u64) -> [(Duration, Account); 2] {
        let ns = |ms: u64| ms * 1_000_000;
        [(SECOND, Account { ran_ns: ns(ran_ms), waited_ns: ns(waited_ms) }); 2]
    }

    #[test]
    fn an_overload_is_shown_by_the_scheduler() {
        let overload = CpuOverload::start(2, 50).expect("it starts");
        // On a machine that is busy they wait, which is in their accounts once they have run again.
        let begin = Instant::now();
        let proof = loop {
            thread::sleep(Duration::from_millis(50));
            match overload.proof() {
                Ok(proof) => break proof,
                Err(error) => assert!(begin.elapsed() < Duration::from_secs(60), "{error}"),
            }
        };
        assert_eq!((proof.times, proof.unit), (2, "threads"));
        assert!(proof.measured.contains("processors used"), "{}", proof.measured);
    }

    #[test]
    fn dropping_it_ends_its_threads() {
        let overload = CpuOverload::start(3, 100).expect("it starts");
        let numbers: Vec<i32> = overload.born.iter().map(|(number, _)| *number).collect();
        assert!(numbers.iter().all(|number| account(*number).is_some()));
        drop(overload);
        // A thread that was waited for may be listed for some microseconds more.
        while numbers.iter().any(|number| account(*number).is_some()) {
            thread::sleep(Duration::from_millis(1));
        }
    }

    #[test]
    fn one_that_ended_at_once_is_not_shown() {
        let text = CpuOverload::start(1, 100).expect("it starts").end();
        // A machine that stood still for that long would have shown it.
        if let Err(error) = text {
            assert!(error.to_string().contains("250ms are needed"), "{error}");
        }
    }

    #[test]
    fn a_share_is_had_or_waited_for_or_not_shown() {
        let asked = Asked { threads: 2, percent: 50 };
        for (ran, waited) in [(500, 0), (480, 10), (540, 0), (100, 400), (0, 1000)] {
            let proof = judge(asked, &accounts(ran, waited)).expect("shown");
            assert_eq!(proof.fault, "cpu_overload 2 x 50%");
        }
        for (ran, waited) in [(0, 0), (440, 0), (300, 100), (900, 0)] {
            let error = judge(asked, &accounts(ran, waited)).expect_err("not as asked");
            let said = format!("a thread ran {:.1}%", ran as f64 / 10.0);
            assert!(error.to_string().contains(&said), "{error}");
        }
        let error = judge(asked, &accounts(500, 0)[..1]).expect_err("one is gone");
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
}
