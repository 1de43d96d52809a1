//! The engines that read.

use std::fs::File;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bench_core::fixture::{BufferPool, Payload, PooledBuf};
use bench_core::units::ByteSize;

use super::Share;
use super::cell::Engine;
use super::steps::Step;
use super::team::{Task, Team};
use super::tokio_fs::TokioFile;
use crate::error::Error;
use crate::source::{BufferedFile, DirectFile, MappedFile, Ring, Source, open_direct, read_full};

/// Something that reads blocks of one file, `depth` at a time.
#[derive(Debug)]
pub(super) enum Reading {
    Threads { team: Team, source: Arc<dyn Source> },
    Ring { ring: Box<Ring>, file: Arc<File>, direct: bool, depth: u32 },
    Tokio(TokioFile),
}

/// What is read: the steps of one pass, and what every block is compared with, if it is.
#[derive(Clone, Debug)]
pub(super) struct Pass {
    pub(super) steps: Arc<[Step]>,
    pub(super) pool: BufferPool,
    pub(super) verify: Option<Payload>,
}

impl Pass {
    /// A block has come.
    pub(super) fn account(
        &self,
        share: &mut Share,
        step: Step,
        block: &PooledBuf,
    ) -> Result<(), Error> {
        if block.len() < step.length {
            let end = step.offset + block.len() as u64;
            let missing = (step.length - block.len()) as u64;
            return Err(Error::Ended { end, missing });
        }
        if let Some(payload) = &self.verify {
            payload.verify(step.offset, block).map_err(Error::Content)?;
        }
        share.bytes += block.len() as u64;
        share.steps += 1;
        Ok(())
    }

    pub(super) fn buffer(&self) -> Result<PooledBuf, Error> {
        let most = self.steps.iter().map(|step| step.length).max().unwrap_or_default();
        Ok(self.pool.try_acquire(ByteSize::new(most as u64))?)
    }
}

/// A step that could not be done.
pub(super) fn failed(step: Step, source: io::Error) -> Error {
    Error::Block { offset: step.offset, length: step.length, source }
}

impl Reading {
    /// # Errors
    /// Where the engine, or direct I/O with it, is not to be had.
    pub(super) fn open(
        engine: Engine,
        direct: bool,
        path: &Path,
        depth: u32,
    ) -> Result<Self, Error> {
        let source: Arc<dyn Source> = match (engine, direct) {
            (Engine::Psync, false) => Arc::new(BufferedFile::open(path)?),
            (Engine::Psync, true) => Arc::new(DirectFile::open(path)?),
            (Engine::Mmap, false) => Arc::new(MappedFile::open(path)?),
            (Engine::IoUring, _) => {
                let file = match direct {
                    true => open_direct(path, File::options().read(true))?.0,
                    false => File::open(path).map_err(Error::io("open", path))?,
                };
                let ring = Box::new(Ring::new(depth)?);
                return Ok(Self::Ring { ring, file: Arc::new(file), direct, depth });
            }
            (Engine::Tokio, false) => return TokioFile::open(path, depth).map(Self::Tokio),
            (Engine::Mmap, true) => return Err(Error::NeverDirect { engine: "mmap" }),
            (Engine::Tokio, true) => return Err(Error::NeverDirect { engine: "tokio" }),
        };
        Ok(Self::Threads { team: Team::of(depth)?, source })
    }

    /// What really reads.
    pub(super) fn backend(&self) -> String {
        match self {
            Self::Threads { source, .. } => source.backend(),
            Self::Ring { direct: true, .. } => "io_uring O_DIRECT".to_owned(),
            Self::Ring { .. } => "io_uring".to_owned(),
            Self::Tokio(_) => "tokio::fs".to_owned(),
        }
    }

    /// Where it reads, where that is fixed.
    pub(super) fn cpus(&self) -> Option<(&'static str, String)> {
        match self {
            Self::Threads { team, .. } => team.cpus(),
            Self::Ring { .. } | Self::Tokio(_) => None,
        }
    }

    /// Reads every block once.
    pub(super) fn run(&mut self, pass: &Pass) -> Result<Share, Error> {
        match self {
            Self::Threads { team, source } => run_threads(team, source, pass),
            Self::Ring { ring, file, depth, .. } => {
                // After a failure others are still under way, with tags of a pass that is over.
                ring.alone(|ring| run_ring(ring, file, *depth, pass))
            }
            Self::Tokio(tokio) => tokio.read(pass),
        }
    }
}

/// Every member takes the next block that nobody has taken.
fn run_threads(team: &Team, source: &Arc<dyn Source>, pass: &Pass) -> Result<Share, Error> {
    let (pass, source, next) = (pass.clone(), Arc::clone(source), AtomicUsize::new(0));
    let task: Task = Arc::new(move |_member| {
        let mut share = Share::default();
        let mut buffer = pass.buffer()?;
        let mut last = None;
        while let Some(&step) = pass.steps.get(next.fetch_add(1, Ordering::Relaxed)) {
            buffer.clear();
            read_full(&*source, step.offset, step.length, &mut buffer)
                .map_err(|error| failed(step, error))?;
            pass.account(&mut share, step, &buffer)?;
            last = Some(step);
        }
        share.last.extend(last.map(|step| (step, buffer)));
        Ok(share)
    });
    Ok(Share::sum(team.run(&task)?))
}

/// Keeps the queue full.
fn run_ring(ring: &mut Ring, file: &Arc<File>, depth: u32, pass: &Pass) -> Result<Share, Error> {
    let mut share = Share::default();
    let mut idle = Vec::new();
    let mut next = 0;
    loop {
        while ring.has_room()
            && let Some(step) = pass.steps.get(next)
        {
            let mut buffer = match idle.pop() {
                Some((_, buffer)) => buffer,
                None => pass.buffer()?,
            };
            buffer.clear();
            ring.read(next as u64, file, step.offset, step.length, buffer);
            next += 1;
        }
        let Some(done) = ring.complete().map_err(Error::Ring)? else { break };
        let step = pass.steps[usize::try_from(done.tag).expect("a step's number")];
        let buffer = done.buffer.expect("a read has a buffer");
        done.result.map_err(|error| failed(step, error))?;
        pass.account(&mut share, step, &buffer)?;
        idle.push((step, buffer));
    }
    debug_assert!(idle.len() <= depth as usize, "a buffer for each place in the queue");
    share.last = idle;
    Ok(share)
}
