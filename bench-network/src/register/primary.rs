//! A register by a primary and its backups: writes go to the primary, which answers at once and
//! tells the others after that; everybody reads what he holds.
//!
//! Time is cut into epochs, each with one node as its primary. A backup that hears nothing for its
//! patience begins a later epoch, in which it is the primary itself, without asking anybody. A primary
//! that hears of a later epoch is a backup from then on.
//!
//! What it admits:
//!
//! - a read at a backup may be stale, by as long as the value needs there, or by a whole partition;
//! - a write that was answered is lost when the next primary had not heard of it;
//! - while a primary is cut off there are two, both of which write, and one of the two is lost.
//!
//! What it promises: a read returns a value that was written, or 0; the version that a node holds
//! never goes back; while there is one epoch, operations at its primary see each other in real time;
//! once links are whole all nodes come to hold the same. It takes connections for granted that hand
//! nothing on twice, as TCP does.

use std::collections::BTreeMap;
use std::time::Duration;

use super::{Action, Message, Node, Outcome, Output, Replica, Stored, Timing, Version, majority};

/// One copy.
#[derive(Debug)]
pub struct Primary {
    me: Node,
    nodes: usize,
    timing: Timing,
    /// Not before that of `stored`.
    epoch: u64,
    stored: Stored,
    /// When this node last heard of the primary, or spoke as one.
    heard: Duration,
    /// Writes that the primary was asked for, and when.
    asked: BTreeMap<u64, Duration>,
    /// Values of this primary that no majority is known to hold: when they were sent, and who has them.
    sent: BTreeMap<Version, (Duration, Vec<Node>)>,
}

impl Primary {
    /// One of so many copies. The first primary is node 0.
    pub fn new(me: Node, nodes: usize, timing: Timing) -> Self {
        Self {
            me,
            nodes,
            timing,
            epoch: 0,
            stored: Stored::default(),
            heard: Duration::ZERO,
            asked: BTreeMap::new(),
            sent: BTreeMap::new(),
        }
    }

    fn primary_of(&self, epoch: u64) -> Node {
        (epoch % self.nodes as u64) as usize
    }

    fn is_primary(&self) -> bool {
        self.primary_of(self.epoch) == self.me
    }

    fn tell(&mut self, now: Duration, outputs: &mut Vec<Output>) {
        self.heard = now;
        let message = Message::State { stored: self.stored };
        let others = (0..self.nodes).filter(|to| *to != self.me);
        outputs.extend(others.map(|to| Output::Send { to, message }));
    }

    fn write(&mut self, now: Duration, value: u64, outputs: &mut Vec<Output>) {
        let version = Version(self.epoch, self.stored.version.1 + 1);
        self.stored = Stored { version, value };
        self.sent.insert(version, (now, vec![self.me]));
        self.tell(now, outputs);
    }

    /// Somebody speaks of this value, and by it of an epoch.
    fn state(&mut self, now: Duration, from: Node, stored: Stored, outputs: &mut Vec<Output>) {
        let epoch = stored.version.0;
        let mine = self.stored;
        let reply = |message| Output::Send { to: from, message };
        if epoch < self.epoch {
            // A primary of a former time, or its late message; it has to hear that.
            return outputs.push(reply(Message::State { stored: mine }));
        }
        if epoch > self.epoch {
            self.epoch = epoch;
            // What was not replicated by now is lost.
            self.sent.clear();
        }
        if stored.version > self.stored.version {
            self.stored = stored;
        }
        if from == self.primary_of(epoch) {
            self.heard = now;
            outputs.push(reply(Message::Held { op: 0, version: self.stored.version }));
        }
    }

    fn held(&mut self, now: Duration, from: Node, version: Version, outputs: &mut Vec<Output>) {
        let needed = majority(self.nodes);
        self.sent.retain(|sent, (since, holders)| {
            // Whoever holds a version has held, or skipped, all before it.
            if *sent <= version && !holders.contains(&from) {
                holders.push(from);
            }
            let enough = holders.len() >= needed;
            if enough {
                outputs.push(Output::Replicated { after: now.saturating_sub(*since) });
            }
            !enough
        });
    }
}

impl Replica for Primary {
    fn invoke(&mut self, now: Duration, op: u64, action: Action, outputs: &mut Vec<Output>) {
        let outcome = match action {
            Action::Read => Outcome::Read(self.stored.value),
            Action::Write(value) if self.is_primary() => {
                self.write(now, value, outputs);
                Outcome::Written
            }
            Action::Write(value) => {
                self.asked.insert(op, now);
                let (to, message) = (self.primary_of(self.epoch), Message::Write { op, value });
                return outputs.push(Output::Send { to, message });
            }
        };
        outputs.push(Output::Done { op, outcome });
    }

    fn receive(&mut self, now: Duration, from: Node, message: Message, outputs: &mut Vec<Output>) {
        let reply = |message| Output::Send { to: from, message };
        match message {
            Message::Write { op, value } if self.is_primary() => {
                self.write(now, value, outputs);
                outputs.push(reply(Message::Written { op }));
            }
            Message::Write { op, .. } => outputs.push(reply(Message::Refused { op })),
            Message::Written { op } => {
                if self.asked.remove(&op).is_some() {
                    outputs.push(Output::Done { op, outcome: Outcome::Written });
                }
            }
            Message::Refused { op } => {
                if self.asked.remove(&op).is_some() {
                    let outcome = Outcome::Failed("it was sent to a node that is not the primary");
                    outputs.push(Output::Done { op, outcome });
                }
            }
            Message::State { stored } => self.state(now, from, stored, outputs),
            Message::Held { version, .. } => self.held(now, from, version, outputs),
            // Of the other way to agree.
            Message::Query { .. }
            | Message::Answer { .. }
            | Message::Store { .. }
            | Message::Hello => (),
        }
    }

    fn tick(&mut self, now: Duration, outputs: &mut Vec<Output>) {
        let silent = now.saturating_sub(self.heard);
        if self.is_primary() {
            if silent >= self.timing.heartbeat {
                self.tell(now, outputs);
            }
        } else {
            let rank = (self.me + self.nodes - self.primary_of(self.epoch)) % self.nodes;
            if silent >= self.timing.patience * rank as u32 {
                self.epoch += rank as u64;
                self.stored.version = Version(self.epoch, 0);
                self.tell(now, outputs);
            }
        }
        let late = |since: &Duration| now.saturating_sub(*since) >= self.timing.give_up;
        let over: Vec<u64> =
            self.asked.iter().filter(|(_, since)| late(since)).map(|(op, _)| *op).collect();
        for op in over {
            self.asked.remove(&op);
            let outcome = Outcome::Unknown("the primary does not answer");
            outputs.push(Output::Done { op, outcome });
        }
    }

    fn stored(&self) -> Stored {
        self.stored
    }
}
