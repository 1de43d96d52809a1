//! One reader's chunks ahead: what the planner wants, the workers fetch and the pool has room for.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use bench_core::fixture::{BufferPool, PooledBuf};
use bench_core::units::ByteSize;

use super::crew::{ChunkExchange, Crew, Extent, Fetched};
use super::exchange::Taken;
use super::planner::{Planner, Policy};
use super::stats::PrefetchStats;
use crate::error::Error;

/// A range of a source in chunks; the last may be shorter.
#[derive(Clone, Copy, Debug)]
pub(super) struct Chunks {
    pub(super) start: u64,
    pub(super) end: u64,
    /// Not zero.
    pub(super) chunk: u64,
}

impl Chunks {
    pub(super) fn count(self) -> u64 {
        self.end.saturating_sub(self.start).div_ceil(self.chunk)
    }

    /// The chunk that this byte is in.
    pub(super) fn of(self, offset: u64) -> u64 {
        (offset - self.start) / self.chunk
    }

    pub(super) fn extent(self, number: u64) -> Extent {
        let offset = self.start + number * self.chunk;
        let length = ByteSize::new(self.chunk.min(self.end - offset)).len();
        Extent { number, offset, length }
    }
}

/// The chunks ahead of one reader.
#[derive(Debug)]
pub(super) struct Window {
    crew: Arc<Crew>,
    exchange: Arc<ChunkExchange>,
    pool: BufferPool,
    chunks: Chunks,
    planner: Planner,
    stats: PrefetchStats,
    /// Fetched and never delivered.
    dropped: BTreeSet<u64>,
    /// When the reader got the last bytes.
    handed_over: Option<Duration>,
}

impl Window {
    pub(super) fn new(crew: Arc<Crew>, pool: BufferPool, chunks: Chunks, policy: Policy) -> Self {
        let exchange = crew.readers().enlist();
        let planner = Planner::new(policy, chunks.count(), crew.source().reads_ahead());
        let stats = PrefetchStats { depth: planner.depth(), ..PrefetchStats::default() };
        let dropped = BTreeSet::new();
        Self { crew, exchange, pool, chunks, planner, stats, dropped, handed_over: None }
    }

    pub(super) fn chunks(&self) -> Chunks {
        self.chunks
    }

    pub(super) fn planner(&self) -> &Planner {
        &self.planner
    }

    pub(super) fn stats(&self) -> PrefetchStats {
        let tally = self.exchange.tally();
        PrefetchStats {
            wasted: tally.wasted,
            cancelled: tally.cancelled,
            wasted_at_once: tally.wasted_at_once,
            depth: self.planner.depth(),
            ..self.stats
        }
    }

    /// Chunks fetched or under way for this reader.
    pub(super) fn outstanding(&self) -> usize {
        self.exchange.outstanding()
    }

    /// The next chunk, waited for or read in place if it was not fetched.
    pub(super) fn take_next(&mut self) -> Result<PooledBuf, Error> {
        let asked = self.asked();
        let extent = self.chunks.extent(self.planner.next());
        self.top_up();
        let fetched = if self.planner.window().contains(&extent.number) {
            self.take_issued(extent)?
        } else {
            self.read_in_place(extent)?
        };
        self.planner.delivered(fetched.time);
        self.top_up();
        self.hand_over(asked, &fetched);
        fetched.outcome
    }

    fn take_issued(&mut self, extent: Extent) -> Result<Fetched, Error> {
        if !self.exchange.is_ready(extent.number) {
            // Before the wait, so that what comes after this chunk is already on its way.
            self.planner.late();
            self.top_up();
            self.stats.late += 1;
        }
        match self.exchange.take(extent.number) {
            Taken::Fetched(fetched) => {
                self.stats.useful += 1;
                Ok(fetched)
            }
            Taken::Stolen(empty) => {
                self.stats.stolen += 1;
                self.stats.late -= 1;
                Ok(self.crew.read(extent, empty))
            }
            Taken::Missing => self.read_in_place(extent),
        }
    }

    /// Reads a range in place, of reads that are in order, and learns from its time.
    pub(super) fn read_in_order(&mut self, extent: Extent) -> Result<PooledBuf, Error> {
        let asked = self.asked();
        let fetched = self.read_in_place(extent)?;
        self.planner.observed(fetched.time);
        self.hand_over(asked, &fetched);
        fetched.outcome
    }

    /// Reads a range that has nothing to do with those before it: nothing is learnt, and the clock,
    /// which would be a good part of what a small read costs, is left alone.
    pub(super) fn read_at_random(&mut self, extent: Extent) -> Result<PooledBuf, Error> {
        self.stats.in_place += 1;
        self.handed_over = None;
        let empty = self.demand(extent.length)?;
        let read = self.crew.read_untimed(extent, empty)?;
        self.stats.bytes += read.len() as u64;
        Ok(read)
    }

    fn read_in_place(&mut self, extent: Extent) -> Result<Fetched, Error> {
        self.stats.in_place += 1;
        let empty = self.demand(extent.length)?;
        Ok(self.crew.read(extent, empty))
    }

    fn asked(&mut self) -> Duration {
        let now = self.crew.now();
        if let Some(handed_over) = self.handed_over.take() {
            self.planner.worked(now.saturating_sub(handed_over));
        }
        now
    }

    fn hand_over(&mut self, asked: Duration, fetched: &Fetched) {
        let now = self.crew.now();
        self.stats.stall += now.saturating_sub(asked);
        if let Ok(buffer) = &fetched.outcome {
            self.stats.bytes += buffer.len() as u64;
        }
        self.handed_over = Some(now);
    }

    /// Issues what the planner wants, as far as the pool has room.
    fn top_up(&mut self) {
        for number in self.planner.wanted() {
            let extent = self.chunks.extent(number);
            let size = ByteSize::new(extent.length as u64);
            let readers = self.crew.readers();
            let Some(new) = readers.issue_spare(&self.exchange, number, &self.pool, size) else {
                self.stats.refused += 1;
                self.planner.refused();
                break;
            };
            if new {
                self.stats.issued += 1;
                self.stats.duplicate += u64::from(self.dropped.contains(&number));
                self.crew.tell(&self.exchange, extent);
            }
            self.planner.issued();
        }
        self.stats.depth_most = self.stats.depth_most.max(self.planner.depth());
    }

    /// Memory for a read that is waited for.
    pub(super) fn demand(&self, length: usize) -> Result<PooledBuf, Error> {
        let size = ByteSize::new(length as u64);
        Ok(self.crew.readers().demand(&self.exchange, &self.pool, size)?)
    }

    /// Goes on at this chunk: within the window what lies before it is given up, elsewhere all is.
    pub(super) fn go_to(&mut self, chunk: u64) {
        let window = self.planner.window();
        if window.contains(&chunk) {
            self.dropped.extend(self.exchange.cancel_but(chunk..window.end));
            self.planner.skip_to(chunk);
        } else if window.start != chunk {
            self.seek(chunk);
        }
    }

    /// Gives up all that was issued and starts again at this chunk.
    pub(super) fn seek(&mut self, chunk: u64) {
        self.dropped.extend(self.exchange.cancel_but(0..0));
        self.planner.seek(chunk);
        self.handed_over = None;
    }
}

impl Drop for Window {
    fn drop(&mut self) {
        self.exchange.cancel_but(0..0);
    }
}
