//! A register by majority: a value is written when more than half of the copies hold it, and a read
//! asks more than half; any two majorities share a copy, so no read misses a write that was over.
//!
//! After Attiya, Bar-Noy and Dolev, "Sharing memory robustly in message-passing systems" (1995),
//! with several writers as of Lynch and Shvartsman (1997). Both operations ask a majority first: a
//! write for the version to go above, a read for the latest value. A write then stores its value at
//! a majority; a read stores what it found there, unless all that it asked agree.
//!
//! Whoever is cut off from a majority is served nothing. Nothing is sent twice: the connections
//! below do that.

use std::collections::BTreeMap;
use std::time::Duration;

use super::{Action, Message, Node, Outcome, Output, Replica, Stored, Timing, Version, majority};

/// One copy.
#[derive(Debug)]
pub struct Quorum {
    me: Node,
    nodes: usize,
    give_up: Duration,
    stored: Stored,
    /// The last that this node gave to a value of its own: two of its writes at once differ.
    given: u64,
    pending: BTreeMap<u64, Pending>,
}

#[derive(Debug)]
struct Pending {
    action: Action,
    since: Duration,
    phase: Phase,
    /// Who has answered, this node among them.
    answered: Vec<Node>,
}

#[derive(Debug)]
enum Phase {
    /// The latest so far, and whether all that answered hold it.
    Asking(Stored, bool),
    /// Since when.
    Storing(Stored, Duration),
}

impl Quorum {
    /// One of so many copies.
    pub fn new(me: Node, nodes: usize, timing: Timing) -> Self {
        let (stored, pending) = (Stored::default(), BTreeMap::new());
        Self { me, nodes, give_up: timing.give_up, stored, given: 0, pending }
    }

    fn to_others(&self, message: Message, outputs: &mut Vec<Output>) {
        let others = (0..self.nodes).filter(|to| *to != self.me);
        outputs.extend(others.map(|to| Output::Send { to, message }));
    }

    fn keep(&mut self, stored: Stored) {
        if stored.version > self.stored.version {
            self.stored = stored;
        }
    }

    /// A majority has answered what this operation asked.
    fn asked(&mut self, now: Duration, op: u64, outputs: &mut Vec<Output>) {
        let Some(pending) = self.pending.get_mut(&op) else { return };
        let Phase::Asking(latest, agreed) = pending.phase else { return };
        if pending.answered.len() < majority(self.nodes) {
            return;
        }
        let stored = match pending.action {
            Action::Read if agreed => return self.done(op, Outcome::Read(latest.value), outputs),
            Action::Read => latest,
            Action::Write(value) => {
                self.given = self.given.max(latest.version.0) + 1;
                Stored { version: Version(self.given, self.me as u64), value }
            }
        };
        pending.answered = vec![self.me];
        pending.phase = Phase::Storing(stored, now);
        self.keep(stored);
        self.to_others(Message::Store { op, stored }, outputs);
    }

    fn done(&mut self, op: u64, outcome: Outcome, outputs: &mut Vec<Output>) {
        self.pending.remove(&op);
        outputs.push(Output::Done { op, outcome });
    }
}

impl Replica for Quorum {
    fn invoke(&mut self, now: Duration, op: u64, action: Action, outputs: &mut Vec<Output>) {
        let (phase, answered) = (Phase::Asking(self.stored, true), vec![self.me]);
        self.pending.insert(op, Pending { action, since: now, phase, answered });
        self.to_others(Message::Query { op }, outputs);
    }

    fn receive(&mut self, now: Duration, from: Node, message: Message, outputs: &mut Vec<Output>) {
        let reply = |message| Output::Send { to: from, message };
        match message {
            Message::Query { op } => {
                outputs.push(reply(Message::Answer { op, stored: self.stored }));
            }
            Message::Store { op, stored } => {
                self.keep(stored);
                outputs.push(reply(Message::Held { op, version: self.stored.version }));
            }
            Message::Answer { op, stored } => {
                let Some(pending) = self.pending.get_mut(&op) else { return };
                let Phase::Asking(latest, agreed) = &mut pending.phase else { return };
                if !pending.answered.contains(&from) {
                    pending.answered.push(from);
                    *agreed &= stored.version == latest.version;
                    if stored.version > latest.version {
                        *latest = stored;
                    }
                    self.asked(now, op, outputs);
                }
            }
            Message::Held { op, .. } => {
                let Some(pending) = self.pending.get_mut(&op) else { return };
                let Phase::Storing(stored, since) = pending.phase else { return };
                if !pending.answered.contains(&from) {
                    pending.answered.push(from);
                }
                if pending.answered.len() < majority(self.nodes) {
                    return;
                }
                outputs.push(Output::Replicated { after: now.saturating_sub(since) });
                let outcome = match pending.action {
                    Action::Read => Outcome::Read(stored.value),
                    Action::Write(_) => Outcome::Written,
                };
                self.done(op, outcome, outputs);
            }
            // Of the other way to agree.
            Message::Write { .. }
            | Message::Written { .. }
            | Message::Refused { .. }
            | Message::State { .. }
            | Message::Hello => (),
        }
    }

    fn tick(&mut self, now: Duration, outputs: &mut Vec<Output>) {
        let late = |pending: &Pending| now.saturating_sub(pending.since) >= self.give_up;
        let over = self.pending.iter().filter(|(_, pending)| late(pending));
        let over: Vec<(u64, Outcome)> = over
            .map(|(op, pending)| {
                let outcome = match (pending.action, &pending.phase) {
                    (Action::Write(_), Phase::Storing(..)) => {
                        Outcome::Unknown("no majority says that it holds the value")
                    }
                    // A read changes no value; a write that asks has given its value to nobody.
                    _ => Outcome::Failed("no majority answers"),
                };
                (*op, outcome)
            })
            .collect();
        for (op, outcome) in over {
            self.done(op, outcome, outputs);
        }
    }

    fn stored(&self) -> Stored {
        self.stored
    }
}
