//! The proxy's one thread: it accepts, reads, keeps the time and writes, for all connections.
//!
//! One thread, because on a machine with two CPUs a second one would take the place of the system
//! under test, and because then nothing here is shared and nothing is locked.

use std::collections::BTreeMap;
use std::io;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, TryRecvError};
use std::time::{Duration, Instant};

use rustix::event::epoll::{self, EventData, EventFlags};
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketFlags, SocketType, connect, socket_with};
use rustix::time::{ClockId, clock_gettime};

use super::connection::{Connection, Shared, Turn, Way};
use super::pipe::Spare;
use super::report::{Report, Tally};
use crate::error::Error;
use crate::link::model::LinkModel;
use crate::socket;
use crate::wait::Waiter;

/// How many events are taken at once; more come with the next look.
const EVENTS: usize = 256;
/// The number of the socket by which commands are announced.
const COMMANDS: u64 = 0;

/// What the owner asks of the thread.
pub(super) enum Command {
    /// Connections that this listener accepts go to that address from now on.
    Route(TcpListener, SocketAddr, Sender<Result<(), Error>>),
    /// Bytes that enter from now on meet these models, which have these delays.
    Set(Box<[LinkModel; 2]>, [Duration; 2], Sender<()>),
    /// Which ways let nothing in from now on.
    Cut([bool; 2], Sender<()>),
    /// What happened so far.
    Report(Sender<Report>),
}

/// Everything the thread owns. When it is told to stop, dropping this closes every socket.
pub(super) struct Engine {
    epoll: OwnedFd,
    /// Written to when there is a command, and when the owner is gone.
    bell: Arc<OwnedFd>,
    commands: Receiver<Command>,
    links: [LinkModel; 2],
    delays: [Duration; 2],
    cut: [bool; 2],
    held_max: usize,
    /// By the number under which their events come. Numbers are never used again, so that an event
    /// of a socket that is closed finds nobody.
    routes: BTreeMap<u64, (TcpListener, SocketAddr)>,
    /// Likewise: the client's socket has the number, the server's the next.
    connections: BTreeMap<u64, Connection>,
    next_number: u64,
    /// From here on the next round of turns begins: behind whoever last found room in the queue of
    /// the link, so that it is not always the same one.
    first: u64,
    spare: Spare,
    tally: Tally,
    start: Instant,
}

impl Engine {
    pub(super) fn new(
        bell: Arc<OwnedFd>,
        commands: Receiver<Command>,
        links: [LinkModel; 2],
        delays: [Duration; 2],
        held_max: usize,
    ) -> Result<Self, Error> {
        let epoll =
            epoll::create(epoll::CreateFlags::CLOEXEC).map_err(Error::io("make an epoll"))?;
        epoll::add(&epoll, &bell, EventData::new_u64(COMMANDS), EventFlags::IN)
            .map_err(Error::io("watch for commands"))?;
        Ok(Self {
            epoll,
            bell,
            commands,
            links,
            delays,
            cut: [false; 2],
            held_max,
            routes: BTreeMap::new(),
            connections: BTreeMap::new(),
            next_number: COMMANDS + 2,
            first: 0,
            spare: Spare::default(),
            tally: Tally::new(),
            start: Instant::now(),
        })
    }

    /// Works until the owner is gone.
    ///
    /// # Panics
    /// When the system refuses to wait or to accept, which a proxy cannot go on without.
    pub(super) fn run(mut self) {
        let waiter = Waiter::new();
        let mut events = Vec::with_capacity(EVENTS);
        let mut until_ns = None;
        loop {
            let start = self.start;
            waiter
                .wait(&self.epoll, &mut events, until_ns, || elapsed_ns(start))
                .unwrap_or_else(|error| panic!("failed to wait for sockets: {error}"));
            for event in &events {
                let (number, flags) = (event.data.u64(), event.flags);
                match number {
                    COMMANDS => {
                        if !self.obey() {
                            return;
                        }
                    }
                    _ if self.routes.contains_key(&number) => self.accept(number),
                    _ => self.wake(number, flags),
                }
            }
            until_ns = self.turn();
        }
    }

    /// Does what was asked. Whether there is still somebody to ask.
    fn obey(&mut self) -> bool {
        let _ = rustix::io::read(&self.bell, &mut [0; 8]);
        loop {
            match self.commands.try_recv() {
                // Whoever asked may have gone meanwhile.
                Ok(Command::Route(listener, to, answer)) => {
                    let _ = answer.send(self.route(listener, to));
                }
                Ok(Command::Set(links, delays, answer)) => {
                    (self.links, self.delays) = (*links, delays);
                    let _ = answer.send(());
                }
                Ok(Command::Cut(cut, answer)) => {
                    self.cut = cut;
                    let _ = answer.send(());
                }
                Ok(Command::Report(answer)) => {
                    let cpu = clock_gettime(ClockId::ThreadCPUTime);
                    let cpu = Duration::new(cpu.tv_sec as u64, cpu.tv_nsec as u32);
                    let _ = answer.send(self.tally.report(cpu));
                }
                Err(TryRecvError::Empty) => return true,
                Err(TryRecvError::Disconnected) => return false,
            }
        }
    }

    fn route(&mut self, listener: TcpListener, to: SocketAddr) -> Result<(), Error> {
        listener.set_nonblocking(true).map_err(Error::io("make a listener non-blocking"))?;
        let number = self.take_numbers();
        epoll::add(&self.epoll, &listener, EventData::new_u64(number), EventFlags::IN)
            .map_err(Error::io("watch a listener"))?;
        self.routes.insert(number, (listener, to));
        Ok(())
    }

    /// Takes every client that waits at a listener.
    fn accept(&mut self, route: u64) {
        // A failure is no end: the client that waited has gone, or no descriptor is free now. The
        // epoll tells again of those who still wait.
        while let Some((listener, to)) = self.routes.get(&route) {
            let (Ok((client, _)), to) = (listener.accept(), *to) else { return };
            self.tally.connections += 1;
            if self.begin(client, to).is_err() {
                self.tally.refused += 1;
            }
        }
    }

    /// Connects to the server and watches both sockets. Where that fails the client is reset.
    fn begin(&mut self, client: TcpStream, to: SocketAddr) -> io::Result<()> {
        socket::set_reset_on_close(&client)?;
        client.set_nonblocking(true)?;
        let server = connecting(to)?;
        for end in [&client, &server] {
            end.set_nodelay(true)?;
            // What is not modelled is not to be there by the default of the machine either: BBR would
            // pace what is sent by what it has measured of a leg without a delay. Where it is
            // refused, the default does it.
            let _refused = socket::pin_congestion_control(end, "reno");
        }
        let number = self.take_numbers();
        let flags = EventFlags::IN | EventFlags::OUT | EventFlags::RDHUP | EventFlags::ET;
        epoll::add(&self.epoll, &client, EventData::new_u64(number), flags)?;
        epoll::add(&self.epoll, &server, EventData::new_u64(number + 1), flags)?;
        rustix::net::sockopt::set_socket_linger(&client, None)?;
        self.connections.insert(number, Connection::new(client, server));
        Ok(())
    }

    fn wake(&mut self, number: u64, flags: EventFlags) {
        let (connection, way) = match number % 2 {
            0 => (number, Way::Up),
            _ => (number - 1, Way::Down),
        };
        let Some(found) = self.connections.get_mut(&connection) else { return };
        let broken = flags.intersects(EventFlags::ERR | EventFlags::HUP);
        let readable = broken || flags.intersects(EventFlags::IN | EventFlags::RDHUP);
        found.woken(way, readable, broken || flags.contains(EventFlags::OUT));
    }

    /// Gives every connection a turn; when the next is due, `None` where only sockets can tell.
    fn turn(&mut self) -> Option<u64> {
        let start = self.start;
        let mut over = Vec::new();
        let mut next_ns: Option<u64> = None;
        let mut shared = Shared {
            links: &mut self.links,
            delays_ns: self.delays.map(|delay| delay.as_nanos() as u64),
            cut: self.cut,
            spare: &mut self.spare,
            tally: &mut self.tally,
            held_max: self.held_max,
        };
        let (first, mut next_first) = (self.first, self.first);
        let mut serve = |(&number, connection): (&u64, &mut Connection)| {
            let taken = shared.tally.bytes;
            let due_ns = match connection.turn(&mut shared, || elapsed_ns(start)) {
                Turn::Wait(due_ns) => due_ns,
                Turn::Again => Some(0),
                Turn::Over => {
                    over.push(number);
                    None
                }
            };
            if shared.tally.bytes != taken {
                next_first = number + 1;
            }
            next_ns = [next_ns, due_ns].into_iter().flatten().min();
        };
        self.connections.range_mut(first..).for_each(&mut serve);
        self.connections.range_mut(..first).for_each(&mut serve);
        self.first = next_first;
        for number in over {
            if let Some(connection) = self.connections.remove(&number) {
                self.tally.refused += u64::from(connection.refused());
                connection.discard(&mut self.spare);
            }
        }
        next_ns
    }

    fn take_numbers(&mut self) -> u64 {
        let number = self.next_number;
        self.next_number += 2;
        number
    }
}

fn elapsed_ns(start: Instant) -> u64 {
    start.elapsed().as_nanos() as u64
}

/// A socket that is on its way to `to`; whether it arrives is told by its events.
fn connecting(to: SocketAddr) -> io::Result<TcpStream> {
    let family = if to.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
    let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
    let socket = socket_with(family, SocketType::STREAM, flags, None)?;
    match connect(socket.as_fd(), &to) {
        Ok(()) | Err(Errno::INPROGRESS) => Ok(TcpStream::from(socket)),
        Err(error) => Err(error.into()),
    }
}
