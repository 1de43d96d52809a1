//! A connection through the proxy: a socket on each side and a pipe each way.
//!
//! Sockets are watched for edges: a socket counts as readable until a read finds nothing, and as
//! writable until a write finds no room.
//!
//! Faults strike where bytes are let in, where they are handed on, and where a stream ends.

use std::cell::RefCell;
use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream};

use rustix::io::ioctl_fionread;

use super::faults::{Ending, Faults, Struck};
use super::pipe::{Arrival, End, Intake, Pipe, Spare};
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
    pub(super) faults: &'a mut Faults,
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
    /// When it was accepted.
    born_ns: u64,
    /// What faults left on each way.
    struck: [Struck; 2],
    /// The fault that ended it.
    ending: Option<Ending>,
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
    pub(super) fn new(client: TcpStream, server: TcpStream, born_ns: u64) -> Self {
        let side = |stream| Side { stream, readable: false, read_done: false };
        Self {
            sides: [side(client), side(server)],
            pipes: [Pipe::default(), Pipe::default()],
            ended: [false; 2],
            connected: false,
            refused: false,
            born_ns,
            struck: [Struck::default(), Struck::default()],
            ending: None,
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
        let mut ends_ns = None;
        let mut stopped = [false; 2];
        if !shared.faults.is_empty() {
            match shared.faults.ending(self.born_ns, now()) {
                Ok(ending) => {
                    self.end_by(ending, shared, now());
                    return Turn::Over;
                }
                Err(next_ns) => ends_ns = next_ns,
            }
            stopped = Way::BOTH.map(|way| self.is_stopped(way, shared));
        }
        let mut again = false;
        for way in Way::BOTH.into_iter().filter(|way| !stopped[way.index()]) {
            again |= self.receive(way, shared, &now);
        }
        for way in Way::BOTH.into_iter().filter(|way| !stopped[way.index()]) {
            let side = &self.sides[way.index()];
            let waits = side.readable && !side.read_done && !shared.cut[way.index()];
            // Whoever was held up for want of room has some now.
            again |= self.release(way, shared, &now) && waits;
            if let Some(end) = self.pipes[way.index()].take_end(now()) {
                shared.faults.closed(&mut self.struck[way.index()], now());
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
            let arrives = (way == Way::Down || self.connected) && !stopped[way.index()];
            let arrival_ns = arrives.then(|| self.pipes[way.index()].next_ns()).flatten();
            [arrival_ns, self.struck[way.index()].next_ns()].into_iter().flatten().min()
        };
        Turn::Wait(Way::BOTH.into_iter().filter_map(next).chain(ends_ns).min())
    }

    /// Whether a fault lets nothing through this way; what wants to is counted.
    fn is_stopped(&mut self, way: Way, shared: &mut Shared<'_>) -> bool {
        let (stream, pipe) = (&self.sides[way.index()].stream, &self.pipes[way.index()]);
        let wanting = || ioctl_fionread(stream).unwrap_or(0) + pipe.held_bytes() as u64;
        shared.faults.stops(way, &mut self.struck[way.index()], wanting)
    }

    /// Ends both streams as the fault wants it; dropping the connection, which is next, does it.
    fn end_by(&mut self, ending: Ending, shared: &mut Shared<'_>, now_ns: u64) {
        self.ending = Some(ending);
        match ending {
            Ending::Reset(_) => self.deliver_end(Way::Down, End::Reset),
            Ending::TimeOut(number) => {
                let counted = self.struck.iter().any(|struck| struck.was_stopped(number));
                shared.faults.timed_out(number, self.born_ns, counted, now_ns);
                // What nobody has read would make a RST of the end.
                for side in &self.sides {
                    swallow(&side.stream);
                }
            }
        }
    }

    /// The fault that reset it.
    pub(super) fn reset_by(&self) -> Option<u64> {
        match self.ending? {
            Ending::Reset(number) => Some(number),
            Ending::TimeOut(_) => None,
        }
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
        let (faults, struck) = (&mut *shared.faults, &mut self.struck[way.index()]);
        struck.ask_sender();
        let (mut taken, mut cut_ns) = (0, None);
        if shared.cut[way.index()] {
            pipe.stop();
            shared.tally.stopped[way.index()] += u64::from(side.readable && !side.read_done);
            return false;
        }
        while side.readable && !side.read_done {
            if taken >= TURN_BYTES {
                return true;
            }
            let mut most = usize::MAX;
            pipe.delay_further(None);
            if !faults.is_empty() {
                most = faults.admits(way, struck, now());
                pipe.delay_further(faults.added(way));
                if most == 0 {
                    cut_ns = faults.reaches_limit(way, struck).then(now);
                    break;
                }
            }
            let read = |room: &mut [u8]| {
                let most = most.min(room.len());
                (&side.stream).read(&mut room[..most])
            };
            match pipe.receive(link, shared.spare, shared.held_max, now, read) {
                Ok(Intake::Bytes(bytes)) => {
                    taken += bytes;
                    shared.tally.bytes[way.index()] += bytes as u64;
                    if !faults.is_empty() && faults.admitted(way, struck, bytes as u64, now()) {
                        cut_ns = Some(now() + delay_ns);
                        break;
                    }
                }
                Ok(Intake::Empty) => side.readable = false,
                Ok(Intake::Held { overflow }) => {
                    shared.tally.overflows += u64::from(overflow);
                    break;
                }
                Ok(Intake::Closed) => {
                    side.read_done = true;
                    // One look at the clock: what is held is counted from where it is due from.
                    let came_ns = now();
                    pipe.end(came_ns + delay_ns, End::Closed);
                    pipe.delay_end(faults.closing(way, struck, came_ns));
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => (),
                // The sender has given up: what it sent before still arrives, then that.
                Err(_) => {
                    side.read_done = true;
                    pipe.end(now() + delay_ns, End::Reset);
                }
            }
        }
        if let Some(due_ns) = cut_ns {
            self.cut(due_ns);
        }
        false
    }

    /// Hands on what has arrived this way. Whether that was anything.
    fn release(&mut self, way: Way, shared: &mut Shared<'_>, now: &impl Fn() -> u64) -> bool {
        if way == Way::Up && !self.connected {
            return false;
        }
        let to = &self.sides[way.other().index()].stream;
        let (pipe, struck) = (&mut self.pipes[way.index()], &mut self.struck[way.index()]);
        if struck.ask_receiver() {
            pipe.unblock();
        }
        let (lateness, faults) = (&mut shared.tally.lateness, RefCell::new(&mut *shared.faults));
        let arrived = |arrival: Arrival| {
            lateness.saturating_record(arrival.late_ns);
            if arrival.fault > 0 {
                faults.borrow_mut().note(arrival.fault, |seen| seen.held(arrival.held_ns));
            }
        };
        let write = |bytes: &[u8]| write_through(to, bytes, way, struck, &faults, now);
        let Ok(written) = pipe.release(shared.spare, now(), arrived, write) else {
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

    /// A fault ends both streams, after what is on its way.
    fn cut(&mut self, due_ns: u64) {
        for way in Way::BOTH {
            self.sides[way.index()].read_done = true;
            self.pipes[way.index()].end(due_ns, End::Closed);
        }
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

/// Writes to the receiver as much as faults let it have now.
fn write_through(
    mut to: &TcpStream,
    bytes: &[u8],
    way: Way,
    struck: &mut Struck,
    faults: &RefCell<&mut Faults>,
    now: &impl Fn() -> u64,
) -> io::Result<usize> {
    if faults.borrow().is_empty() {
        return to.write(bytes);
    }
    let mut faults = faults.borrow_mut();
    match faults.slices(way, struck, now()) {
        None => to.write(bytes),
        Some(0) => Err(io::ErrorKind::WouldBlock.into()),
        Some(most) => {
            let written = to.write(&bytes[..most.min(bytes.len())])?;
            faults.sliced(way, struck, [written, bytes.len()], now());
            Ok(written)
        }
    }
}

/// Reads what has come and throws it away, within bounds.
fn swallow(mut stream: &TcpStream) {
    let mut room = vec![0; 64 * 1024];
    for _ in 0..TURN_BYTES / room.len() {
        if !matches!(stream.read(&mut room), Ok(1..)) {
            return;
        }
    }
}
