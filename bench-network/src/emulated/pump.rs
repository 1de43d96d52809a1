//! One direction of an emulated link: a thread that fetches packets from one interface, asks the
//! link's model what becomes of each segment, and hands on in time what arrives.

use std::cmp::Ordering;
use std::collections::BinaryHeap;
use std::io::ErrorKind;
use std::ops::Range;
use std::os::fd::OwnedFd;
use std::sync::atomic::{self, AtomicBool};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use rustix::event::epoll::{self, EventData, EventFlags};
use rustix::thread::gettid;
use rustix::time::{ClockId, clock_gettime};

use super::packet::{self, Shape, VIRTIO_BYTES};
use super::port::Port;
use crate::error::Error;
use crate::link::model::{Counts, Delivery, Fate, LinkModel};
use crate::wait::Waiter;

/// The largest packet that the kernel hands over, with its header.
const PACKET_BYTES: usize = VIRTIO_BYTES + 65_536;
/// So many are fetched before the bell is looked at again.
const FETCHED: usize = 64;
/// A packet that fills that much of its buffer keeps it on its way; a smaller one is copied, so that no
/// small packet holds a large buffer.
const KEPT_BYTES_MIN: usize = PACKET_BYTES / 2;
/// What may lie unused for the next burst: of buffers for small packets, and for any.
const SPARE_MAX: usize = 4096;
const WHOLE_MAX: usize = 256;
const LATENESS_NS_MAX: u64 = 10_000_000_000;
const BELL: u64 = 0;
const PACKETS: u64 = 1;

/// What a pump counts.
#[derive(Clone, Debug)]
pub(super) struct Tally {
    pub(super) segments: Counts,
    /// Segments that came while the way was cut.
    pub(super) cut: u64,
    /// Packets that were no IPv4, or that the receiving interface did not take.
    pub(super) refused: u64,
    pub(super) lateness: Histogram<u64>,
    pub(super) cpu: Duration,
    /// The number of the thread, once it runs.
    pub(super) thread: Option<i32>,
}

impl Tally {
    pub(super) fn new() -> Self {
        let lateness = Histogram::new_with_max(LATENESS_NS_MAX, 2).expect("these bounds are valid");
        let (segments, cpu) = (Counts::default(), Duration::ZERO);
        Self { segments, cut: 0, refused: 0, lateness, cpu, thread: None }
    }
}

/// What the owner of the link changes while the pump works; the pump looks before each packet.
#[derive(Debug, Default)]
pub(super) struct Control {
    /// There is something new. Written under the lock, so that nothing new is missed.
    changed: AtomicBool,
    next: Mutex<Next>,
}

#[derive(Debug, Default)]
struct Next {
    model: Option<LinkModel>,
    cut: bool,
}

impl Control {
    pub(super) fn set(&self, model: LinkModel) {
        self.change(|next| next.model = Some(model));
    }

    pub(super) fn cut(&self, cut: bool) {
        self.change(|next| next.cut = cut);
    }

    fn change(&self, change: impl FnOnce(&mut Next)) {
        let mut next = lock(&self.next);
        change(&mut next);
        self.changed.store(true, atomic::Ordering::Release);
    }

    /// What is new since it was asked last.
    fn take(&self) -> Option<Next> {
        if !self.changed.load(atomic::Ordering::Acquire) {
            return None;
        }
        let mut next = lock(&self.next);
        self.changed.store(false, atomic::Ordering::Release);
        Some(Next { model: next.model.take(), cut: next.cut })
    }
}

/// Everything one thread owns.
pub(super) struct Pump {
    epoll: OwnedFd,
    from: Port,
    to: Port,
    model: LinkModel,
    /// What the models before this one did.
    before: Counts,
    cut: bool,
    control: Arc<Control>,
    waiting: BinaryHeap<Waiting>,
    made: u64,
    spare: Vec<Vec<u8>>,
    /// Of [`PACKET_BYTES`] each; the last one used is the next, because it is still in a cache.
    whole: Vec<Vec<u8>>,
    tally: Arc<Mutex<Tally>>,
    start: Instant,
}

/// A packet on its way. The one that is due first is the greatest; of one time, the one made first.
struct Waiting {
    due_ns: u64,
    made: u64,
    buffer: Vec<u8>,
    /// How much of the buffer it is.
    bytes: usize,
}

impl Ord for Waiting {
    fn cmp(&self, other: &Self) -> Ordering {
        (other.due_ns, other.made).cmp(&(self.due_ns, self.made))
    }
}

impl PartialOrd for Waiting {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Waiting {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Waiting {}

impl Pump {
    pub(super) fn new(
        bell: &OwnedFd,
        from: &Port,
        to: &Port,
        model: LinkModel,
        (tally, control): (Arc<Mutex<Tally>>, Arc<Control>),
    ) -> Result<Self, Error> {
        let (from, to) = (from.share()?, to.share()?);
        let epoll =
            epoll::create(epoll::CreateFlags::CLOEXEC).map_err(Error::io("make an epoll"))?;
        epoll::add(&epoll, bell, EventData::new_u64(BELL), EventFlags::IN)
            .map_err(Error::io("watch for the end"))?;
        epoll::add(&epoll, &from, EventData::new_u64(PACKETS), EventFlags::IN)
            .map_err(Error::io("watch an interface"))?;
        let (waiting, spare, start) = (BinaryHeap::new(), Vec::new(), Instant::now());
        let whole = Vec::new();
        let (before, cut, made) = (Counts::default(), false, 0);
        Ok(Self {
            epoll,
            from,
            to,
            model,
            before,
            cut,
            control,
            waiting,
            made,
            spare,
            whole,
            tally,
            start,
        })
    }

    /// Works until the bell rings.
    ///
    /// # Panics
    /// When the system refuses to wait, which an emulator cannot go on without.
    pub(super) fn run(mut self) {
        lock(&self.tally).thread = Some(gettid().as_raw_nonzero().get());
        let mut waiter = Waiter::new();
        let mut events = Vec::with_capacity(4);
        let mut more = false;
        loop {
            let start = self.start;
            let until_ns = if more { Some(0) } else { self.waiting.peek().map(|next| next.due_ns) };
            waiter
                .wait(&self.epoll, &mut events, until_ns, || elapsed_ns(start))
                .unwrap_or_else(|error| panic!("failed to wait for packets: {error}"));
            if events.iter().any(|event| event.data.u64() == BELL) {
                return;
            }
            more = self.fetch();
            self.hand_on();
            self.tell();
        }
    }

    /// Lets in what the kernel has, and hands on between what is due then. Whether there may be more.
    fn fetch(&mut self) -> bool {
        for _ in 0..FETCHED {
            let mut buffer = self.whole.pop().unwrap_or_else(|| vec![0; PACKET_BYTES]);
            match self.from.read(&mut buffer) {
                Ok(bytes) => {
                    match self.enter(&buffer[..bytes]) {
                        Some(due_ns) => self.push(due_ns, buffer, bytes),
                        None => self.recycle(buffer),
                    }
                    // Before the next one takes its place in the processor's cache.
                    self.hand_on();
                }
                Err(error) => {
                    self.recycle(buffer);
                    if error.kind() != ErrorKind::Interrupted {
                        return false; // Nothing there now; the epoll tells when there is.
                    }
                }
            }
        }
        true
    }

    /// Asks the model for each segment, and keeps those together that arrive together. When all of a
    /// large packet arrives as it came its buffer is not copied, but kept by the caller until the time
    /// that is returned.
    fn enter(&mut self, packet: &[u8]) -> Option<u64> {
        let now_ns = elapsed_ns(self.start);
        let Some(shape) = Shape::of(packet) else {
            lock(&self.tally).refused += 1;
            return None;
        };
        if let Some(next) = self.control.take() {
            self.cut = next.cut;
            if let Some(model) = next.model {
                self.before = self.before + self.model.counts();
                self.model = model;
            }
        }
        if self.cut {
            lock(&self.tally).cut += shape.segments() as u64;
            return None;
        }
        let mut run: Option<(Range<usize>, u64)> = None;
        for segment in 0..shape.segments() {
            let fate = self.model.offer(now_ns, shape.wire_bytes(segment));
            let plain = match fate {
                Fate::Delivered(Delivery { at_ns, twice: false, flipped_bit: None }) => Some(at_ns),
                _ => None,
            };
            if let Some((range, _)) = run.as_mut().filter(|(_, due_ns)| Some(*due_ns) == plain) {
                range.end = segment + 1;
                continue;
            }
            if let Some((range, due_ns)) = run.take() {
                self.keep(packet, shape, range, due_ns, None);
            }
            match fate {
                Fate::Dropped(_) => (),
                Fate::Delivered(delivery) if plain.is_some() => {
                    run = Some((segment..segment + 1, delivery.at_ns));
                }
                Fate::Delivered(delivery) => {
                    for _ in 0..1 + u32::from(delivery.twice) {
                        let alone = segment..segment + 1;
                        self.keep(packet, shape, alone, delivery.at_ns, delivery.flipped_bit);
                    }
                }
            }
        }
        let (range, due_ns) = run?;
        if range == (0..shape.segments()) && packet.len() >= KEPT_BYTES_MIN {
            return Some(due_ns);
        }
        self.keep(packet, shape, range, due_ns, None);
        None
    }

    fn keep(
        &mut self,
        packet: &[u8],
        shape: Shape,
        segments: Range<usize>,
        due_ns: u64,
        flipped_bit: Option<u32>,
    ) {
        let mut bytes = self.spare.pop().unwrap_or_default();
        shape.cut(packet, segments.start, segments.end, &mut bytes);
        if let Some(bit) = flipped_bit {
            packet::finish_checksum(&mut bytes);
            packet::flip(&mut bytes, bit);
        }
        let length = bytes.len();
        self.push(due_ns, bytes, length);
    }

    fn push(&mut self, due_ns: u64, buffer: Vec<u8>, bytes: usize) {
        self.made += 1;
        self.waiting.push(Waiting { due_ns, made: self.made, buffer, bytes });
    }

    fn recycle(&mut self, buffer: Vec<u8>) {
        let (list, most) = match buffer.len() {
            PACKET_BYTES => (&mut self.whole, WHOLE_MAX),
            _ => (&mut self.spare, SPARE_MAX),
        };
        if list.len() < most {
            list.push(buffer);
        }
    }

    /// Writes what is due, and counts how late that was.
    fn hand_on(&mut self) {
        while let Some(due_ns) = self.waiting.peek().map(|next| next.due_ns) {
            let now_ns = elapsed_ns(self.start);
            if due_ns > now_ns {
                break;
            }
            let next = self.waiting.pop().expect("just seen");
            let written = self.to.write(&next.buffer[..next.bytes]);
            self.recycle(next.buffer);
            // Held for no system call: whoever asks for a report would hold packets up.
            let mut tally = lock(&self.tally);
            tally.lateness.saturating_record(now_ns - due_ns);
            tally.refused += u64::from(written.is_err());
        }
    }

    /// What the model did so far, and the processor time of it.
    fn tell(&mut self) {
        let mut tally = lock(&self.tally);
        tally.segments = self.before + self.model.counts();
        let cpu = clock_gettime(ClockId::ThreadCPUTime);
        tally.cpu = Duration::new(cpu.tv_sec as u64, cpu.tv_nsec as u32);
    }
}

fn lock<T>(shared: &Mutex<T>) -> MutexGuard<'_, T> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

fn elapsed_ns(start: Instant) -> u64 {
    start.elapsed().as_nanos() as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packets_leave_by_their_time_and_then_in_the_order_they_came() {
        let waiting = |due_ns, made| Waiting { due_ns, made, buffer: Vec::new(), bytes: 0 };
        let mut heap: BinaryHeap<Waiting> =
            [waiting(5, 1), waiting(3, 2), waiting(5, 0), waiting(4, 3)].into();
        let order: Vec<_> =
            std::iter::from_fn(|| heap.pop()).map(|it| (it.due_ns, it.made)).collect();
        assert_eq!(order, [(3, 2), (4, 3), (5, 0), (5, 1)]);
    }
}
