//! Reads and writes of one file by io_uring, with everything that is the same for each of them told
//! to the kernel once: the file and the buffers are registered, what was begun and not handed over
//! before goes to the kernel in one call, and that call waits too. An operation then costs no look-up
//! of a descriptor, no pinning of pages, and no allocation.
//!
//! Unlike a [`Ring`](super::Ring), whose buffers come and go, this one keeps the buffers that it was
//! made with.

#![expect(unsafe_code, reason = "the kernel writes into buffers after the call has returned")]

use std::fmt;
use std::fs::File;
use std::io;
use std::mem;
use std::os::fd::AsRawFd;
use std::sync::Arc;

use bench_core::fixture::PooledBuf;
use io_uring::types::FsyncFlags;
use io_uring::{IoUring, opcode, squeue, types};

use super::patience::Patience;
use crate::error::Error;

/// The one registered file.
const FILE: types::Fixed = types::Fixed(0);

/// A queue of operations on one file, as many at once as it has buffers.
pub struct FixedRing {
    ring: IoUring,
    /// Invariant: the memory that an entry in the queue points to is that of a buffer whose `busy`
    /// is set. It is not touched until the entry's completion was seen, and it does not move with
    /// its handle.
    buffers: Vec<PooledBuf>,
    busy: Vec<bool>,
    in_flight: usize,
    registered: bool,
    _file: Arc<File>,
}

/// An operation that has ended.
#[derive(Debug)]
pub struct Ended {
    /// The number of its buffer.
    pub buffer: usize,
    /// How many bytes were moved.
    pub result: io::Result<usize>,
}

impl FixedRing {
    /// A ring on this file. What is filled of a buffer is what operations may use of it. The ring
    /// belongs to the thread that makes it.
    ///
    /// # Errors
    /// [`Error::NoUring`] where the kernel lacks it, or a sandbox or the administrator forbids it;
    /// [`Error::RingSetup`] where descriptors or memory have run out.
    ///
    /// # Panics
    /// Without buffers.
    pub fn new(file: Arc<File>, buffers: Vec<PooledBuf>) -> Result<Self, Error> {
        let entries = u32::try_from(buffers.len()).expect("fewer buffers");
        assert!(entries > 0, "a ring without buffers does nothing");
        let ring = build(entries).map_err(Error::of_ring)?;
        ring.submitter().register_files(&[file.as_raw_fd()]).map_err(Error::of_ring)?;
        let mut this = Self {
            ring,
            busy: vec![false; buffers.len()],
            buffers,
            in_flight: 0,
            registered: false,
            _file: file,
        };
        this.registered = this.register();
        Ok(this)
    }

    /// Has the kernel pin the buffers once. `false` where it may not lock so much memory
    /// (RLIMIT_MEMLOCK); it then pins them for each operation.
    fn register(&mut self) -> bool {
        let vectors: Vec<libc::iovec> = (self.buffers.iter_mut())
            .map(|buffer| {
                let memory = buffer.filled_mut();
                libc::iovec { iov_base: memory.as_mut_ptr().cast(), iov_len: memory.len() }
            })
            .collect();
        // SAFETY: each vector is the filled part of a buffer that the ring owns. The kernel touches
        // it only for an entry, by the invariant; the buffers go after the ring, or never.
        unsafe { self.ring.submitter().register_buffers(&vectors) }.is_ok()
    }

    /// Whether the kernel has pinned the buffers.
    pub const fn is_registered(&self) -> bool {
        self.registered
    }

    /// What is in a buffer.
    ///
    /// # Panics
    /// While an operation is under way on it.
    pub fn buffer(&mut self, number: usize) -> &mut [u8] {
        assert!(!self.busy[number], "the kernel has buffer {number}");
        self.buffers[number].filled_mut()
    }

    /// Begins to read from `offset` on into the part `range` of a buffer.
    ///
    /// # Panics
    /// While an operation is under way on the buffer; where it has no such part.
    pub fn read(&mut self, buffer: usize, range: std::ops::Range<usize>, offset: u64) {
        let part = &mut self.buffer(buffer)[range];
        let (start, length) = (part.as_mut_ptr(), size(part.len()));
        let entry = match (self.registered, u16::try_from(buffer)) {
            (true, Ok(index)) => {
                opcode::ReadFixed::new(FILE, start, length, index).offset(offset).build()
            }
            _ => opcode::Read::new(FILE, start, length).offset(offset).build(),
        };
        self.begin(entry, buffer);
    }

    /// Begins to write the part `range` of a buffer from `offset` on.
    ///
    /// # Panics
    /// As [`read`](Self::read).
    pub fn write(&mut self, buffer: usize, range: std::ops::Range<usize>, offset: u64) {
        let part = &self.buffer(buffer)[range];
        let (start, length) = (part.as_ptr(), size(part.len()));
        let entry = match (self.registered, u16::try_from(buffer)) {
            (true, Ok(index)) => {
                opcode::WriteFixed::new(FILE, start, length, index).offset(offset).build()
            }
            _ => opcode::Write::new(FILE, start, length).offset(offset).build(),
        };
        self.begin(entry, buffer);
    }

    /// Begins an `fsync`, or an `fdatasync` where `data` alone is meant, in the place of a buffer. It
    /// says nothing about operations under way.
    ///
    /// # Panics
    /// While an operation is under way on the buffer.
    pub fn sync(&mut self, buffer: usize, data: bool) {
        assert!(!self.busy[buffer], "the kernel has buffer {buffer}");
        let flags = if data { FsyncFlags::DATASYNC } else { FsyncFlags::empty() };
        self.begin(opcode::Fsync::new(FILE).flags(flags).build(), buffer);
    }

    fn begin(&mut self, entry: squeue::Entry, buffer: usize) {
        self.busy[buffer] = true;
        self.in_flight += 1;
        let entry = entry.user_data(buffer as u64);
        // SAFETY: the entry points into a buffer that the ring owns and that is marked as busy
        // until the kernel has answered.
        let pushed = unsafe { self.ring.submission().push(&entry) };
        pushed.expect("the queue has an entry for each buffer");
    }

    /// Hands all that was begun to the kernel, and waits for nothing.
    ///
    /// # Errors
    /// As of [`wait`](Self::wait).
    pub fn hand_over(&mut self) -> io::Result<()> {
        self.enter(0)
    }

    fn enter(&mut self, wait_for: usize) -> io::Result<()> {
        while let Err(error) = self.ring.submit_and_wait(wait_for) {
            if error.kind() != io::ErrorKind::Interrupted {
                return Err(error);
            }
        }
        Ok(())
    }

    /// Hands all that was begun to the kernel, waits until one operation has ended, and appends all
    /// that have; nothing where none is under way.
    ///
    /// # Errors
    /// What the kernel answered to the wait; operations stay under way.
    pub fn wait(&mut self, ended: &mut Vec<Ended>) -> io::Result<()> {
        if self.in_flight == 0 {
            return Ok(());
        }
        self.enter(1)?;
        for done in self.ring.completion() {
            let buffer = usize::try_from(done.user_data()).expect("a buffer's number");
            self.busy[buffer] = false;
            self.in_flight -= 1;
            let result = usize::try_from(done.result())
                .map_err(|_| io::Error::from_raw_os_error(-done.result()));
            ended.push(Ended { buffer, result });
        }
        Ok(())
    }
}

/// With the work of a completion left to the thread that waits for it, where the kernel can (6.1):
/// nobody else is interrupted then.
fn build(entries: u32) -> io::Result<IoUring> {
    let waiting = IoUring::builder().setup_single_issuer().setup_defer_taskrun().build(entries);
    match waiting {
        Err(error) if error.raw_os_error() == Some(libc::EINVAL) => IoUring::new(entries),
        other => other,
    }
}

impl Drop for FixedRing {
    fn drop(&mut self) {
        let (mut ended, mut patience) = (Vec::new(), Patience::default());
        while self.in_flight > 0 {
            match self.wait(&mut ended) {
                Ok(()) => {}
                Err(error) if patience.waited(&error) => {}
                Err(_) => break,
            }
        }
        if self.in_flight > 0 {
            // The kernel may still write into these: they are lost rather than used again.
            mem::forget(mem::take(&mut self.buffers));
            return;
        }
        // A ring is taken down in the background: file and memory are let go of before that. Where
        // that is refused, it is only later.
        let _later = self.ring.submitter().unregister_files();
        if self.registered {
            let _later = self.ring.submitter().unregister_buffers();
        }
    }
}

impl fmt::Debug for FixedRing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "FixedRing({} of {} operations under way)", self.in_flight, self.buffers.len())
    }
}

/// One operation moves at most what a `u32` counts; the kernel's own limit is 2 GiB.
fn size(bytes: usize) -> u32 {
    u32::try_from(bytes).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::FileExt;

    use bench_core::fixture::{BufferPool, Payload};
    use bench_core::units::ByteSize;

    use super::*;

    const BLOCK: ByteSize = ByteSize::kib(4);

    /// A ring of so many buffers of one block on a file of four, and the pool they are from.
    fn ring(buffers: usize) -> Option<(FixedRing, Payload, BufferPool)> {
        let payload = Payload::seeded(3, ByteSize::kib(16));
        let file = tempfile::tempfile().expect("create");
        file.write_all_at(&payload.to_bytes(), 0).expect("write");
        let pool = BufferPool::with_limit(ByteSize::kib(64)).expect("a pool");
        let buffers = (0..buffers).map(|_| {
            let mut buffer = pool.try_acquire(BLOCK).expect("room");
            buffer.resize_zeroed(BLOCK.len());
            buffer
        });
        Some((FixedRing::new(Arc::new(file), buffers.collect()).ok()?, payload, pool))
    }

    #[test]
    fn every_operation_ends_in_its_own_buffer_registered_or_not() {
        for registered in [true, false] {
            let Some((mut ring, payload, _pool)) = ring(4) else { return };
            ring.registered &= registered;
            for n in 0..4 {
                ring.read(n, 0..BLOCK.len(), n as u64 * BLOCK.bytes());
            }
            let mut ended = Vec::new();
            while ended.len() < 4 {
                ring.wait(&mut ended).expect("wait");
            }
            ring.wait(&mut ended).expect("nothing is under way");
            for Ended { buffer, result } in ended.drain(..) {
                assert_eq!(result.expect("read"), BLOCK.len());
                payload
                    .verify(buffer as u64 * BLOCK.bytes(), ring.buffer(buffer))
                    .expect("content");
            }
            ring.buffer(1).fill(7);
            ring.write(1, 10..20, 100);
            ring.wait(&mut ended).expect("wait");
            assert_eq!(ended.pop().expect("one").result.expect("written"), 10);
            ring.sync(1, true);
            ring.wait(&mut ended).expect("wait");
            ended.pop().expect("one").result.expect("synced");
            ring.read(0, 0..12, 99);
            ring.wait(&mut ended).expect("wait");
            let around = [payload.byte_at(99), 7, payload.byte_at(110)];
            let read = ring.buffer(0);
            assert_eq!([read[0], read[1], read[11]], around);
        }
    }

    #[test]
    fn what_is_handed_over_waits_in_no_queue_of_ours() {
        let Some((mut ring, ..)) = ring(2) else { return };
        ring.read(0, 0..BLOCK.len(), 0);
        assert!(!ring.ring.submission().is_empty());
        ring.hand_over().expect("room");
        assert!(ring.ring.submission().is_empty());
        let mut ended = Vec::new();
        ring.wait(&mut ended).expect("wait");
        assert_eq!(ended.len(), 1);
    }

    #[test]
    #[should_panic(expected = "the kernel has buffer 0")]
    fn a_buffer_under_way_is_in_nobodys_hands() {
        let (mut ring, ..) = ring(1).unwrap_or_else(|| panic!("the kernel has buffer 0"));
        ring.read(0, 0..BLOCK.len(), 0);
        ring.buffer(0);
    }

    #[test]
    fn a_ring_dropped_under_way_gives_its_buffers_home() {
        let Some((mut ring, _, pool)) = ring(2) else { return };
        ring.read(0, 0..BLOCK.len(), 0);
        drop(ring);
        assert_eq!(pool.stats().in_use_bytes, ByteSize::new(0));
    }
}
