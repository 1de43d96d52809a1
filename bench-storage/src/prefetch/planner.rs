//! How far ahead to fetch: pure decisions about chunk numbers and times, without a thread, a clock
//! or a byte. The prefetcher asks it, and so does a simulation of hours that takes no time.
//!
//! **Depth** is how many chunks are fetched or wait ahead of the consumer. While one consumer works
//! `c` on each chunk and a fetch takes `f`, a chunk costs `max(c, f / depth)`: depth `f / c` is
//! enough, and more only fills memory and takes the processor from the consumer. Both times are
//! estimated as TCP estimates a round trip (Jacobson 1988): a smoothed mean and, for the fetch,
//! twice its smoothed deviation on top, so that a fetch that is often late is counted as long.
//!
//! **Up fast, down slowly** (as PostgreSQL's read streams): a chunk that is not there when it is
//! asked for doubles the depth, up to what the times ask for; a depth beyond that loses one chunk
//! after it was not needed a whole depth long.
//!
//! **Where someone reads ahead already** (the kernel, for a file read in order) the adaptive policy
//! reads in place. Overlapping fetch and work can gain `min(f, c) / max(f, c)` at most, and the
//! hand-over to another thread costs some of it, so that it fetches ahead only when a quarter or
//! more can be gained, and stops below an eighth.

use std::ops::Range;
use std::time::Duration;

/// The share that overlap must be able to gain before a source with a read-ahead of its own is
/// fetched ahead of, and the one below which that ends.
const OVERLAP_BEGINS: f64 = 0.25;
const OVERLAP_ENDS: f64 = 0.125;
/// Chunks read in place before the two times are believed.
const PROBES: u32 = 3;
/// The depth that fetching ahead begins with; the first chunk, which is always late, doubles it.
const START: u32 = 2;
/// The weight of a new time in a smoothed one.
const WEIGHT: f64 = 0.25;

/// How many chunks to fetch ahead.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Policy {
    /// None: every chunk is read when it is asked for, by who asks.
    Off,
    /// Always as many.
    Fixed(u32),
    /// As many as the fetch takes longer than the work, at most `most`.
    Adaptive {
        /// The most chunks ahead.
        most: u32,
    },
}

impl Policy {
    /// The most chunks that are ever fetched ahead.
    pub const fn most(self) -> u32 {
        match self {
            Self::Off => 0,
            Self::Fixed(depth) => depth,
            Self::Adaptive { most } => most,
        }
    }
}

/// The plan of one reader: which chunks to have fetched.
#[derive(Clone, Debug)]
pub struct Planner {
    policy: Policy,
    reads_ahead: bool,
    /// Chunks there are.
    end: u64,
    /// The chunk that is delivered next.
    next: u64,
    /// The first chunk that was not issued.
    frontier: u64,
    depth: u32,
    /// Chunks in a row that were there in time although the depth was larger than needed.
    calm: u32,
    /// Chunks whose times were seen.
    seen: u32,
    fetch: Smoothed,
    work: Smoothed,
}

/// A smoothed mean and deviation in seconds.
#[derive(Clone, Copy, Debug, Default)]
struct Smoothed {
    mean: Option<f64>,
    deviation: f64,
}

impl Smoothed {
    fn add(&mut self, time: Duration) {
        let time = time.as_secs_f64();
        let mean = self.mean.get_or_insert(time);
        self.deviation += WEIGHT * ((time - *mean).abs() - self.deviation);
        *mean += WEIGHT * (time - *mean);
    }

    fn mean(self) -> f64 {
        self.mean.unwrap_or(0.0)
    }
}

impl Planner {
    /// A plan for `end` chunks, from the first on. `reads_ahead` as the source's.
    pub fn new(policy: Policy, end: u64, reads_ahead: bool) -> Self {
        let depth = match policy {
            Policy::Off => 0,
            Policy::Fixed(depth) => depth,
            Policy::Adaptive { .. } if reads_ahead => 0,
            Policy::Adaptive { most } => most.min(START),
        };
        Self {
            policy,
            reads_ahead,
            end,
            next: 0,
            frontier: 0,
            depth,
            calm: 0,
            seen: 0,
            fetch: Smoothed::default(),
            work: Smoothed::default(),
        }
    }

    /// Chunks to have ahead of the consumer now.
    pub const fn depth(&self) -> u32 {
        self.depth
    }

    /// The chunk that is delivered next, if it is asked for in order.
    pub const fn next(&self) -> u64 {
        self.next
    }

    /// The chunks that are issued and not delivered.
    pub const fn window(&self) -> Range<u64> {
        self.next..self.frontier
    }

    /// The chunks to issue now, in this order; whoever issues one says so by
    /// [`issued`](Self::issued). Never one that was issued before, never one behind the end.
    pub fn wanted(&self) -> Range<u64> {
        let to = self.next.saturating_add(u64::from(self.depth)).min(self.end);
        self.frontier..to.max(self.frontier)
    }

    /// The next of the wanted chunks was issued.
    ///
    /// # Panics
    /// When no chunk was wanted.
    pub fn issued(&mut self) {
        assert!(!self.wanted().is_empty(), "chunk {} was issued unasked", self.frontier);
        self.frontier += 1;
    }

    /// There was no memory for the next of the wanted chunks: half of the depth is left, and at
    /// least one chunk if the policy fetches ahead at all.
    pub fn refused(&mut self) {
        if let Policy::Adaptive { most } = self.policy {
            self.depth = (self.depth / 2).max(most.min(1));
            self.calm = 0;
        }
    }

    /// The next chunk is asked for and is not there.
    pub fn late(&mut self) {
        self.calm = 0;
        if let Policy::Adaptive { .. } = self.policy {
            self.depth = self.depth.max(self.needed().min(self.depth.saturating_mul(2)));
        }
    }

    /// The next chunk was delivered, after a fetch of this time.
    pub fn delivered(&mut self, fetch: Duration) {
        self.next += 1;
        self.frontier = self.frontier.max(self.next);
        self.observed(fetch);
    }

    /// Something was read in place, in order, in this time.
    pub fn observed(&mut self, fetch: Duration) {
        self.fetch.add(fetch);
        self.seen = self.seen.saturating_add(1);
        if let Policy::Adaptive { .. } = self.policy {
            self.settle();
        }
    }

    /// The consumer worked for this time on the last chunk, before it asked for the next.
    pub fn worked(&mut self, work: Duration) {
        self.work.add(work);
    }

    /// The reader goes on at this chunk. What was issued is no longer wanted; the depth starts
    /// again from the bottom, the times are kept.
    pub fn seek(&mut self, chunk: u64) {
        self.next = chunk;
        self.frontier = chunk;
        self.calm = 0;
        if let Policy::Adaptive { most } = self.policy {
            self.depth = self.depth.min(most.min(1));
        }
    }

    /// The reader skips to a chunk of the window.
    ///
    /// # Panics
    /// When the chunk is not in the window or just behind it.
    pub fn skip_to(&mut self, chunk: u64) {
        assert!((self.next..=self.frontier).contains(&chunk), "chunk {chunk} is not in the window");
        self.next = chunk;
    }

    /// Grows by what a stall has shown, shrinks by what calm has.
    fn settle(&mut self) {
        if self.reads_ahead && !self.overlap_pays() {
            self.depth = 0;
            return;
        }
        let needed = self.needed();
        if self.depth == 0 {
            self.depth = 1;
        }
        if self.depth <= needed {
            self.calm = 0;
            return;
        }
        self.calm += 1;
        if self.calm > self.depth {
            self.depth -= 1;
            self.calm = 0;
        }
    }

    /// Whether overlapping fetch and work gains enough over the read-ahead that is there already.
    fn overlap_pays(&self) -> bool {
        let (fetch, work) = (self.fetch.mean(), self.work.mean());
        let gain = fetch.min(work) / fetch.max(work).max(f64::MIN_POSITIVE);
        let bound = if self.depth > 0 { OVERLAP_ENDS } else { OVERLAP_BEGINS };
        self.seen >= PROBES && gain >= bound
    }

    /// The depth at which the fetch is hidden behind the work.
    fn needed(&self) -> u32 {
        let most = self.policy.most();
        let (Some(fetch), Some(work)) = (self.fetch.mean, self.work.mean) else { return most };
        let needed = (fetch + 2.0 * self.fetch.deviation) / work.max(f64::MIN_POSITIVE);
        // At least one; a ratio that no integer holds is cut to `most` as well.
        (needed.ceil() as u32).clamp(most.min(1), most)
    }
}
