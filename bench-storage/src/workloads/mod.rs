//! Reading and writing a whole file from its start to its end, by system calls of at most
//! [`BLOCK`] bytes through pooled buffers.
//!
//! The file exists, in full and synced, before anything is measured; opening, evicting and
//! checking are never inside the clock. Of streams that read ahead (`prefetch`) and of FUSE mounts
//! (`fuse`) the modules tell.

/// A public workload around an inner one that has `set_up` with one more argument, `prepare`, `run`,
/// `check`, `dimensions` and its file in `on_disk`.
macro_rules! workload {
    ($workload:ident($inner:ty), $name:literal, $how:expr, isolated: $isolated:literal) => {
        impl $workload {
            /// The file that every operation is on.
            pub fn file(&self) -> &crate::file::ScratchFile {
                &self.0.on_disk.file
            }
        }

        impl bench_core::workload::Workload for $workload {
            const NAME: &'static str = $name;
            const ISOLATED: bool = $isolated;
            type Parameter = ByteSize;

            fn set_up(size: &ByteSize) -> Result<Self, Failure> {
                <$inner>::set_up(size, $how).map(Self)
            }

            fn bytes(&self) -> Option<ByteSize> {
                Some(self.0.on_disk.size())
            }

            fn prepare(&mut self) -> Result<(), Failure> {
                self.0.prepare()
            }

            fn run(&mut self) {
                self.0.run();
            }

            fn check(&mut self) -> Result<(), Failure> {
                self.0.check()
            }

            fn is_disturbed(failure: &Failure) -> bool {
                crate::error::Error::is_state_lost(failure)
            }

            fn dimensions(&self) -> Vec<(&'static str, String)> {
                self.0.dimensions()
            }
        }
    };
}

#[cfg(not(loom))]
mod fuse;
pub mod prefetch;
mod read;
mod write;

#[cfg(not(loom))]
pub use self::fuse::{FuseCell, FuseRead, FuseStat, FuseStatMissing};
pub use self::read::{ReadCold, ReadWarm};
pub use self::write::{Write, WriteSync};

use bench_core::fixture::{BufferPool, InvalidPool, Payload, class_for};
use bench_core::measure::environment::read_ahead;
use bench_core::units::ByteSize;

use crate::error::Error;
use crate::file::{BLOCK, ScratchFile, blocks};
use crate::page_cache::PageCacheState;
use crate::scratch::ScratchDirectory;

const SEED: u64 = 42;

/// The file of a workload. It is closed before its directory goes.
#[derive(Debug)]
struct OnlyFile {
    file: ScratchFile,
    _directory: ScratchDirectory,
}

impl OnlyFile {
    fn create(size: ByteSize) -> Result<Self, Error> {
        let directory = ScratchDirectory::create()?;
        let file = ScratchFile::create(&directory, "file", Payload::seeded(SEED, size))?;
        Ok(Self { file, _directory: directory })
    }

    fn size(&self) -> ByteSize {
        self.file.payload().size
    }

    fn dimensions(&self, backend: &str, state: PageCacheState) -> Vec<(&'static str, String)> {
        let cached = self.file.cached();
        let mut dimensions = vec![
            ("backend", backend.to_owned()),
            ("page_cache", state.to_string()),
            ("page_cache_witness", cached.witness().to_string()),
            ("file_system", cached.file_system().to_owned()),
            // Of the device that holds the file, which need not be that of the working directory.
            ("read_ahead", read_ahead(cached.path())),
            ("block_size", BLOCK.min(self.size()).to_string()),
        ];
        dimensions.extend(self.file.payload().dimensions());
        dimensions
    }
}

/// A pool that can hold every block of a file at the same time.
fn pool_for(size: ByteSize) -> Result<BufferPool, InvalidPool> {
    let class = class_for(BLOCK.min(size));
    let limit = ByteSize::new(class.bytes() * blocks(size).count() as u64);
    BufferPool::builder(limit).class(class).build()
}

#[cfg(test)]
mod tests;
