//! What goes wrong with files and the page cache, each with its place and what to do about it.

use std::io;
use std::path::{Path, PathBuf};

use bench_core::fixture::cpus::CpuError;
use bench_core::fixture::{AcquireError, Mismatch};
use bench_core::units::ByteSize;
use bench_core::workload::Failure;

use crate::page_cache::PageCacheState;

/// Why a storage fixture could not do its work.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The system refused an operation on a file or directory.
    #[error("failed to {action} {}: {source}", path.display())]
    Io {
        /// What was tried, as in "create".
        action: &'static str,
        /// The file or directory.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A tier could not hold a single object.
    #[error(
        "the {tier} tier of {capacity} cannot hold one object, which takes {least} of it; raise its \
         capacity or make the objects smaller"
    )]
    TierTooSmall {
        /// Which tier.
        tier: &'static str,
        /// What it may hold.
        capacity: ByteSize,
        /// What it would have to.
        least: ByteSize,
    },
    /// Objects that nobody could read.
    #[error("no objects to read: ask for at least one, of at least one byte")]
    NoObjects,
    /// The object store, or a cache in front of it, failed.
    #[error("failed to {action} object {object}: {reason}")]
    Object {
        /// What was tried, as in "get".
        action: &'static str,
        /// Its number.
        object: u64,
        /// What the store said.
        reason: String,
    },
    /// Pages stayed in memory although the kernel was asked to drop them.
    #[error(
        "failed to empty the page cache of {} on {file_system}: {resident} of {pages} pages stayed \
         resident after {rounds} rounds; a cold read needs a scratch directory on a disk, set \
         {variable}",
        path.display(), variable = crate::scratch::SCRATCH_VARIABLE
    )]
    StayedResident {
        /// The file.
        path: PathBuf,
        /// The type of its file system.
        file_system: String,
        /// Pages still in memory.
        resident: u64,
        /// Pages of the file.
        pages: u64,
        /// How often the kernel was asked.
        rounds: u32,
    },
    /// Pages were missing from memory right after the whole file had been read.
    #[error(
        "failed to warm {} on {file_system}: only {resident} of {pages} pages are resident after \
         reading all of it; free some memory or measure a smaller size",
        path.display()
    )]
    NotResident {
        /// The file.
        path: PathBuf,
        /// The type of its file system.
        file_system: String,
        /// Pages in memory.
        resident: u64,
        /// Pages of the file.
        pages: u64,
    },
    /// The file left its state before or while operations ran that were to meet it there.
    #[error(
        "{} is no longer {state}: {resident} of {pages} pages are in memory, so that not every \
         operation met that state; free some memory, or keep others off the file",
        path.display()
    )]
    StateLost {
        /// The file.
        path: PathBuf,
        /// The state that was to last.
        state: PageCacheState,
        /// Pages in memory now.
        resident: u64,
        /// Pages of the file.
        pages: u64,
    },
    /// Neither system call sees a page that was certainly read a moment ago.
    #[error(
        "failed to tell the page cache of {} on {file_system}: neither cachestat nor mincore sees \
         a page that was just read; set {variable} to a directory on another file system",
        path.display(), variable = crate::scratch::SCRATCH_VARIABLE
    )]
    Blind {
        /// The file.
        path: PathBuf,
        /// The type of its file system.
        file_system: String,
    },
    /// The file system reads and writes through memory only.
    #[error(
        "cannot read or write {} on {file_system} past the page cache (O_DIRECT): use the page \
         cache, or set {variable} to a directory on a disk",
        path.display(), variable = crate::scratch::SCRATCH_VARIABLE
    )]
    NoDirect {
        /// The file.
        path: PathBuf,
        /// The type of its file system.
        file_system: String,
    },
    /// The kernel lacks io_uring, or somebody forbids it.
    #[error(
        "cannot use io_uring: {0}; a container's seccomp profile or kernel.io_uring_disabled may \
         forbid it, and kernels before 5.6 lack it: allow it, or use pread"
    )]
    NoUring(#[source] io::Error),
    /// The kernel has io_uring and allows it, and could not set one up.
    #[error(
        "failed to set up io_uring: {0}; raise the limit of open files or of locked memory \
         (ulimit -n, ulimit -l), or free some memory"
    )]
    RingSetup(#[source] io::Error),
    /// A chunk could not be fetched. It is delivered in its turn: every chunk before it came.
    #[error("failed to read chunk {number} at offset {offset}: {source}")]
    Chunk {
        /// Which chunk, from 0.
        number: u64,
        /// Where it begins.
        offset: u64,
        /// What the source said.
        source: io::Error,
    },
    /// The source ended before its size.
    #[error(
        "chunk {number} ends at offset {end}, {missing} bytes early: the file was truncated while \
         it was read"
    )]
    Truncated {
        /// Which chunk, from 0.
        number: u64,
        /// Where the source ends now.
        end: u64,
        /// Bytes of the chunk that were due behind that.
        missing: u64,
    },
    /// A block of a file could not be read or written.
    #[error("failed to read or write {length} bytes at offset {offset}: {source}")]
    Block {
        /// Where it begins.
        offset: u64,
        /// How long it is.
        length: usize,
        /// What the system said.
        source: io::Error,
    },
    /// A file was shorter than it had been.
    #[error("the file ended at offset {end} while {missing} more bytes were due")]
    Ended {
        /// Where it ends.
        end: u64,
        /// What was missing.
        missing: u64,
    },
    /// A file held other bytes than were written to it.
    #[error("the file does not hold what was written to it: {0}")]
    Content(#[source] Mismatch),
    /// An engine has no direct I/O.
    #[error("the engine {engine} cannot go past the page cache; use psync or io_uring")]
    NeverDirect {
        /// The engine.
        engine: &'static str,
    },
    /// A mapping is only read from.
    #[error("the engine mmap only reads; use psync, io_uring or tokio to write")]
    NeverWrites,
    /// The kernel did not take, or not finish, what was in a ring.
    #[error("failed to wait for io_uring: {0}")]
    Ring(#[source] io::Error),
    /// The system has no thread left.
    #[error("failed to start a thread: {0}; choose a smaller queue depth")]
    Threads(#[source] io::Error),
    /// A thread could not be kept where it should be.
    #[error(transparent)]
    Cpu(#[from] CpuError),
    /// There is no memory to read into.
    #[error("failed to get a buffer to read into: {0}")]
    Buffer(#[from] AcquireError),
    /// A job that nothing could do.
    #[error("{0}")]
    InvalidJob(String),
    /// The disk did not take what was written.
    #[error("failed to sync the file: {0}")]
    Sync(#[source] io::Error),
    /// A prefetcher that could never work.
    #[error("{0}")]
    InvalidPrefetch(String),
    /// There is no `/dev/fuse`, or no right to mount.
    #[error(
        "cannot mount a FUSE file system here: {reason}; load the module fuse, and run as root or \
         install fusermount3; or measure plain files"
    )]
    NoFuse {
        /// What was tried and what the system said.
        reason: String,
    },
    /// A FUSE mount that could never work.
    #[error("{0}")]
    InvalidFuse(String),
    /// Something else is where a file system was to be mounted.
    #[error("cannot mount on {}: {found}; choose a folder that is not there yet", path.display())]
    MountPointBusy {
        /// The mount point.
        path: PathBuf,
        /// What is there.
        found: &'static str,
    },
    /// The kernel serves a mount in another way than was asked for.
    #[error(
        "the kernel took {taken} as the {setting} of the FUSE mount where {asked} was asked for; \
         ask for that, or run as root, who may raise it"
    )]
    NotNegotiated {
        /// Which setting.
        setting: &'static str,
        /// What was asked for.
        asked: String,
        /// What stands.
        taken: String,
    },
    /// A mount remembers other things than it was asked to.
    #[error(
        "with the {setting} of {asked} the kernel {did} a second time about the same file of the \
         FUSE mount, so that no row could say how it was cached; free some memory, or measure plain \
         files"
    )]
    NotRemembered {
        /// Which option.
        setting: &'static str,
        /// What was asked for.
        asked: String,
        /// Whether the kernel asked.
        did: &'static str,
    },
    /// A file that was closed stayed open at the file system's end.
    #[error(
        "the kernel did not release {open} files that were closed; is somebody else reading them?"
    )]
    NotReleased {
        /// How many.
        open: u64,
    },
    /// No such backend of a tree of files.
    #[error("'{0}' is no backend of a FUSE tree; write auto, exact:fuse or exact:plain_files")]
    UnknownBackend(String),
    /// There is nothing to read or write.
    #[error("a file of 0 bytes cannot be measured; choose a size of at least 1B")]
    Empty,
}

impl Error {
    /// Whether a workload failed by pages that went or came by themselves. Past the page cache none does:
    /// whoever finds some there has read through it.
    pub(crate) fn is_state_lost(failure: &Failure) -> bool {
        let lost = failure.downcast_ref();
        matches!(lost, Some(Self::StateLost { state, .. }) if *state != PageCacheState::Direct)
    }

    /// For `map_err`: why there is no ring. `EPERM` and `EACCES` forbid one, `ENOSYS` and `EINVAL` are
    /// of kernels that lack it or a part of it; the rest is a machine short of something.
    pub(crate) fn of_ring(source: io::Error) -> Self {
        use rustix::io::Errno;
        match Errno::from_io_error(&source) {
            Some(Errno::PERM | Errno::ACCESS | Errno::NOSYS | Errno::INVAL) => {
                Self::NoUring(source)
            }
            _ => Self::RingSetup(source),
        }
    }

    /// For `map_err`: what was tried on which path.
    pub(crate) fn io(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Io { action, path: path.to_owned(), source }
    }
}
