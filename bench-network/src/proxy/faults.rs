//! The faults that a proxy has now, what it saw of each, and what a connection remembers of them.
//!
//! Without a fault none of this is asked but whether there is one.

use bench_core::fixture::Stream;

use super::connection::Way;
use crate::fault::FaultError;
use crate::fault::stream::{Observed, StreamFault, Ways};

/// What may be let in at once under a bandwidth is what it carries in this time, within bounds.
const CHUNK_NS: u64 = 2_000_000;
const CHUNK_BYTES: (u64, u64) = (1_448, 64 * 1024);
/// By how much a proxy that woke late may make up for it.
const SLACK_NS: u64 = 5_000_000;
const NS_PER_S: u64 = 1_000_000_000;

/// One fault.
#[derive(Debug)]
struct Active {
    number: u64,
    fault: StreamFault,
    since_ns: u64,
    seen: Observed,
}

/// All of them. Few: they are looked through one by one.
#[derive(Debug)]
pub(super) struct Faults {
    active: Vec<Active>,
    /// 0 is nobody's.
    next_number: u64,
    /// Of the jitter of latencies.
    draws: Stream,
    drawn: u64,
}

/// What one way of a connection remembers of its faults.
#[derive(Debug, Default)]
pub(super) struct Struck {
    /// Bytes let in under this limit.
    limit: (u64, u64),
    /// Under a bandwidth: until when nothing is let in, when the last bytes were and how many,
    /// whether the sender has met that since.
    paced_until_ns: u64,
    let_in: (u64, u64),
    paced: bool,
    /// The last that was asked to be let in has to wait for that time.
    denied: bool,
    /// Of slices: when the next may go, when the last went, whether it left something behind, and
    /// whether something waits for the next.
    next_slice_ns: u64,
    last_slice_ns: u64,
    left_behind: bool,
    waits: bool,
    /// Which fault delays the end, and when that came.
    closing: Option<(u64, u64)>,
    /// The most bytes held back under this time-out.
    stopped: (u64, u64),
}

/// What a connection that a fault ends gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ending {
    /// A RST, by this fault.
    Reset(u64),
    /// Its end, by this fault.
    TimeOut(u64),
}

/// Whether the fault is on this way.
fn is_on(fault: &StreamFault, way: Way) -> bool {
    match fault.ways() {
        Ways::Both => true,
        Ways::Up => way == Way::Up,
        Ways::Down => way == Way::Down,
    }
}

impl Faults {
    pub(super) fn new(seed: u64) -> Self {
        Self { active: Vec::new(), next_number: 1, draws: Stream::seeded(seed), drawn: 0 }
    }

    /// From now on.
    pub(super) fn inject(&mut self, fault: StreamFault, now_ns: u64) -> Result<u64, FaultError> {
        fault.check()?;
        if let Some(active) = self.active.iter().find(|active| active.fault.collides(&fault)) {
            return Err(FaultError::Twice(active.fault.to_string()));
        }
        let number = self.next_number;
        self.next_number += 1;
        self.active.push(Active { number, fault, since_ns: now_ns, seen: Observed::default() });
        Ok(number)
    }

    /// What was seen of a fault.
    pub(super) fn seen(&self, number: u64) -> Observed {
        let active = self.active.iter().find(|active| active.number == number);
        active.map_or_else(Observed::default, |active| active.seen)
    }

    pub(super) fn end(&mut self, number: u64) {
        self.active.retain(|active| active.number != number);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.active.is_empty()
    }

    fn find(&mut self, way: Way, kind: fn(&StreamFault) -> bool) -> Option<&mut Active> {
        self.active.iter_mut().find(|active| kind(&active.fault) && is_on(&active.fault, way))
    }

    /// Notes something of a fault that may have ended meanwhile.
    pub(super) fn note(&mut self, number: u64, note: impl FnOnce(&mut Observed)) {
        if let Some(active) = self.active.iter_mut().find(|active| active.number == number) {
            note(&mut active.seen);
        }
    }

    /// What is added to the time of the bytes that are let in next: by whom, and how much.
    pub(super) fn added(&mut self, way: Way) -> Option<(u64, u64)> {
        let number = self.drawn;
        let unit = self.draws.unit(number);
        let active = self.find(way, |fault| matches!(fault, StreamFault::Latency { .. }))?;
        let StreamFault::Latency { delay, jitter, .. } = active.fault else { return None };
        let spread_ns = (2.0 * unit * jitter.as_nanos() as f64) as u64;
        let added = (active.number, (delay - jitter).as_nanos() as u64 + spread_ns);
        self.drawn += 1;
        Some(added)
    }

    /// How many bytes may be let in now.
    pub(super) fn admits(&mut self, way: Way, struck: &mut Struck, now_ns: u64) -> usize {
        let mut most = u64::MAX;
        if let Some(active) = self.find(way, |f| matches!(f, StreamFault::Bandwidth { .. }))
            && let StreamFault::Bandwidth { bytes_per_second, .. } = active.fault
        {
            if now_ns < struck.paced_until_ns {
                (struck.paced, struck.denied) = (true, true);
                return 0;
            }
            let carried = bytes_per_second.saturating_mul(CHUNK_NS) / NS_PER_S;
            most = carried.clamp(CHUNK_BYTES.0, CHUNK_BYTES.1);
        }
        if let Some(active) = self.find(way, |f| matches!(f, StreamFault::LimitData { .. }))
            && let StreamFault::LimitData { bytes, .. } = active.fault
        {
            most = most.min(bytes.saturating_sub(struck.passed(active.number)));
        }
        most.min(usize::MAX as u64) as usize
    }

    /// So many bytes were let in. Whether the connection has reached its limit.
    pub(super) fn admitted(
        &mut self,
        way: Way,
        struck: &mut Struck,
        bytes: u64,
        now_ns: u64,
    ) -> bool {
        if let Some(active) = self.find(way, |f| matches!(f, StreamFault::Bandwidth { .. }))
            && let StreamFault::Bandwidth { bytes_per_second, .. } = active.fault
        {
            let (then_ns, before) = struck.let_in;
            let from_ns = if struck.paced && then_ns >= active.since_ns {
                active.seen.bytes += before;
                active.seen.held(now_ns - then_ns);
                struck.paced_until_ns.max(now_ns.saturating_sub(SLACK_NS))
            } else {
                now_ns
            };
            let takes_ns = u128::from(bytes) * u128::from(NS_PER_S) / u128::from(bytes_per_second);
            struck.paced_until_ns =
                from_ns.saturating_add(takes_ns.min(u128::from(u64::MAX)) as u64);
            (struck.let_in, struck.paced) = ((now_ns, bytes), false);
        }
        struck.limit.1 += bytes;
        self.reaches_limit(way, struck)
    }

    /// Whether the connection has reached its limit; told once by whoever asks.
    pub(super) fn reaches_limit(&mut self, way: Way, struck: &mut Struck) -> bool {
        let Some(active) = self.find(way, |f| matches!(f, StreamFault::LimitData { .. })) else {
            return false;
        };
        let StreamFault::LimitData { bytes, .. } = active.fault else { return false };
        let passed = struck.passed(active.number);
        if passed < bytes {
            return false;
        }
        active.seen.times += 1;
        active.seen.slice_bytes = active.seen.slice_bytes.max(passed);
        true
    }

    /// How much later the end of a stream comes that has come now.
    pub(super) fn closing(&mut self, way: Way, struck: &mut Struck, now_ns: u64) -> u64 {
        let active = self.find(way, |fault| matches!(fault, StreamFault::SlowClose { .. }));
        let Some(active) = active else { return 0 };
        let StreamFault::SlowClose { delay, .. } = active.fault else { return 0 };
        struck.closing = Some((active.number, now_ns));
        delay.as_nanos() as u64
    }

    /// The end of a stream is handed on.
    pub(super) fn closed(&mut self, struck: &mut Struck, now_ns: u64) {
        if let Some((number, came_ns)) = struck.closing.take() {
            self.note(number, |seen| seen.held(now_ns - came_ns));
        }
    }

    /// Whether nothing gets through, though so many bytes want to.
    pub(super) fn stops(
        &mut self,
        way: Way,
        struck: &mut Struck,
        wanting: impl Fn() -> u64,
    ) -> bool {
        let active = self.find(way, |fault| matches!(fault, StreamFault::TimeOut { .. }));
        let Some(active) = active else { return false };
        if struck.stopped.0 != active.number {
            struck.stopped = (active.number, 0);
        }
        let wanting = wanting();
        let before = struck.stopped.1;
        if wanting > before {
            active.seen.bytes += wanting - before;
            active.seen.times += u64::from(before == 0);
            struck.stopped.1 = wanting;
        }
        true
    }

    /// What ends a connection of this age, and when the next fault does if none does now.
    pub(super) fn ending(&self, born_ns: u64, now_ns: u64) -> Result<Ending, Option<u64>> {
        let mut next_ns: Option<u64> = None;
        for active in &self.active {
            let (after, ending) = match active.fault {
                StreamFault::Reset { after } => (after, Ending::Reset(active.number)),
                StreamFault::TimeOut { after, .. } => (after, Ending::TimeOut(active.number)),
                _ => continue,
            };
            let from_ns = active.since_ns.max(born_ns);
            let due_ns = from_ns.saturating_add(after.as_nanos() as u64);
            if due_ns <= now_ns {
                return Ok(ending);
            }
            next_ns = Some(next_ns.map_or(due_ns, |next_ns| next_ns.min(due_ns)));
        }
        Err(next_ns)
    }

    /// A connection was closed by a time-out; `counted` where bytes of it were held back before.
    pub(super) fn timed_out(&mut self, number: u64, born_ns: u64, counted: bool, now_ns: u64) {
        let active = self.active.iter_mut().find(|active| active.number == number);
        let Some(active) = active else { return };
        let took_ns = now_ns - active.since_ns.max(born_ns);
        active.seen.times += u64::from(!counted);
        active.seen.least_ns =
            Some(active.seen.least_ns.map_or(took_ns, |least| least.min(took_ns)));
    }

    /// By whom, and how long after, connections are accepted.
    pub(super) fn accepting(&self) -> Option<(u64, u64)> {
        self.active.iter().find_map(|active| match active.fault {
            StreamFault::SlowAccept { delay } => Some((active.number, delay.as_nanos() as u64)),
            _ => None,
        })
    }

    /// How many bytes may be handed on in one call now, `None` where no slicer says; 0 has to wait.
    pub(super) fn slices(&mut self, way: Way, struck: &mut Struck, now_ns: u64) -> Option<usize> {
        let active = self.find(way, |fault| matches!(fault, StreamFault::Slicer { .. }))?;
        let StreamFault::Slicer { bytes, .. } = active.fault else { return None };
        struck.waits = now_ns < struck.next_slice_ns;
        Some(if struck.waits { 0 } else { bytes })
    }

    /// So many of these bytes were handed on.
    pub(super) fn sliced(
        &mut self,
        way: Way,
        struck: &mut Struck,
        [written, there]: [usize; 2],
        now_ns: u64,
    ) {
        let active = self.find(way, |fault| matches!(fault, StreamFault::Slicer { .. }));
        let Some(active) = active else { return };
        let StreamFault::Slicer { pause, .. } = active.fault else { return };
        if struck.left_behind && struck.last_slice_ns >= active.since_ns {
            active.seen.held(now_ns - struck.last_slice_ns);
        }
        active.seen.slice_bytes = active.seen.slice_bytes.max(written as u64);
        struck.left_behind = written < there;
        struck.last_slice_ns = now_ns;
        struck.next_slice_ns = now_ns.saturating_add(pause.as_nanos() as u64);
    }
}

impl Struck {
    /// Bytes that were let in under this limit.
    fn passed(&mut self, number: u64) -> u64 {
        if self.limit.0 != number {
            self.limit = (number, 0);
        }
        self.limit.1
    }

    /// Whether the time-out with this number has held back bytes of this way.
    pub(super) fn was_stopped(&self, number: u64) -> bool {
        self.stopped.0 == number && self.stopped.1 > 0
    }

    /// The sender is asked anew.
    pub(super) fn ask_sender(&mut self) {
        self.denied = false;
    }

    /// The receiver is asked anew. Whether a slice waited that may go now or soon.
    pub(super) fn ask_receiver(&mut self) -> bool {
        std::mem::take(&mut self.waits)
    }

    /// When a fault lets something on that it holds now.
    pub(super) fn next_ns(&self) -> Option<u64> {
        let paced = self.denied.then_some(self.paced_until_ns);
        let sliced = self.waits.then_some(self.next_slice_ns);
        [paced, sliced].into_iter().flatten().min()
    }
}

#[cfg(test)]
mod tests;
