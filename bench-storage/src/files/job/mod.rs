//! Jobs as fio has them: one thread (a lane) reads, writes or mixes both, block by block, for as
//! much as the file has or as long as somebody lets it.
//!
//! The workloads beside this measure one pass; a lane tells of every operation, to a [`Watch`], which
//! has the clock: when it was begun, when it stood in the queue, when it had ended.
//!
//! - [`JobCell`]: what a lane does; [`plan`]: which operation comes next.
//! - [`Lane`]: does it; by calls, by a ring, or by tokio.
//! - [`content`]: what is written, and how it is told from what anybody else wrote.

mod calls;
pub mod content;
mod lane;
pub mod plan;
mod ring;
mod tokio;

use bench_core::units::ByteSize;

pub use self::lane::Lane;

use super::cell::{DEPTH_MOST, Engine, Pattern};
use crate::error::Error;

/// The smallest block: what is written carries a mark, and no disk takes less at once.
pub const BLOCK_LEAST: ByteSize = ByteSize::new(512);

/// What a lane does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct JobCell {
    /// By which interface.
    pub engine: Engine,
    /// Past the page cache.
    pub direct: bool,
    /// In which order.
    pub pattern: Pattern,
    /// How many of a hundred operations are reads: 100 only reads, 0 only writes.
    pub read_percent: u8,
    /// What one operation moves.
    pub block: ByteSize,
    /// Operations under way at once; an engine that makes calls has one, whatever stands here.
    pub depth: u32,
    /// The part of the file, from its start, that is touched, and how much one pass moves.
    pub size: ByteSize,
    /// Passes; `None` goes on until the watch says that it is over.
    pub passes: Option<u32>,
    /// A sync after every so many writes; 0 does without.
    pub sync_every: u32,
    /// That sync is an `fdatasync`: of the content, and of what it takes to find it.
    pub sync_data: bool,
    /// An `fsync` after the last write, inside the time.
    pub sync_at_end: bool,
}

impl JobCell {
    /// Whether there are reads.
    pub const fn reads(&self) -> bool {
        self.read_percent > 0
    }

    /// Whether there are writes.
    pub const fn writes(&self) -> bool {
        self.read_percent < 100
    }

    /// Operations that are really under way at once.
    pub const fn depth(&self) -> u32 {
        depth_of(self.engine, self.depth)
    }

    /// Whether anything could do it.
    ///
    /// # Errors
    /// What could not be done, and what to do instead.
    pub fn check(&self) -> Result<(), Error> {
        let Self { engine, block, size, depth, .. } = *self;
        let refused = |why: String| Err(Error::InvalidJob(why));
        if block < BLOCK_LEAST {
            return refused(format!(
                "a block of {block} is too small; choose {BLOCK_LEAST} or more"
            ));
        }
        if block > size {
            return refused(format!(
                "a block of {block} does not fit a file of {size}; choose a smaller block"
            ));
        }
        if !(1..=DEPTH_MOST).contains(&depth) {
            return refused(format!("a queue depth of {depth} is none; choose 1 to {DEPTH_MOST}"));
        }
        if self.read_percent > 100 {
            return refused(format!("{} of a hundred cannot be reads", self.read_percent));
        }
        if self.passes == Some(0) {
            return refused("no pass at all moves nothing; choose at least 1".to_owned());
        }
        match (engine, self.direct) {
            (Engine::Mmap, _) if self.writes() => Err(Error::NeverWrites),
            (Engine::Mmap, true) => Err(Error::NeverDirect { engine: "mmap" }),
            (Engine::Tokio, true) => Err(Error::NeverDirect { engine: "tokio" }),
            _ => Ok(()),
        }
    }
}

/// How many operations are really under way at once where so many are asked for.
pub const fn depth_of(engine: Engine, asked: u32) -> u32 {
    match engine {
        Engine::Psync | Engine::Mmap => 1,
        Engine::IoUring | Engine::Tokio => asked,
    }
}

/// What an operation does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Reads a block.
    Read,
    /// Writes one.
    Write,
    /// Has the disk take what was written.
    Sync,
}

/// An operation that has ended well. Times are the watch's own, in nanoseconds.
#[derive(Clone, Copy, Debug)]
pub struct Done {
    /// What it did.
    pub kind: Kind,
    /// How many bytes it moved.
    pub bytes: usize,
    /// When the lane began with it.
    pub began: u64,
    /// When the call (`io_uring_enter`) that handed it to the kernel was over, as fio has it. Where that
    /// call hands over several and waits for an end, too: when it stood in the queue, before the call. The
    /// same as `began` where a call both begins and ends it.
    pub queued: u64,
    /// When the lane saw its end.
    pub ended: u64,
}

/// Who has the clock and keeps the book. Called between operations, and so inside the time.
pub trait Watch {
    /// Nanoseconds of a clock that never goes back.
    fn now(&mut self) -> u64;

    /// Whether no further operation is to be begun.
    fn is_over(&self, now: u64) -> bool;

    /// So many stand in the queue and are handed over by one call; with them `in_flight` are under way.
    fn submitted(&mut self, operations: usize, in_flight: usize);

    /// So many were seen to have ended at once.
    fn reaped(&mut self, operations: usize);

    /// One of those.
    fn ended(&mut self, done: Done);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn jobs_that_nothing_could_do_are_refused_in_one_sentence() {
        let sound = JobCell {
            engine: Engine::Psync,
            direct: false,
            pattern: Pattern::Random,
            read_percent: 50,
            block: ByteSize::kib(4),
            depth: 1,
            size: ByteSize::mib(1),
            passes: Some(1),
            sync_every: 0,
            sync_data: false,
            sync_at_end: false,
        };
        sound.check().expect("sound");
        let (mmap, tokio) = (Engine::Mmap, Engine::Tokio);
        for (cell, told) in [
            (JobCell { block: ByteSize::new(511), ..sound }, "a block of 511B is too small"),
            (JobCell { block: ByteSize::mib(2), ..sound }, "does not fit a file of 1MiB"),
            (JobCell { depth: 0, ..sound }, "a queue depth of 0 is none"),
            (JobCell { depth: 257, ..sound }, "choose 1 to 256"),
            (JobCell { read_percent: 101, ..sound }, "101 of a hundred"),
            (JobCell { passes: Some(0), ..sound }, "no pass at all"),
            (JobCell { engine: mmap, ..sound }, "the engine mmap only reads"),
            (JobCell { engine: mmap, read_percent: 100, direct: true, ..sound }, "mmap cannot go"),
            (JobCell { engine: tokio, direct: true, ..sound }, "tokio cannot go past"),
        ] {
            let error = cell.check().expect_err(told).to_string();
            assert!(error.contains(told), "{error}");
        }
    }
}
