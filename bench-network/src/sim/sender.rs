//! The sending half of a host: what is on its way, what of it is lost, and what may be sent now.

use std::collections::VecDeque;

use super::congestion::{Acked, Congestion, CongestionControl};
use super::receiver::Blocks;
use super::timeout::Timeout;
use super::{SEGMENT_BYTES, TcpConfig};

/// So many segments that arrived above one say that it is lost (RFC 6675).
const GAP_SEGMENTS: u32 = 3;

/// A stream that is being sent.
#[derive(Clone, Debug)]
pub(super) struct Sender {
    /// Bytes that the application has written; all before `next` were sent, all before
    /// `acknowledged` have arrived.
    written: u64,
    next: u64,
    acknowledged: u64,
    /// What was sent and is not acknowledged, in order.
    sent: VecDeque<Sent>,
    /// Bytes that are on their way, as far as the sender knows.
    flying_bytes: u64,
    /// Segments that are lost and were not sent again.
    lost: u32,
    recovery: Recovery,
    /// The next segment may leave whatever the window says: the first after a loss.
    owed: bool,
    /// Whether the window, and not the application, bounds what is on its way, and the most
    /// segments that were, both of the round that ends when all before `used_until` is
    /// acknowledged. A window that nobody uses may not grow.
    limited: bool,
    most_segments: u64,
    used_until: u64,
    /// When the last of those segments left that have arrived.
    last_arrived_sent_ns: u64,
    receive_window: u64,
    congestion: Congestion,
    pub(super) timeout: Timeout,
    /// When the sender stops waiting; `None` where it waits for nothing.
    deadline_ns: Option<u64>,
    pub(super) retransmissions: u64,
    pub(super) timeouts: u64,
}

#[derive(Clone, Copy, Debug)]
struct Sent {
    from: u64,
    bytes: u32,
    sent_ns: u64,
    state: State,
    /// It was sent more than once, so that its acknowledgement shows no round trip (Karn).
    again: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Flying,
    /// Told of by a block; not yet acknowledged.
    Arrived,
    Lost,
}

/// Which loss is being repaired. It is repaired when all before its end is acknowledged, and until
/// then the window falls no further.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Recovery {
    None,
    Gap(u64),
    TimedOut(u64),
}

impl Sender {
    pub(super) fn new(config: TcpConfig) -> Self {
        let control: CongestionControl = config.congestion_control;
        Self {
            written: 0,
            next: 0,
            acknowledged: 0,
            sent: VecDeque::new(),
            flying_bytes: 0,
            lost: 0,
            recovery: Recovery::None,
            owed: false,
            limited: false,
            most_segments: 0,
            used_until: 0,
            last_arrived_sent_ns: 0,
            receive_window: config.receive_window.bytes(),
            congestion: Congestion::new(control),
            timeout: Timeout::default(),
            deadline_ns: None,
            retransmissions: 0,
            timeouts: 0,
        }
    }

    pub(super) fn write(&mut self, bytes: u64) {
        self.written += bytes;
    }

    pub(super) fn deadline_ns(&self) -> Option<u64> {
        self.deadline_ns
    }

    /// A segment that may leave now, where it begins and how long it is; it counts as sent.
    pub(super) fn segment(&mut self, now_ns: u64) -> Option<(u64, u32)> {
        let lost = self.sent.iter().position(|sent| self.lost > 0 && sent.state == State::Lost);
        let bytes = match lost {
            Some(place) => self.sent[place].bytes,
            None => self.fresh_bytes(),
        };
        let window = self.congestion.window_segments() * u64::from(SEGMENT_BYTES);
        let fits = self.flying_bytes + u64::from(bytes) <= window;
        if bytes == 0 || !(fits || self.owed) {
            self.note_use(bytes > 0);
            return None;
        }
        self.owed = false;
        self.flying_bytes += u64::from(bytes);
        // Runs from the first segment; an acknowledgement starts it anew.
        self.deadline_ns.get_or_insert(now_ns + self.timeout.wait_ns());
        if let Some(place) = lost {
            let sent = &mut self.sent[place];
            (sent.state, sent.again, sent.sent_ns) = (State::Flying, true, now_ns);
            self.lost -= 1;
            self.retransmissions += 1;
            return Some((sent.from, bytes));
        }
        let from = self.next;
        self.next += u64::from(bytes);
        let (state, again) = (State::Flying, false);
        self.sent.push_back(Sent { from, bytes, sent_ns: now_ns, state, again });
        Some((from, bytes))
    }

    /// How much the next new segment has; nothing where all is sent or the receiver has no room.
    fn fresh_bytes(&self) -> u32 {
        let bytes = (self.written - self.next).min(u64::from(SEGMENT_BYTES));
        let received = self.next + bytes - self.acknowledged <= self.receive_window;
        if received { bytes as u32 } else { 0 }
    }

    /// Notes how far the window was used, as Linux does in `tcp_cwnd_validate`.
    fn note_use(&mut self, limited: bool) {
        let segments = self.sent.len() as u64;
        let more = !self.limited && segments > self.most_segments;
        if self.acknowledged >= self.used_until || limited || more {
            (self.limited, self.most_segments) = (limited, segments);
            self.used_until = self.next;
        }
    }

    /// An acknowledgement came.
    pub(super) fn acknowledge(&mut self, now_ns: u64, up_to: u64, blocks: &Blocks) {
        let before = self.acknowledged;
        let round_trip_ns = self.take_acknowledged(now_ns, up_to);
        if let Some(round_trip_ns) = round_trip_ns {
            self.timeout.sample(round_trip_ns);
        }
        blocks.iter().flatten().for_each(|&(from, to)| self.take_arrived(now_ns, from, to));
        let noticed = blocks[0].is_some() && self.notice_lost();
        if noticed && self.recovery == Recovery::None {
            self.congestion.lost();
            self.recovery = Recovery::Gap(self.next);
            self.owed = true;
        }
        if up_to <= before {
            return;
        }
        self.timeout.undouble();
        self.deadline_ns = (!self.sent.is_empty()).then(|| now_ns + self.timeout.wait_ns());
        match self.recovery {
            Recovery::Gap(end) | Recovery::TimedOut(end) if up_to >= end => {
                self.recovery = Recovery::None;
            }
            Recovery::Gap(_) => return,
            Recovery::None | Recovery::TimedOut(_) => (),
        }
        if self.limited || self.congestion.starts_within(2 * self.most_segments) {
            self.congestion.acked(Acked {
                now_ns,
                segments: (up_to - before) as f64 / f64::from(SEGMENT_BYTES),
                up_to,
                sent_to: self.next,
                round_trip_ns,
                lowest_ns: self.timeout.lowest_ns(),
                smoothed_ns: self.timeout.smoothed_ns(),
            });
        }
    }

    /// Forgets what is acknowledged; the round trip that it shows, if it does.
    fn take_acknowledged(&mut self, now_ns: u64, up_to: u64) -> Option<u64> {
        let mut shown = None;
        while let Some(sent) = self.sent.pop_front_if(|sent| sent.from < up_to) {
            match sent.state {
                State::Flying => self.flying_bytes -= u64::from(sent.bytes),
                State::Lost => self.lost -= 1,
                State::Arrived => (),
            }
            if sent.state != State::Arrived {
                self.arrived(now_ns, &sent);
                // The last one acknowledged was sent last: it waited least at the receiver.
                shown = (!sent.again).then(|| now_ns - sent.sent_ns);
            }
        }
        self.acknowledged = self.acknowledged.max(up_to);
        shown
    }

    /// Notes that what lies in this range has arrived.
    fn take_arrived(&mut self, now_ns: u64, from: u64, to: u64) {
        let first = self.sent.partition_point(|sent| sent.from < from);
        for place in first..self.sent.len() {
            let sent = self.sent[place];
            if sent.from >= to {
                return;
            }
            match sent.state {
                State::Flying => self.flying_bytes -= u64::from(sent.bytes),
                State::Lost => self.lost -= 1,
                State::Arrived => continue,
            }
            self.sent[place].state = State::Arrived;
            self.arrived(now_ns, &sent);
        }
    }

    fn arrived(&mut self, now_ns: u64, sent: &Sent) {
        // An acknowledgement sooner than any round trip is of the segment as it was sent before.
        if !sent.again || now_ns - sent.sent_ns >= self.timeout.lowest_ns() {
            self.last_arrived_sent_ns = self.last_arrived_sent_ns.max(sent.sent_ns);
        }
    }

    /// Marks what must be lost by now. Whether that was anything new.
    fn notice_lost(&mut self) -> bool {
        let reordered_ns = self.timeout.lowest_ns() / 4;
        let (mut above, mut noticed) = (0, false);
        for sent in self.sent.iter_mut().rev() {
            match sent.state {
                State::Arrived => above += 1,
                State::Lost => (),
                State::Flying => {
                    let gap = above >= GAP_SEGMENTS && !sent.again;
                    let overtaken = sent.sent_ns + reordered_ns < self.last_arrived_sent_ns;
                    if gap || overtaken {
                        sent.state = State::Lost;
                        self.flying_bytes -= u64::from(sent.bytes);
                        self.lost += 1;
                        noticed = true;
                    }
                }
            }
        }
        noticed
    }

    /// Nothing came for too long: everything on its way is lost.
    pub(super) fn time_out(&mut self, now_ns: u64) {
        self.timeouts += 1;
        self.timeout.double();
        for sent in self.sent.iter_mut().filter(|sent| sent.state == State::Flying) {
            sent.state = State::Lost;
            self.lost += 1;
        }
        self.flying_bytes = 0;
        if !matches!(self.recovery, Recovery::TimedOut(_)) {
            self.congestion.timed_out();
        }
        self.recovery = Recovery::TimedOut(self.next);
        self.owed = true;
        self.deadline_ns = Some(now_ns + self.timeout.wait_ns());
    }
}
