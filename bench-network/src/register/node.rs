//! A copy at work: one thread with a connection to each other copy, so that the state machine needs no
//! lock.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;

use super::clients::{Clients, Log};
use super::effect::Leg;
use super::run::RunConfig;
use super::wire::{FRAME_BYTES, Sent, decode, encode};
use super::{Message, Node, Output, Replica};
use crate::error::Error;

#[derive(Debug)]
pub(super) struct Peer {
    node: Node,
    stream: TcpStream,
    received: Vec<u8>,
    /// What the socket has no room for yet.
    to_send: Vec<u8>,
    closed: bool,
}

/// One thread's work.
pub(super) struct Worker {
    me: Node,
    replica: Box<dyn Replica>,
    peers: Vec<Peer>,
    clients: Clients,
    config: RunConfig,
    start: Instant,
    /// When every other copy is greeted next.
    hello: Duration,
}

impl Worker {
    pub(super) fn new(
        (me, nodes): (Node, usize),
        ends: Vec<(Node, TcpStream)>,
        config: RunConfig,
        start: Instant,
    ) -> Result<Self, Error> {
        let mut peers = Vec::new();
        for (node, stream) in ends {
            stream.set_nonblocking(true).map_err(Error::io("make a connection non-blocking"))?;
            let (received, to_send) = (Vec::new(), Vec::new());
            peers.push(Peer { node, stream, received, to_send, closed: false });
        }
        let replica = config.mode.replica(me, nodes, config.timing);
        let clients = Clients::new(me, nodes, config);
        Ok(Self { me, replica, peers, clients, config, start, hello: Duration::ZERO })
    }

    /// Works until every operation is given up, or until somebody says that there is nothing to wait
    /// for. The connections stay open with what it returns, so that no copy is without the others
    /// before its own end.
    pub(super) fn run(mut self, stop: impl Fn() -> bool) -> Result<(Log, Vec<Peer>), Error> {
        let end = self.config.end();
        loop {
            let now = self.start.elapsed();
            if now >= end || stop() {
                break;
            }
            let mut outputs = Vec::new();
            while self.clients.due().is_some_and(|due| due <= now) {
                let now = self.start.elapsed();
                self.clients.invoke(now, self.replica.as_mut(), &mut outputs);
            }
            self.replica.tick(self.start.elapsed(), &mut outputs);
            self.carry_out(outputs)?;
            self.greet(now)?;
            self.wait()?;
            self.receive()?;
        }
        Ok((self.clients.end(self.start.elapsed()), self.peers))
    }

    fn greet(&mut self, now: Duration) -> Result<(), Error> {
        if now < self.hello {
            return Ok(());
        }
        self.hello = now + self.config.timing.heartbeat;
        let others: Vec<Node> = self.peers.iter().map(|peer| peer.node).collect();
        others.into_iter().try_for_each(|to| self.send(to, Message::Hello))
    }

    fn carry_out(&mut self, outputs: Vec<Output>) -> Result<(), Error> {
        for output in outputs {
            match output {
                Output::Send { to, message } => self.send(to, message)?,
                Output::Done { op, outcome } => {
                    self.clients.over(self.start.elapsed(), op, outcome);
                }
                Output::Replicated { after } => self.clients.log.replicated.push(after),
            }
        }
        Ok(())
    }

    fn send(&mut self, to: Node, message: Message) -> Result<(), Error> {
        let at = self.start.elapsed();
        self.clients.log.legs.push(Leg { from: self.me, to, sent: at, came: None });
        let peer = self.peers.iter_mut().find(|peer| peer.node == to).expect("one for each node");
        peer.to_send.extend(encode(Sent { message, at }));
        peer.flush(at < self.config.length)
    }

    /// Until a message comes, there is room to send, or a time that somebody waits for.
    fn wait(&mut self) -> Result<(), Error> {
        // Copies look at the time a hundred times a second, often enough for any of their time-outs.
        let mut left = Duration::from_millis(10);
        if let Some(due) = self.clients.due() {
            left = left.min(due.saturating_sub(self.start.elapsed()));
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
            let live = self.start.elapsed() < self.config.length;
            let peer = &mut self.peers[index];
            peer.flush(live)?;
            peer.fill(live)?;
            let from = peer.node;
            let whole = peer.received.len() / FRAME_BYTES * FRAME_BYTES;
            let frames: Vec<u8> = peer.received.drain(..whole).collect();
            for frame in frames.as_chunks::<FRAME_BYTES>().0 {
                let Sent { message, at } = decode(frame).map_err(Error::UnknownMessage)?;
                let now = self.start.elapsed();
                self.clients.log.legs.push(Leg { from, to: self.me, sent: at, came: Some(now) });
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
