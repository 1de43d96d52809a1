//! A file read through a mapping of it.

#![expect(unsafe_code, reason = "a mapping of a file is unsafe to create")]

use std::fs::File;
use std::io;
use std::path::Path;

use bench_core::fixture::PooledBuf;
use bench_core::units::ByteSize;
use bytes::BufMut;
use memmap2::Mmap;

use super::{Source, assert_room};
use crate::error::Error;

/// A file mapped into memory as a whole; a read copies out of the mapping and faults pages in.
///
/// The mapping stands for the file as it was opened: who truncates it meanwhile lets the kernel
/// kill the reader with `SIGBUS`. Map only files that nobody else shortens.
#[derive(Debug)]
pub struct MappedFile {
    mapping: Mmap,
}

impl MappedFile {
    /// Maps the file for reading.
    ///
    /// # Errors
    /// What opening or mapping it failed with.
    pub fn open(path: &Path) -> Result<Self, Error> {
        let file = File::open(path).map_err(Error::io("open", path))?;
        // SAFETY: the bytes are only ever copied out, and what a concurrent writer leaves in them
        // is some byte or other; a file that gets shorter ends the process, as the type says, and
        // does not make it read foreign memory.
        let mapping = unsafe { Mmap::map(&file) }.map_err(Error::io("map", path))?;
        Ok(Self { mapping })
    }
}

impl Source for MappedFile {
    fn size(&self) -> ByteSize {
        ByteSize::new(self.mapping.len() as u64)
    }

    fn read_at(&self, offset: u64, length: usize, into: &mut PooledBuf) -> io::Result<usize> {
        assert_room(into, length);
        let rest = usize::try_from(offset).ok().and_then(|start| self.mapping.get(start..));
        let rest = rest.unwrap_or_default();
        let found = &rest[..rest.len().min(length)];
        into.put_slice(found);
        Ok(found.len())
    }

    fn reads_ahead(&self) -> bool {
        true
    }

    fn backend(&self) -> String {
        "mmap".to_owned()
    }
}
