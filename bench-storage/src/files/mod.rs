//! Reading and writing files by block size, queue depth, order, engine and state, and what
//! directories cost: the workloads of the `files` room.
//!
//! Unlike [`workloads`](crate::workloads), which move a whole file through buffers of its own, these
//! reuse as many buffers as the queue is deep, as a program does that looks at each block once. The
//! set-up runs one pass in which every block is verified; in the passes that are measured the last
//! blocks of each thread, and the number of bytes, are.
//!
//! - [`cell`]: what is measured, as it stands in the id.
//! - [`steps`](mod@steps): in which order, sequential or uniformly random.
//! - [`FileRead`], [`FileWrite`]: one file, by state.
//! - [`Concurrent`]: readers and writers on one file or on many.
//! - [`job`]: lanes that tell of every operation, as fio's jobs.
//! - [`Storm`]: create, open, stat, rename, unlink.

pub mod cell;
mod concurrent;
pub mod job;
mod read;
mod reading;
pub mod steps;
mod storm;
mod team;
mod tokio_fs;
mod write;
mod writing;

use bench_core::fixture::{BufferPool, InvalidPool, Payload, PooledBuf, class_for};
use bench_core::measure::environment::read_ahead;
use bench_core::units::ByteSize;
use bench_core::workload::Failure;

pub use self::concurrent::{Concurrent, ConcurrentCell, Files};
pub use self::read::{FileRead, ReadState};
pub use self::storm::{Storm, StormCell, StormKind};
pub use self::write::{FileWrite, WriteState};

use self::steps::Step;
use crate::error::Error;
use crate::file::ScratchFile;
use crate::scratch::ScratchDirectory;

const SEED: u64 = 42;

/// What one thread, or one ring, did.
#[derive(Debug, Default)]
struct Share {
    bytes: u64,
    steps: usize,
    /// The blocks that were read last, still in their buffers.
    last: Vec<(Step, PooledBuf)>,
}

impl Share {
    fn sum(shares: Vec<Self>) -> Self {
        let mut sum = Self::default();
        for mut share in shares {
            sum.bytes += share.bytes;
            sum.steps += share.steps;
            sum.last.append(&mut share.last);
        }
        sum
    }
}

/// The scratch file of a workload. It is closed before its directory goes.
#[derive(Debug)]
struct OneFile {
    file: ScratchFile,
    _directory: ScratchDirectory,
}

impl OneFile {
    fn create(size: ByteSize) -> Result<Self, Error> {
        let directory = ScratchDirectory::create()?;
        let file = ScratchFile::create(&directory, "file", Payload::seeded(SEED, size))?;
        Ok(Self { file, _directory: directory })
    }

    /// The read-ahead of the device that holds the file, and what the file holds.
    fn dimensions(&self) -> Vec<(&'static str, String)> {
        let mut dimensions = vec![("read_ahead", read_ahead(self.file.cached().path()))];
        dimensions.extend(self.file.payload().dimensions());
        dimensions
    }
}

/// A pool of as many buffers as the queue is deep. They are all out at once: on huge pages a block is
/// one part of a direct read, and not one for each page.
fn pool_for(block: ByteSize, depth: u32) -> Result<BufferPool, InvalidPool> {
    let class = class_for(block);
    BufferPool::builder(ByteSize::new(class.bytes() * u64::from(depth)))
        .class(class)
        .huge_slabs()
        .build()
}

/// Refuses what no engine could do.
fn check_cell(block: ByteSize, size: ByteSize, direct: Option<usize>) -> Result<(), Failure> {
    if block > size {
        return Err(format!(
            "a block of {block} does not fit a file of {size}; choose a smaller block"
        )
        .into());
    }
    let Some(alignment) = direct else { return Ok(()) };
    let aligned = |size: ByteSize| size.bytes().is_multiple_of(alignment as u64);
    if !aligned(block) || !aligned(size) {
        return Err(format!(
            "direct I/O on this disk needs blocks and sizes in multiples of {alignment} bytes; \
             {block} of {size} is none"
        )
        .into());
    }
    Ok(())
}

/// Whether as much was moved as was to be.
fn check_amount(share: &Share, steps: &[Step]) -> Result<(), Failure> {
    let bytes: u64 = steps.iter().map(|step| step.length as u64).sum();
    if (share.steps, share.bytes) == (steps.len(), bytes) {
        return Ok(());
    }
    Err(format!(
        "{} of {} blocks and {} of {bytes} bytes were moved; the operation did not run to its end",
        share.steps,
        steps.len(),
        share.bytes
    )
    .into())
}
