//! A file read past the page cache, straight into the buffer.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use bench_core::fixture::{ALIGNMENT, BufferPool, DirectIo, PooledBuf, class_for};
use bench_core::units::ByteSize;
use bytes::BufMut;
use rustix::fs::OFlags;

use super::{Source, assert_room};
use crate::error::Error;
use crate::file_system::{file_system, lives_in_memory};

/// What an unaligned read goes through.
const DETOUR: usize = 1 << 20;

/// A file read with `O_DIRECT`: the disk writes into the reader's buffer, the page cache is passed
/// by. Ranges that are not aligned are read into an aligned buffer of their own and copied.
#[derive(Debug)]
pub struct DirectFile {
    file: File,
    size: ByteSize,
    alignment: usize,
}

impl DirectFile {
    /// Opens the file for reading with `O_DIRECT`.
    ///
    /// # Errors
    /// [`Error::NoDirect`] where its file system cannot, as tmpfs; what opening it failed with.
    pub fn open(path: &Path) -> Result<Self, Error> {
        let (file, alignment) = open_direct(path, File::options().read(true))?;
        let size = file.metadata().map_err(Error::io("tell the size of", path))?.len();
        Ok(Self { file, size: ByteSize::new(size), alignment })
    }
}

/// Opens a file with `O_DIRECT` added to these options, and says what direct I/O on it has to be
/// aligned to.
///
/// # Errors
/// [`Error::NoDirect`] where its file system cannot do it, or only on larger borders than a
/// buffer starts at; what opening it failed with.
pub fn open_direct(path: &Path, options: &mut OpenOptions) -> Result<(File, usize), Error> {
    let refused = |file: Option<&File>| {
        let opened = || File::open(path);
        let name = match file {
            Some(file) => file_system(file),
            None => opened().and_then(|file| file_system(&file)),
        };
        let file_system = name.unwrap_or_else(|_| "an unknown file system".to_owned());
        Error::NoDirect { path: path.to_owned(), file_system }
    };
    let flags = i32::try_from(OFlags::DIRECT.bits()).expect("a flag of open(2)");
    let file = match options.custom_flags(flags).open(path) {
        Ok(file) => file,
        Err(error) if error.raw_os_error() == Some(rustix::io::Errno::INVAL.raw_os_error()) => {
            return Err(refused(None));
        }
        Err(error) => return Err(Error::io("open", path)(error)),
    };
    // tmpfs accepts the flag and then goes through memory all the same.
    if file_system(&file).is_ok_and(|name| lives_in_memory(&name)) {
        return Err(refused(Some(&file)));
    }
    match DirectIo::of(&file).map_err(Error::io("tell the alignment of", path))? {
        // A kernel before 6.1 does not say: every buffer starts on a page border, and no disk asks
        // for more.
        None => Ok((file, ALIGNMENT)),
        Some(DirectIo { memory, offset }) if memory.max(offset) <= ALIGNMENT => {
            Ok((file, memory.max(offset)))
        }
        Some(_) => Err(refused(Some(&file))),
    }
}

impl Source for DirectFile {
    fn size(&self) -> ByteSize {
        self.size
    }

    fn read_at(&self, offset: u64, length: usize, into: &mut PooledBuf) -> io::Result<usize> {
        read_aligned(self.alignment, offset, length, into, |offset, length, into| {
            into.read_at(&self.file, offset, length)
        })
    }

    fn alignment(&self) -> usize {
        self.alignment
    }

    fn backend(&self) -> String {
        "pread O_DIRECT".to_owned()
    }
}

/// Reads any range by a reader of aligned ones: straight where offset, place in the buffer and room
/// behind it allow it, else by a detour, at most 1 MiB at a time.
pub(super) fn read_aligned(
    alignment: usize,
    offset: u64,
    length: usize,
    into: &mut PooledBuf,
    read: impl Fn(u64, usize, &mut PooledBuf) -> io::Result<usize>,
) -> io::Result<usize> {
    assert_room(into, length);
    if length == 0 {
        return Ok(0);
    }
    let (before, whole) = (into.len(), length.next_multiple_of(alignment));
    let straight = offset.is_multiple_of(alignment as u64) && before.is_multiple_of(alignment);
    if straight && whole <= into.capacity() - before {
        let found = read(offset, whole, into)?.min(length);
        into.truncate(before + found);
        return Ok(found);
    }
    let start = offset - offset % alignment as u64;
    let skipped = usize::try_from(offset - start).expect("less than the alignment");
    let whole = (skipped + length).next_multiple_of(alignment).min(DETOUR);
    let class = class_for(ByteSize::new(whole as u64));
    // A pool of one: its buffer outlives it, so that no cap but the machine's can refuse it.
    let pool = BufferPool::builder(class).class(class).build().map_err(io::Error::other)?;
    let mut detour = pool.try_acquire(class).map_err(io::Error::other)?;
    read(start, whole, &mut detour)?;
    let found = detour.get(skipped..).unwrap_or_default();
    let found = &found[..found.len().min(length)];
    into.put_slice(found);
    Ok(found.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_in_memory_alone_refuses_direct_reads_in_one_sentence() {
        let Ok(file) = tempfile::NamedTempFile::new_in("/dev/shm") else { return };
        std::fs::write(file.path(), "content").expect("write");
        let error = DirectFile::open(file.path()).expect_err("tmpfs").to_string();
        assert!(error.contains("on tmpfs past the page cache"), "{error}");
        assert!(error.contains("WEIGHBRIDGE_SCRATCH"), "{error}");
    }

    #[test]
    fn a_file_that_is_not_there_is_named() {
        let error = DirectFile::open(Path::new("/nowhere/file")).expect_err("not there");
        assert!(error.to_string().starts_with("failed to open /nowhere/file: "), "{error}");
    }
}
