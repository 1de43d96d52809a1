//! A connection through the proxy: a socket on each side and a pipe each way.
//!
//! Sockets are watched for edges: a socket counts as readable until a read finds nothing, and as
//! writable until a write finds no room.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream};

use super::pipe::{End, Intake, Pipe, Spare};
use super::report::Tally;
use crate::link::model::LinkModel;
use crate::socket;

/// How much one connection may read in one turn before the others get theirs.
const TURN_BYTES: usize = 1024 * 1024;

/// Which way bytes go; also which of the two sockets sends them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    /// From the client to the server.
    Up,
    /// From the server to the client.
    Down,
}

impl Way {
    pub(super) const BOTH: [Self; 2] = [Self::Up, Self::Down];

    fn index(self) -> usize {
        self as usize
    }

    fn other(self) -> Self {
        match self {
            Self::Up => Self::Down,
            Self::Down => Self::Up,
        }
    }
}

/// What all connections of a proxy share.
pub(super) struct Shared<'a> {
    pub(super) links: &'a mut [LinkModel; 2],
    pub(super) delays_ns: [u64; 2],
    /// Ways that let nothing in now.
    pub(super) cut: [bool; 2],
    pub(super) spare: &'a mut Spare,
    pub(super) tally: &'a mut Tally,
    pub(super) held_max: usize,
}

/// One end as the proxy sees it.
#[derive(Debug)]
struct Side {
    stream: TcpStream,
    readable: bool,
    /// Its stream has ended, or it is gone: nothing more is read.
    read_done: bool,
}

/// A client, a server, and what is on its way between them.
#[derive(Debug)]
pub(super) struct Connection {
    /// By the way that it sends: the client, the server.
    sides: [Side; 2],
    pipes: [Pipe; 2],
    /// The pipes that have delivered their end.
    ended: [bool; 2],
    /// The proxy's own connection to the server is made.
    connected: bool,
    /// It was not taken.
    refused: bool,
}

/// What is left to do after a turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Turn {
    /// Wait for a socket, or for this time.
    Wait(Option<u64>),
    /// There is more at once.
    Again,
    /// Both ends are closed: drop the connection.
    Over,
}

impl Connection {
    /// A client that was accepted and a socket that is connecting to the server.
    pub(super) fn new(client: TcpStream, server: TcpStream) -> Self {
        let side = |stream| Side { stream, readable: false, read_done: false };
        Self {
            sides: [side(client), side(server)],
            pipes: [Pipe::default(), Pipe::default()],
            ended: [false; 2],
            connected: false,
            refused: false,
        }
    }

    fn stream(&self, way: Way) -> &TcpStream {
        &self.sides[way.index()].stream
    }

    /// The socket that sends this way has something to read, or has room again.
    pub(super) fn woken(&mut self, way: Way, readable: bool, writable: bool) {
        self.sides[way.index()].readable |= readable;
        if writable {
            self.pipes[way.other().index()].unblock();
            if way == Way::Down && !self.connected {
                self.connected = true;
                self.refused = !matches!(self.stream(way).take_error(), Ok(None));
            }
        }
    }

    /// Moves what can be moved, both ways.
    pub(super) fn turn(&mut self, shared: &mut Shared<'_>, now: impl Fn() -> u64) -> Turn {
        if self.refused {
            self.deliver_end(Way::Down, End::Reset);
            return Turn::Over;
        }
        let mut again = false;
        for way in Way::BOTH {
            again |= self.receive(way, shared, &now);
        }
        for way in Way::BOTH {
            let side = &self.sides[way.index()];
            let waits = side.readable && !side.read_done && !shared.cut[way.index()];
            // Whoever was held up for want of room has some now.
            again |= self.release(way, shared, &now) && waits;
            if let Some(end) = self.pipes[way.index()].take_end(now()) {
                self.deliver_end(way, end);
            }
        }
        if self.ended == [true; 2] {
            return Turn::Over;
        }
        if again {
            return Turn::Again;
        }
        let next = |way: Way| {
            // To a server that is not connected nothing can be written.
            (way == Way::Down || self.connected).then(|| self.pipes[way.index()].next_ns())?
        };
        Turn::Wait(Way::BOTH.into_iter().filter_map(next).min())
    }

    /// Whether the server never took the connection.
    pub(super) fn refused(&self) -> bool {
        self.refused
    }

    /// Gives the memory back.
    pub(super) fn discard(mut self, spare: &mut Spare) {
        self.pipes.iter_mut().for_each(|pipe| pipe.discard(spare));
    }

    /// Reads what the sender of this way has. Whether it may have more.
    fn receive(&mut self, way: Way, shared: &mut Shared<'_>, now: &impl Fn() -> u64) -> bool {
        let (side, pipe) = (&mut self.sides[way.index()], &mut self.pipes[way.index()]);
        let (link, delay_ns) = (&mut shared.links[way.index()], shared.delays_ns[way.index()]);
        let mut taken = 0;
        if shared.cut[way.index()] {
            pipe.stop();
            shared.tally.stopped[way.index()] += u64::from(side.readable && !side.read_done);
            return false;
        }
        while side.readable && !side.read_done {
            if taken >= TURN_BYTES {
                return true;
            }
            let read = |room: &mut [u8]| (&side.stream).read(room);
            match pipe.receive(link, shared.spare, shared.held_max, now, read) {
                Ok(Intake::Bytes(bytes)) => {
                    taken += bytes;
                    shared.tally.bytes[way.index()] += bytes as u64;
                }
                Ok(Intake::Empty) => side.readable = false,
                Ok(Intake::Held { overflow }) => {
                    shared.tally.overflows += u64::from(overflow);
                    break;
                }
                Ok(Intake::Closed) => {
                    side.read_done = true;
                    pipe.end(now() + delay_ns, End::Closed);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => (),
                // The sender has given up: what it sent before still arrives, then that.
                Err(_) => {
                    side.read_done = true;
                    pipe.end(now() + delay_ns, End::Reset);
                }
            }
        }
        false
    }

    /// Hands on what has arrived this way. Whether that was anything.
    fn release(&mut self, way: Way, shared: &mut Shared<'_>, now: &impl Fn() -> u64) -> bool {
        if way == Way::Up && !self.connected {
            return false;
        }
        let mut to = &self.sides[way.other().index()].stream;
        let lateness = &mut shared.tally.lateness;
        let late = |late_ns: u64| lateness.saturating_record(late_ns);
        let pipe = &mut self.pipes[way.index()];
        let Ok(written) = pipe.release(shared.spare, now(), late, |bytes| to.write(bytes)) else {
            // The receiver is gone. Its sender learns that after one more delay.
            pipe.discard(shared.spare);
            self.ended[way.index()] = true;
            self.sides[way.index()].read_done = true;
            self.sides[way.other().index()].read_done = true;
            let due_ns = now() + shared.delays_ns[way.other().index()];
            self.pipes[way.other().index()].end(due_ns, End::Reset);
            return false;
        };
        written > 0
    }

    fn deliver_end(&mut self, way: Way, end: End) {
        let to = &self.sides[way.other().index()].stream;
        match end {
            // Fails only where the receiver is gone, which its own reads say.
            End::Closed => drop(to.shutdown(Shutdown::Write)),
            End::Reset => {
                // Closing both sockets, which dropping the connection does, now sends RST.
                for side in &self.sides {
                    let _ = socket::set_reset_on_close(&side.stream);
                }
                self.ended = [true; 2];
            }
        }
        self.ended[way.index()] = true;
    }
}
