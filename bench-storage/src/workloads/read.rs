//! Reading a file that is in memory, and one that is not.

use std::io;

use bench_core::fixture::{AcquireError, BufferPool, PooledBuf};
use bench_core::units::ByteSize;
use bench_core::workload::Failure;

use super::{OnlyFile, pool_for};
use crate::error::Error;
use crate::file::blocks;
use crate::page_cache::PageCacheState;
use crate::residency::Residency;

/// Reads a file of which no page is in memory: `storage/read_cold/1MiB`.
#[derive(Debug)]
pub struct ReadCold(Read);

/// Reads a file of which every page is in memory, before the first operation of a batch and after
/// the last: `storage/read_warm/1MiB`.
#[derive(Debug)]
pub struct ReadWarm(Read);

#[derive(Debug)]
struct Read {
    on_disk: OnlyFile,
    state: PageCacheState,
    pool: BufferPool,
    /// What the last operation read, kept until it has been checked.
    answer: Vec<PooledBuf>,
    failure: Option<ReadError>,
}

/// What may go wrong inside the clock.
#[derive(Debug, thiserror::Error)]
enum ReadError {
    #[error("failed to read {length} bytes at offset {offset}: {source}")]
    Read { offset: u64, length: usize, source: io::Error },
    #[error("the file ended at offset {offset} while {missing} more bytes were due")]
    Short { offset: u64, missing: usize },
    #[error("failed to get a buffer to read into: {0}")]
    Buffer(#[from] AcquireError),
    #[error("{found} of {expected} blocks were read; the operation did not run to its end")]
    Blocks { found: usize, expected: usize },
}

impl Read {
    fn set_up(size: &ByteSize, state: PageCacheState) -> Result<Self, Failure> {
        let on_disk = OnlyFile::create(*size)?;
        let answer = Vec::with_capacity(blocks(*size).count());
        let mut this = Self { on_disk, state, pool: pool_for(*size)?, answer, failure: None };
        // Once outside the clock: the memory of the buffers is touched here and not there, and a
        // file that cannot be brought into its state is refused here.
        this.prepare()?;
        this.run();
        this.check()?;
        Ok(this)
    }

    fn prepare(&mut self) -> Result<(), Failure> {
        // Without this the answer of an earlier operation would do.
        self.answer.clear();
        Ok(self.on_disk.file.cached().bring_to(self.state)?)
    }

    fn run(&mut self) {
        if let Err(error) = self.read() {
            self.failure.get_or_insert(error);
        }
    }

    fn read(&mut self) -> Result<(), ReadError> {
        self.answer.clear();
        let file = self.on_disk.file.cached().file();
        for (start, length) in blocks(self.on_disk.size()) {
            let mut buffer = self.pool.try_acquire(ByteSize::new(length as u64))?;
            while buffer.len() < length {
                let (offset, length) = (start + buffer.len() as u64, length - buffer.len());
                let read = buffer.fill_with(|spare| {
                    rustix::io::pread(file, &mut spare[..length], offset).map(|(read, _)| read)
                });
                match read {
                    Ok(0) => return Err(ReadError::Short { offset, missing: length }),
                    Ok(_) => {}
                    Err(errno) => {
                        return Err(ReadError::Read { offset, length, source: errno.into() });
                    }
                }
            }
            self.answer.push(buffer);
        }
        Ok(())
    }

    fn check(&mut self) -> Result<(), Failure> {
        if let Some(error) = self.failure.take() {
            return Err(error.into());
        }
        let warm = self.check_warm();
        let payload = self.on_disk.file.payload();
        let (found, expected) = (self.answer.len(), blocks(payload.size).count());
        if found != expected {
            return Err(ReadError::Blocks { found, expected }.into());
        }
        for ((offset, _), block) in blocks(payload.size).zip(&self.answer) {
            payload.verify(offset, block)?;
        }
        warm
    }

    /// A batch may be long, and memory short: pages that were there when it began may be gone. One
    /// that went and was read in again before the end is not noticed.
    fn check_warm(&self) -> Result<(), Failure> {
        if self.state != PageCacheState::Warm {
            return Ok(()); // The read itself has warmed it.
        }
        let cached = self.on_disk.file.cached();
        let seen = cached.residency()?;
        if seen.is_warm() {
            return Ok(());
        }
        let (path, state) = (cached.path().to_owned(), self.state);
        let Residency { resident, pages, .. } = seen;
        Err(Error::StateLost { path, state, resident, pages }.into())
    }

    fn dimensions(&self) -> Vec<(&'static str, String)> {
        self.on_disk.dimensions("pread", self.state)
    }
}

// The first read of a file warms it, so that every cold one needs its own eviction.
workload!(ReadCold(Read), "storage/read_cold", PageCacheState::Cold, isolated: true);
workload!(ReadWarm(Read), "storage/read_warm", PageCacheState::Warm, isolated: false);
