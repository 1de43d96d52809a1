//! L1: a folder with one file for each object, under a cap of bytes.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};

use bench_core::fixture::PooledBuf;
use bench_core::units::ByteSize;

use super::OnDisk;
use super::lru::Lru;
use crate::error::Error;
use crate::file_system::{file_system, lives_in_memory};
use crate::page_cache::{CachedFile, PageCacheState};

/// What stands for the page cache of a file system that is nothing but memory.
pub(super) const IN_MEMORY: &str = "memory";
/// Of a file that is being written.
const PART: &str = ".part";

/// Objects of one size in files. A file gets its name only when it is whole, so that what a killed
/// run left is found by the next, oldest first; nothing else in the folder is touched. The files are
/// read and written through the page cache, and synced only by [`cool`](Self::cool): after a crash of
/// the machine the folder is to be emptied.
#[derive(Debug)]
pub struct DiskTier {
    folder: PathBuf,
    size: ByteSize,
    file_system: String,
    known: Lru<()>,
    found: u64,
    refused: u64,
    /// Objects whose files may have pages in memory.
    warm: BTreeSet<u64>,
}

impl DiskTier {
    /// Opens the folder, which is created when it is not there, with what is in it.
    ///
    /// # Errors
    /// [`Error::TierTooSmall`]; when files cannot be created in the folder or it cannot be listed.
    pub fn open(folder: &Path, capacity: ByteSize, size: ByteSize) -> Result<Self, Error> {
        if capacity < size {
            return Err(Error::TierTooSmall { tier: "disk", capacity, least: size });
        }
        fs::create_dir_all(folder).map_err(Error::io("create", folder))?;
        let probe = folder.join(format!("probe{PART}"));
        let file = File::create(&probe).map_err(Error::io("create", &probe))?;
        let mut tier = Self {
            folder: folder.to_owned(),
            size,
            file_system: file_system(&file)
                .map_err(Error::io("tell the file system of", folder))?,
            known: Lru::new(capacity.bytes(), size.bytes()),
            found: 0,
            refused: 0,
            warm: BTreeSet::new(),
        };
        tier.find()?;
        Ok(tier)
    }

    fn find(&mut self) -> Result<(), Error> {
        let failed = Error::io("list", &self.folder);
        let found: Result<Vec<_>, _> = fs::read_dir(&self.folder).and_then(Iterator::collect);
        let mut whole = Vec::new();
        for entry in found.map_err(failed)? {
            let name = entry.file_name();
            let Some(name) = name.to_str() else { continue };
            if name == format!("probe{PART}")
                || (name.ends_with(PART) && number(name.trim_end_matches(PART)).is_some())
            {
                let _gone = fs::remove_file(entry.path());
            } else if let (Some(object), Ok(data)) = (number(name), entry.metadata())
                && data.len() == self.size.bytes()
            {
                whole.push((data.modified().ok(), object));
            }
        }
        whole.sort_unstable();
        whole.into_iter().for_each(|(_, object)| self.keep(object));
        self.found = self.known.bytes() / self.size.bytes();
        Ok(())
    }

    /// Appends the object to the buffer; `false` if it is not here, or not whole any more.
    ///
    /// # Errors
    /// What reading the file failed with.
    pub fn read(&mut self, object: u64, into: &mut PooledBuf) -> Result<bool, Error> {
        if self.known.get(object).is_none() {
            return Ok(false);
        }
        let path = self.path(object);
        let filled = into.len();
        let read = match File::open(&path) {
            Ok(file) => {
                into.read_full_at(&file, 0, self.size.len()).map_err(Error::io("read", &path))?
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => 0,
            Err(error) => return Err(Error::io("open", &path)(error)),
        };
        if read < self.size.len() {
            into.truncate(filled);
            self.forget(object);
            return Ok(false);
        }
        self.warm.insert(object);
        Ok(true)
    }

    /// Keeps an object, in the place of those that were used least recently. What cannot be written
    /// is counted and not kept, nor what was there before of the same object.
    pub fn write(&mut self, object: u64, content: &[u8]) {
        let path = self.path(object);
        let part = self.folder.join(format!("{}{PART}", name(object)));
        // First, so that there is room.
        self.keep(object);
        let written = File::create(&part)
            .and_then(|mut file| file.write_all(content))
            .and_then(|()| fs::rename(&part, &path));
        if written.is_err() {
            self.refused += 1;
            self.forget(object);
            let _gone = fs::remove_file(&part);
        }
    }

    /// Syncs what was written and drops from memory the pages of all that was found, read or written
    /// since the last time. On a file system in memory there is nothing to drop them to.
    ///
    /// # Errors
    /// As [`CachedFile::evict`].
    pub fn cool(&mut self) -> Result<(), Error> {
        let warm = std::mem::take(&mut self.warm);
        for object in warm.into_iter().filter(|_| !lives_in_memory(&self.file_system)) {
            let path = self.path(object);
            match File::open(&path) {
                Ok(file) => CachedFile::new(file, &path)?.evict()?,
                // It had to go in the meantime.
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
                Err(error) => return Err(Error::io("open", &path)(error)),
            }
        }
        Ok(())
    }

    /// What a record says of it.
    pub fn on_disk(&self) -> OnDisk {
        let in_memory = lives_in_memory(&self.file_system);
        let page_cache = || PageCacheState::Cold.to_string();
        OnDisk {
            file_system: self.file_system.clone(),
            page_cache: if in_memory { IN_MEMORY.to_owned() } else { page_cache() },
            found: self.found,
            refused: Some(self.refused),
        }
    }

    /// Bytes of the files.
    pub fn bytes(&self) -> u64 {
        self.known.bytes()
    }

    fn forget(&mut self, object: u64) {
        self.known.remove(object);
        self.warm.remove(&object);
        let _gone = fs::remove_file(self.path(object));
    }

    fn keep(&mut self, object: u64) {
        self.warm.insert(object);
        for (gone, ()) in self.known.put(object, ()) {
            if gone != object {
                let _gone = fs::remove_file(self.path(gone));
            }
        }
    }

    fn path(&self, object: u64) -> PathBuf {
        self.folder.join(name(object))
    }
}

fn name(object: u64) -> String {
    format!("object-{object:016x}")
}

fn number(name: &str) -> Option<u64> {
    let digits = name.strip_prefix("object-").filter(|digits| digits.len() == 16)?;
    u64::from_str_radix(digits, 16).ok()
}

#[cfg(test)]
mod tests {
    use bench_core::fixture::BufferPool;

    use super::*;
    use crate::residency::Witness;
    use crate::scratch::ScratchDirectory;

    const SIZE: ByteSize = ByteSize::kib(4);

    fn content(object: u64) -> Vec<u8> {
        vec![object as u8; SIZE.len()]
    }

    /// Which of these objects it has, with their content.
    fn has(tier: &mut DiskTier, objects: std::ops::Range<u64>) -> Vec<u64> {
        let pool = BufferPool::with_limit(SIZE).expect("a pool");
        let mut there = |object: &u64| {
            let mut buffer = pool.try_acquire(SIZE).expect("room");
            let found = tier.read(*object, &mut buffer).expect("read");
            assert_eq!(buffer[..], if found { content(*object) } else { Vec::new() });
            found
        };
        objects.filter(|object| there(object)).collect()
    }

    #[test]
    fn what_is_whole_is_found_by_the_next_and_the_cap_holds_on_the_disk() {
        let folder = tempfile::tempdir().expect("a folder");
        let open =
            |objects: u64| DiskTier::open(folder.path(), ByteSize::new(objects * 4096), SIZE);
        let mut tier = open(3).expect("a tier");
        (0..5).for_each(|object| tier.write(object, &content(object)));
        assert_eq!(has(&mut tier, 0..5), [2, 3, 4]);
        drop(tier);
        fs::write(folder.path().join("object-0000000000000009.part"), "torn").expect("write");
        fs::write(folder.path().join("object-0000000000000003"), "short").expect("write");
        fs::write(folder.path().join("not ours"), "x").expect("write");
        let mut tier = open(3).expect("a tier");
        assert_eq!(tier.on_disk().found, 2);
        assert_eq!((has(&mut tier, 0..10), tier.bytes()), (vec![2, 4], 8192));
        drop(tier);
        assert_eq!(has(&mut open(1).expect("a smaller tier"), 0..10).len(), 1);
        let left = fs::read_dir(folder.path()).expect("list").count();
        assert_eq!(left, 3, "one object, one that is not whole, one that is not ours");
    }

    #[test]
    fn a_file_that_others_cut_or_remove_is_not_there() {
        let folder = tempfile::tempdir().expect("a folder");
        let mut tier = DiskTier::open(folder.path(), ByteSize::kib(16), SIZE).expect("a tier");
        (0..3).for_each(|object| tier.write(object, &content(object)));
        fs::write(tier.path(0), "cut").expect("write");
        fs::remove_file(tier.path(1)).expect("remove");
        assert_eq!(has(&mut tier, 0..3), [2]);
        assert_eq!(tier.bytes(), SIZE.bytes());
    }

    #[test]
    fn what_cannot_be_written_is_counted_and_what_cannot_be_used_refused() {
        let folder = tempfile::tempdir().expect("a folder");
        let inside = folder.path().join("tier");
        let mut tier = DiskTier::open(&inside, ByteSize::kib(8), SIZE).expect("a tier");
        fs::remove_dir_all(&inside).expect("remove");
        tier.write(1, &content(1));
        assert_eq!(tier.on_disk().refused, Some(1));
        assert_eq!((has(&mut tier, 0..2), tier.bytes()), (Vec::new(), 0));

        let file = folder.path().join("file");
        fs::write(&file, "x").expect("write");
        let error = DiskTier::open(&file.join("tier"), SIZE, SIZE).expect_err("below a file");
        assert!(error.to_string().starts_with("failed to create"), "{error}");
        let error = DiskTier::open(&inside, ByteSize::new(4095), SIZE).expect_err("too small");
        let text = "the disk tier of 4095B cannot hold one object, which takes 4KiB of it; raise its \
                    capacity or make the objects smaller";
        assert_eq!(error.to_string(), text);
    }

    #[test]
    fn an_object_that_cannot_be_written_anew_is_gone_with_its_file() {
        let folder = tempfile::tempdir().expect("a folder");
        let mut tier = DiskTier::open(folder.path(), ByteSize::kib(8), SIZE).expect("a tier");
        (0..2).for_each(|object| tier.write(object, &content(object)));
        // In the way of the file that becomes the new one.
        fs::create_dir(folder.path().join(format!("{}{PART}", name(1)))).expect("create");
        tier.write(1, &content(7));
        assert!(!tier.path(1).exists(), "content that nobody accounts for");
        assert_eq!((tier.on_disk().refused, tier.bytes()), (Some(1), SIZE.bytes()));
        assert_eq!(has(&mut tier, 0..2), [0]);
    }

    #[test]
    fn what_was_found_written_and_read_is_cold_afterwards() {
        let scratch = ScratchDirectory::create().expect("scratch");
        let folder = scratch.path().join("tier");
        let resident = |object: u64| {
            let file = File::open(folder.join(name(object))).expect("it is there");
            Witness::Mincore.residency(&file).expect("mincore").resident
        };
        let open = || DiskTier::open(&folder, ByteSize::kib(16), SIZE).expect("a tier");
        let mut tier = open();
        if tier.on_disk().page_cache == IN_MEMORY {
            return;
        }
        assert_eq!(tier.on_disk().page_cache, "cold");
        (0..3).for_each(|object| tier.write(object, &content(object)));
        assert_eq!((0..3).map(resident).sum::<u64>(), 3, "written through the page cache");
        tier.cool().expect("cold");
        assert_eq!((0..3).map(resident).sum::<u64>(), 0);
        assert_eq!(has(&mut tier, 1..2), [1]);
        assert_eq!(resident(1), 1, "read through the page cache");
        tier.cool().expect("cold");
        assert_eq!(resident(1), 0);
        // Somebody reads what the next run finds.
        fs::read(tier.path(2)).expect("read");
        let mut next = open();
        next.cool().expect("cold");
        assert_eq!((0..3).map(resident).sum::<u64>(), 0);
    }
}
