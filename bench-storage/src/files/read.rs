//! Reads of one file in a state.

use std::sync::Arc;

use bench_core::units::ByteSize;
use bench_core::workload::{Failure, Workload};

use super::cell::ReadCell;
use super::reading::{Pass, Reading};
use super::steps::steps;
use super::{OneFile, SEED, Share, check_amount, check_cell, pool_for};
use crate::cache_state::{CacheState, Cold, Direct, Reached, Warm};
use crate::error::Error;
use crate::source::open_direct;

/// A state that reads can meet, by the name of the workload.
pub trait ReadState: CacheState {
    /// `room/workload`.
    const NAME: &'static str;
}

impl ReadState for Cold {
    const NAME: &'static str = "files/read_cold";
}

impl ReadState for Warm {
    const NAME: &'static str = "files/read_warm";
}

impl ReadState for Direct {
    const NAME: &'static str = "files/read_direct";
}

/// Reads as many bytes as a file has, in blocks:
/// `files/read_cold/psync/sequential/bs64KiB/qd1/16MiB`.
#[derive(Debug)]
pub struct FileRead<S> {
    cell: ReadCell,
    on_disk: OneFile,
    /// None only while the file is brought into its state.
    reading: Option<Reading>,
    pass: Pass,
    reached: Reached<S>,
    outcome: Option<Result<Share, Error>>,
}

impl<S: ReadState> Workload for FileRead<S> {
    const NAME: &'static str = S::NAME;
    const ISOLATED: bool = S::SPENT_BY_READING;
    type Parameter = ReadCell;

    fn set_up(cell: &ReadCell) -> Result<Self, Failure> {
        let on_disk = OneFile::create(cell.size)?;
        let cached = on_disk.file.cached();
        let direct = match S::DIRECT {
            true => Some(open_direct(cached.path(), std::fs::File::options().read(true))?.1),
            false => None,
        };
        check_cell(cell.block, cell.size, direct)?;
        let mut reading = Reading::open(cell.engine, S::DIRECT, cached.path(), cell.depth)?;
        let pass = Pass {
            steps: steps(cell.pattern, cell.size, cell.block, SEED).into(),
            pool: pool_for(cell.block, cell.depth)?,
            verify: None,
        };
        // Once with every block verified, by the engine itself and outside the clock.
        let verify = Some(*on_disk.file.payload());
        let share = reading.run(&Pass { verify, ..pass.clone() })?;
        check_amount(&share, &pass.steps)?;
        drop(share);
        // Dropped here where it would keep pages mapped.
        let reading = (!S::SPENT_BY_READING).then_some(reading);
        let reached = cached.reach::<S>()?;
        let mut this = Self { cell: *cell, on_disk, reading, pass, reached, outcome: None };
        this.prepare()?;
        Ok(this)
    }

    fn bytes(&self) -> Option<ByteSize> {
        Some(ByteSize::new(self.pass.steps.iter().map(|step| step.length as u64).sum()))
    }

    fn prepare(&mut self) -> Result<(), Failure> {
        self.outcome = None;
        if S::SPENT_BY_READING {
            // Pages that are mapped cannot be evicted.
            self.reading = None;
        }
        let cached = self.on_disk.file.cached();
        self.reached = cached.reach::<S>()?;
        if self.reading.is_none() {
            let ReadCell { engine, depth, .. } = self.cell;
            self.reading = Some(Reading::open(engine, S::DIRECT, cached.path(), depth)?);
            // To open a file reads none of it, and a cold one stays cold.
            self.reached.held_before(cached)?;
        }
        Ok(())
    }

    fn run(&mut self) {
        // A failure is kept: the operations after it in a batch prove nothing.
        if !matches!(self.outcome, Some(Err(_))) {
            // The buffers of the last pass first: the pool has no more than the queue needs.
            self.outcome = None;
            self.outcome = self.reading.as_mut().map(|reading| reading.run(&self.pass));
        }
    }

    fn check(&mut self) -> Result<(), Failure> {
        let share = self.outcome.take().ok_or("nothing was read")??;
        check_amount(&share, &self.pass.steps)?;
        let held = self.reached.held(self.on_disk.file.cached());
        if share.last.is_empty() {
            return Err("no block was kept to verify".into());
        }
        for (step, block) in &share.last {
            self.on_disk.file.payload().verify(step.offset, block)?;
        }
        Ok(held?)
    }

    fn is_disturbed(failure: &Failure) -> bool {
        Error::is_state_lost(failure)
    }

    fn dimensions(&self) -> Vec<(&'static str, String)> {
        let ReadCell { pattern, block, depth, .. } = self.cell;
        let mut dimensions = vec![
            ("backend", self.reading.as_ref().map(Reading::backend).unwrap_or_default()),
            ("pattern", pattern.to_string()),
            ("block_size", block.to_string()),
            ("queue_depth", depth.to_string()),
        ];
        dimensions.extend(self.reading.as_ref().and_then(Reading::cpus));
        dimensions.extend(self.reached.dimensions());
        dimensions.extend(self.on_disk.dimensions());
        dimensions
    }
}

impl<S> FileRead<S> {
    /// The file, for tests that damage it.
    pub fn file(&self) -> &crate::file::ScratchFile {
        &self.on_disk.file
    }

    /// The steps of one pass.
    pub fn steps(&self) -> &Arc<[super::steps::Step]> {
        &self.pass.steps
    }
}
