//! The readers that draw on one pool, and how one that has to have memory gets what others hold
//! ahead of need.

use std::sync::{Arc, Weak};

use bench_core::fixture::{AcquireError, BufferPool, PooledBuf, Priority};
use bench_core::units::ByteSize;

use super::crew::ChunkExchange;
use super::exchange::Yielded;
use super::sync::{Mutex, lock};

/// The chunks of every reader of one pool, whatever source it reads.
#[derive(Debug, Default)]
pub(super) struct Readers {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    chunks: Vec<Weak<ChunkExchange>>,
    /// Reads that wait for memory: until they have it nobody fetches ahead.
    waiting: usize,
}

impl Readers {
    /// The chunks of a new reader.
    pub(super) fn enlist(&self) -> Arc<ChunkExchange> {
        let exchange = Arc::new(ChunkExchange::default());
        let readers = &mut lock(&self.state).chunks;
        readers.retain(|reader| reader.strong_count() > 0);
        readers.push(Arc::downgrade(&exchange));
        exchange
    }

    /// Issues a chunk of this reader into memory that nobody else wants: what
    /// [`issue`](super::exchange::Exchange::issue) says, or `None` where there is none to spare.
    pub(super) fn issue_spare(
        &self,
        own: &ChunkExchange,
        number: u64,
        pool: &BufferPool,
        size: ByteSize,
    ) -> Option<bool> {
        // Held until the memory is in the exchange, where who waits for it can see it.
        let state = lock(&self.state);
        if state.waiting > 0 {
            return None;
        }
        let empty = pool.try_acquire_for(size, Priority::Prefetch).ok()?;
        (!pool.is_contended()).then(|| own.issue(number, empty))
    }

    /// Memory for a read that is waited for. Chunks that are not waited for give theirs up, this
    /// reader's first and then those of others; where workers are at all of them, it waits for
    /// the next that one reader's workers finish: this reader's, if it has any.
    ///
    /// # Errors
    /// [`AcquireError::Exhausted`] when what the pool has not is held by chunks that were delivered
    /// and by reads in place.
    pub(super) fn demand(
        &self,
        own: &Arc<ChunkExchange>,
        pool: &BufferPool,
        size: ByteSize,
    ) -> Result<PooledBuf, AcquireError> {
        match pool.try_acquire(size) {
            Err(AcquireError::Exhausted { .. }) => {}
            other => return other,
        }
        let _first_in_turn = Waiting::on(self);
        loop {
            // Looked for before the pool is: what is in no exchange any more is back in it.
            let found = self.free_one(own);
            match pool.try_acquire(size) {
                Err(AcquireError::Exhausted { .. }) if found => {}
                other => return other,
            }
        }
    }

    /// Has a chunk give up its memory, or waits for a worker that is at one. `false`: none holds
    /// any.
    fn free_one(&self, own: &Arc<ChunkExchange>) -> bool {
        let mut at_work = None;
        for reader in self.own_first(own) {
            match reader.yield_farthest() {
                Yielded::Chunk => return true,
                Yielded::AtWork { finished } => at_work = at_work.or(Some((reader, finished))),
                Yielded::Nothing => {}
            }
        }
        let Some((reader, finished)) = at_work else { return false };
        reader.wait_past(finished);
        true
    }

    fn own_first(&self, own: &Arc<ChunkExchange>) -> Vec<Arc<ChunkExchange>> {
        let state = lock(&self.state);
        let others = state.chunks.iter().filter_map(Weak::upgrade);
        let others = others.filter(|other| !Arc::ptr_eq(other, own));
        std::iter::once(Arc::clone(own)).chain(others).collect()
    }
}

/// A read that waits for memory, for as long as this lives.
struct Waiting<'a>(&'a Readers);

impl<'a> Waiting<'a> {
    fn on(readers: &'a Readers) -> Self {
        lock(&readers.state).waiting += 1;
        Self(readers)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        lock(&self.0.state).waiting -= 1;
    }
}
