//! What changes when: a list of changes, each at a time since the start.

use std::time::Duration;

use super::{Region, TopologyError};
use crate::link::LinkProfile;

/// Which ways of a link a partition cuts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ways {
    /// Nothing passes from the first region to the second.
    There,
    /// Nothing passes either way.
    Both,
}

/// What happens to the link between two regions.
#[derive(Clone, Debug, PartialEq)]
pub enum Change {
    /// It becomes another one; up is from the first region to the second. A cut stays one.
    Set(Box<LinkProfile>),
    /// It is cut. What was cut before stays so.
    Partition(Ways),
    /// It is whole again, both ways.
    Heal,
}

/// One change of one link.
#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    /// Since the start.
    pub at: Duration,
    /// The first region.
    pub a: Region,
    /// The second.
    pub b: Region,
    /// What happens.
    pub change: Change,
}

impl Event {
    /// As a script says it: `at 2s partition eu us`. A link is there by its name.
    ///
    /// # Panics
    /// When there are not so many names.
    pub fn statement(&self, names: &[String]) -> String {
        let [a, b] = [&names[self.a], &names[self.b]];
        let at = format!("{:?}", self.at).replace('µ', "u");
        match &self.change {
            Change::Set(link) => format!("at {at} set {a} {b} {}", link.name),
            Change::Partition(Ways::There) => format!("at {at} partition {a} -> {b}"),
            Change::Partition(Ways::Both) => format!("at {at} partition {a} {b}"),
            Change::Heal => format!("at {at} heal {a} {b}"),
        }
    }
}

/// Events in the order of their times; those of one time in the order in which they were added.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Script {
    events: Vec<Event>,
}

/// The most events of one flap: a period that is a slip of the pen would be as many as nanoseconds.
const FLAPS_MAX: u128 = 100_000;

impl Script {
    /// Adds an event.
    pub fn add(&mut self, event: Event) {
        let after = self.events.partition_point(|known| known.at <= event.at);
        self.events.insert(after, event);
    }

    /// Cuts and heals a link in turns: cut at `from`, whole again after half of `every`, and so on;
    /// whole at `until` whatever the turn.
    ///
    /// # Errors
    /// A reason: no period, one that needs too many events, or an end that is not after the start.
    pub fn flap(
        &mut self,
        (a, b): (Region, Region),
        from: Duration,
        every: Duration,
        until: Duration,
    ) -> Result<(), String> {
        let half = every / 2;
        if half.is_zero() {
            return Err("a link flaps every 2 ns or slower".to_owned());
        }
        let Some(time) = until.checked_sub(from).filter(|time| !time.is_zero()) else {
            return Err(format!("it flaps until {until:?}, which is not after {from:?}"));
        };
        if time.as_nanos() / half.as_nanos() > FLAPS_MAX {
            return Err(format!("more than {FLAPS_MAX} changes; flap slower or for less time"));
        }
        let mut at = from;
        let mut changes = [Change::Partition(Ways::Both), Change::Heal].into_iter().cycle();
        while at < until {
            let change = changes.next().expect("it never ends");
            self.add(Event { at, a, b, change });
            at += half;
        }
        self.add(Event { at: until, a, b, change: Change::Heal });
        Ok(())
    }

    /// All events.
    pub fn events(&self) -> &[Event] {
        &self.events
    }

    /// When the last one is; the start where there is none.
    pub fn end(&self) -> Duration {
        self.events.last().map_or(Duration::ZERO, |event| event.at)
    }

    /// Whether every event is about two of so many regions.
    ///
    /// # Errors
    /// The first that is not.
    pub fn check(&self, regions: usize) -> Result<(), TopologyError> {
        let sound = |event: &&Event| event.a != event.b && event.a.max(event.b) < regions;
        match self.events.iter().find(|event| !sound(event)) {
            None => Ok(()),
            Some(Event { a, b, .. }) => Err(TopologyError::UnknownRegion {
                name: format!("{a} or {b}"),
                all: format!("0 to {}, and a link is between two", regions - 1),
            }),
        }
    }
}
