//! A copy at work: one thread with a connection to each other copy, and clients that want something at
//! fixed times, whether or not what they wanted before is done.
//!
//! One thread, so that the state machine needs no lock. Clients are in the region of their copy and
//! reach it without a network: what they wait for is the distance between regions.

use std::collections::BTreeMap;
use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use bench_core::fixture::Stream;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;

use super::effect::Leg;
use super::history::{Entry, Function, Kind};
use super::outage::Sample;
use super::wire::{FRAME_BYTES, Sent, decode, encode};
use super::{Action, Message, Node, Outcome, Output, Replica};
use crate::error::Error;

/// What clients of one region want.
#[derive(Clone, Copy, Debug)]
pub(super) struct Load {
    /// One operation so often.
    pub(super) every: Duration,
    /// How many of them are writes, 0 to 1.
    pub(super) writes: f64,
    /// Until then.
    pub(super) length: Duration,
    /// A message that says nothing goes to every other copy so often.
    pub(super) hello: Duration,
    /// The copy goes on for the others until then.
    pub(super) end: Duration,
    /// Of what is a write and what a read.
    pub(super) seed: u64,
}

/// What one copy saw.
#[derive(Debug, Default)]
pub(super) struct Log {
    pub(super) history: Vec<Entry>,
    pub(super) samples: Vec<Sample>,
    pub(super) replicated: Vec<Duration>,
    pub(super) legs: Vec<Leg>,
    /// Open until all copies are done, so that none is without the others before its end.
    _peers: Vec<Peer>,
}

#[derive(Debug)]
struct Peer {
    node: Node,
    stream: TcpStream,
    received: Vec<u8>,
    /// What the socket has no room for yet.
    to_send: Vec<u8>,
    closed: bool,
}

/// An operation that is not over.
struct Open {
    action: Action,
    due: Duration,
    process: u64,
}

/// One thread's work.
pub(super) struct Worker {
    me: Node,
    nodes: usize,
    replica: Box<dyn Replica>,
    peers: Vec<Peer>,
    load: Load,
    stream: Stream,
    start: Instant,
    open: BTreeMap<u64, Open>,
    /// Processes that have nothing to do, and how many there are.
    idle: Vec<u64>,
    processes: u64,
    invoked: u64,
    /// When every other copy is greeted next.
    hello: Duration,
    log: Log,
}

impl Worker {
    pub(super) fn new(
        (me, nodes): (Node, usize),
        replica: Box<dyn Replica>,
        ends: Vec<(Node, TcpStream)>,
        load: Load,
        start: Instant,
    ) -> Result<Self, Error> {
        let mut peers = Vec::new();
        for (node, stream) in ends {
            stream.set_nonblocking(true).map_err(Error::io("make a connection non-blocking"))?;
            let (received, to_send) = (Vec::new(), Vec::new());
            peers.push(Peer { node, stream, received, to_send, closed: false });
        }
        Ok(Self {
            me,
            nodes,
            replica,
            peers,
            load,
            stream: Stream::seeded(load.seed).purpose(me as u64),
            start,
            open: BTreeMap::new(),
            idle: Vec::new(),
            processes: 0,
            invoked: 0,
            hello: Duration::ZERO,
            log: Log::default(),
        })
    }

    /// Works until the end of the load, or until somebody says that there is nothing to wait for.
    pub(super) fn run(mut self, stop: impl Fn() -> bool) -> Result<Log, Error> {
        loop {
            let now = self.start.elapsed();
            if now >= self.load.end || stop() {
                break;
            }
            let mut outputs = Vec::new();
            while self.due() <= now && self.due() < self.load.length {
                self.invoke(&mut outputs);
            }
            self.replica.tick(self.start.elapsed(), &mut outputs);
            self.carry_out(outputs)?;
            self.greet(now)?;
            self.wait()?;
            self.receive()?;
        }
        let open: Vec<u64> = self.open.keys().copied().collect();
        for op in open {
            self.over(op, Outcome::Unknown("the run was over"));
        }
        self.log._peers = self.peers;
        Ok(self.log)
    }

    /// When the next operation begins. The first does after one period: copies are at rest then.
    fn due(&self) -> Duration {
        self.load.every * (self.invoked as u32 + 1)
    }

    fn invoke(&mut self, outputs: &mut Vec<Output>) {
        let due = self.due();
        let writes = self.stream.unit(self.invoked) < self.load.writes;
        self.invoked += 1;
        // No two nodes write one value, and none writes 0.
        let value = self.invoked * self.nodes as u64 + self.me as u64;
        let action = if writes { Action::Write(value) } else { Action::Read };
        let process = self.idle.pop().unwrap_or_else(|| {
            self.processes += 1;
            (self.processes - 1) * self.nodes as u64 + self.me as u64
        });
        self.open.insert(self.invoked, Open { action, due, process });
        let now = self.start.elapsed();
        self.note(now, process, Kind::Invoke, action, None);
        self.replica.invoke(now, self.invoked, action, outputs);
    }

    fn greet(&mut self, now: Duration) -> Result<(), Error> {
        if now < self.hello {
            return Ok(());
        }
        self.hello = now + self.load.hello;
        let others: Vec<Node> = self.peers.iter().map(|peer| peer.node).collect();
        others.into_iter().try_for_each(|to| self.send(to, Message::Hello))
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

    fn over(&mut self, op: u64, outcome: Outcome) {
        let Some(Open { action, due, process }) = self.open.remove(&op) else { return };
        let now = self.start.elapsed();
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

    fn carry_out(&mut self, outputs: Vec<Output>) -> Result<(), Error> {
        for output in outputs {
            match output {
                Output::Send { to, message } => self.send(to, message)?,
                Output::Done { op, outcome } => self.over(op, outcome),
                Output::Replicated { after } => self.log.replicated.push(after),
            }
        }
        Ok(())
    }

    fn send(&mut self, to: Node, message: Message) -> Result<(), Error> {
        let at = self.start.elapsed();
        self.log.legs.push(Leg { from: self.me, to, sent: at, came: None });
        let peer = self.peers.iter_mut().find(|peer| peer.node == to).expect("one for each node");
        peer.to_send.extend(encode(Sent { message, at }));
        peer.flush(at < self.load.length)
    }

    /// Until a message comes, there is room to send, or a time that somebody waits for.
    fn wait(&mut self) -> Result<(), Error> {
        // Copies look at the time a hundred times a second, often enough for any of their time-outs.
        let mut left = Duration::from_millis(10);
        if self.due() < self.load.length {
            left = left.min(self.due().saturating_sub(self.start.elapsed()));
        }
        let timeout = Timespec { tv_sec: 0, tv_nsec: i64::from(left.subsec_nanos()) };
        let watched = self.peers.iter().filter(|peer| !peer.closed).map(|peer| {
            let room = if peer.to_send.is_empty() { PollFlags::empty() } else { PollFlags::OUT };
            PollFd::new(&peer.stream, PollFlags::IN | room)
        });
        let mut watched: Vec<PollFd<'_>> = watched.collect();
        match poll(&mut watched, Some(&timeout)) {
            Ok(_) | Err(Errno::INTR) => Ok(()),
            Err(error) => Err(Error::io("wait for messages")(error)),
        }
    }

    fn receive(&mut self) -> Result<(), Error> {
        for index in 0..self.peers.len() {
            let live = self.start.elapsed() < self.load.length;
            let peer = &mut self.peers[index];
            peer.flush(live)?;
            peer.fill(live)?;
            let from = peer.node;
            let whole = peer.received.len() / FRAME_BYTES * FRAME_BYTES;
            let frames: Vec<u8> = peer.received.drain(..whole).collect();
            for frame in frames.as_chunks::<FRAME_BYTES>().0 {
                let Sent { message, at } = decode(frame).map_err(Error::UnknownMessage)?;
                let now = self.start.elapsed();
                self.log.legs.push(Leg { from, to: self.me, sent: at, came: Some(now) });
                let mut outputs = Vec::new();
                self.replica.receive(now, from, message, &mut outputs);
                self.carry_out(outputs)?;
            }
        }
        Ok(())
    }
}

impl Peer {
    /// Sends what there is room for. `live`: that the other end goes away is an error.
    fn flush(&mut self, live: bool) -> Result<(), Error> {
        while !self.to_send.is_empty() && !self.closed {
            match self.stream.write(&self.to_send) {
                Ok(bytes) => drop(self.to_send.drain(..bytes)),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == ErrorKind::Interrupted => (),
                Err(error) if live => return Err(Error::Measured(error)),
                Err(_) => self.closed = true,
            }
        }
        Ok(())
    }

    fn fill(&mut self, live: bool) -> Result<(), Error> {
        let mut bytes = [0; 64 * FRAME_BYTES];
        while !self.closed {
            match self.stream.read(&mut bytes) {
                Ok(0) if live => return Err(Error::Gone("other copy of the register")),
                Ok(0) => self.closed = true,
                Ok(count) => self.received.extend(&bytes[..count]),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == ErrorKind::Interrupted => (),
                Err(error) if live => return Err(Error::Measured(error)),
                Err(_) => self.closed = true,
            }
        }
        Ok(())
    }
}
