//! The state of a file in the page cache: told, brought about, and proved before anything is timed.
//!
//! Needs no root: `posix_fadvise(DONTNEED)` drops the clean pages of one file, so the file is
//! synced first, and the kernel is asked again until no page is left, because pages on their way
//! in from a read-ahead cannot be dropped. What a cold read meets is an empty page cache of the
//! guest; a disk, a hypervisor or a RAID controller may still hold the blocks in caches of their
//! own, which nothing inside the machine can see.

use std::fmt;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use crate::error::Error;
use crate::file_system::file_system;
use crate::residency::{Residency, Witness};

/// How often the kernel is asked to drop the pages before it is taken at its word.
const EVICTION_ROUNDS: u32 = 64;
/// The pause between two rounds, for pages whose read is still under way.
const EVICTION_PAUSE: Duration = Duration::from_millis(2);
const WARMING_BLOCK: usize = 256 << 10;

/// Where a file's pages are when the operation begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PageCacheState {
    /// None in memory.
    Cold,
    /// All in memory.
    Warm,
    /// None in memory, and operations go past the page cache.
    Direct,
}

impl fmt::Display for PageCacheState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Cold => "cold",
            Self::Warm => "warm",
            Self::Direct => "direct",
        })
    }
}

/// An open file whose residency can be told and changed.
#[derive(Debug)]
pub struct CachedFile {
    file: File,
    path: PathBuf,
    file_system: String,
    witness: Witness,
}

impl CachedFile {
    /// Takes a file that the caller owns, opened for reading, and finds a witness that notices
    /// its pages. The path only names the file in errors.
    ///
    /// # Errors
    /// [`Error::Blind`] where no system call sees the file's pages, [`Error::Empty`] for a file
    /// without any, and what reading it failed with.
    pub fn new(file: File, path: &Path) -> Result<Self, Error> {
        let file_system = file_system(&file).map_err(Error::io("tell the file system of", path))?;
        if file.read_at(&mut [0], 0).map_err(Error::io("read", path))? == 0 {
            return Err(Error::Empty);
        }
        let witness = choose(|witness| witness.residency(&file).is_ok_and(|seen| !seen.is_cold()))
            .ok_or_else(|| Error::Blind {
                path: path.to_owned(),
                file_system: file_system.clone(),
            })?;
        Ok(Self { file, path: path.to_owned(), file_system, witness })
    }

    /// The file, for reading and writing at offsets.
    pub const fn file(&self) -> &File {
        &self.file
    }

    /// Where the file lies.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The type of the file system, as in `ext4`.
    pub fn file_system(&self) -> &str {
        &self.file_system
    }

    /// Which system call tells the residency of this file.
    pub const fn witness(&self) -> Witness {
        self.witness
    }

    /// The pages in memory now.
    ///
    /// # Errors
    /// What the system call failed with.
    pub fn residency(&self) -> Result<Residency, Error> {
        self.witness.residency(&self.file).map_err(Error::io("tell the residency of", &self.path))
    }

    /// Brings the file into this state and asserts that it is there.
    ///
    /// # Errors
    /// As [`evict`](Self::evict) and [`warm`](Self::warm).
    pub fn bring_to(&self, state: PageCacheState) -> Result<(), Error> {
        match state {
            PageCacheState::Cold | PageCacheState::Direct => self.evict(),
            PageCacheState::Warm => self.warm(),
        }
    }

    /// Syncs the file and drops its pages until none is left.
    ///
    /// # Errors
    /// [`Error::StayedResident`] where pages stay, as on tmpfs, which has no other place for them.
    pub fn evict(&self) -> Result<(), Error> {
        self.file.sync_all().map_err(Error::io("sync", &self.path))?;
        let mut left = self.residency()?;
        for round in 0..EVICTION_ROUNDS {
            if round > 0 {
                thread::sleep(EVICTION_PAUSE);
            }
            rustix::fs::fadvise(&self.file, 0, None, rustix::fs::Advice::DontNeed)
                .map_err(|errno| Error::io("drop the cached pages of", &self.path)(errno.into()))?;
            left = self.residency()?;
            if left.is_cold() {
                return Ok(());
            }
        }
        Err(Error::StayedResident {
            path: self.path.clone(),
            file_system: self.file_system.clone(),
            resident: left.resident,
            pages: left.pages,
            rounds: EVICTION_ROUNDS,
        })
    }

    /// Reads the whole file unless it is in memory already, and asserts that it is.
    ///
    /// # Errors
    /// [`Error::NotResident`] where memory is too short to keep it.
    pub fn warm(&self) -> Result<(), Error> {
        if self.residency()?.is_warm() {
            return Ok(());
        }
        self.read_through()?;
        let seen = self.residency()?;
        if seen.is_warm() {
            return Ok(());
        }
        Err(Error::NotResident {
            path: self.path.clone(),
            file_system: self.file_system.clone(),
            resident: seen.resident,
            pages: seen.pages,
        })
    }

    fn read_through(&self) -> Result<(), Error> {
        let mut block = vec![0; WARMING_BLOCK];
        let mut offset = 0;
        loop {
            match self.file.read_at(&mut block, offset).map_err(Error::io("read", &self.path))? {
                0 => return Ok(()),
                read => offset += read as u64,
            }
        }
    }
}

/// The first witness that notices a page which is certainly in memory. One that never says yes
/// would let every read pass for cold.
fn choose(notices: impl Fn(Witness) -> bool) -> Option<Witness> {
    Witness::ALL.into_iter().find(|witness| notices(*witness))
}

#[cfg(test)]
mod tests {
    use bench_core::units::ByteSize;

    use super::*;
    use crate::scratch::ScratchDirectory;

    fn file_in(scratch: &ScratchDirectory) -> CachedFile {
        let path = scratch.path().join("file");
        std::fs::write(&path, vec![1; ByteSize::kib(300).len()]).expect("write");
        let file = File::options().read(true).write(true).open(&path).expect("open");
        CachedFile::new(file, &path).expect("a witness")
    }

    #[test]
    fn evicted_is_cold_and_warmed_is_warm_to_every_truthful_witness() {
        let scratch = ScratchDirectory::create().expect("scratch");
        let file = file_in(&scratch);
        if crate::file_system::lives_in_memory(file.file_system()) {
            return; // The next test is about these.
        }
        for _ in 0..3 {
            file.bring_to(PageCacheState::Cold).expect("evict");
            assert_eq!(file.residency().expect("residency").resident, 0);
            assert!(Witness::Mincore.residency(file.file()).expect("mincore").is_cold());
            file.bring_to(PageCacheState::Warm).expect("warm");
            let warm = file.residency().expect("residency");
            assert_eq!((warm.resident, warm.pages), (75, 75));
        }
    }

    #[test]
    fn a_file_in_memory_alone_refuses_to_become_cold() {
        let Ok(scratch) = ScratchDirectory::create_in(Path::new("/dev/shm")) else { return };
        let file = file_in(&scratch);
        let error = file.evict().expect_err("tmpfs has nowhere to evict to").to_string();
        assert!(error.contains("on tmpfs: 75 of 75 pages stayed resident"), "{error}");
        assert!(error.contains("WEIGHBRIDGE_SCRATCH"), "{error}");
        file.warm().expect("always warm");
    }

    #[test]
    fn a_witness_that_never_notices_is_not_believed() {
        assert_eq!(choose(|_| true), Some(Witness::Cachestat));
        assert_eq!(choose(|witness| witness == Witness::Mincore), Some(Witness::Mincore));
        assert_eq!(choose(|_| false), None);
    }

    #[test]
    fn an_empty_file_has_no_state() {
        let file = tempfile::tempfile().expect("create");
        assert!(matches!(CachedFile::new(file, Path::new("empty")), Err(Error::Empty)));
    }
}
