//! What a prefetcher did for one reader.

use std::time::Duration;

/// What was fetched for one reader and what became of it. Chunks, where nothing else is said.
///
/// `issued = useful + wasted + cancelled + stolen`, and those still under way or waiting.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PrefetchStats {
    /// Handed to a worker.
    pub issued: u64,
    /// Of these, delivered.
    pub useful: u64,
    /// Of the useful, those that were not there yet when they were asked for.
    pub late: u64,
    /// Fetched, or under way, and then not wanted: after a jump, at the end, or given back
    /// because another read needed the memory.
    pub wasted: u64,
    /// Taken back before a worker had begun.
    pub cancelled: u64,
    /// Taken back by the reader, which needed them before a worker had begun and read in place.
    pub stolen: u64,
    /// Issued although they had been fetched before and never delivered.
    pub duplicate: u64,
    /// Not issued, because the pool had no memory to spare.
    pub refused: u64,
    /// Reads that the reader did itself: of chunks, and of ranges where it reads at random.
    pub in_place: u64,
    /// The depth now.
    pub depth: u32,
    /// The largest depth there was.
    pub depth_most: u32,
    /// The largest number of chunks that were thrown away at once.
    pub wasted_at_once: u64,
    /// Time that the reader waited for bytes in order, whoever read them. Reads at random are not
    /// timed.
    pub stall: Duration,
    /// Bytes that were delivered.
    pub bytes: u64,
}
