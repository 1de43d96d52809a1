//! The clients of one region: what they want when, and what became of it.
//!
//! Operations begin at fixed times, whether or not those before them are done. Clients are in the region
//! of their copy and reach it without a network: what they wait for is the distance between regions.

use std::collections::BTreeMap;
use std::time::Duration;

use bench_core::fixture::Stream;

use super::effect::{Applied, Leg, effects};
use super::history::{Entry, Function, Kind};
use super::outage::{Sample, outages};
use super::run::{Run, RunConfig};
use super::{Action, Node, Outcome, Output, Replica};
use crate::topology::Topology;

/// What one region saw.
#[derive(Debug, Default)]
pub(super) struct Log {
    pub(super) history: Vec<Entry>,
    pub(super) samples: Vec<Sample>,
    pub(super) replicated: Vec<Duration>,
    pub(super) legs: Vec<Leg>,
}

/// An operation that is not over.
struct Open {
    action: Action,
    due: Duration,
    process: u64,
}

/// All clients of a region.
pub(super) struct Clients {
    me: Node,
    nodes: usize,
    config: RunConfig,
    stream: Stream,
    open: BTreeMap<u64, Open>,
    /// Processes that have nothing to do, and how many there are.
    idle: Vec<u64>,
    processes: u64,
    invoked: u64,
    pub(super) log: Log,
}

impl Clients {
    pub(super) fn new(me: Node, nodes: usize, config: RunConfig) -> Self {
        Self {
            me,
            nodes,
            config,
            stream: Stream::seeded(config.seed).purpose(me as u64),
            open: BTreeMap::new(),
            idle: Vec::new(),
            processes: 0,
            invoked: 0,
            log: Log::default(),
        }
    }

    /// When the next operation begins, if there is one. The first does after one period: copies are at
    /// rest then.
    pub(super) fn due(&self) -> Option<Duration> {
        let due = self.config.every * (self.invoked as u32 + 1);
        (due < self.config.length).then_some(due)
    }

    /// Begins the operation that is due.
    pub(super) fn invoke(
        &mut self,
        now: Duration,
        replica: &mut dyn Replica,
        outputs: &mut Vec<Output>,
    ) {
        if let Some((op, action)) = self.begin(now) {
            replica.invoke(now, op, action, outputs);
        }
    }

    fn begin(&mut self, now: Duration) -> Option<(u64, Action)> {
        let due = self.due()?;
        let writes = self.stream.unit(self.invoked) < self.config.writes;
        self.invoked += 1;
        // No two nodes write one value, and none writes 0.
        let value = self.invoked * self.nodes as u64 + self.me as u64;
        let action = if writes { Action::Write(value) } else { Action::Read };
        let process = self.idle.pop().unwrap_or_else(|| {
            self.processes += 1;
            (self.processes - 1) * self.nodes as u64 + self.me as u64
        });
        self.open.insert(self.invoked, Open { action, due, process });
        self.note(now, process, Kind::Invoke, action, None);
        Some((self.invoked, action))
    }

    fn note(
        &mut self,
        now: Duration,
        process: u64,
        kind: Kind,
        action: Action,
        error: Option<&str>,
    ) {
        let (function, value) = match action {
            Action::Read => (Function::Read, None),
            Action::Write(value) => (Function::Write, Some(value)),
        };
        let (time_ns, error) = (now.as_nanos() as u64, error.map(str::to_owned));
        self.log.history.push(Entry { time_ns, process, kind, function, value, error });
    }

    /// An operation is over.
    pub(super) fn over(&mut self, now: Duration, op: u64, outcome: Outcome) {
        let Some(Open { action, due, process }) = self.open.remove(&op) else { return };
        let (kind, error) = match outcome {
            Outcome::Read(_) | Outcome::Written => (Kind::Ok, None),
            Outcome::Failed(why) => (Kind::Fail, Some(why)),
            Outcome::Unknown(why) => (Kind::Info, Some(why)),
        };
        self.note(now, process, kind, action, error);
        if let (Outcome::Read(value), Some(last)) = (outcome, self.log.history.last_mut()) {
            last.value = Some(value);
        }
        if kind != Kind::Info {
            self.idle.push(process);
        }
        let function = if action == Action::Read { Function::Read } else { Function::Write };
        let (took, served) = (now.saturating_sub(due), kind == Kind::Ok);
        self.log.samples.push(Sample { node: self.me, function, due, took, served });
    }

    /// What they saw, with whatever is not over as not known, and as failed what a busy machine never
    /// let begin: left out, it would hide how busy that was.
    pub(super) fn end(mut self, now: Duration) -> Log {
        while let Some((op, _)) = self.begin(now) {
            self.over(now, op, Outcome::Failed("the run was over before it could begin"));
        }
        let open: Vec<u64> = self.open.keys().copied().collect();
        for op in open {
            self.over(now, op, Outcome::Unknown("the run was over"));
        }
        self.log
    }
}

/// A run from what its regions saw. `topology` is that of the start.
pub(super) fn summed_up(topology: &Topology, applied: Vec<Applied>, logs: Vec<Log>) -> Run {
    let replicated = logs.iter().map(|log| log.replicated.clone()).collect();
    let legs: Vec<Leg> = logs.iter().flat_map(|log| log.legs.iter().copied()).collect();
    let samples: Vec<Sample> = logs.iter().flat_map(|log| log.samples.iter().copied()).collect();
    let nodes = logs.len();
    let mut history: Vec<Entry> = logs.into_iter().flat_map(|log| log.history).collect();
    history.sort_by_key(|entry| entry.time_ns);
    let effects = effects(topology, &applied, &legs);
    let outages = outages(&applied, &samples, nodes);
    Run { history, samples, replicated, applied, effects, outages }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::register::{Mode, Timing};

    #[test]
    fn what_never_began_has_failed_and_is_not_left_out() {
        const MS: Duration = Duration::from_millis(1);
        let timing = Timing::of(8 * MS, 10 * MS);
        let (mode, every, length) = (Mode::Quorum, 10 * MS, 100 * MS);
        let config = RunConfig { mode, timing, every, writes: 0.5, length, seed: 42 };
        let (mut clients, mut outputs) = (Clients::new(0, 3, config), Vec::new());
        clients.invoke(10 * MS, mode.replica(0, 3, timing).as_mut(), &mut outputs);
        let log = clients.end(150 * MS);
        let served = log.samples.iter().filter(|sample| sample.served).count();
        assert_eq!((log.samples.len(), served), (9, 0));
        let of = |kind| log.history.iter().filter(|entry| entry.kind == kind).count();
        assert_eq!([Kind::Invoke, Kind::Fail, Kind::Info].map(of), [9, 8, 1]);
        assert_eq!(log.samples.iter().map(|sample| sample.took).max(), Some(140 * MS));
    }
}
