//! Two hosts, a link each way, and the events in the order of their time. Events of one time
//! happen in the order in which they were made, so that a run has one outcome.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::Duration;

use super::receiver::{Acknowledge, BLOCKS, Blocks, Receiver};
use super::sender::Sender;
use super::{HEADER_BYTES, TcpConfig};
use crate::error::Error;
use crate::link::LinkProfile;
use crate::link::model::{Counts, Fate, LinkModel};

/// IP and TCP with the options of a first segment.
const SYN_BYTES: u32 = 60;
/// How often a SYN is sent again, and how often in a row a segment is (`tcp_syn_retries`,
/// `tcp_retries2`).
const SYN_RETRIES: u32 = 6;
const RETRIES: u32 = 15;
/// How long a receiver waits for a second segment to acknowledge with the first.
const DELAYED_ACK_NS: u64 = 40_000_000;

/// One of the two hosts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum End {
    /// The one that connects.
    Client,
    /// The one that is connected to.
    Server,
}

impl End {
    fn other(self) -> Self {
        match self {
            Self::Client => Self::Server,
            Self::Server => Self::Client,
        }
    }
}

/// A connection over a link, and the time.
#[derive(Clone, Debug)]
pub struct Simulation {
    name: String,
    now_ns: u64,
    events: BinaryHeap<Reverse<(u64, u64, Event)>>,
    made: u64,
    /// By the host that sends into it.
    links: [LinkModel; 2],
    hosts: [Host; 2],
    /// When the client's last SYN left, how many there were, and when SYN-ACK came.
    syn_ns: u64,
    syns: u32,
    connected_ns: Option<u64>,
    digest: u64,
}

#[derive(Clone, Debug)]
struct Host {
    sender: Sender,
    receiver: Receiver,
    /// When an acknowledgement that was put off has to leave.
    acknowledge_ns: Option<u64>,
    /// When the event comes that looks at the sender's deadline.
    timer_ns: Option<u64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Event {
    Arrives(End, Packet),
    AcknowledgementDue(End),
    Timer(End),
    SynTimer,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Packet {
    Syn,
    SynAck,
    Segment { from: u64, bytes: u32, up_to: u64, blocks: Blocks },
}

impl Simulation {
    /// Two hosts that are not connected yet.
    ///
    /// # Errors
    /// That the profile makes no sense.
    pub fn new(link: &LinkProfile, tcp: TcpConfig) -> Result<Self, Error> {
        let host = Host {
            sender: Sender::new(tcp),
            receiver: Receiver::default(),
            acknowledge_ns: None,
            timer_ns: None,
        };
        Ok(Self {
            name: link.name.to_string(),
            now_ns: 0,
            events: BinaryHeap::new(),
            made: 0,
            links: LinkModel::both(link, tcp.seed)?,
            hosts: [host.clone(), host],
            syn_ns: 0,
            syns: 0,
            connected_ns: None,
            digest: 0xcbf2_9ce4_8422_2325,
        })
    }

    /// The time since the simulation began.
    pub fn now(&self) -> Duration {
        Duration::from_nanos(self.now_ns)
    }

    /// Makes the connection; how long that took for the client.
    ///
    /// # Errors
    /// [`Error::Unreachable`] where no SYN is answered.
    pub fn connect(&mut self) -> Result<Duration, Error> {
        let start_ns = self.now_ns;
        self.send_syn();
        loop {
            if let Some(connected_ns) = self.connected_ns {
                return Ok(Duration::from_nanos(connected_ns - start_ns));
            }
            self.step()?;
        }
    }

    /// The application at this end writes so many bytes, now.
    ///
    /// # Panics
    /// Before the connection is made.
    pub fn write(&mut self, end: End, bytes: u64) {
        assert!(self.connected_ns.is_some(), "connect comes before write");
        self.hosts[end as usize].sender.write(bytes);
        self.flush(end, false);
    }

    /// Lets time pass until so many bytes, since the connection was made, have arrived at this end.
    ///
    /// # Errors
    /// [`Error::Unreachable`] where a segment is lost again and again.
    ///
    /// # Panics
    /// When fewer bytes were written, for which nobody could wait.
    pub fn run_until_received(&mut self, end: End, bytes: u64) -> Result<(), Error> {
        while self.hosts[end as usize].receiver.next() < bytes {
            self.step()?;
        }
        Ok(())
    }

    /// Segments that this end sent again, and its time-outs.
    pub fn repairs(&self, end: End) -> (u64, u64) {
        let sender = &self.hosts[end as usize].sender;
        (sender.retransmissions, sender.timeouts)
    }

    /// The round trip as this end sees it: smoothed, with what waits in queues.
    pub fn smoothed_round_trip(&self, end: End) -> Duration {
        Duration::from_nanos(self.hosts[end as usize].sender.timeout.smoothed_ns())
    }

    /// What the link did to the packets, up and down.
    pub fn link_counts(&self) -> [Counts; 2] {
        [self.links[0].counts(), self.links[1].counts()]
    }

    /// A hash of every arrival so far, with its time.
    pub fn digest(&self) -> u64 {
        self.digest
    }

    fn step(&mut self) -> Result<(), Error> {
        let Reverse((at_ns, _, event)) = self.events.pop().expect("somebody waits for something");
        self.now_ns = at_ns;
        match event {
            Event::Arrives(end, packet) => self.arrive(end, packet),
            Event::AcknowledgementDue(end) => {
                if self.hosts[end as usize].acknowledge_ns == Some(at_ns) {
                    self.send_acknowledgement(end);
                }
            }
            Event::Timer(end) => return self.look_at_deadline(end),
            Event::SynTimer if self.connected_ns.is_none() => {
                if self.syns > SYN_RETRIES {
                    return Err(self.unreachable());
                }
                self.send_syn();
            }
            Event::SynTimer => (),
        }
        Ok(())
    }

    fn arrive(&mut self, end: End, packet: Packet) {
        self.note(end, packet);
        let now_ns = self.now_ns;
        match packet {
            Packet::Syn => self.transmit(End::Server, Packet::SynAck),
            Packet::SynAck if self.connected_ns.is_none() => {
                self.connected_ns = Some(now_ns);
                if self.syns == 1 {
                    // Both ends know the round trip then; that of the server is the same.
                    let round_trip_ns = now_ns - self.syn_ns;
                    self.hosts
                        .iter_mut()
                        .for_each(|host| host.sender.timeout.sample(round_trip_ns));
                }
                self.hosts[End::Client as usize].sender.timeout.undouble();
                self.send_acknowledgement(End::Client);
            }
            Packet::SynAck => (),
            Packet::Segment { from, bytes, up_to, blocks } => {
                let host = &mut self.hosts[end as usize];
                host.sender.acknowledge(now_ns, up_to, &blocks);
                let when = (bytes > 0).then(|| host.receiver.receive(from, bytes));
                if when == Some(Acknowledge::Later) && host.acknowledge_ns.is_none() {
                    host.acknowledge_ns = Some(now_ns + DELAYED_ACK_NS);
                    self.schedule(now_ns + DELAYED_ACK_NS, Event::AcknowledgementDue(end));
                }
                self.flush(end, when == Some(Acknowledge::Now));
            }
        }
    }

    /// Sends what may be sent; an acknowledgement alone where nothing carries it.
    fn flush(&mut self, end: End, acknowledge: bool) {
        let mut carried = false;
        while let Some((from, bytes)) = self.hosts[end as usize].sender.segment(self.now_ns) {
            self.send(end, from, bytes);
            carried = true;
        }
        if acknowledge && !carried {
            self.send_acknowledgement(end);
        }
        self.set_timer(end);
    }

    fn send_acknowledgement(&mut self, end: End) {
        // Where it would begin is of no interest: it is empty.
        self.send(end, 0, 0);
    }

    fn send(&mut self, end: End, from: u64, bytes: u32) {
        let host = &mut self.hosts[end as usize];
        host.acknowledge_ns = None;
        let (up_to, blocks) = host.receiver.tell();
        self.transmit(end, Packet::Segment { from, bytes, up_to, blocks });
    }

    fn send_syn(&mut self) {
        self.syns += 1;
        self.syn_ns = self.now_ns;
        self.transmit(End::Client, Packet::Syn);
        let timeout = &mut self.hosts[End::Client as usize].sender.timeout;
        let again_ns = self.now_ns + timeout.wait_ns();
        timeout.double();
        self.schedule(again_ns, Event::SynTimer);
    }

    fn transmit(&mut self, from: End, packet: Packet) {
        let ip_bytes = match packet {
            Packet::Syn | Packet::SynAck => SYN_BYTES,
            Packet::Segment { bytes, .. } => bytes + HEADER_BYTES,
        };
        let fate = self.links[from as usize].offer(self.now_ns, ip_bytes);
        let Fate::Delivered(delivery) = fate else { return };
        if delivery.flipped_bit.is_some() {
            return; // Its checksum is wrong.
        }
        for _ in 0..1 + u32::from(delivery.twice) {
            self.schedule(delivery.at_ns, Event::Arrives(from.other(), packet));
        }
    }

    /// Sees to it that there is an event no later than the sender's deadline.
    fn set_timer(&mut self, end: End) {
        let host = &mut self.hosts[end as usize];
        let Some(deadline_ns) = host.sender.deadline_ns() else { return };
        if host.timer_ns.is_none_or(|timer_ns| timer_ns > deadline_ns) {
            host.timer_ns = Some(deadline_ns);
            self.schedule(deadline_ns, Event::Timer(end));
        }
    }

    /// The deadline may have moved on since the timer was set.
    fn look_at_deadline(&mut self, end: End) -> Result<(), Error> {
        let now_ns = self.now_ns;
        let host = &mut self.hosts[end as usize];
        if host.timer_ns != Some(now_ns) {
            return Ok(());
        }
        host.timer_ns = None;
        if host.sender.deadline_ns() == Some(now_ns) {
            if host.sender.timeout.doublings() >= RETRIES {
                return Err(self.unreachable());
            }
            host.sender.time_out(now_ns);
            self.flush(end, false);
        }
        self.set_timer(end);
        Ok(())
    }

    fn schedule(&mut self, at_ns: u64, event: Event) {
        self.made += 1;
        self.events.push(Reverse((at_ns, self.made, event)));
    }

    /// FNV-1a over what arrives where and when.
    fn note(&mut self, end: End, packet: Packet) {
        let (from, up_to) = match packet {
            Packet::Syn => (u64::MAX, 0),
            Packet::SynAck => (u64::MAX, 1),
            Packet::Segment { from, bytes, up_to, .. } => (from + u64::from(bytes), up_to),
        };
        for word in [self.now_ns, end as u64, from, up_to] {
            self.digest = (self.digest ^ word).wrapping_mul(0x0100_0000_01b3);
        }
    }

    fn unreachable(&self) -> Error {
        Error::Unreachable { link: self.name.clone(), after: self.now() }
    }
}

const _: () = assert!(BLOCKS == 3, "more blocks would need more than the 52 bytes of headers");
