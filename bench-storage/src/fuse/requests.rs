//! What the kernel asks a FUSE server, counted by kind.

use std::ops::Sub;
use std::sync::atomic::{AtomicU64, Ordering};

use bench_core::units::ByteSize;

const KINDS: usize = RequestKind::ALL.len();

/// What a request is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RequestKind {
    /// Which file has this name? An answer of "none" counts too.
    Lookup,
    /// What are this file's size, times and permissions?
    GetAttr,
    /// A file is opened.
    Open,
    /// Content.
    Read,
    /// A descriptor is closed.
    Flush,
    /// The last descriptor of an open file is closed. The kernel sends it some time after `close(2)`
    /// has returned.
    Release,
    /// A directory is opened, read or closed.
    Directory,
    /// The kernel has dropped an inode from memory; wants no answer. Of a batch, each inode counts.
    Forget,
    /// File system statistics, extended attributes, access checks, seeks.
    Other,
}

impl RequestKind {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::Lookup,
        Self::GetAttr,
        Self::Open,
        Self::Read,
        Self::Flush,
        Self::Release,
        Self::Directory,
        Self::Forget,
        Self::Other,
    ];

    /// As rows call it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Lookup => "lookup",
            Self::GetAttr => "getattr",
            Self::Open => "open",
            Self::Read => "read",
            Self::Flush => "flush",
            Self::Release => "release",
            Self::Directory => "directory",
            Self::Forget => "forget",
            Self::Other => "other",
        }
    }
}

/// How many requests of each kind came.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Requests([u64; KINDS]);

impl Requests {
    /// Of this kind.
    pub const fn of(&self, kind: RequestKind) -> u64 {
        self.0[kind as usize]
    }

    /// Of every kind.
    pub fn all(&self) -> u64 {
        self.0.iter().sum()
    }

    /// Lookups and attributes: what time-outs of entries and attributes can save.
    pub const fn metadata(&self) -> u64 {
        self.of(RequestKind::Lookup) + self.of(RequestKind::GetAttr)
    }
}

/// What came since an earlier count of the same mount.
impl Sub for Requests {
    type Output = Self;

    fn sub(self, earlier: Self) -> Self {
        Self(std::array::from_fn(|kind| self.0[kind] - earlier.0[kind]))
    }
}

/// Where the server counts.
#[derive(Debug, Default)]
pub(super) struct Counters {
    kinds: [AtomicU64; KINDS],
    largest_read: AtomicU64,
}

impl Counters {
    /// Counts before the request is answered, so that a call that has returned is counted.
    pub(super) fn count(&self, kind: RequestKind) {
        self.kinds[kind as usize].fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn read(&self, bytes: u32) {
        self.count(RequestKind::Read);
        self.largest_read.fetch_max(bytes.into(), Ordering::Relaxed);
    }

    /// The most that one read request asked for.
    pub(super) fn largest_read(&self) -> ByteSize {
        ByteSize::new(self.largest_read.load(Ordering::Relaxed))
    }

    pub(super) fn now(&self) -> Requests {
        Requests(std::array::from_fn(|kind| self.kinds[kind].load(Ordering::Relaxed)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_add_up_by_kind_and_since_an_earlier_count() {
        let counters = Counters::default();
        counters.count(RequestKind::Lookup);
        let earlier = counters.now();
        for kind in RequestKind::ALL {
            counters.count(kind);
        }
        counters.count(RequestKind::GetAttr);
        counters.read(4096);
        counters.read(100);
        let since = counters.now() - earlier;
        assert_eq!((since.all(), since.metadata()), (12, 3));
        assert_eq!((since.of(RequestKind::Read), since.of(RequestKind::Other)), (3, 1));
        assert_eq!(counters.largest_read(), ByteSize::kib(4));
    }
}
