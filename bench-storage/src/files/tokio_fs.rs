//! `tokio::fs`, as the documentation has one use it: a competitor, not a base. One thread drives
//! the tasks, the runtime's pool does the calls, and what is read is copied through a buffer of its
//! own.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bench_core::fixture::PooledBytes;
use tokio::fs::{File, OpenOptions};
use tokio::io::{AsyncReadExt, AsyncSeekExt, AsyncWriteExt, SeekFrom};
use tokio::runtime::{Builder, Runtime};

use super::Share;
use super::cell::SyncPolicy;
use super::reading::{Pass, failed};
use super::steps::Step;
use crate::error::Error;

/// One file, open as often as there are tasks: a `tokio::fs::File` has one position.
pub(super) struct TokioFile {
    runtime: Runtime,
    files: Vec<File>,
    path: PathBuf,
}

impl TokioFile {
    pub(super) fn open(path: &Path, tasks: u32) -> Result<Self, Error> {
        let runtime = Builder::new_current_thread().build().map_err(Error::Threads)?;
        let open = || runtime.block_on(OpenOptions::new().read(true).write(true).open(path));
        let files: Result<Vec<_>, _> = (0..tasks).map(|_| open()).collect();
        let files = files.map_err(Error::io("open", path))?;
        Ok(Self { runtime, files, path: path.to_owned() })
    }

    pub(super) fn read(&mut self, pass: &Pass) -> Result<Share, Error> {
        let next = AtomicUsize::new(0);
        let read = async |file: &mut File| {
            let mut share = Share::default();
            let mut buffer = pass.buffer()?;
            let mut last = None;
            while let Some(&step) = pass.steps.get(next.fetch_add(1, Ordering::Relaxed)) {
                // Zeroed the first time only: `read_exact` takes no uninitialised memory.
                buffer.resize_zeroed(step.length);
                let read = async {
                    file.seek(SeekFrom::Start(step.offset)).await?;
                    file.read_exact(buffer.filled_mut()).await
                };
                read.await.map_err(|error| failed(step, error))?;
                pass.account(&mut share, step, &buffer)?;
                last = Some(step);
            }
            share.last.extend(last.map(|step| (step, buffer)));
            Ok::<_, Error>(share)
        };
        let tasks = self.files.iter_mut().map(read);
        let shares = self.runtime.block_on(futures_util::future::join_all(tasks));
        Ok(Share::sum(shares.into_iter().collect::<Result<_, _>>()?))
    }

    pub(super) fn write(
        &mut self,
        steps: &Arc<[Step]>,
        content: &PooledBytes,
        sync: SyncPolicy,
    ) -> Result<Share, Error> {
        let next = AtomicUsize::new(0);
        let write = async |file: &mut File| {
            let mut share = Share::default();
            while let Some(&step) = steps.get(next.fetch_add(1, Ordering::Relaxed)) {
                let start = usize::try_from(step.offset).expect("content in memory");
                let write = async {
                    file.seek(SeekFrom::Start(step.offset)).await?;
                    file.write_all(&content[start..start + step.length]).await?;
                    // Otherwise the write may still be on its way in the pool.
                    file.flush().await?;
                    match sync {
                        SyncPolicy::EachWrite => file.sync_data().await,
                        SyncPolicy::Never | SyncPolicy::AtEnd => Ok(()),
                    }
                };
                write.await.map_err(|error| failed(step, error))?;
                share.bytes += step.length as u64;
                share.steps += 1;
            }
            Ok::<_, Error>(share)
        };
        let tasks = self.files.iter_mut().map(write);
        let shares = self.runtime.block_on(futures_util::future::join_all(tasks));
        let share = Share::sum(shares.into_iter().collect::<Result<_, _>>()?);
        if sync == SyncPolicy::AtEnd {
            let synced = self.runtime.block_on(self.files[0].sync_data());
            synced.map_err(Error::io("sync", &self.path))?;
        }
        Ok(share)
    }
}

impl fmt::Debug for TokioFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TokioFile({}, {} tasks)", self.path.display(), self.files.len())
    }
}
