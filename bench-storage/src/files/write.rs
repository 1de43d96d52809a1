//! Writes over one file, into the page cache or past it.

use std::sync::Arc;

use bench_core::fixture::{BufferPool, PooledBytes, class_for};
use bench_core::units::ByteSize;
use bench_core::workload::{Failure, Workload};

use super::cell::{SyncPolicy, WriteCell};
use super::steps::{Step, steps};
use super::writing::Writing;
use super::{OneFile, SEED, Share, check_amount, check_cell};
use crate::cache_state::{CacheState, Direct, Reached, Warm};
use crate::error::Error;
use crate::source::open_direct;

/// A state that writes can meet, by the name of the workload.
pub trait WriteState: CacheState {
    /// `room/workload`.
    const NAME: &'static str;
}

impl WriteState for Warm {
    const NAME: &'static str = "files/write_cached";
}

impl WriteState for Direct {
    const NAME: &'static str = "files/write_direct";
}

/// Writes as many bytes as a file has over it, in blocks:
/// `files/write_cached/psync/sequential/fdatasync/bs64KiB/qd1/16MiB`. No block is allocated and no
/// length changes.
///
/// In the page cache and without a sync, every operation meets dirty pages, as the one before left
/// them; otherwise it meets clean ones, or none.
#[derive(Debug)]
pub struct FileWrite<S> {
    cell: WriteCell,
    on_disk: OneFile,
    writing: Writing,
    steps: Arc<[Step]>,
    content: PooledBytes,
    reached: Reached<S>,
    outcome: Option<Result<Share, Error>>,
}

impl<S: WriteState> Workload for FileWrite<S> {
    const NAME: &'static str = S::NAME;
    type Parameter = WriteCell;

    fn set_up(cell: &WriteCell) -> Result<Self, Failure> {
        let on_disk = OneFile::create(cell.size)?;
        let cached = on_disk.file.cached();
        let direct = match S::DIRECT {
            true => Some(open_direct(cached.path(), std::fs::File::options().write(true))?.1),
            false => None,
        };
        check_cell(cell.block, cell.size, direct)?;
        let class = class_for(cell.size);
        let pool = BufferPool::builder(class).class(class).build()?;
        let mut content = pool.try_acquire(cell.size)?;
        content.resize_zeroed(cell.size.len());
        on_disk.file.payload().fill(0, content.filled_mut());
        let mut this = Self {
            cell: *cell,
            writing: Writing::open(cell.engine, S::DIRECT, cached.path(), cell.depth)?,
            steps: steps(cell.pattern, cell.size, cell.block, SEED).into(),
            content: content.freeze(),
            reached: cached.reach::<S>()?,
            on_disk,
            outcome: None,
        };
        this.prepare()?;
        this.run();
        this.check()?;
        this.prepare()?;
        Ok(this)
    }

    fn bytes(&self) -> Option<ByteSize> {
        Some(ByteSize::new(self.steps.iter().map(|step| step.length as u64).sum()))
    }

    /// Without erasing, what set-up or an earlier operation wrote would pass for this one's work.
    fn prepare(&mut self) -> Result<(), Failure> {
        self.outcome = None;
        let file = &self.on_disk.file;
        file.erase()?;
        self.reached = file.cached().reach::<S>()?;
        if !S::DIRECT && self.cell.sync == SyncPolicy::Never {
            file.erase_in_memory()?;
        }
        Ok(())
    }

    fn run(&mut self) {
        if !matches!(self.outcome, Some(Err(_))) {
            self.outcome = Some(self.writing.run(&self.steps, &self.content, self.cell.sync));
        }
    }

    fn check(&mut self) -> Result<(), Failure> {
        let share = self.outcome.take().ok_or("nothing was written")??;
        check_amount(&share, &self.steps)?;
        let cached = self.on_disk.file.cached();
        // Verifying reads pages in.
        let held = self.reached.held(cached);
        let unwritten = cached.residency()?.unwritten;
        if let (true, Some(pages @ 1..)) = (self.cell.sync != SyncPolicy::Never, unwritten) {
            return Err(format!("{pages} pages are still not on the disk after a sync").into());
        }
        self.verify()?;
        Ok(held?)
    }

    fn is_disturbed(failure: &Failure) -> bool {
        Error::is_state_lost(failure)
    }

    fn dimensions(&self) -> Vec<(&'static str, String)> {
        let WriteCell { pattern, sync, block, depth, .. } = self.cell;
        let pages = match (S::DIRECT, sync) {
            (true, _) => "none",
            (false, SyncPolicy::Never) => "dirty",
            (false, _) => "clean",
        };
        let mut dimensions = vec![
            ("backend", self.writing.backend()),
            ("pattern", pattern.to_string()),
            ("sync", sync.to_string()),
            ("pages", pages.to_owned()),
            ("block_size", block.to_string()),
            ("queue_depth", depth.to_string()),
        ];
        dimensions.extend(self.writing.cpus());
        dimensions.extend(self.reached.dimensions());
        dimensions.extend(self.on_disk.dimensions());
        dimensions
    }
}

impl<S> FileWrite<S> {
    /// The file, for tests that damage it.
    pub fn file(&self) -> &crate::file::ScratchFile {
        &self.on_disk.file
    }

    /// Every block that was to be written, read back.
    fn verify(&self) -> Result<(), Failure> {
        use std::os::unix::fs::FileExt;
        let mut offsets: Vec<Step> = self.steps.to_vec();
        offsets.sort_unstable_by_key(|step| step.offset);
        offsets.dedup();
        let mut block = vec![0; self.cell.block.len()];
        for Step { offset, length } in offsets {
            let block = &mut block[..length];
            self.on_disk.file.cached().file().read_exact_at(block, offset)?;
            self.on_disk.file.payload().verify(offset, block)?;
        }
        Ok(())
    }
}
