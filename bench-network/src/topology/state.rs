//! The links of a topology as they are at a time.

use std::time::Duration;

use super::{Change, Event, Region, Script, Topology, TopologyError, Ways};
use crate::link::Direction;

/// Links and cuts, moved forward through a script.
#[derive(Clone, Debug)]
pub struct State {
    topology: Topology,
    /// `cut[from][to]`.
    cut: Vec<Vec<bool>>,
    script: Script,
    /// How many events have happened.
    happened: usize,
}

impl State {
    /// Before the first event.
    ///
    /// # Errors
    /// An event of the script that is about no two regions of the topology.
    pub fn new(topology: Topology, script: Script) -> Result<Self, TopologyError> {
        let regions = topology.names().len();
        script.check(regions)?;
        Ok(Self { topology, cut: vec![vec![false; regions]; regions], script, happened: 0 })
    }

    /// Lets everything happen that has its time at `now` or before, and tells what that was. Time
    /// never goes back: an earlier `now` changes nothing.
    ///
    /// # Errors
    /// A link that makes no sense; the events before it have happened.
    pub fn advance(&mut self, now: Duration) -> Result<Vec<Event>, TopologyError> {
        let mut done = Vec::new();
        while let Some(event) = self.script.events().get(self.happened).filter(|e| e.at <= now) {
            let event = event.clone();
            self.happened += 1;
            self.apply(&event)?;
            done.push(event);
        }
        Ok(done)
    }

    /// The links as they are, but for what is cut.
    pub fn topology(&self) -> &Topology {
        &self.topology
    }

    /// The delay there and back, cut or not.
    ///
    /// # Panics
    /// When the two are one region, or there is no such region.
    pub fn round_trip(&self, a: Region, b: Region) -> Duration {
        self.topology.link(a, b).0.base_round_trip()
    }

    /// When the next event is.
    pub fn next(&self) -> Option<Duration> {
        self.script.events().get(self.happened).map(|event| event.at)
    }

    /// What a packet from `from` to `to` meets; `None` where the way is cut.
    ///
    /// # Panics
    /// When the two are one region, or there is no such region.
    pub fn way(&self, from: Region, to: Region) -> Option<&Direction> {
        let way = self.topology.way(from, to);
        (!self.cut[from][to]).then_some(way)
    }

    fn apply(&mut self, event: &Event) -> Result<(), TopologyError> {
        let Event { a, b, ref change, .. } = *event;
        match change {
            Change::Set(link) => self.topology.set(a, b, (**link).clone())?,
            Change::Partition(Ways::There) => self.cut[a][b] = true,
            Change::Partition(Ways::Both) => (self.cut[a][b], self.cut[b][a]) = (true, true),
            Change::Heal => (self.cut[a][b], self.cut[b][a]) = (false, false),
        }
        Ok(())
    }
}
