//! Copies in all regions at work while a script changes the links between them.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, ScopedJoinHandle};
use std::time::{Duration, Instant};

use super::clients::{Log, summed_up};
use super::effect::{Applied, Effect};
use super::history::Entry;
use super::node::Worker;
use super::outage::{Outage, Sample};
use super::{Mode, Timing};
use crate::error::Error;
use crate::topology::net::Net;
use crate::topology::{Event, Script, pairs};

/// What a run is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RunConfig {
    /// How copies agree.
    pub mode: Mode,
    /// When they do what.
    pub timing: Timing,
    /// One operation in each region so often, beginning with the run; as with all open loads, whether
    /// or not those before it are done.
    pub every: Duration,
    /// How many of them are writes, 0 to 1.
    pub writes: f64,
    /// How long. Events of the script that come later do not happen.
    pub length: Duration,
    /// Of what is a write and what a read.
    pub seed: u64,
}

impl RunConfig {
    /// When every operation is given up.
    pub(super) fn end(&self) -> Duration {
        self.length + self.timing.give_up + self.timing.heartbeat
    }

    /// That the script is over before the run.
    pub(super) fn check(&self, script: &Script) -> Result<(), Error> {
        let (end, length) = (script.end(), self.length);
        if end < length { Ok(()) } else { Err(Error::ScriptTooLong { end, length }) }
    }
}

/// What happened.
#[derive(Clone, Debug, PartialEq)]
pub struct Run {
    /// By time.
    pub history: Vec<Entry>,
    /// Every operation, by region and by when it was over.
    pub samples: Vec<Sample>,
    /// How long values needed until a majority held them, by the node that sent them first.
    pub replicated: Vec<Vec<Duration>>,
    /// The script, as it was played.
    pub applied: Vec<Applied>,
    /// What it did to the links.
    pub effects: Vec<Effect>,
    /// The times in which something was cut.
    pub outages: Vec<Outage>,
}

/// Starts a copy in each region and plays the script; takes as long as the run, and until every
/// operation is given up.
///
/// # Errors
/// An event that would come after the end; what the system refused.
pub fn run(net: &mut Net, script: &Script, config: RunConfig) -> Result<Run, Error> {
    config.check(script)?;
    let topology = net.topology().clone();
    let nodes = topology.names().len();
    let mut ends: Vec<Vec<_>> = (0..nodes).map(|_| Vec::new()).collect();
    for (a, b) in pairs(nodes) {
        let [at_a, at_b] = net.connect(a, b)?;
        ends[a].push((b, at_a));
        ends[b].push((a, at_b));
    }
    let start = Instant::now();
    let mut workers = Vec::new();
    for (me, ends) in ends.into_iter().enumerate() {
        workers.push(Worker::new((me, nodes), ends, config, start)?);
    }
    let (applied, logs) = at_work(workers, net, script, start)?;
    Ok(summed_up(&topology, applied, logs))
}

/// Runs each copy on a thread and plays the script on this one.
fn at_work(
    workers: Vec<Worker>,
    net: &mut Net,
    script: &Script,
    start: Instant,
) -> Result<(Vec<Applied>, Vec<Log>), Error> {
    let stop = &AtomicBool::new(false);
    let stopped = || stop.load(Ordering::Relaxed);
    thread::scope(|scope| {
        let mut threads = Vec::new();
        for worker in workers {
            let thread = thread::Builder::new().name("register".to_owned());
            let work = move || {
                let done = worker.run(|| stop.load(Ordering::Relaxed));
                if done.is_err() {
                    // Nobody waits for the end of a run that has none.
                    stop.store(true, Ordering::Relaxed);
                }
                done
            };
            let thread = thread.spawn_scoped(scope, work);
            match thread.map_err(Error::io("start a thread")) {
                Ok(thread) => threads.push(thread),
                Err(error) => {
                    stop.store(true, Ordering::Relaxed);
                    return Err(error);
                }
            }
        }
        let applied = play(net, script, start, stopped);
        if applied.is_err() {
            stop.store(true, Ordering::Relaxed);
        }
        // All of them are over before the first one's sockets are closed.
        let ended = threads.into_iter().map(ScopedJoinHandle::join).collect::<Vec<_>>();
        let gone = || Err(Error::Gone("copy of the register"));
        let logs = ended.into_iter().map(|log| log.unwrap_or_else(|_| gone()));
        let logs = logs.collect::<Result<Vec<_>, _>>()?;
        // Only now are connections closed.
        Ok((applied?, logs.into_iter().map(|(log, _peers)| log).collect()))
    })
}

/// Lets each event happen at its time.
fn play(
    net: &mut Net,
    script: &Script,
    start: Instant,
    stopped: impl Fn() -> bool,
) -> Result<Vec<Applied>, Error> {
    let mut applied = Vec::new();
    for event in script.events() {
        wait_until(start, event, &stopped);
        let from = start.elapsed();
        net.apply(event)?;
        applied.push(Applied { event: event.clone(), from, by: start.elapsed() });
    }
    Ok(applied)
}

fn wait_until(start: Instant, event: &Event, stopped: impl Fn() -> bool) {
    const LOOK: Duration = Duration::from_millis(50);
    loop {
        let left = event.at.saturating_sub(start.elapsed());
        if left.is_zero() || stopped() {
            return;
        }
        thread::sleep(left.min(LOOK));
    }
}

#[cfg(test)]
#[path = "run_tests.rs"]
mod tests;
