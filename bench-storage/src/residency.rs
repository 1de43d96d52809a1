//! How many pages of a file are in memory, asked from the kernel: `cachestat(2)`, or `mincore(2)`
//! on a mapping where the kernel or a sandbox lacks it.
//!
//! Neither is always a truthful witness. `cachestat` looks at the cache of the file's own inode,
//! which on overlayfs is always empty (the pages belong to the file below): it says "cold" of a
//! file that is all in memory. `mincore` says "resident" of everything to a caller who neither
//! owns nor may write the file, and valgrind, which has no `cachestat`, reads the head of every
//! file that is mapped: under callgrind no file is ever cold, and a cold read refuses to be
//! counted. [`page_cache`](crate::page_cache) therefore asks only a witness
//! that was seen to notice a page.

#![expect(unsafe_code, reason = "no safe crate wraps cachestat and mincore")]

use std::fmt;
use std::fs::File;
use std::io;
use std::os::fd::{AsRawFd, RawFd};
use std::ptr;

use bench_core::fixture::page_size;

/// Which system call tells the residency.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Witness {
    /// `cachestat(2)`, Linux 6.5 and later.
    Cachestat,
    /// `mincore(2)` on a mapping of the whole file.
    Mincore,
}

impl Witness {
    /// Every witness, the cheapest first.
    pub const ALL: [Self; 2] = [Self::Cachestat, Self::Mincore];

    /// The pages of `file` that are in memory now. Writes nothing, reads nothing in.
    ///
    /// # Errors
    /// What the system call failed with; `ENOSYS` where the kernel (or valgrind) lacks it.
    pub fn residency(self, file: &File) -> io::Result<Residency> {
        let bytes = file.metadata()?.len();
        let pages = bytes.div_ceil(page_size() as u64);
        let (resident, unwritten) = match self {
            _ if pages == 0 => (0, Some(0)),
            Self::Cachestat => {
                let counts = cachestat(file.as_raw_fd())?;
                (counts.cached, Some(counts.dirty + counts.writeback))
            }
            Self::Mincore => (mincore(file.as_raw_fd(), bytes, pages)?, None),
        };
        Ok(Residency { resident, pages, unwritten })
    }
}

impl fmt::Display for Witness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Cachestat => "cachestat",
            Self::Mincore => "mincore",
        })
    }
}

/// The pages of a file that are in memory, of all that it has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Residency {
    /// Pages in memory.
    pub resident: u64,
    /// Pages of the file.
    pub pages: u64,
    /// Pages in memory that the disk does not have yet, where the witness knows.
    pub unwritten: Option<u64>,
}

impl Residency {
    /// No page is in memory.
    pub const fn is_cold(self) -> bool {
        self.resident == 0
    }

    /// Every page is in memory.
    pub const fn is_warm(self) -> bool {
        self.resident >= self.pages
    }
}

/// The same number on every architecture that Linux 6.5 runs on, except alpha.
const SYS_CACHESTAT: libc::c_long = 451;

/// `struct cachestat_range` of the kernel.
#[repr(C)]
struct Range {
    offset: u64,
    /// 0 means up to the end of the file.
    length: u64,
}

/// `struct cachestat` of the kernel.
#[repr(C)]
#[derive(Default)]
struct Counts {
    cached: u64,
    dirty: u64,
    writeback: u64,
    evicted: u64,
    recently_evicted: u64,
}

fn cachestat(file: RawFd) -> io::Result<Counts> {
    let range = Range { offset: 0, length: 0 };
    let mut counts = Counts::default();
    let no_flags: libc::c_uint = 0;
    // SAFETY: both pointers are to live values laid out as the kernel's structures; the kernel
    // reads the first, writes the second and keeps neither.
    let status =
        unsafe { libc::syscall(SYS_CACHESTAT, file, &raw const range, &raw mut counts, no_flags) };
    if status == 0 { Ok(counts) } else { Err(io::Error::last_os_error()) }
}

fn mincore(file: RawFd, bytes: u64, pages: u64) -> io::Result<u64> {
    let too_large = |_| io::Error::from(io::ErrorKind::FileTooLarge);
    let mapping = Mapping::of(file, usize::try_from(bytes).map_err(too_large)?)?;
    let mut in_memory = vec![0_u8; usize::try_from(pages).map_err(too_large)?];
    // SAFETY: the mapping is live and `length` long, and the vector has one byte for each of its
    // pages. Nothing reads through the mapping, so that a file truncated meanwhile cannot fault.
    let status = unsafe { libc::mincore(mapping.start, mapping.length, in_memory.as_mut_ptr()) };
    if status != 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(in_memory.iter().filter(|&&page| page & 1 == 1).count() as u64)
}

/// A mapping that nobody reads through; unmapped when dropped.
struct Mapping {
    start: *mut libc::c_void,
    length: usize,
}

impl Mapping {
    fn of(file: RawFd, length: usize) -> io::Result<Self> {
        // SAFETY: a new mapping at an address of the kernel's choice aliases nothing of ours.
        let start = unsafe {
            libc::mmap(ptr::null_mut(), length, libc::PROT_READ, libc::MAP_SHARED, file, 0)
        };
        if start == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        Ok(Self { start, length })
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: exactly what `of` mapped, once; no reference into it ever existed.
        unsafe { libc::munmap(self.start, self.length) };
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use bench_core::units::ByteSize;

    use super::*;

    #[test]
    fn both_witnesses_count_every_page_of_a_file_just_written() {
        let mut file = tempfile::tempfile().expect("create");
        let page = ByteSize::new(page_size() as u64).len();
        file.write_all(&vec![7; 3 * page + 1]).expect("write");
        let mincore = Witness::Mincore.residency(&file).expect("mincore");
        assert_eq!(mincore, Residency { resident: 4, pages: 4, unwritten: None });
        // Overlayfs hides its pages from cachestat and old kernels lack it: no more, never.
        if let Ok(seen) = Witness::Cachestat.residency(&file) {
            assert!(seen.pages == 4 && (seen.is_warm() || seen.is_cold()), "{seen:?}");
        }
    }

    #[test]
    fn an_empty_file_is_cold_and_warm() {
        let file = tempfile::tempfile().expect("create");
        for witness in Witness::ALL {
            let residency = witness.residency(&file).expect("residency");
            assert!(residency.is_cold() && residency.is_warm());
        }
    }
}
