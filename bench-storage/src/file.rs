//! A file of seeded content in a scratch directory, written in full and synced before use.

use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::path::Path;

use bench_core::fixture::{Mismatch, Payload};
use bench_core::units::ByteSize;

use crate::error::Error;
use crate::page_cache::CachedFile;
use crate::scratch::ScratchDirectory;

/// The most that one read or write call moves.
pub const BLOCK: ByteSize = ByteSize::mib(1);

/// A file whose every byte is known. The directory that it lies in removes it.
#[derive(Debug)]
pub struct ScratchFile {
    cached: CachedFile,
    payload: Payload,
}

/// Why a file does not hold its payload.
#[derive(Debug, thiserror::Error)]
pub enum VerifyError {
    /// It could not be read back.
    #[error(transparent)]
    Read(#[from] Error),
    /// It holds other bytes.
    #[error("{path} does not hold what was written: {source}")]
    Content {
        /// The file.
        path: String,
        /// The first wrong byte.
        source: Mismatch,
    },
}

impl ScratchFile {
    /// Creates `name` in the directory, writes the payload and syncs it, so that no write-back of
    /// the set-up runs on into the measurement.
    ///
    /// # Errors
    /// What creating, writing (a full disk, say) or syncing failed with; [`Error::Empty`] for an
    /// empty payload.
    pub fn create(
        directory: &ScratchDirectory,
        name: &str,
        payload: Payload,
    ) -> Result<Self, Error> {
        Self::create_at(&directory.path().join(name), payload)
    }

    /// The same at a path of the caller's, who removes it. A file that could not be written whole is
    /// removed here.
    ///
    /// # Errors
    /// As [`create`](Self::create); also where there is a file of this name.
    pub fn create_at(path: &Path, payload: Payload) -> Result<Self, Error> {
        let file = File::options()
            .read(true)
            .write(true)
            .create_new(true)
            .open(path)
            .map_err(Error::io("create", path))?;
        let written = write(&file, payload.size, |offset, block| payload.fill(offset, block))
            .and_then(|()| file.sync_all())
            .map_err(Error::io("write", path))
            .and_then(|()| CachedFile::new(file, path));
        if written.is_err() {
            // What it failed with says more than that it could not be removed either.
            let _stays = fs::remove_file(path);
        }
        Ok(Self { cached: written?, payload })
    }

    /// The open file and its state in the page cache.
    pub const fn cached(&self) -> &CachedFile {
        &self.cached
    }

    /// What the file holds.
    pub const fn payload(&self) -> &Payload {
        &self.payload
    }

    /// Overwrites the file with zeros and syncs them: after this, only a write can make
    /// [`verify`](Self::verify) pass.
    ///
    /// # Errors
    /// What writing or syncing failed with.
    pub fn erase(&self) -> Result<(), Error> {
        self.erase_in_memory()?;
        self.cached.file().sync_all().map_err(Error::io("sync", self.cached.path()))
    }

    /// Overwrites the file with zeros and does not sync them: every page is then in memory and
    /// dirty, until the kernel writes it back.
    ///
    /// # Errors
    /// What writing failed with.
    pub fn erase_in_memory(&self) -> Result<(), Error> {
        write(self.cached.file(), self.payload.size, |_, block| block.fill(0))
            .map_err(Error::io("erase", self.cached.path()))
    }

    /// Reads all of the file back and compares every byte.
    ///
    /// # Errors
    /// The first wrong byte, or why it could not be read.
    pub fn verify(&self) -> Result<(), VerifyError> {
        let path = self.cached.path();
        let mut buffer = vec![0; BLOCK.len()];
        for (offset, length) in blocks(self.payload.size) {
            let block = &mut buffer[..length];
            let read = self.cached.file().read_exact_at(block, offset);
            read.map_err(Error::io("read back", path))?;
            self.payload.verify(offset, block).map_err(|source| VerifyError::Content {
                path: path.display().to_string(),
                source,
            })?;
        }
        Ok(())
    }
}

/// Offset and length of each block of a file, first to last.
pub fn blocks(size: ByteSize) -> impl Iterator<Item = (u64, usize)> {
    let block = BLOCK.bytes();
    (0..size.bytes().div_ceil(block)).map(move |n| {
        let offset = n * block;
        (offset, ByteSize::new(block.min(size.bytes() - offset)).len())
    })
}

fn write(file: &File, size: ByteSize, fill: impl Fn(u64, &mut [u8])) -> std::io::Result<()> {
    let mut buffer = vec![0; BLOCK.min(size).len()];
    for (offset, length) in blocks(size) {
        let block = &mut buffer[..length];
        fill(offset, block);
        file.write_all_at(block, offset)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_file_holds_its_payload_until_a_byte_is_flipped() {
        let scratch = ScratchDirectory::create().expect("scratch");
        let payload = Payload::seeded(7, ByteSize::new(BLOCK.bytes() + 4097));
        let file = ScratchFile::create(&scratch, "file", payload).expect("create");
        file.verify().expect("as written");

        let place = BLOCK.bytes() + 4000;
        let flipped = payload.byte_at(place) ^ 0x10;
        file.cached().file().write_all_at(&[flipped], place).expect("flip");
        let error = file.verify().expect_err("flipped").to_string();
        assert!(error.contains(&format!("offset {place} ")), "{error}");

        file.erase().expect("erase");
        assert!(file.verify().expect_err("erased").to_string().contains("offset 0 "));
    }

    #[test]
    fn an_empty_file_and_a_second_file_of_the_same_name_are_refused() {
        let scratch = ScratchDirectory::create().expect("scratch");
        let create = |size| ScratchFile::create(&scratch, "file", Payload::seeded(1, size));
        assert!(matches!(create(ByteSize::new(0)), Err(Error::Empty)));
        let _first = create(ByteSize::kib(1)).expect("the empty one is gone");
        let error = create(ByteSize::kib(1)).expect_err("exists").to_string();
        assert!(error.starts_with("failed to create "), "{error}");
    }

    proptest! {
        #[test]
        fn blocks_cover_the_file_without_gap_or_overlap(bytes in 0..16 * BLOCK.bytes()) {
            let mut end = 0;
            for (offset, length) in blocks(ByteSize::new(bytes)) {
                prop_assert_eq!(offset, end);
                prop_assert!(length > 0 && length <= BLOCK.len());
                end += length as u64;
            }
            prop_assert_eq!(end, bytes);
        }
    }
}
