//! `tokio::fs`, as its documentation has one use it: a competitor. One thread drives the tasks, the
//! runtime's pool makes the calls, and what is read is copied through a buffer of its own.

use std::cell::{Cell, RefCell};
use std::fmt;
use std::path::Path;

use bench_core::fixture::PooledBuf;
use tokio::fs::{File, OpenOptions};
use tokio::io::{AsyncReadExt, AsyncSeekExt, AsyncWriteExt, SeekFrom};
use tokio::runtime::{Builder, Runtime};

use super::content::Author;
use super::lane::{Kept, buffers};
use super::plan::{Operation, Plan};
use super::{Done, JobCell, Kind, Watch};
use crate::error::Error;
use crate::files::reading::failed;
use crate::files::steps::Step;

/// As many tasks as the queue is deep, each with a file of its own: one has one position.
pub(super) struct Tasks {
    runtime: Runtime,
    tasks: Vec<Task>,
}

struct Task {
    author: Author,
    file: File,
    sync_data: bool,
    /// To read, and to write; the same where a lane does one of the two.
    buffers: Vec<PooledBuf>,
    last: Option<Operation>,
}

impl Tasks {
    pub(super) fn open(cell: &JobCell, path: &Path, author: Author) -> Result<Self, Error> {
        let runtime = Builder::new_current_thread().build().map_err(Error::Threads)?;
        let one = JobCell { depth: 1, ..*cell };
        let open = || {
            let mut options = OpenOptions::new();
            let file = runtime.block_on(options.read(true).write(cell.writes()).open(path));
            let file = file.map_err(Error::io("open", path))?;
            let buffers = buffers(&one, author)?;
            Ok(Task { author, file, sync_data: cell.sync_data, buffers, last: None })
        };
        let tasks = (0..cell.depth()).map(|_| open()).collect::<Result<_, Error>>()?;
        Ok(Self { runtime, tasks })
    }

    pub(super) fn run<W: Watch>(&mut self, plan: &mut Plan, watch: &mut W) -> Result<(), Error> {
        let (plan, watch, in_flight) = (RefCell::new(plan), RefCell::new(watch), Cell::new(0));
        // Nothing is borrowed across an await.
        let work = async |task: &mut Task| {
            loop {
                let began = watch.borrow_mut().now();
                if watch.borrow().is_over(began) {
                    return Ok(());
                }
                let Some(operation) = plan.borrow_mut().next() else { return Ok(()) };
                in_flight.set(in_flight.get() + 1);
                watch.borrow_mut().submitted(1, in_flight.get());
                let bytes = task.one(operation).await;
                in_flight.set(in_flight.get() - 1);
                let mut watch = watch.borrow_mut();
                watch.reaped(1);
                let (bytes, ended) = (bytes?, watch.now());
                watch.ended(Done { kind: operation.kind, bytes, began, queued: began, ended });
            }
        };
        let tasks = self.tasks.iter_mut().map(work);
        let all = self.runtime.block_on(futures_util::future::join_all(tasks));
        all.into_iter().collect()
    }

    pub(super) fn kept(&self) -> impl Iterator<Item = Kept<'_>> {
        self.tasks.iter().filter_map(|task| {
            let operation = task.last?;
            Some(Kept { operation, block: &task.buffers[task.buffer(operation.kind)] })
        })
    }
}

impl Task {
    fn buffer(&self, kind: Kind) -> usize {
        if kind == Kind::Write { self.buffers.len() - 1 } else { 0 }
    }

    async fn one(&mut self, operation: Operation) -> Result<usize, Error> {
        let Operation { kind, offset, length } = operation;
        let number = self.buffer(kind);
        let Self { author, file, buffers, .. } = self;
        let buffer = buffers[number].filled_mut();
        let at = SeekFrom::Start(offset);
        match kind {
            Kind::Read => {
                let read = async {
                    file.seek(at).await?;
                    file.read_exact(buffer).await
                };
                read.await.map_err(|error| failed(Step { offset, length }, error))?;
            }
            Kind::Write => {
                author.mark(buffer, offset);
                let write = async {
                    file.seek(at).await?;
                    file.write_all(buffer).await?;
                    // Otherwise the write may still be on its way in the pool.
                    file.flush().await
                };
                write.await.map_err(|error| failed(Step { offset, length }, error))?;
            }
            Kind::Sync => {
                let synced = match self.sync_data {
                    true => file.sync_data().await,
                    false => file.sync_all().await,
                };
                synced.map_err(Error::Sync)?;
                return Ok(0);
            }
        }
        self.last = Some(operation);
        Ok(length)
    }
}

impl fmt::Debug for Tasks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Tasks({})", self.tasks.len())
    }
}
