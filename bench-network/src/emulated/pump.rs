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
/// So many are fetched before what is due is looked at again.
const FETCHED: usize = 64;
/// What may lie unused for the next burst.
const SPARE_MAX: usize = 4096;
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
    tally: Arc<Mutex<Tally>>,
    start: Instant,
}

/// A packet on its way. The one that is due first is the greatest; of one time, the one made first.
struct Waiting {
    due_ns: u64,
    made: u64,
    bytes: Vec<u8>,
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
        let waiter = Waiter::new();
        let mut events = Vec::with_capacity(4);
        let mut fetched = vec![0; PACKET_BYTES];
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
            more = self.fetch(&mut fetched);
            self.hand_on();
        }
    }

    /// Lets in what the kernel has. Whether it may have more.
    fn fetch(&mut self, fetched: &mut [u8]) -> bool {
        for _ in 0..FETCHED {
            match self.from.read(fetched) {
                Ok(bytes) => self.enter(&fetched[..bytes]),
                Err(error) if error.kind() == ErrorKind::Interrupted => (),
                Err(_) => return false, // Nothing there now; the epoll tells when there is.
            }
        }
        true
    }

    /// Asks the model for each segment, and keeps those together that arrive together.
    fn enter(&mut self, packet: &[u8]) {
        let now_ns = elapsed_ns(self.start);
        let Some(shape) = Shape::of(packet) else {
            lock(&self.tally).refused += 1;
            return;
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
            return;
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
        if let Some((range, due_ns)) = run {
            self.keep(packet, shape, range, due_ns, None);
        }
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
        self.made += 1;
        self.waiting.push(Waiting { due_ns, made: self.made, bytes });
    }

    /// Writes what is due, and tells how late that was.
    fn hand_on(&mut self) {
        let mut tally = self.tally.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            let now_ns = elapsed_ns(self.start);
            let Some(next) = self.waiting.peek().filter(|next| next.due_ns <= now_ns) else {
                break;
            };
            tally.lateness.saturating_record(now_ns - next.due_ns);
            let next = self.waiting.pop().expect("just seen");
            if self.to.write(&next.bytes).is_err() {
                tally.refused += 1;
            }
            if self.spare.len() < SPARE_MAX {
                self.spare.push(next.bytes);
            }
        }
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
        let waiting = |due_ns, made| Waiting { due_ns, made, bytes: Vec::new() };
        let mut heap: BinaryHeap<Waiting> =
            [waiting(5, 1), waiting(3, 2), waiting(5, 0), waiting(4, 3)].into();
        let order: Vec<_> =
            std::iter::from_fn(|| heap.pop()).map(|it| (it.due_ns, it.made)).collect();
        assert_eq!(order, [(3, 2), (4, 3), (5, 0), (5, 1)]);
    }
}
