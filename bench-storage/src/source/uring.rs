//! A file read by io_uring, one ring for each thread that reads at the same time.

use std::fs::File;
use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use bench_core::fixture::PooledBuf;
use bench_core::units::ByteSize;

use super::{Ring, Source, direct};
use crate::error::Error;

/// A file whose reads go through io_uring, each as one operation of a ring that it borrows for its
/// duration: what the interface costs where a caller waits for every read. For many reads at once
/// on one thread use a [`Ring`].
#[derive(Debug)]
pub struct UringFile {
    file: Arc<File>,
    size: ByteSize,
    /// Of direct I/O; `None` reads through the page cache.
    alignment: Option<usize>,
    idle: Mutex<Vec<Ring>>,
}

impl UringFile {
    /// Opens the file for reads through the page cache.
    ///
    /// # Errors
    /// [`Error::NoUring`] where io_uring is missing or forbidden; what opening the file failed with.
    pub fn open(path: &Path) -> Result<Self, Error> {
        let file = File::open(path).map_err(Error::io("open", path))?;
        Self::new(file, path, None)
    }

    /// Opens the file for reads past the page cache.
    ///
    /// # Errors
    /// As [`open`](Self::open); [`Error::NoDirect`] where the file system cannot.
    pub fn open_direct(path: &Path) -> Result<Self, Error> {
        let (file, alignment) = direct::open_direct(path, File::options().read(true))?;
        Self::new(file, path, Some(alignment))
    }

    fn new(file: File, path: &Path, alignment: Option<usize>) -> Result<Self, Error> {
        let size = file.metadata().map_err(Error::io("tell the size of", path))?.len();
        // The first ring is made here, where it can be refused in a sentence.
        let idle = Mutex::new(vec![Ring::new(1)?]);
        Ok(Self { file: Arc::new(file), size: ByteSize::new(size), alignment, idle })
    }

    fn read(&self, offset: u64, length: usize, into: &mut PooledBuf) -> io::Result<usize> {
        let idle = || self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        let taken = idle().pop();
        let mut ring = match taken {
            Some(ring) => ring,
            None => Ring::new(1).map_err(io::Error::other)?,
        };
        let read = ring.read_into(&self.file, offset, length, into);
        idle().push(ring);
        read
    }
}

impl Source for UringFile {
    fn size(&self) -> ByteSize {
        self.size
    }

    fn read_at(&self, offset: u64, length: usize, into: &mut PooledBuf) -> io::Result<usize> {
        match self.alignment {
            None => self.read(offset, length, into),
            Some(alignment) => {
                direct::read_aligned(alignment, offset, length, into, |offset, length, into| {
                    self.read(offset, length, into)
                })
            }
        }
    }

    fn alignment(&self) -> usize {
        self.alignment.unwrap_or(1)
    }

    fn reads_ahead(&self) -> bool {
        self.alignment.is_none()
    }

    fn backend(&self) -> String {
        let direct = if self.alignment.is_some() { " O_DIRECT" } else { "" };
        format!("io_uring{direct}")
    }
}
