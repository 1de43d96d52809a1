//! A file read through the page cache.

use std::fs::File;
use std::io;
use std::path::Path;

use bench_core::fixture::PooledBuf;
use bench_core::units::ByteSize;

use super::Source;
use crate::error::Error;

/// A file read by `pread` through the page cache. The kernel reads ahead of whoever reads it in
/// order through one descriptor; readers that share this source share that descriptor and disturb
/// each other's read-ahead, so that readers which are to be independent open the file each.
#[derive(Debug)]
pub struct BufferedFile {
    file: File,
    size: ByteSize,
}

impl BufferedFile {
    /// Opens the file for reading.
    ///
    /// # Errors
    /// What opening it failed with.
    pub fn open(path: &Path) -> Result<Self, Error> {
        let file = File::open(path).map_err(Error::io("open", path))?;
        let size = file.metadata().map_err(Error::io("tell the size of", path))?.len();
        Ok(Self { file, size: ByteSize::new(size) })
    }

    /// The open file, for advice to the kernel.
    pub const fn file(&self) -> &File {
        &self.file
    }
}

impl Source for BufferedFile {
    fn size(&self) -> ByteSize {
        self.size
    }

    fn read_at(&self, offset: u64, length: usize, into: &mut PooledBuf) -> io::Result<usize> {
        into.read_at(&self.file, offset, length)
    }

    fn reads_ahead(&self) -> bool {
        true
    }

    fn backend(&self) -> String {
        "pread".to_owned()
    }
}
