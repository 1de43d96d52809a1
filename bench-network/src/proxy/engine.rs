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
use super::faults::Faults;
use super::pipe::Spare;
use super::report::{Report, Tally};
use crate::error::Error;
use crate::fault::FaultError;
use crate::fault::stream::{Observed, StreamFault};
use crate::link::model::LinkModel;
use crate::socket;
use crate::wait::Waiter;

/// How many events are taken at once; more come with the next look.
const EVENTS: usize = 256;
/// The number of the socket by which commands are announced.
const COMMANDS: u64 = 0;
/// Of the jitter that faults add.
const FAULT_SEED: u64 = 42;

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
    /// Connections have this fault from now on, by the number that it gets.
    Inject(StreamFault, Sender<Result<u64, FaultError>>),
    /// What happened of a fault.
    Observe(u64, Sender<Observed>),
    /// They have it no longer.
    End(u64, Sender<()>),
}

/// A listener, and where its connections go.
struct Route {
    listener: TcpListener,
    to: SocketAddr,
    /// A client waits since then, whom a fault does not let in yet.
    waits_ns: Option<u64>,
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
    routes: BTreeMap<u64, Route>,
    /// Likewise: the client's socket has the number, the server's the next.
    connections: BTreeMap<u64, Connection>,
    next_number: u64,
    /// From here on the next round of turns begins: behind whoever last found room in the queue of
    /// the link, so that it is not always the same one.
    first: u64,
    spare: Spare,
    tally: Tally,
    faults: Faults,
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
            faults: Faults::new(FAULT_SEED),
            start: Instant::now(),
        })
    }

    /// Works until the owner is gone.
    ///
    /// # Panics
    /// When the system refuses to wait or to accept, which a proxy cannot go on without.
    pub(super) fn run(mut self) {
        let mut waiter = Waiter::new();
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
                Ok(Command::Inject(fault, answer)) => {
                    let _ = answer.send(self.faults.inject(fault, elapsed_ns(self.start)));
                }
                Ok(Command::Observe(number, answer)) => {
                    let _ = answer.send(self.faults.seen(number));
                }
                Ok(Command::End(number, answer)) => {
                    self.faults.end(number);
                    let _ = answer.send(());
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
        self.routes.insert(number, Route { listener, to, waits_ns: None });
        Ok(())
    }

    /// Takes every client that waits at a listener, or notes that one does.
    fn accept(&mut self, number: u64) {
        if self.faults.accepting().is_some()
            && let Some(route) = self.routes.get_mut(&number)
        {
            // Until it is accepted the epoll would tell of it again and again.
            let told = epoll::modify(
                &self.epoll,
                &route.listener,
                EventData::new_u64(number),
                EventFlags::empty(),
            );
            if told.is_ok() {
                route.waits_ns = Some(elapsed_ns(self.start));
                return;
            }
        }
        self.accept_all(number);
    }

    /// Takes those whose time has come, one at each listener; when the next one's does.
    fn accept_late(&mut self) -> Option<u64> {
        let (now_ns, accepting) = (elapsed_ns(self.start), self.faults.accepting());
        let mut next_ns: Option<u64> = None;
        let mut due = Vec::new();
        for (&number, route) in &mut self.routes {
            let Some(since_ns) = route.waits_ns else { continue };
            let due_ns = since_ns.saturating_add(accepting.map_or(0, |(_, delay_ns)| delay_ns));
            if due_ns > now_ns {
                next_ns = Some(next_ns.map_or(due_ns, |next_ns| next_ns.min(due_ns)));
                continue;
            }
            route.waits_ns = None;
            due.push((number, now_ns - since_ns));
        }
        for (number, held_ns) in due {
            let Some(route) = self.routes.get(&number) else { continue };
            if let Ok((client, _)) = route.listener.accept() {
                if let Some((fault, _)) = accepting {
                    self.faults.note(fault, |seen| seen.held(held_ns));
                }
                let to = route.to;
                self.admit(client, to);
            }
            if let Some(route) = self.routes.get(&number) {
                let (data, flags) = (EventData::new_u64(number), EventFlags::IN);
                // A listener of ours that is open cannot be refused.
                let _ = epoll::modify(&self.epoll, &route.listener, data, flags);
            }
        }
        next_ns
    }

    fn admit(&mut self, client: TcpStream, to: SocketAddr) {
        self.tally.connections += 1;
        if self.begin(client, to).is_err() {
            self.tally.refused += 1;
        }
    }

    fn accept_all(&mut self, route: u64) {
        // A failure is no end: the client that waited has gone, or no descriptor is free now. The
        // epoll tells again of those who still wait.
        while let Some(Route { listener, to, .. }) = self.routes.get(&route) {
            let (Ok((client, _)), to) = (listener.accept(), *to) else { return };
            self.admit(client, to);
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
        self.connections.insert(number, Connection::new(client, server, elapsed_ns(self.start)));
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
        let mut next_ns: Option<u64> = self.accept_late();
        let mut shared = Shared {
            links: &mut self.links,
            delays_ns: self.delays.map(|delay| delay.as_nanos() as u64),
            cut: self.cut,
            spare: &mut self.spare,
            tally: &mut self.tally,
            faults: &mut self.faults,
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
                let reset_by = connection.reset_by();
                let before = reset_by.and_then(|_| resets_sent());
                connection.discard(&mut self.spare);
                if let Some(number) = reset_by {
                    let sent = resets_sent().zip(before).map(|(after, before)| after - before);
                    self.faults.note(number, |seen| {
                        seen.times += 1;
                        seen.resets = sent.map(|sent| seen.resets.unwrap_or(0) + sent);
                    });
                }
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

/// How many RSTs the kernel has sent in this thread's network namespace, for whomever.
fn resets_sent() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/thread-self/net/snmp").ok()?;
    let mut lines = text.lines().filter_map(|line| line.strip_prefix("Tcp: "));
    let (names, values) = (lines.next()?, lines.next()?);
    let place = names.split(' ').position(|name| name == "OutRsts")?;
    values.split(' ').nth(place)?.parse().ok()
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
