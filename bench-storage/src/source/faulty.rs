//! A source that fails where it is told to.

use std::io;

use bench_core::fixture::PooledBuf;
use bench_core::units::ByteSize;

use super::Source;

/// What goes wrong with reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// A read that covers this byte fails as a disk with a bad sector does (`EIO`).
    Error {
        /// The byte that cannot be read.
        offset: u64,
    },
    /// No read returns more than this many bytes, at least 1.
    Short {
        /// The most that one read returns.
        most: usize,
    },
    /// The source ends here, though its size says otherwise: someone has truncated it since.
    Truncated {
        /// Where it ends now.
        offset: u64,
    },
    /// A read that covers this byte panics: a bug in a source must not hang its readers.
    Panic {
        /// The byte.
        offset: u64,
    },
}

/// Another source with faults, always the same ones for the same reads.
#[derive(Debug)]
pub struct Faulty<S> {
    source: S,
    faults: Vec<Fault>,
}

impl<S: Source> Faulty<S> {
    /// Adds these faults to the reads of `source`.
    pub fn new(source: S, faults: &[Fault]) -> Self {
        Self { source, faults: faults.to_vec() }
    }
}

impl<S: Source> Source for Faulty<S> {
    fn size(&self) -> ByteSize {
        self.source.size()
    }

    fn read_at(&self, offset: u64, length: usize, into: &mut PooledBuf) -> io::Result<usize> {
        let mut length = length;
        for &fault in &self.faults {
            let covers = |byte: u64| byte >= offset && byte - offset < length as u64;
            match fault {
                Fault::Error { offset: bad } if covers(bad) => {
                    return Err(rustix::io::Errno::IO.into());
                }
                Fault::Panic { offset: bad } if covers(bad) => panic!("a bug in the source"),
                Fault::Error { .. } | Fault::Panic { .. } => {}
                Fault::Short { most } => length = length.min(most.max(1)),
                Fault::Truncated { offset: end } => {
                    let left = usize::try_from(end.saturating_sub(offset)).unwrap_or(usize::MAX);
                    length = length.min(left);
                }
            }
        }
        self.source.read_at(offset, length, into)
    }

    fn alignment(&self) -> usize {
        self.source.alignment()
    }

    fn reads_ahead(&self) -> bool {
        self.source.reads_ahead()
    }

    fn backend(&self) -> String {
        format!("faulty {}", self.source.backend())
    }
}

#[cfg(test)]
mod tests {
    use bench_core::fixture::{BufferPool, Payload};

    use super::*;
    use crate::source::{MemorySource, read_full};

    #[test]
    fn each_fault_strikes_where_it_is_told_to_and_nowhere_else() {
        let payload = Payload::seeded(1, ByteSize::new(100));
        let memory = MemorySource::new(&payload);
        let pool = BufferPool::with_limit(ByteSize::kib(4)).expect("a pool");
        let read = |fault, offset, length| {
            let mut buffer = pool.try_acquire(ByteSize::new(100)).expect("room");
            let faulty = Faulty::new(memory.clone(), &[fault]);
            let read = faulty.read_at(offset, length, &mut buffer);
            payload.verify(offset, &buffer).expect("content");
            read
        };
        let bad = Fault::Error { offset: 50 };
        assert_eq!(read(bad, 0, 51).expect_err("covers 50").raw_os_error(), Some(5));
        assert_eq!(read(bad, 50, 1).expect_err("is 50").raw_os_error(), Some(5));
        assert_eq!(read(bad, 0, 50).expect("ends before"), 50);
        assert_eq!(read(bad, 51, 49).expect("starts behind"), 49);
        assert_eq!(read(Fault::Short { most: 7 }, 3, 50).expect("short"), 7);
        assert_eq!(read(Fault::Short { most: 0 }, 3, 50).expect("never none"), 1);
        let truncated = Fault::Truncated { offset: 40 };
        assert_eq!(read(truncated, 30, 50).expect("up to the end"), 10);
        assert_eq!(read(truncated, 40, 50).expect("at the end"), 0);
        assert_eq!(read(truncated, 90, 5).expect("beyond"), 0);
    }

    #[test]
    fn short_reads_are_read_on() {
        let payload = Payload::seeded(1, ByteSize::new(100));
        let faulty = Faulty::new(MemorySource::new(&payload), &[Fault::Short { most: 7 }]);
        let pool = BufferPool::with_limit(ByteSize::kib(4)).expect("a pool");
        let mut buffer = pool.try_acquire(ByteSize::new(100)).expect("room");
        assert_eq!(read_full(&faulty, 0, 100, &mut buffer).expect("read"), 100);
        payload.verify_all(&buffer).expect("content");
    }
}
