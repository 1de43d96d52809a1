//! Operations that are one call each: `pread`, `pwrite`, a copy out of a mapping.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;

use bench_core::fixture::PooledBuf;

use super::content::Author;
use super::lane::{Kept, buffer_of, buffers};
use super::plan::{Operation, Plan};
use super::{Done, JobCell, Kind, Watch};
use crate::error::Error;
use crate::files::cell::Engine;
use crate::files::reading::failed;
use crate::files::steps::Step;
use crate::source::{MappedFile, read_full};

/// One call after the other.
#[derive(Debug)]
pub(super) struct Calls {
    cell: JobCell,
    author: Author,
    file: Arc<File>,
    /// Where reads do not go to the file itself.
    mapping: Option<MappedFile>,
    buffers: Vec<PooledBuf>,
    last: [Option<Operation>; 2],
}

impl Calls {
    pub(super) fn open(
        cell: &JobCell,
        file: &Arc<File>,
        path: &Path,
        author: Author,
    ) -> Result<Self, Error> {
        let mapping = match cell.engine {
            Engine::Mmap => Some(MappedFile::open(path)?),
            _ => None,
        };
        let buffers = buffers(cell, author)?;
        let file = Arc::clone(file);
        Ok(Self { cell: *cell, author, file, mapping, buffers, last: [None, None] })
    }

    pub(super) fn name(&self) -> &'static str {
        match (&self.mapping, self.cell.reads(), self.cell.writes()) {
            (Some(_), ..) => "mmap",
            (None, true, false) => "pread",
            (None, false, _) => "pwrite",
            (None, true, true) => "pread and pwrite",
        }
    }

    pub(super) fn run<W: Watch>(&mut self, plan: &mut Plan, watch: &mut W) -> Result<(), Error> {
        let mut began = watch.now();
        while !watch.is_over(began)
            && let Some(operation) = plan.next()
        {
            watch.submitted(1, 1);
            let bytes = self.one(operation)?;
            let ended = watch.now();
            watch.reaped(1);
            watch.ended(Done { kind: operation.kind, bytes, began, queued: began, ended });
            began = ended;
        }
        Ok(())
    }

    fn one(&mut self, operation: Operation) -> Result<usize, Error> {
        let Operation { kind, offset, length } = operation;
        let buffer = &mut self.buffers[buffer_of(&self.cell, 0, kind)];
        let step = Step { offset, length };
        match kind {
            Kind::Read => {
                buffer.clear();
                let read = match &self.mapping {
                    Some(mapping) => read_full(mapping, offset, length, buffer),
                    None => buffer.read_full_at(&self.file, offset, length),
                };
                let read = read.map_err(|error| failed(step, error))?;
                if read < length {
                    let (end, missing) = (offset + read as u64, (length - read) as u64);
                    return Err(Error::Ended { end, missing });
                }
            }
            Kind::Write => {
                self.author.mark(buffer.filled_mut(), offset);
                let written = self.file.write_all_at(buffer, offset);
                written.map_err(|error| failed(step, error))?;
            }
            Kind::Sync => {
                let data = self.cell.sync_data;
                let synced = if data { self.file.sync_data() } else { self.file.sync_all() };
                synced.map_err(Error::Sync)?;
                return Ok(0);
            }
        }
        self.last[usize::from(kind == Kind::Write)] = Some(operation);
        Ok(length)
    }

    pub(super) fn kept(&self) -> impl Iterator<Item = Kept<'_>> {
        self.last.iter().flatten().map(|&operation| {
            let block = &self.buffers[buffer_of(&self.cell, 0, operation.kind)];
            Kept { operation, block }
        })
    }
}
