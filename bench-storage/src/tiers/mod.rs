//! Objects of an [`object_store`] that is far away, read through memory (L0) and a folder of files
//! (L1), or through none of them.
//!
//! | path | L0 | L1 |
//! |---|---|---|
//! | [`Tiered`] | buffers of a pool, the least recently used go first | files, the same way |
//! | [`Uncached`] | none | none |
//! | `Foyer`, with the feature `foyer` | foyer's memory | foyer's block engine |
//!
//! Every read says which tier served it, and [`Served`] counts; the [`Remote`] counts for itself what
//! it handed out, so that the two can be held against each other. [`conformance`] is the suite that
//! each path passes.
//!
//! What it does not model: writers, objects that change, several readers at once, and a store that
//! fails now and then.

pub mod conformance;
mod disk;
#[cfg(feature = "foyer")]
mod foyer;
mod lru;
mod remote;
mod tiered;

use std::fmt;

use bytes::Bytes;

use crate::error::Error;

pub use self::disk::DiskTier;
#[cfg(feature = "foyer")]
pub use self::foyer::Foyer;
pub use self::remote::{Objects, Remote};
pub use self::tiered::{Tiered, TieredConfig, Uncached};

/// Where the bytes of a read came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Tier {
    /// L0.
    Memory,
    /// L1.
    Disk,
    /// L2, the object store.
    Remote,
}

impl Tier {
    /// All, the nearest first.
    pub const ALL: [Self; 3] = [Self::Memory, Self::Disk, Self::Remote];

    /// As a record names it.
    pub fn name(self) -> &'static str {
        ["memory", "disk", "remote"][self as usize]
    }
}

/// Reads and bytes by the tier that served them, in the order of [`Tier::ALL`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Served {
    /// How many reads.
    pub reads: [u64; 3],
    /// How many bytes.
    pub bytes: [u64; 3],
}

impl Served {
    /// Counts one read.
    pub fn count(&mut self, tier: Tier, bytes: usize) {
        self.reads[tier as usize] += 1;
        self.bytes[tier as usize] += bytes as u64;
    }

    /// Both together.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        let sum =
            |one: [u64; 3], more: [u64; 3]| std::array::from_fn(|tier| one[tier] + more[tier]);
        Self { reads: sum(self.reads, other.reads), bytes: sum(self.bytes, other.bytes) }
    }

    /// What was counted since `before`.
    pub fn since(self, before: Self) -> Self {
        let less =
            |now: [u64; 3], then: [u64; 3]| std::array::from_fn(|tier| now[tier] - then[tier]);
        Self { reads: less(self.reads, before.reads), bytes: less(self.bytes, before.bytes) }
    }
}

/// What a record has to say of the tier on the disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OnDisk {
    /// The type of the file system, as in `ext4`.
    pub file_system: String,
    /// How a read meets the files in the page cache: `cold` and `direct` as in
    /// [`PageCacheState`](crate::page_cache::PageCacheState), `memory` where the file system is nothing
    /// but memory, `kept` where nobody empties it.
    pub page_cache: String,
    /// Objects that an earlier run had left in the folder.
    pub found: u64,
    /// Objects that could not be written; nothing where the tier does not tell.
    pub refused: Option<u64>,
}

/// A way to read whole objects, one at a time. After each read come [`rest`](Self::rest) and
/// [`cool`](Self::cool), both outside the time that is measured: what one path writes before it returns
/// and another afterwards, no read waits for.
pub trait ReadPath: fmt::Debug {
    /// The object and the tier that it came from. Dropping it before the next read lets its memory be
    /// used for that.
    ///
    /// # Errors
    /// What the store or the system failed with. A tier that cannot keep an object is no error.
    fn read(&mut self, object: u64) -> Result<(Tier, Bytes), Error>;

    /// Drops from the page cache what the reads left there of the tier on the disk, which would be a
    /// second tier of memory otherwise.
    ///
    /// # Errors
    /// When it stays.
    fn cool(&mut self) -> Result<(), Error> {
        Ok(())
    }

    /// Waits for what goes on in the background, which would fall into the time of the next read.
    fn rest(&mut self) {}

    /// The tier on the disk, where there is one.
    fn on_disk(&self) -> Option<OnDisk> {
        None
    }

    /// What was read so far.
    fn served(&self) -> Served;

    /// What really reads, as a record names it.
    fn backend(&self) -> String;
}
