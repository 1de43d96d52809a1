//! One direction of one connection: bytes on their way, each with the time at which it arrives.
//!
//! Blocks of memory are taken from a pool that all connections share and go back to it; nothing is
//! allocated while bytes flow. A block that is empty again is filled from its start, so that
//! without delay the bytes stay in the processor's cache.

use std::collections::VecDeque;
use std::io;

use crate::link::model::{Fate, LinkModel};

/// One read fills no more than this.
const BLOCK_BYTES: usize = 256 * 1024;
/// A block with less room than this is left as it is.
const ROOM_BYTES_MIN: usize = 16 * 1024;
/// What may lie unused for the next burst.
const SPARE_BLOCKS_MAX: usize = 1024;
/// How much may have arrived that the receiver does not take, before nothing more is let in; a
/// link has no room for it, a receiver's window has.
const READY_BYTES_MAX: usize = 16 * 1024 * 1024;
/// The payload of a full TCP segment with time stamps, and its headers.
const SEGMENT_BYTES: usize = 1448;
const HEADER_BYTES: u32 = 52;

/// Memory that is not in use.
#[derive(Debug, Default)]
pub(super) struct Spare(Vec<Box<[u8]>>);

impl Spare {
    fn take(&mut self) -> Block {
        let bytes = self.0.pop().unwrap_or_else(|| vec![0; BLOCK_BYTES].into_boxed_slice());
        Block { bytes, start: 0, end: 0 }
    }

    fn give(&mut self, block: Block) {
        if self.0.len() < SPARE_BLOCKS_MAX {
            self.0.push(block.bytes);
        }
    }
}

/// Memory of which `start..end` is on its way.
#[derive(Debug)]
struct Block {
    bytes: Box<[u8]>,
    start: usize,
    end: usize,
}

/// So many bytes arrive at one time.
#[derive(Clone, Copy, Debug)]
struct Mark {
    due_ns: u64,
    bytes: usize,
    /// When they were let in, and which fault makes them late; 0 where none does.
    entered_ns: u64,
    fault: u64,
}

/// Bytes that have arrived.
#[derive(Clone, Copy, Debug)]
pub(super) struct Arrival {
    /// How much later than due.
    pub(super) late_ns: u64,
    /// How long after they were let in.
    pub(super) held_ns: u64,
    /// The fault that made them late; 0 where none did.
    pub(super) fault: u64,
}

/// How a stream ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// The sender closed: the receiver reads to the end and no further.
    Closed,
    /// The sender, or its machine, gave up: the receiver gets an error.
    Reset,
}

/// Bytes on their way from one socket to the other.
#[derive(Debug, Default)]
pub(super) struct Pipe {
    blocks: VecDeque<Block>,
    marks: VecDeque<Mark>,
    /// Bytes in `blocks`.
    held_bytes: usize,
    /// Those of them that have arrived and are to be written.
    ready_bytes: usize,
    /// The receiver's socket takes nothing now.
    blocked: bool,
    /// When and how it ends, after all bytes.
    end: Option<(u64, End)>,
    /// When the next packet fits the queue of the link; 0 where it does.
    fits_at_ns: u64,
    /// The last read found `held_max` reached.
    full: bool,
    /// A fault adds so much to the time of what is let in: its number, and the nanoseconds.
    added: (u64, u64),
}

/// What a call let in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Intake {
    /// So many bytes.
    Bytes(usize),
    /// The sender has nothing more to give now.
    Empty,
    /// The sender has closed.
    Closed,
    /// Nothing, because the queue of the link, the receiver or the memory is full. `overflow`
    /// where it is the memory, and was not before.
    Held { overflow: bool },
}

impl Pipe {
    /// Lets in what `read` gives, in one call of it. `now` is asked after the call: bytes that
    /// were read at one time entered the link then.
    pub(super) fn receive(
        &mut self,
        link: &mut LinkModel,
        spare: &mut Spare,
        held_max: usize,
        now: impl Fn() -> u64,
        read: impl FnOnce(&mut [u8]) -> io::Result<usize>,
    ) -> io::Result<Intake> {
        self.fits_at_ns = 0;
        let overflow = !self.full;
        self.full = self.held_bytes >= held_max;
        if self.full {
            return Ok(Intake::Held { overflow });
        }
        let room = self.room(link, now());
        if room == 0 || self.ready_bytes >= READY_BYTES_MAX {
            return Ok(Intake::Held { overflow: false });
        }
        if self.blocks.back().is_none_or(|block| block.bytes.len() - block.end < ROOM_BYTES_MIN) {
            self.blocks.push_back(spare.take());
        }
        let block = self.blocks.back_mut().expect("just pushed");
        let room = room.min(block.bytes.len() - block.end);
        match read(&mut block.bytes[block.end..block.end + room]) {
            Ok(0) => Ok(Intake::Closed),
            Ok(bytes) => {
                block.end += bytes;
                self.held_bytes += bytes;
                self.send(link, now(), bytes);
                Ok(Intake::Bytes(bytes))
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(Intake::Empty),
            Err(error) => Err(error),
        }
    }

    /// How many bytes the queue of the link has room for; remembers until when, where it has none.
    fn room(&mut self, link: &LinkModel, now_ns: u64) -> usize {
        if link.only_delays() {
            return BLOCK_BYTES;
        }
        let packets = link.room_packets(now_ns).min((BLOCK_BYTES / SEGMENT_BYTES) as u64) as usize;
        if packets == 0 {
            self.fits_at_ns = link.fits_at_ns(now_ns, SEGMENT_BYTES as u32 + HEADER_BYTES);
        }
        packets * SEGMENT_BYTES
    }

    /// Marks when bytes that enter the link now arrive, cut into segments as TCP would where the
    /// link looks at packets.
    fn send(&mut self, link: &mut LinkModel, now_ns: u64, bytes: usize) {
        let cut = if link.only_delays() { bytes } else { SEGMENT_BYTES };
        let mut left = bytes;
        while left > 0 {
            let segment = left.min(cut);
            left -= segment;
            match link.offer(now_ns, segment.min(SEGMENT_BYTES) as u32 + HEADER_BYTES) {
                Fate::Delivered(delivery) => self.mark(now_ns, delivery.at_ns, segment),
                Fate::Dropped(cause) => {
                    unreachable!("checked to lose nothing, and read no more than fits: {cause:?}")
                }
            }
        }
    }

    fn mark(&mut self, entered_ns: u64, due_ns: u64, bytes: usize) {
        let (fault, added_ns) = self.added;
        // The link may have become a quicker one meanwhile, or a fault have ended: a stream keeps its
        // order.
        let last_ns = self.marks.back().map_or(0, |last| last.due_ns);
        let due_ns = due_ns.saturating_add(added_ns).max(last_ns);
        match self.marks.back_mut() {
            Some(last) if last.due_ns == due_ns && last.fault == fault => last.bytes += bytes,
            _ => self.marks.push_back(Mark { due_ns, bytes, entered_ns, fault }),
        }
    }

    /// From now on a fault adds so much to the time of what is let in; `None` ends that.
    pub(super) fn delay_further(&mut self, added: Option<(u64, u64)>) {
        self.added = added.unwrap_or((0, 0));
    }

    /// The end, where there is one on its way, comes so much later.
    pub(super) fn delay_end(&mut self, added_ns: u64) {
        if let Some((due_ns, _)) = &mut self.end {
            *due_ns = due_ns.saturating_add(added_ns);
        }
    }

    /// Bytes that were let in and not handed on.
    pub(super) fn held_bytes(&self) -> usize {
        self.held_bytes
    }

    /// Hands what has arrived to `write`, until it takes no more. `arrived` is told of each mark, unless
    /// the receiver takes nothing now. Returns the bytes written.
    pub(super) fn release(
        &mut self,
        spare: &mut Spare,
        now_ns: u64,
        mut arrived: impl FnMut(Arrival),
        mut write: impl FnMut(&[u8]) -> io::Result<usize>,
    ) -> io::Result<usize> {
        while let Some(mark) = self.marks.pop_front_if(|mark| mark.due_ns <= now_ns) {
            self.ready_bytes += mark.bytes;
            if !self.blocked {
                arrived(Arrival {
                    late_ns: now_ns - mark.due_ns,
                    held_ns: now_ns.saturating_sub(mark.entered_ns),
                    fault: mark.fault,
                });
            }
        }
        let mut written = 0;
        while self.ready_bytes > 0 && !self.blocked {
            let block = self.blocks.front_mut().expect("bytes that are ready lie in a block");
            let end = block.end.min(block.start + self.ready_bytes);
            match write(&block.bytes[block.start..end]) {
                Ok(bytes) => {
                    written += bytes;
                    self.forward(spare, bytes);
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => self.blocked = true,
                Err(error) => return Err(error),
            }
        }
        Ok(written)
    }

    fn forward(&mut self, spare: &mut Spare, bytes: usize) {
        self.ready_bytes -= bytes;
        self.held_bytes -= bytes;
        let block = self.blocks.front_mut().expect("bytes were written from it");
        block.start += bytes;
        if block.start < block.end {
            return;
        }
        (block.start, block.end) = (0, 0);
        if self.blocks.len() > 1 {
            let block = self.blocks.pop_front().expect("there are two");
            spare.give(block);
        }
    }

    /// Nothing is let in now, whatever fits.
    pub(super) fn stop(&mut self) {
        self.fits_at_ns = 0;
    }

    /// The receiver's socket takes bytes again.
    pub(super) fn unblock(&mut self) {
        self.blocked = false;
    }

    /// The stream ends like this once all bytes have arrived, `due_ns` at the earliest.
    pub(super) fn end(&mut self, due_ns: u64, end: End) {
        let after = self.marks.back().map_or(0, |mark| mark.due_ns);
        self.end = Some((due_ns.max(after), end));
    }

    /// How the stream has ended, where it has just now and the receiver got every byte. A reset does
    /// not wait for a receiver that takes nothing.
    pub(super) fn take_end(&mut self, now_ns: u64) -> Option<End> {
        let over = self.end_ns().is_some_and(|due_ns| due_ns <= now_ns);
        self.end.take_if(|_| over).map(|(_, end)| end)
    }

    /// When the end is due, where nothing has to arrive before it.
    fn end_ns(&self) -> Option<u64> {
        let (due_ns, end) = self.end?;
        (self.held_bytes == 0 || end == End::Reset).then_some(due_ns)
    }

    /// Forgets all bytes: the receiver is gone.
    pub(super) fn discard(&mut self, spare: &mut Spare) {
        self.blocks.drain(..).for_each(|block| spare.give(block));
        self.marks.clear();
        (self.held_bytes, self.ready_bytes) = (0, 0);
    }

    /// When there is something to do next, if no socket says so before.
    pub(super) fn next_ns(&self) -> Option<u64> {
        let arrival = self.marks.front().map(|mark| mark.due_ns).filter(|_| !self.blocked);
        let fits = Some(self.fits_at_ns).filter(|&fits_at_ns| fits_at_ns > 0);
        [arrival, self.end_ns(), fits].into_iter().flatten().min()
    }
}

#[cfg(test)]
mod tests;
