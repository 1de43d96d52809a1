//! Writing over a file that is in memory, into the page cache alone or through to the disk.

use std::io;
use std::os::unix::fs::FileExt;

use bench_core::fixture::{BufferPool, PooledBuf};
use bench_core::units::ByteSize;
use bench_core::workload::Failure;

use super::{OnlyFile, pool_for};
use crate::file::blocks;
use crate::page_cache::PageCacheState;

/// Overwrites a file in the page cache and leaves it to the kernel to write it back, at a time of
/// its own choice: `storage/write/1MiB`.
///
/// Every operation meets pages that are dirty already, as the one before it left them; the first of
/// a batch too, because the file is written over without a sync before it. To make a clean page
/// dirty costs ten times as much as to write into a dirty one, and it would weigh on large sizes,
/// of which a batch has few operations, and not on small ones. Where the kernel writes back in the
/// middle of a batch (by default once 30 s have gone by or a tenth of the memory is dirty), the
/// next operation pays for it.
#[derive(Debug)]
pub struct Write(Overwrite);

/// Overwrites a file and waits until the disk has it (`fdatasync`): `storage/write_sync/1MiB`.
/// No block is allocated and no length changes, so that no journal has to be waited for. Every
/// operation meets clean pages: the first because the file was synced before it, the others because
/// the one before them did.
#[derive(Debug)]
pub struct WriteSync(Overwrite);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sync {
    None,
    Data,
}

#[derive(Debug)]
struct Overwrite {
    on_disk: OnlyFile,
    sync: Sync,
    /// What is written, block by block.
    content: Vec<PooledBuf>,
    failure: Option<WriteError>,
    /// Keeps the memory of the content together and under its cap.
    _pool: BufferPool,
}

/// What may go wrong with a write.
#[derive(Debug, thiserror::Error)]
enum WriteError {
    #[error("failed to write {length} bytes at offset {offset}: {source}")]
    Write { offset: u64, length: usize, source: io::Error },
    #[error("failed to sync what was written: {0}")]
    Sync(#[source] io::Error),
    #[error("{0} pages are still not on the disk after fdatasync")]
    NotOnDisk(u64),
}

impl Overwrite {
    fn set_up(size: &ByteSize, sync: Sync) -> Result<Self, Failure> {
        let on_disk = OnlyFile::create(*size)?;
        let pool = pool_for(*size)?;
        let mut content = Vec::with_capacity(blocks(*size).count());
        for (offset, length) in blocks(*size) {
            let mut buffer = pool.try_acquire(ByteSize::new(length as u64))?;
            buffer.resize_zeroed(length);
            on_disk.file.payload().fill(offset, buffer.filled_mut());
            content.push(buffer);
        }
        Ok(Self { on_disk, sync, content, failure: None, _pool: pool })
    }

    /// Without erasing, what set-up or an earlier operation wrote would pass for this one's work.
    fn prepare(&mut self) -> Result<(), Failure> {
        let file = &self.on_disk.file;
        // Synced in any case, so that no write-back of an earlier operation runs on into this one.
        file.erase()?;
        file.cached().bring_to(PageCacheState::Warm)?;
        match self.sync {
            Sync::None => Ok(file.erase_in_memory()?),
            Sync::Data => Ok(()),
        }
    }

    fn run(&mut self) {
        if let Err(error) = self.write() {
            self.failure.get_or_insert(error);
        }
    }

    fn write(&self) -> Result<(), WriteError> {
        let file = self.on_disk.file.cached().file();
        for ((offset, length), content) in blocks(self.on_disk.size()).zip(&self.content) {
            file.write_all_at(content, offset).map_err(|source| WriteError::Write {
                offset,
                length,
                source,
            })?;
        }
        match self.sync {
            Sync::None => Ok(()),
            Sync::Data => file.sync_data().map_err(WriteError::Sync),
        }
    }

    fn check(&mut self) -> Result<(), Failure> {
        if let Some(error) = self.failure.take() {
            return Err(error.into());
        }
        let unwritten = self.on_disk.file.cached().residency()?.unwritten;
        match (self.sync, unwritten) {
            (Sync::Data, Some(pages @ 1..)) => Err(WriteError::NotOnDisk(pages).into()),
            _ => Ok(self.on_disk.file.verify()?),
        }
    }

    fn dimensions(&self) -> Vec<(&'static str, String)> {
        let (sync, pages) = match self.sync {
            Sync::None => ("none", "dirty"),
            Sync::Data => ("fdatasync", "clean"),
        };
        let mut dimensions = self.on_disk.dimensions("pwrite", PageCacheState::Warm);
        dimensions.push(("sync", sync.to_owned()));
        dimensions.push(("pages", pages.to_owned()));
        dimensions
    }
}

workload!(Write(Overwrite), "storage/write", Sync::None, isolated: false);
workload!(WriteSync(Overwrite), "storage/write_sync", Sync::Data, isolated: false);
