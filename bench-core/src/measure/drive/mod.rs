//! Starts operations when a [`Schedule`] says and keeps how long they took from that moment on.
//!
//! Latency is measured from the *intended* start: while a server stalls, the operations that
//! should have started in the meantime wait, and their waiting counts (Gil Tene, "How NOT to
//! Measure Latency", 2013; wrk2). Where the schedule is closed there is no intended start, and
//! latency is that of the operation alone.
//!
//! All workers live in the one task that awaits [`drive`], so operations need not be `Send`; what
//! shall use other cores is spawned by the operation. Tokio's timer wakes up to two milliseconds
//! late, so a worker sleeps until shortly before the intended start and then yields in a loop: a
//! generator of more than a few hundred operations per second keeps one core busy.

mod driven;
mod ledger;

use std::fmt;
use std::future::Future;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use tokio::time::Instant;

pub use self::driven::{Driven, OTHER_ERRORS};
use self::ledger::Ledger;
use super::schedule::Schedule;

/// How long before an intended start a worker stops sleeping: tokio rounds a deadline up to a
/// millisecond, then the time-out of its poll once more, and the kernel adds some of its own.
const TIMER_GRAIN: Duration = Duration::from_micros(2_200);

/// What to drive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DriveConfig {
    /// When operations should start.
    pub schedule: Schedule,
    /// How many operations may be under way at once.
    pub workers: usize,
    /// When to stop.
    pub stop: Stop,
    /// What to leave out at the start.
    pub warm_up: WarmUp,
}

/// When to stop issuing operations. Those under way are always awaited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stop {
    /// After this many operations behind the warm-up.
    Operations(u64),
    /// Behind the warm-up, operations that should start within this time are issued, however late:
    /// to leave out the late ones would make an overloaded server look better than it is. A run
    /// at twice what the server bears therefore takes twice as long.
    After(Duration),
}

/// The operations that are issued and awaited but neither timed nor counted. They share the
/// schedule with the measured ones, so that there is no gap between the two.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WarmUp {
    /// The first ones. `Operations(0)` for no warm-up.
    Operations(u64),
    /// Those that should start within this time.
    Time(Duration),
}

/// The number of an operation from 0, warm-up included; each is issued once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OperationIndex(pub u64);

/// Issues operations by the schedule until the stop, and waits for all of them.
///
/// A worker that is behind issues its next operation at once. An operation's error is counted by
/// its kind, which is what it prints; errors that print addresses or numbers share
/// [`OTHER_ERRORS`] once there are too many kinds.
///
/// # Panics
/// When there are no workers or the runtime has no timer; and with an operation that panics, in
/// the middle of the run.
pub async fn drive<F, Fut, E>(config: DriveConfig, operation: F) -> Driven
where
    F: Fn(OperationIndex) -> Fut,
    Fut: Future<Output = Result<(), E>>,
    E: fmt::Display,
{
    assert!(config.workers > 0, "drive needs at least one worker");
    let ledger = Mutex::new(Ledger::open(config));
    let start = Instant::now();
    let worker = |_| work(start, &ledger, &operation);
    let mut workers: FuturesUnordered<_> = (0..config.workers).map(worker).collect();
    while workers.next().await.is_some() {}
    drop(workers);
    ledger.into_inner().unwrap_or_else(PoisonError::into_inner).close()
}

/// One worker: claims the next operation, waits for its start, runs it, books it.
async fn work<F, Fut, E>(start: Instant, ledger: &Mutex<Ledger>, operation: &F)
where
    F: Fn(OperationIndex) -> Fut,
    Fut: Future<Output = Result<(), E>>,
    E: fmt::Display,
{
    let locked = || ledger.lock().unwrap_or_else(PoisonError::into_inner);
    loop {
        let claim = locked().claim(start.elapsed());
        let Some(claim) = claim else { return };
        if let Some(intended) = claim.intended {
            wait_until(start + intended).await;
        }
        let began = start.elapsed();
        let result = operation(OperationIndex(claim.index)).await;
        let ended = start.elapsed();
        locked().book(&claim, began, ended, result.map_err(|error| error.to_string()));
        // An operation that never waits would otherwise keep every other worker from starting.
        tokio::task::consume_budget().await;
    }
}

/// Waits until `deadline`, more precisely than a timer can.
async fn wait_until(deadline: Instant) {
    let mut now = Instant::now();
    if now >= deadline {
        return;
    }
    if let Some(asleep) = deadline.checked_sub(TIMER_GRAIN).filter(|wake| *wake > now) {
        tokio::time::sleep_until(asleep).await;
        now = Instant::now();
    }
    while now < deadline {
        tokio::task::yield_now().await;
        let later = Instant::now();
        if later == now {
            // The clock is a test's: it moves only while everybody sleeps.
            return tokio::time::sleep_until(deadline).await;
        }
        now = later;
    }
}

#[cfg(test)]
mod tests;
