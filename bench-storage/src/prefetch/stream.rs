//! Chunks in order.

use std::iter::FusedIterator;

use bench_core::fixture::PooledBuf;

use super::stats::PrefetchStats;
use super::window::Window;
use crate::error::Error;

/// The chunks of a range, first to last, fetched ahead. An error comes in its turn, at the chunk
/// that it struck, and is the last item.
///
/// Dropping it gives up what was fetched ahead; a read that is under way ends first, on its worker.
#[derive(Debug)]
pub struct ChunkStream {
    window: Window,
    failed: bool,
}

impl ChunkStream {
    pub(super) fn new(window: Window) -> Self {
        Self { window, failed: false }
    }

    /// What was done for this stream so far.
    pub fn stats(&self) -> PrefetchStats {
        self.window.stats()
    }
}

impl Iterator for ChunkStream {
    type Item = Result<PooledBuf, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        let next = self.window.planner().next();
        if self.failed || next >= self.window.chunks().count() {
            return None;
        }
        let item = self.window.take_next();
        if item.is_err() {
            self.failed = true;
            self.window.seek(self.window.chunks().count());
        }
        Some(item)
    }
}

impl FusedIterator for ChunkStream {}
