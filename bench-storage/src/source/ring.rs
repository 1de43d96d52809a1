//! Reads and writes that are under way at once on one thread, by io_uring. Buffers move into the
//! ring and come back with their completion, so that nobody can touch one while the kernel does.

#![expect(unsafe_code, reason = "the kernel writes into buffers after the call has returned")]

use std::fmt;
use std::fs::File;
use std::io;
use std::mem;
use std::os::fd::AsRawFd;
use std::sync::Arc;

use bench_core::fixture::{PooledBuf, PooledBytes};
use bytes::BufMut;
use io_uring::{IoUring, opcode, squeue, types};

use super::patience::Patience;
use crate::error::Error;

/// A queue of operations on files, at most `depth` at once.
pub struct Ring {
    ring: IoUring,
    /// What the kernel may be working on, by the number it answers with. Invariant: the memory that
    /// an entry in the queue points to is what its slot holds, which stays there until
    /// the entry's completion was seen.
    slots: Vec<Option<InFlight>>,
    free: Vec<usize>,
    /// What the next waits are to fail with, in a test.
    #[cfg(test)]
    refusals: Vec<rustix::io::Errno>,
}

struct InFlight {
    tag: u64,
    held: Held,
    /// Keeps the descriptor from meaning another file.
    _file: Arc<File>,
}

/// The memory that the kernel works on.
enum Held {
    Nothing,
    Buffer(PooledBuf),
    /// Held until the kernel is done with it.
    Content(#[expect(dead_code, reason = "only kept alive")] PooledBytes),
}

/// An operation that has ended.
#[derive(Debug)]
pub struct Completion {
    /// What the caller named the operation.
    pub tag: u64,
    /// The buffer of a read; what it brought is behind what was in it before.
    pub buffer: Option<PooledBuf>,
    /// How many bytes were moved.
    pub result: io::Result<usize>,
}

impl Ring {
    /// A ring for this many operations at once.
    ///
    /// # Errors
    /// [`Error::NoUring`] where the kernel lacks it, or a sandbox or the administrator forbids it;
    /// [`Error::RingSetup`] where descriptors or memory have run out.
    pub fn new(depth: u32) -> Result<Self, Error> {
        let ring = IoUring::new(depth.max(1)).map_err(Error::of_ring)?;
        let slots = depth.max(1) as usize;
        Ok(Self {
            ring,
            slots: (0..slots).map(|_| None).collect(),
            free: (0..slots).collect(),
            #[cfg(test)]
            refusals: Vec::new(),
        })
    }

    /// Operations that were begun and whose completion was not taken.
    pub fn in_flight(&self) -> usize {
        self.slots.len() - self.free.len()
    }

    /// Whether another operation can begin.
    pub fn has_room(&self) -> bool {
        !self.free.is_empty()
    }

    /// Begins to read `length` bytes from `offset` on, behind what the buffer holds.
    ///
    /// # Panics
    /// When the ring is full, or the buffer has no room for so many bytes.
    pub fn read(
        &mut self,
        tag: u64,
        file: &Arc<File>,
        offset: u64,
        length: usize,
        mut buffer: PooledBuf,
    ) {
        super::assert_room(&buffer, length);
        let start = buffer.chunk_mut().as_mut_ptr();
        let entry = opcode::Read::new(types::Fd(file.as_raw_fd()), start, size(length));
        self.begin(entry.offset(offset).build(), tag, Held::Buffer(buffer), file);
    }

    /// Begins to write all of the content from `offset` on. Nobody can change it meanwhile; it may be
    /// read, and written elsewhere, at the same time.
    ///
    /// # Panics
    /// When the ring is full.
    pub fn write(&mut self, tag: u64, file: &Arc<File>, offset: u64, content: PooledBytes) {
        let fd = types::Fd(file.as_raw_fd());
        let entry = opcode::Write::new(fd, content.as_ptr(), size(content.len()));
        self.begin(entry.offset(offset).build(), tag, Held::Content(content), file);
    }

    /// Begins an `fdatasync`. It says nothing about operations that are under way.
    ///
    /// # Panics
    /// When the ring is full.
    pub fn sync_data(&mut self, tag: u64, file: &Arc<File>) {
        let entry = opcode::Fsync::new(types::Fd(file.as_raw_fd()));
        let entry = entry.flags(types::FsyncFlags::DATASYNC).build();
        self.begin(entry, tag, Held::Nothing, file);
    }

    fn begin(&mut self, entry: squeue::Entry, tag: u64, held: Held, file: &Arc<File>) {
        let slot = self.free.pop().expect("the ring has room for one more operation");
        self.slots[slot] = Some(InFlight { tag, held, _file: Arc::clone(file) });
        let entry = entry.user_data(slot as u64);
        // SAFETY: the entry points into memory that its slot holds until the kernel has answered:
        // a buffer that is in nobody else's hands, or content that nobody can write. Neither moves
        // with its handle.
        let pushed = unsafe { self.ring.submission().push(&entry) };
        pushed.expect("the queue has an entry for each slot");
    }

    /// Hands all that was begun to the kernel and waits for one operation to end; `None` when none
    /// is under way.
    ///
    /// # Errors
    /// What the kernel answered to the wait; operations stay under way.
    pub fn complete(&mut self) -> io::Result<Option<Completion>> {
        if self.in_flight() == 0 {
            return Ok(None);
        }
        loop {
            let next = self.ring.completion().next();
            if let Some(done) = next {
                return Ok(Some(self.end(done.user_data(), done.result())));
            }
            match self.wait() {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                other => other?,
            }
        }
    }

    /// Begins with no operation under way and ends with none, whatever `body` does: what it left
    /// under way after a failure is waited for and forgotten.
    ///
    /// # Errors
    /// What `body` failed with, or else [`Error::Ring`] when the kernel could not be waited for; the
    /// next one then waits for what is left.
    pub fn alone<R>(
        &mut self,
        body: impl FnOnce(&mut Self) -> Result<R, Error>,
    ) -> Result<R, Error> {
        self.drain().map_err(Error::Ring)?;
        let outcome = body(self);
        let drained = self.drain().map_err(Error::Ring);
        let outcome = outcome?;
        drained.map(|()| outcome)
    }

    /// Waits until nothing is under way. A kernel that is short of memory or behind with its answers
    /// is asked again, as long as there is [`Patience`].
    fn drain(&mut self) -> io::Result<()> {
        let mut patience = Patience::default();
        loop {
            match self.complete() {
                Ok(Some(_)) => {}
                Ok(None) => return Ok(()),
                Err(error) if patience.waited(&error) => {}
                Err(error) => return Err(error),
            }
        }
    }

    fn wait(&mut self) -> io::Result<()> {
        #[cfg(test)]
        if let Some(refusal) = self.refusals.pop() {
            return Err(refusal.into());
        }
        self.ring.submit_and_wait(1).map(drop)
    }

    /// Hands all that was begun to the kernel without waiting.
    ///
    /// # Errors
    /// What the kernel answered.
    pub fn submit(&mut self) -> io::Result<()> {
        self.ring.submit().map(drop)
    }

    /// Reads at most `length` bytes from `offset` on behind what the buffer holds, and waits.
    ///
    /// # Errors
    /// What the read failed with.
    ///
    /// # Panics
    /// When other operations are under way, or the buffer has no room for so many bytes.
    pub fn read_into(
        &mut self,
        file: &File,
        offset: u64,
        length: usize,
        buffer: &mut PooledBuf,
    ) -> io::Result<usize> {
        assert_eq!(self.in_flight(), 0, "other operations are under way");
        super::assert_room(buffer, length);
        let start = buffer.chunk_mut().as_mut_ptr();
        let entry = opcode::Read::new(types::Fd(file.as_raw_fd()), start, size(length));
        // SAFETY: the entry points into the spare memory of a buffer that is borrowed alone until
        // this function returns, and it does not return before the kernel has answered.
        let pushed = unsafe { self.ring.submission().push(&entry.offset(offset).build()) };
        pushed.expect("the queue is empty");
        let mut patience = Patience::default();
        let result = loop {
            let next = self.ring.completion().next();
            match next {
                Some(done) => break done.result(),
                None => self.wait_or_abort(&mut patience),
            }
        };
        let Ok(moved) = usize::try_from(result) else {
            return Err(io::Error::from_raw_os_error(-result));
        };
        // SAFETY: the kernel has written this many bytes to the start of the spare memory.
        unsafe { buffer.advance_mut(moved) };
        Ok(moved)
    }

    /// Waits while the kernel holds a pointer into memory that is only borrowed: whatever it
    /// answers, unwinding from here would let it write into memory that is somebody else's.
    fn wait_or_abort(&mut self, patience: &mut Patience) {
        if let Err(error) = self.wait()
            && error.kind() != io::ErrorKind::Interrupted
            && !patience.waited(&error)
        {
            std::process::abort();
        }
    }

    fn end(&mut self, slot: u64, result: i32) -> Completion {
        let slot = usize::try_from(slot).expect("a slot's number");
        let done = self.slots[slot].take().expect("the kernel answers once");
        self.free.push(slot);
        let result = match usize::try_from(result) {
            Ok(moved) => Ok(moved),
            Err(_) => Err(io::Error::from_raw_os_error(-result)),
        };
        let buffer = match (done.held, &result) {
            (Held::Buffer(mut buffer), Ok(moved)) => {
                // SAFETY: the kernel has written this many bytes to the start of the spare memory.
                unsafe { buffer.advance_mut(*moved) };
                Some(buffer)
            }
            (Held::Buffer(buffer), Err(_)) => Some(buffer),
            (Held::Content(_) | Held::Nothing, _) => None,
        };
        Completion { tag: done.tag, buffer, result }
    }
}

impl Drop for Ring {
    fn drop(&mut self) {
        if self.drain().is_err() {
            // The kernel may still write into these: they are lost rather than used again.
            mem::forget(mem::take(&mut self.slots));
        }
    }
}

impl fmt::Debug for Ring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Ring({} of {} operations under way)", self.in_flight(), self.slots.len())
    }
}

/// One operation moves at most what a `u32` counts; the kernel's own limit is 2 GiB.
fn size(bytes: usize) -> u32 {
    u32::try_from(bytes).unwrap_or(u32::MAX)
}

#[cfg(test)]
#[path = "ring_tests.rs"]
mod tests;
