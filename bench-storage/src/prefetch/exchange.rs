//! Where one reader and the workers meet: the chunks that were issued and not delivered, each in
//! one state, under one lock.
//!
//! ```text
//!            issue            start             finish            take
//! (nothing) ───────▶ Queued ─────────▶ Running ────────▶ Ready ───────▶ delivered
//!                      │ take: stolen     │ cancel         │ cancel, yield
//!                      ▼ cancel           ▼                ▼
//!                  (nothing)          Abandoned ─finish─▶ (nothing): wasted
//!                                         └─issue─▶ Running: wanted again in time
//! ```
//!
//! What it gives up is dropped under the lock: memory that is in no exchange any more is free, or
//! was delivered.
//!
//! Generic in what is handed over (`E`, an empty buffer) and what comes back (`F`), so that a model
//! checker runs all interleavings of it with numbers.

use std::collections::BTreeMap;

use super::sync::{Condvar, Mutex, lock, wait};

/// The chunks of one reader.
#[derive(Debug)]
pub struct Exchange<E, F> {
    chunks: Mutex<Chunks<E, F>>,
    changed: Condvar,
}

#[derive(Debug)]
struct Chunks<E, F> {
    slots: BTreeMap<u64, Slot<E, F>>,
    tally: Tally,
    /// Chunks that workers are done with.
    finished: u64,
}

#[derive(Debug)]
enum Slot<E, F> {
    Queued(E),
    Running,
    Abandoned,
    Ready(F),
}

/// What became of issued chunks that were not delivered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Fetched for nothing.
    pub wasted: u64,
    /// Taken back before a worker had begun.
    pub cancelled: u64,
    /// The most thrown away by one cancellation.
    pub wasted_at_once: u64,
}

/// What the reader gets when it asks for a chunk.
#[derive(Debug, PartialEq, Eq)]
pub enum Taken<E, F> {
    /// It was fetched.
    Fetched(F),
    /// No worker had begun: the reader has its empty buffer back and reads itself.
    Stolen(E),
    /// It was never issued, or was given up for its memory.
    Missing,
}

/// What was given up for a read that needs memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Yielded {
    /// A chunk.
    Chunk,
    /// Workers are at all that there are.
    AtWork {
        /// How many they had finished.
        finished: u64,
    },
    /// There are no chunks.
    Nothing,
}

impl<E, F> Default for Exchange<E, F> {
    fn default() -> Self {
        let chunks = Chunks { slots: BTreeMap::new(), tally: Tally::default(), finished: 0 };
        Self { chunks: Mutex::new(chunks), changed: Condvar::new() }
    }
}

impl<E, F> Exchange<E, F> {
    /// The reader issues a chunk. `true`: a worker must be told. `false`: a worker is at it still,
    /// from before a jump, and the buffer is not needed.
    ///
    /// # Panics
    /// When the chunk was issued already: a chunk is never fetched twice at a time.
    pub fn issue(&self, chunk: u64, empty: E) -> bool {
        let mut chunks = lock(&self.chunks);
        match chunks.slots.get_mut(&chunk) {
            None => {
                chunks.slots.insert(chunk, Slot::Queued(empty));
                true
            }
            Some(slot @ Slot::Abandoned) => {
                *slot = Slot::Running;
                chunks.tally.wasted -= 1;
                false
            }
            Some(_) => panic!("chunk {chunk} is issued twice"),
        }
    }

    /// A worker begins with a chunk that it was told of; `None` when it is no longer wanted.
    pub fn start(&self, chunk: u64) -> Option<E> {
        let mut chunks = lock(&self.chunks);
        let slot = chunks.slots.get_mut(&chunk)?;
        if !matches!(slot, Slot::Queued(_)) {
            return None;
        }
        match std::mem::replace(slot, Slot::Running) {
            Slot::Queued(empty) => Some(empty),
            _ => unreachable!("it was queued a line ago"),
        }
    }

    /// A worker is done with a chunk that it had started.
    pub fn finish(&self, chunk: u64, fetched: F) {
        let mut chunks = lock(&self.chunks);
        chunks.finished += 1;
        match chunks.slots.get_mut(&chunk) {
            Some(slot @ Slot::Running) => *slot = Slot::Ready(fetched),
            Some(Slot::Abandoned) => {
                chunks.slots.remove(&chunk);
                drop(fetched);
            }
            _ => unreachable!("only a worker takes a chunk out of the states it is in at work"),
        }
        drop(chunks);
        self.changed.notify_all();
    }

    /// Whether the chunk was fetched and waits.
    pub fn is_ready(&self, chunk: u64) -> bool {
        matches!(lock(&self.chunks).slots.get(&chunk), Some(Slot::Ready(_)))
    }

    /// The reader takes a chunk, and waits for it if a worker is at it.
    pub fn take(&self, chunk: u64) -> Taken<E, F> {
        let mut chunks = lock(&self.chunks);
        loop {
            match chunks.slots.get_mut(&chunk) {
                None => return Taken::Missing,
                // Wanted again while the worker is still at it.
                Some(slot @ Slot::Abandoned) => {
                    *slot = Slot::Running;
                    chunks.tally.wasted -= 1;
                }
                Some(Slot::Running) => {}
                Some(Slot::Queued(_) | Slot::Ready(_)) => break,
            }
            chunks = wait(&self.changed, chunks);
        }
        match chunks.slots.remove(&chunk) {
            Some(Slot::Ready(fetched)) => Taken::Fetched(fetched),
            Some(Slot::Queued(empty)) => Taken::Stolen(empty),
            _ => unreachable!("it was one of the two a line ago"),
        }
    }

    /// Gives up all chunks but those in `keep`. Returns the chunks that were, or are being, fetched
    /// for nothing.
    pub fn cancel_but(&self, keep: std::ops::Range<u64>) -> Vec<u64> {
        let mut wasted = Vec::new();
        let mut chunks = lock(&self.chunks);
        let numbers: Vec<u64> =
            chunks.slots.keys().copied().filter(|number| !keep.contains(number)).collect();
        for number in numbers {
            match chunks.slots.get_mut(&number) {
                Some(slot @ Slot::Running) => {
                    *slot = Slot::Abandoned;
                    wasted.push(number);
                }
                Some(Slot::Ready(_)) => {
                    chunks.slots.remove(&number);
                    wasted.push(number);
                }
                Some(Slot::Queued(_)) => {
                    chunks.slots.remove(&number);
                    chunks.tally.cancelled += 1;
                }
                Some(Slot::Abandoned) | None => {}
            }
        }
        let count = wasted.len() as u64;
        chunks.tally.wasted += count;
        chunks.tally.wasted_at_once = chunks.tally.wasted_at_once.max(count);
        wasted
    }

    /// Gives up the chunk farthest ahead that holds memory and that no worker is at, for a read
    /// that needs the memory now.
    pub fn yield_farthest(&self) -> Yielded {
        let mut chunks = lock(&self.chunks);
        let holds = |slot: &Slot<E, F>| matches!(slot, Slot::Ready(_) | Slot::Queued(_));
        let farthest = chunks.slots.iter().rev().find(|(_, slot)| holds(slot));
        let Some(farthest) = farthest.map(|(number, _)| *number) else {
            let finished = chunks.finished;
            return if chunks.slots.is_empty() {
                Yielded::Nothing
            } else {
                Yielded::AtWork { finished }
            };
        };
        match chunks.slots.remove(&farthest) {
            Some(Slot::Ready(_)) => chunks.tally.wasted += 1,
            _ => chunks.tally.cancelled += 1,
        }
        Yielded::Chunk
    }

    /// Waits until workers have finished more than they had by [`Yielded::AtWork`]; chunks that nobody
    /// wants any more count, too.
    ///
    /// It comes to an end: a chunk that a worker is at leaves that state by being finished only.
    pub fn wait_past(&self, finished: u64) {
        let mut chunks = lock(&self.chunks);
        while chunks.finished == finished {
            chunks = wait(&self.changed, chunks);
        }
    }

    /// Chunks that were issued and not delivered.
    pub fn outstanding(&self) -> usize {
        lock(&self.chunks).slots.len()
    }

    /// What became of chunks that were not delivered.
    pub fn tally(&self) -> Tally {
        lock(&self.chunks).tally
    }
}
