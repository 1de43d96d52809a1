//! A file read through a mapping of it.

#![expect(unsafe_code, reason = "a mapping of a file that others may change")]

use std::fs::File;
use std::io;
use std::path::Path;
use std::ptr;

use bench_core::fixture::PooledBuf;
use bench_core::units::ByteSize;
use bytes::BufMut;
use memmap2::{MmapOptions, MmapRaw};

use super::{Source, assert_room};
use crate::error::Error;

/// A file mapped into memory as a whole; a read copies out of the mapping and faults pages in.
///
/// A file that others write to meanwhile reads as a mix of before and after. The mapping stands for
/// the file as it was opened: who truncates it meanwhile lets the kernel
/// kill the reader with `SIGBUS`. Map only files that nobody else shortens.
#[derive(Debug)]
pub struct MappedFile {
    /// Never as a slice: others may change the bytes behind it.
    mapping: MmapRaw,
}

impl MappedFile {
    /// Maps the file for reading.
    ///
    /// # Errors
    /// What opening or mapping it failed with.
    pub fn open(path: &Path) -> Result<Self, Error> {
        let file = File::open(path).map_err(Error::io("open", path))?;
        let mapping = MmapOptions::new().map_raw_read_only(&file);
        let mapping = mapping.map_err(Error::io("map", path))?;
        Ok(Self { mapping })
    }
}

impl Source for MappedFile {
    fn size(&self) -> ByteSize {
        ByteSize::new(self.mapping.len() as u64)
    }

    fn read_at(&self, offset: u64, length: usize, into: &mut PooledBuf) -> io::Result<usize> {
        assert_room(into, length);
        let start = usize::try_from(offset).unwrap_or(usize::MAX).min(self.mapping.len());
        let found = (self.mapping.len() - start).min(length);
        let spare = into.chunk_mut();
        assert!(found <= spare.len(), "the room of a buffer is in one piece");
        // SAFETY: `found` bytes from `start` on are inside the mapping, and as many inside the spare
        // memory, which is the buffer's own and so no part of the mapping. No reference to what is
        // mapped exists: what a concurrent writer leaves there is some byte or other. A file that
        // gets shorter ends the process, as the type says, and lets it read no foreign memory.
        unsafe {
            let from = self.mapping.as_ptr().add(start);
            ptr::copy_nonoverlapping(from, spare.as_mut_ptr(), found);
        }
        // SAFETY: these bytes have just been written.
        unsafe { into.advance_mut(found) };
        Ok(found)
    }

    fn reads_ahead(&self) -> bool {
        true
    }

    fn backend(&self) -> String {
        "mmap".to_owned()
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::FileExt;
    use std::sync::atomic::{AtomicBool, Ordering};

    use bench_core::fixture::BufferPool;

    use super::*;

    struct SetOnDrop<'a>(&'a AtomicBool);

    impl Drop for SetOnDrop<'_> {
        fn drop(&mut self) {
            self.0.store(true, Ordering::Relaxed);
        }
    }

    #[test]
    fn what_others_write_meanwhile_is_read_as_before_or_after() {
        let size = ByteSize::kib(64);
        let file = tempfile::NamedTempFile::new().expect("create");
        let content = [vec![1; size.len()], vec![2; size.len()]];
        file.as_file().write_all_at(&content[0], 0).expect("write");
        let source = MappedFile::open(file.path()).expect("map");
        let pool = BufferPool::with_limit(size).expect("a pool");
        let done = AtomicBool::new(false);
        std::thread::scope(|scope| {
            // Also when an assertion fails: the scope would wait for the writer for ever.
            let _set = SetOnDrop(&done);
            scope.spawn(|| {
                while !done.load(Ordering::Relaxed) {
                    for content in &content {
                        file.as_file().write_all_at(content, 0).expect("write");
                    }
                }
            });
            for _ in 0..100 {
                let mut buffer = pool.try_acquire(size).expect("room");
                assert_eq!(source.read_at(0, size.len(), &mut buffer).expect("read"), size.len());
                assert!(buffer.iter().all(|byte| [1, 2].contains(byte)));
            }
        });
        file.as_file().write_all_at(&content[1], 0).expect("write");
        let mut buffer = pool.try_acquire(size).expect("room");
        source.read_at(7, size.len(), &mut buffer).expect("read");
        assert!(buffer.len() == size.len() - 7 && buffer.iter().all(|&byte| byte == 2));
    }
}
