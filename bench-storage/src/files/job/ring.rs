//! Operations that are under way at once on one thread, by io_uring: what has ended is taken in one
//! go, its places are filled again, and one call hands that over and waits for the next end. Where the
//! disk would stand still meanwhile, each is handed over by a call of its own before that.

use std::fs::File;
use std::sync::Arc;

use bench_core::units::ByteSize;
use bench_core::workload::Failure;

use super::content::Author;
use super::lane::{Kept, buffer_of, buffers};
use super::plan::{Operation, Plan};
use super::{Done, JobCell, Kind, Watch};
use crate::error::Error;
use crate::files::cell::Pattern;
use crate::files::reading::failed;
use crate::files::steps::Step;
use crate::source::{Ended, FixedRing};

/// A ring and what is under way in it.
#[derive(Debug)]
pub(super) struct Queue {
    cell: JobCell,
    at_once: bool,
    author: Author,
    file: Arc<File>,
    ring: FixedRing,
    /// What each place in the queue does, or did last.
    places: Vec<Option<Place>>,
    /// What was read into or written from the buffer of each place last: a sync leaves it there.
    last: Vec<Option<Operation>>,
    free: Vec<usize>,
    /// Places that were filled and not told of yet.
    filled: Vec<usize>,
    /// Kept for its room.
    ended: Vec<Ended>,
}

#[derive(Clone, Copy, Debug)]
struct Place {
    operation: Operation,
    /// Bytes that have been moved: the kernel may do less than it was asked for.
    moved: usize,
    began: u64,
    queued: u64,
}

/// From this size on little is gained where the kernel makes one request of several blocks.
const UNMERGED_MIN: ByteSize = ByteSize::kib(64);

/// Whether each operation goes to the kernel by a call of its own, as soon as it stands in the queue.
///
/// Those that come by one call come later, and the disk stands still meanwhile: 16 random reads of 4 KiB
/// under way moved 0.78 of what fio's did, and 1.01 by a call each; reads of 64 KiB in order 0.86 and
/// 0.96 of fio's with registered buffers. Small blocks in order are worth the wait, since the kernel
/// makes one request of them (1.3 of fio's, 0.96 by a call each). The page cache does not wait.
fn at_once(cell: &JobCell) -> bool {
    cell.direct && (cell.pattern == Pattern::Random || cell.block >= UNMERGED_MIN)
}

impl Queue {
    pub(super) fn open(cell: &JobCell, file: &Arc<File>, author: Author) -> Result<Self, Error> {
        let depth = cell.depth() as usize;
        let ring = FixedRing::new(Arc::clone(file), buffers(cell, author)?)?;
        Ok(Self {
            cell: *cell,
            at_once: at_once(cell),
            author,
            file: Arc::clone(file),
            ring,
            places: vec![None; depth],
            last: vec![None; depth],
            free: (0..depth).rev().collect(),
            filled: Vec::with_capacity(depth),
            ended: Vec::with_capacity(depth),
        })
    }

    pub(super) fn name(&self) -> &'static str {
        match self.ring.is_registered() {
            true => "io_uring, registered buffers",
            false => "io_uring",
        }
    }

    pub(super) fn run<W: Watch>(&mut self, plan: &mut Plan, watch: &mut W) -> Result<(), Error> {
        let mut now = watch.now();
        loop {
            if !watch.is_over(now) {
                self.fill(plan, now, watch)?;
            }
            if self.free.len() == self.places.len() {
                return Ok(());
            }
            let mut ended = std::mem::take(&mut self.ended);
            self.ring.wait(&mut ended).map_err(Error::Ring)?;
            now = watch.now();
            watch.reaped(ended.len());
            for one in ended.drain(..) {
                self.end(one, now, watch)?;
            }
            self.ended = ended;
        }
    }

    /// Begins as much as there is room for.
    fn fill<W: Watch>(
        &mut self,
        plan: &mut Plan,
        mut began: u64,
        watch: &mut W,
    ) -> Result<(), Error> {
        while let Some(&place) = self.free.last()
            && let Some(operation) = plan.next()
        {
            self.free.pop();
            self.places[place] = Some(Place { operation, moved: 0, began, queued: 0 });
            self.begin(place);
            self.filled.push(place);
            if self.at_once {
                self.ring.hand_over().map_err(Error::Ring)?;
                began = watch.now();
                self.tell(began, watch);
                if watch.is_over(began) {
                    break;
                }
            }
        }
        if !self.filled.is_empty() {
            self.tell(watch.now(), watch);
        }
        Ok(())
    }

    /// Tells of those that were handed over, or stand in the queue and go to the kernel by the next call.
    fn tell<W: Watch>(&mut self, queued: u64, watch: &mut W) {
        watch.submitted(self.filled.len(), self.places.len() - self.free.len());
        for place in self.filled.drain(..) {
            self.places[place].as_mut().expect("it was just filled").queued = queued;
        }
    }

    /// Queues what a place still has to do.
    fn begin(&mut self, place: usize) {
        let Place { operation: Operation { kind, offset, length }, moved, .. } =
            self.places[place].expect("it was just filled");
        let buffer = buffer_of(&self.cell, place, kind);
        let at = offset + moved as u64;
        match kind {
            Kind::Read => self.ring.read(buffer, moved..length, at),
            Kind::Write => {
                if moved == 0 {
                    self.author.mark(self.ring.buffer(buffer), offset);
                }
                self.ring.write(buffer, moved..length, at);
            }
            Kind::Sync => self.ring.sync(buffer, self.cell.sync_data),
        }
    }

    fn end<W: Watch>(&mut self, ended: Ended, now: u64, watch: &mut W) -> Result<(), Error> {
        let number = ended.buffer % self.places.len();
        let place = self.places[number].as_mut().expect("it was under way");
        let Operation { kind, offset, length } = place.operation;
        let moved = ended.result.map_err(|error| match kind {
            Kind::Sync => Error::Sync(error),
            Kind::Read | Kind::Write => failed(Step { offset, length }, error),
        })?;
        place.moved += moved;
        let missing = length - place.moved;
        if missing > 0 {
            // Direct I/O stops in the middle of a block only at the end of the file.
            return match (kind, moved) {
                (Kind::Read, moved) if moved == 0 || self.cell.direct => {
                    // Blocks end in any order, and this one may lie whole behind the end.
                    let end = self.file.metadata().map_or(u64::MAX, |file| file.len());
                    let end = end.min(offset + place.moved as u64);
                    Err(Error::Ended { end, missing: offset + length as u64 - end })
                }
                (Kind::Write, 0) => {
                    Err(failed(Step { offset, length }, std::io::ErrorKind::WriteZero.into()))
                }
                _ => {
                    self.begin(number);
                    Ok(())
                }
            };
        }
        let Place { operation, began, queued, .. } = *place;
        self.free.push(number);
        if kind != Kind::Sync {
            self.last[number] = Some(operation);
        }
        watch.ended(Done { kind, bytes: length, began, queued, ended: now });
        Ok(())
    }

    pub(super) fn each_kept(
        &mut self,
        look: &mut impl FnMut(Kept<'_>) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        for (number, last) in self.last.iter().enumerate() {
            let Some(operation) = *last else { continue };
            let block = self.ring.buffer(buffer_of(&self.cell, number, operation.kind));
            look(Kept { operation, block: &block[..operation.length] })?;
        }
        Ok(())
    }
}
