//! Where bytes come from, by offset: files by every way the kernel offers, memory, and two
//! wrappers that make any source slow or faulty.
//!
//! | source | reads by | own read-ahead |
//! |---|---|---|
//! | [`BufferedFile`] | `pread` through the page cache | the kernel's |
//! | [`MappedFile`] | a copy out of a mapping | the kernel's |
//! | [`DirectFile`] | `pread` past the page cache (`O_DIRECT`) | none |
//! | [`UringFile`] | io_uring, past the page cache where the file allows it | none, or the kernel's |
//! | [`MemorySource`] | a copy of computed content | none |
//! | [`Delayed`] | another source, later | that source's, or none |
//! | [`Faulty`] | another source, wrongly | that source's |
//!
//! [`conformance`] is the suite that each of them passes.

mod buffered;
pub mod conformance;
mod delayed;
mod direct;
mod faulty;
mod fixed_ring;
mod mapped;
mod memory;
mod patience;
mod ring;
mod uring;

use std::fmt;
use std::io;

use bench_core::fixture::PooledBuf;
use bench_core::units::ByteSize;

pub use self::buffered::BufferedFile;
#[cfg_attr(loom, allow(unused_imports, reason = "tiers do not build under the model checker"))]
pub(crate) use self::delayed::Delay;
pub use self::delayed::{DelayConfig, Delayed};
pub use self::direct::{DirectFile, open_direct};
pub use self::faulty::{Fault, Faulty};
pub use self::fixed_ring::{Ended, FixedRing};
pub use self::mapped::MappedFile;
pub use self::memory::MemorySource;
pub use self::ring::{Completion, Ring};
pub use self::uring::UringFile;

/// A sequence of bytes that can be read from any place, by several threads at once.
///
/// A read may come back with fewer bytes than were asked for, as `pread(2)` may; with none only at
/// the end, or where nothing was asked for. [`read_full`] reads on.
pub trait Source: fmt::Debug + Send + Sync {
    /// How many bytes it had when it was opened.
    fn size(&self) -> ByteSize;

    /// Appends at most `length` bytes from `offset` on to what `into` holds, and says how many it
    /// were. At the end or beyond it: none.
    ///
    /// # Errors
    /// What the system, or the source itself, failed with. What was in the buffer is still there.
    ///
    /// # Panics
    /// When the buffer has no room for `length` bytes more.
    fn read_at(&self, offset: u64, length: usize, into: &mut PooledBuf) -> io::Result<usize>;

    /// Offsets, lengths and places in the buffer that are multiples of this are read without a
    /// detour; others are read as well, with one more copy. At most
    /// [`ALIGNMENT`](bench_core::fixture::ALIGNMENT).
    fn alignment(&self) -> usize {
        1
    }

    /// Whether someone below reads ahead of whoever reads in order.
    fn reads_ahead(&self) -> bool {
        false
    }

    /// What really reads, as a record names it: `pread`, `io_uring O_DIRECT`.
    fn backend(&self) -> String;
}

/// Reads on until `length` bytes were appended or the source ended; says how many it were.
///
/// # Errors
/// As [`Source::read_at`]; bytes that had been read before the failure stay in the buffer.
///
/// # Panics
/// When the buffer has no room for `length` bytes more.
pub fn read_full(
    source: &dyn Source,
    offset: u64,
    length: usize,
    into: &mut PooledBuf,
) -> io::Result<usize> {
    let mut done = 0;
    while done < length {
        match source.read_at(offset + done as u64, length - done, into)? {
            0 => break,
            read => done += read,
        }
    }
    Ok(done)
}

/// # Panics
/// When the buffer has no room for `length` bytes more.
fn assert_room(into: &PooledBuf, length: usize) {
    let room = into.capacity() - into.len();
    assert!(length <= room, "{length} bytes do not fit the {room} that the buffer has left");
}
