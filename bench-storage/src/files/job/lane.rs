//! One thread of a job: opened and closed outside the clock, checked after it.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;

use bench_core::fixture::PooledBuf;
use bench_core::units::ByteSize;
use bench_core::workload::Failure;

use super::calls::Calls;
use super::content::{Author, Writers};
use super::plan::{Operation, Plan};
use super::ring::Queue;
use super::tokio::Tasks;
use super::{Done, JobCell, Kind, Watch};
use crate::error::Error;
use crate::files::cell::Engine;
use crate::files::pool_for;
use crate::source::open_direct;

/// A lane of a job on one file. It belongs to the thread that opened it.
#[derive(Debug)]
pub struct Lane {
    cell: JobCell,
    author: Author,
    plan: Plan,
    file: Arc<File>,
    way: Way,
}

#[derive(Debug)]
enum Way {
    Calls(Calls),
    Queue(Box<Queue>),
    Tasks(Tasks),
}

/// A block that has come or gone, still in its buffer.
#[derive(Clone, Copy, Debug)]
pub(super) struct Kept<'a> {
    pub(super) operation: Operation,
    pub(super) block: &'a [u8],
}

impl Lane {
    /// Opens the file and makes what the engine needs; reads and writes nothing. Lanes of one run
    /// draw different blocks, and the same ones in every run of the same seed.
    ///
    /// # Errors
    /// [`JobCell::check`]; where the engine, direct I/O, or memory is not to be had.
    pub fn open(cell: &JobCell, path: &Path, author: Author, seed: u64) -> Result<Self, Error> {
        cell.check()?;
        let mut options = File::options();
        options.read(true).write(cell.writes());
        let file = match cell.direct {
            false => options.open(path).map_err(Error::io("open", path))?,
            true => {
                let (file, alignment) = open_direct(path, &mut options)?;
                if !cell.block.bytes().is_multiple_of(alignment as u64) {
                    return Err(Error::InvalidJob(format!(
                        "direct I/O on this disk needs blocks in multiples of {alignment} bytes; \
                         {} is none",
                        cell.block
                    )));
                }
                file
            }
        };
        let file = Arc::new(file);
        let way = match cell.engine {
            Engine::Psync | Engine::Mmap => Way::Calls(Calls::open(cell, &file, path, author)?),
            Engine::IoUring => Way::Queue(Box::new(Queue::open(cell, &file, author)?)),
            Engine::Tokio => Way::Tasks(Tasks::open(cell, path, author)?),
        };
        let plan = Plan::new(cell, seed.wrapping_add(u64::from(author.lane)));
        Ok(Self { cell: *cell, author, plan, file, way })
    }

    /// What really reads and writes.
    pub fn backend(&self) -> String {
        let name = match &self.way {
            Way::Calls(calls) => calls.name(),
            Way::Queue(queue) => queue.name(),
            Way::Tasks(_) => "tokio::fs",
        };
        format!("{name}{}", if self.cell.direct { " O_DIRECT" } else { "" })
    }

    /// Does the job, to its end or until the watch says that it is over.
    ///
    /// # Errors
    /// The first operation that failed, with its place; the watch has those before.
    pub fn run<W: Watch>(&mut self, watch: &mut W) -> Result<(), Error> {
        match &mut self.way {
            Way::Calls(calls) => calls.run(&mut self.plan, watch)?,
            Way::Queue(queue) => queue.run(&mut self.plan, watch)?,
            Way::Tasks(tasks) => tasks.run(&mut self.plan, watch)?,
        }
        if self.cell.sync_at_end && self.cell.writes() {
            let began = watch.now();
            self.file.sync_all().map_err(Error::Sync)?;
            let ended = watch.now();
            watch.ended(Done { kind: Kind::Sync, bytes: 0, began, queued: began, ended });
        }
        Ok(())
    }

    /// Compares the last blocks with what the file holds, read through another descriptor; what was
    /// read beside somebody who writes, with all that [may have stood there](Writers::check).
    ///
    /// # Errors
    /// The first block that is another; where none was kept.
    pub fn check(&mut self, file: &File, writers: &Writers) -> Result<(), Failure> {
        let (author, mut seen) = (self.author, 0);
        let mut found = vec![0; self.cell.block.len()];
        let mut compare = |kept: Kept<'_>| -> Result<(), Failure> {
            let Operation { kind, offset, length } = kept.operation;
            let found = &mut found[..length];
            file.read_exact_at(found, offset)?;
            seen += 1;
            match kind {
                Kind::Read if !writers.authors.is_empty() => {
                    Ok(writers.check(kept.block, found, offset)?)
                }
                Kind::Read if *found == *kept.block => Ok(()),
                Kind::Read => Err(format!(
                    "the block that was read at offset {offset} is not what the file holds"
                )
                .into()),
                Kind::Write => Ok(author.verify(found, offset)?),
                Kind::Sync => Ok(()),
            }
        };
        match &mut self.way {
            Way::Calls(calls) => calls.kept().try_for_each(&mut compare)?,
            Way::Queue(queue) => queue.each_kept(&mut compare)?,
            Way::Tasks(tasks) => tasks.kept().try_for_each(&mut compare)?,
        }
        if seen == 0 {
            return Err("no block was kept to verify".into());
        }
        Ok(())
    }
}

/// A buffer for each place in the queue, full of zeros; twice as many where a lane both reads and
/// writes, because what is written must not be what was read. Those to write come last.
pub(super) fn buffers(cell: &JobCell, author: Author) -> Result<Vec<PooledBuf>, Error> {
    let mixed = cell.reads() && cell.writes();
    let depth = cell.depth() as usize;
    let count = if mixed { 2 * depth } else { depth };
    let most = u32::try_from(count).expect("few");
    let pool = pool_for(cell.block, most).map_err(|error| Error::InvalidJob(error.to_string()))?;
    let length = ByteSize::new(cell.block.bytes());
    let buffer = |number: usize| {
        let mut buffer = pool.try_acquire(length)?;
        buffer.resize_zeroed(length.len());
        if cell.writes() && (!mixed || number >= depth) {
            author.fill(buffer.filled_mut());
        }
        Ok(buffer)
    };
    (0..count).map(buffer).collect()
}

/// The number of the buffer of a place in the queue.
pub(super) fn buffer_of(cell: &JobCell, place: usize, kind: Kind) -> usize {
    let mixed = cell.reads() && cell.writes();
    if mixed && kind == Kind::Write { cell.depth() as usize + place } else { place }
}
