//! The threads that fetch, for all readers of one source.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;
use std::{fmt, io};

use bench_core::fixture::PooledBuf;

use super::exchange::Exchange;
use super::readers::Readers;
use super::sync::{Condvar, Mutex, lock, wait};
use crate::clock::Clock;
use crate::error::Error;
use crate::source::{Source, read_full};

/// The chunks of one reader: buffers go out empty and come back with what was read.
pub(super) type ChunkExchange = Exchange<PooledBuf, Fetched>;

/// What a worker hands over.
#[derive(Debug)]
pub(super) struct Fetched {
    pub(super) outcome: Result<PooledBuf, Error>,
    /// How long the read took.
    pub(super) time: Duration,
}

/// Which bytes a chunk is.
#[derive(Clone, Copy, Debug)]
pub(super) struct Extent {
    pub(super) number: u64,
    pub(super) offset: u64,
    pub(super) length: usize,
}

/// Worker threads and their queue. Dropping it ends them once they are done with what they are at.
pub(super) struct Crew {
    shared: Arc<Shared>,
    workers: Vec<JoinHandle<()>>,
    /// Of this source, and of all that share its memory.
    readers: Arc<Readers>,
}

struct Shared {
    source: Arc<dyn Source>,
    clock: Arc<dyn Clock>,
    queue: Mutex<Queue>,
    changed: Condvar,
}

#[derive(Default)]
struct Queue {
    jobs: VecDeque<Job>,
    closed: bool,
}

struct Job {
    exchange: Arc<ChunkExchange>,
    extent: Extent,
}

impl Crew {
    /// Starts this many workers.
    pub(super) fn start(
        source: Arc<dyn Source>,
        clock: Arc<dyn Clock>,
        workers: u32,
        readers: Arc<Readers>,
    ) -> io::Result<Self> {
        let shared = Arc::new(Shared {
            source,
            clock,
            queue: Mutex::new(Queue::default()),
            changed: Condvar::new(),
        });
        let mut crew = Self { shared, workers: Vec::new(), readers };
        for number in 0..workers {
            let shared = Arc::clone(&crew.shared);
            let worker = thread::Builder::new().name(format!("prefetch-{number}"));
            // Where the system has no thread left, dropping the crew ends those that run.
            crew.workers.push(worker.spawn(move || shared.work())?);
        }
        Ok(crew)
    }

    pub(super) fn source(&self) -> &dyn Source {
        &*self.shared.source
    }

    pub(super) fn now(&self) -> Duration {
        self.shared.clock.now()
    }

    pub(super) fn clock(&self) -> Arc<dyn Clock> {
        Arc::clone(&self.shared.clock)
    }

    pub(super) fn readers(&self) -> &Arc<Readers> {
        &self.readers
    }

    /// Tells a worker of a chunk that was issued.
    pub(super) fn tell(&self, exchange: &Arc<ChunkExchange>, extent: Extent) {
        let job = Job { exchange: Arc::clone(exchange), extent };
        lock(&self.shared.queue).jobs.push_back(job);
        self.shared.changed.notify_one();
    }

    /// Reads on the caller's thread.
    pub(super) fn read(&self, extent: Extent, empty: PooledBuf) -> Fetched {
        self.shared.read(extent, empty)
    }

    /// Reads on the caller's thread, without a look at the clock.
    pub(super) fn read_untimed(
        &self,
        extent: Extent,
        empty: PooledBuf,
    ) -> Result<PooledBuf, Error> {
        self.shared.read_untimed(extent, empty)
    }
}

impl Shared {
    fn work(&self) {
        while let Some(Job { exchange, extent }) = self.next() {
            let Some(empty) = exchange.start(extent.number) else { continue };
            // A reader waits for this chunk: a panic is its answer, too.
            let fetched = catch_unwind(AssertUnwindSafe(|| self.read(extent, empty)));
            exchange.finish(
                extent.number,
                fetched.unwrap_or_else(|_| {
                    let Extent { number, offset, .. } = extent;
                    let source = io::Error::other("the source panicked");
                    let outcome = Err(Error::Chunk { number, offset, source });
                    Fetched { outcome, time: Duration::ZERO }
                }),
            );
        }
    }

    fn next(&self) -> Option<Job> {
        let mut queue = lock(&self.queue);
        loop {
            match queue.jobs.pop_front() {
                _ if queue.closed => return None,
                Some(job) => return Some(job),
                None => queue = wait(&self.changed, queue),
            }
        }
    }

    fn read(&self, extent: Extent, empty: PooledBuf) -> Fetched {
        let start = self.clock.now();
        let outcome = self.read_untimed(extent, empty);
        Fetched { outcome, time: self.clock.now().saturating_sub(start) }
    }

    fn read_untimed(&self, extent: Extent, mut buffer: PooledBuf) -> Result<PooledBuf, Error> {
        let Extent { number, offset, length } = extent;
        match read_full(&*self.source, offset, length, &mut buffer) {
            Ok(read) if read == length => Ok(buffer),
            Ok(read) => Err(Error::Truncated {
                number,
                end: offset + read as u64,
                missing: (length - read) as u64,
            }),
            Err(source) => Err(Error::Chunk { number, offset, source }),
        }
    }
}

impl Drop for Crew {
    fn drop(&mut self) {
        lock(&self.shared.queue).closed = true;
        self.shared.changed.notify_all();
        for worker in self.workers.drain(..) {
            // Its panics were caught and delivered.
            let _ended = worker.join();
        }
    }
}

impl fmt::Debug for Crew {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Crew({} workers on {:?})", self.workers.len(), self.shared.source)
    }
}
