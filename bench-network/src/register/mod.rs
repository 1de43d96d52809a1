//! A register that is kept in every region, as something to break: what it costs to agree over
//! distance, and what becomes of it while links change.
//!
//! - [`Replica`]: one copy as a pure state machine: no socket, no clock. [`quorum`] never returns a
//!   stale value; [`primary`] is quicker and admits when it does.
//! - [`wire`]: its messages as bytes.
//! - [`run`]: copies with real TCP between them over the links of a
//!   [`Net`](crate::topology::net::Net), driven by operations at fixed times.
//! - [`simulate`]: the same without a socket or a clock.
//! - [`history`]: what was asked and answered when, as text that others can check.
//! - [`check`]: whether one register in one place could have answered so.
//! - [`effect`]: whether the links did what the script says, by the messages that went over them.
//! - [`outage`]: how long nobody was served after a cut and after its end.
//!
//! What it does not model: disks, and nodes that stop; a node cannot be reached, and goes on. Two
//! nodes keep the one connection that they have through every cut, so recovery contains what the
//! kernel waits before it sends again (on a link that has packets; see [`crate::proxy`]).

pub mod check;
mod clients;
pub mod effect;
pub mod history;
mod node;
pub mod outage;
pub mod primary;
pub mod quorum;
pub mod run;
pub mod simulate;
pub mod wire;

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// A copy, as the index of its region.
pub type Node = usize;

/// Which of two values is the later one; the greater wins. Majority quorum: how many writes its
/// writer knew of, and which node that was. Primary–backup: the epoch, and a number in it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version(pub u64, pub u64);

/// What a copy holds; at the start version 0, 0 and the value 0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stored {
    /// Of the value.
    pub version: Version,
    /// The value.
    pub value: u64,
}

/// What a client wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// The value.
    Read,
    /// That this be the value. No value is written twice, and none is 0.
    Write(u64),
}

/// What became of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// This was read.
    Read(u64),
    /// It was written.
    Written,
    /// It was not done and never will be.
    Failed(&'static str),
    /// It may have been done, or be done later.
    Unknown(&'static str),
}

/// What one copy says to another. `op` is a number that the copy gave that asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Message {
    /// What do you hold?
    Query {
        /// Of the operation.
        op: u64,
    },
    /// This.
    Answer {
        /// Of the operation.
        op: u64,
        /// What is held.
        stored: Stored,
    },
    /// Hold this, unless you hold something later.
    Store {
        /// Of the operation.
        op: u64,
        /// What to hold.
        stored: Stored,
    },
    /// This, or something later, is held.
    Held {
        /// Of the operation; 0 where it answers [`State`](Self::State).
        op: u64,
        /// The version that is held.
        version: Version,
    },
    /// You are the primary: write this.
    Write {
        /// Of the operation.
        op: u64,
        /// The value.
        value: u64,
    },
    /// It is written.
    Written {
        /// Of the operation.
        op: u64,
    },
    /// It is not: somebody else is the primary.
    Refused {
        /// Of the operation.
        op: u64,
    },
    /// What the primary of the epoch in its version holds; a sign of life.
    State {
        /// What it holds.
        stored: Stored,
    },
    /// Nothing: it goes over every link, so that one that no copy needs is seen to be cut.
    Hello,
}

/// What a copy wants done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Output {
    /// Send this.
    Send {
        /// To whom.
        to: Node,
        /// What.
        message: Message,
    },
    /// An operation is over.
    Done {
        /// As it was invoked.
        op: u64,
        /// What became of it.
        outcome: Outcome,
    },
    /// A majority holds a value.
    Replicated {
        /// So long after it was first sent.
        after: Duration,
    },
}

/// When to do what without being told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timing {
    /// A primary gives a sign of life so often.
    pub heartbeat: Duration,
    /// The first backup takes over when it has heard of no primary for so long, the second after twice
    /// as long, and so on.
    pub patience: Duration,
    /// An operation is given up after so long.
    pub give_up: Duration,
}

impl Timing {
    /// What fits regions that are this far from each other: patience of three heartbeats and the round
    /// trip.
    pub fn of(round_trip_max: Duration, heartbeat: Duration) -> Self {
        let patience = heartbeat * 3 + round_trip_max;
        Self { heartbeat, patience, give_up: patience * 2 }
    }
}

/// One copy. Times are since any one moment and never go back; what is wanted is added to `outputs`.
pub trait Replica: Send {
    /// A client wants something; `op` was not used before and is not 0.
    fn invoke(&mut self, now: Duration, op: u64, action: Action, outputs: &mut Vec<Output>);

    /// Another copy says something.
    fn receive(&mut self, now: Duration, from: Node, message: Message, outputs: &mut Vec<Output>);

    /// Time has passed.
    fn tick(&mut self, now: Duration, outputs: &mut Vec<Output>);

    /// What it holds.
    fn stored(&self) -> Stored;
}

/// How copies agree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// [`quorum`].
    Quorum,
    /// [`primary`].
    Primary,
}

impl Mode {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Quorum, Self::Primary];

    /// As ids and the command line call it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Quorum => "quorum",
            Self::Primary => "primary",
        }
    }

    /// One of so many copies.
    pub fn replica(self, me: Node, nodes: usize, timing: Timing) -> Box<dyn Replica> {
        match self {
            Self::Quorum => Box::new(quorum::Quorum::new(me, nodes, timing)),
            Self::Primary => Box::new(primary::Primary::new(me, nodes, timing)),
        }
    }
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Mode {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let found = Self::ALL.into_iter().find(|mode| mode.name() == text);
        found.ok_or_else(|| format!("'{text}' is no way to agree; write quorum or primary"))
    }
}

/// How many of so many are more than half.
fn majority(nodes: usize) -> usize {
    nodes / 2 + 1
}

#[cfg(test)]
mod tests;
