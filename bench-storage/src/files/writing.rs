//! The engines that write.

use std::fs::{File, OpenOptions};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bench_core::fixture::PooledBytes;

use super::Share;
use super::cell::{Engine, SyncPolicy};
use super::reading::failed;
use super::steps::Step;
use super::team::{Task, Team};
use super::tokio_fs::TokioFile;
use crate::error::Error;
use crate::source::{Ring, open_direct};

/// In the tag of a ring's operation: a sync, and not the write of that number.
const SYNC: u64 = 1 << 63;

/// Something that writes blocks of one file, `depth` at a time.
#[derive(Debug)]
pub(super) struct Writing {
    way: Way,
    path: PathBuf,
    direct: bool,
}

#[derive(Debug)]
enum Way {
    Threads { team: Team, file: Arc<File> },
    Ring { ring: Box<Ring>, file: Arc<File> },
    Tokio(TokioFile),
}

impl Writing {
    /// # Errors
    /// Where the engine, or direct I/O with it, is not to be had.
    pub(super) fn open(
        engine: Engine,
        direct: bool,
        path: &Path,
        depth: u32,
    ) -> Result<Self, Error> {
        let open = || {
            let mut options = OpenOptions::new();
            options.write(true);
            let file = match direct {
                true => open_direct(path, &mut options)?.0,
                false => options.open(path).map_err(Error::io("open", path))?,
            };
            Ok::<_, Error>(Arc::new(file))
        };
        let way = match (engine, direct) {
            (Engine::Psync, _) => Way::Threads { team: Team::of(depth)?, file: open()? },
            (Engine::IoUring, _) => Way::Ring { ring: Box::new(Ring::new(depth)?), file: open()? },
            (Engine::Tokio, false) => Way::Tokio(TokioFile::open(path, depth)?),
            (Engine::Tokio, true) => return Err(Error::NeverDirect { engine: "tokio" }),
            (Engine::Mmap, _) => return Err(Error::NeverWrites),
        };
        Ok(Self { way, path: path.to_owned(), direct })
    }

    /// What really writes.
    pub(super) fn backend(&self) -> String {
        let name = match self.way {
            Way::Threads { .. } => "pwrite",
            Way::Ring { .. } => "io_uring",
            Way::Tokio(_) => "tokio::fs",
        };
        format!("{name}{}", if self.direct { " O_DIRECT" } else { "" })
    }

    /// Where it writes, where that is fixed.
    pub(super) fn cpus(&self) -> Option<(&'static str, String)> {
        match &self.way {
            Way::Threads { team, .. } => team.cpus(),
            Way::Ring { .. } | Way::Tokio(_) => None,
        }
    }

    /// Writes every block once, and syncs as the policy says.
    pub(super) fn run(
        &mut self,
        steps: &Arc<[Step]>,
        content: &PooledBytes,
        sync: SyncPolicy,
    ) -> Result<Share, Error> {
        match &mut self.way {
            Way::Threads { team, file } => {
                let share = run_threads(team, file, steps, content, sync)?;
                if sync == SyncPolicy::AtEnd {
                    file.sync_data().map_err(Error::io("sync", &self.path))?;
                }
                Ok(share)
            }
            Way::Ring { ring, file } => {
                // After a failure others are still under way, with tags of a pass that is over.
                ring.alone(|ring| run_ring(ring, file, steps, content, sync))
            }
            Way::Tokio(tokio) => tokio.write(steps, content, sync),
        }
    }
}

/// The bytes of a step, shared and not copied.
fn slice(content: &PooledBytes, step: Step) -> PooledBytes {
    let start = usize::try_from(step.offset).expect("content in memory");
    content.slice(start..start + step.length)
}

fn run_threads(
    team: &Team,
    file: &Arc<File>,
    steps: &Arc<[Step]>,
    content: &PooledBytes,
    sync: SyncPolicy,
) -> Result<Share, Error> {
    let (file, steps, content) = (Arc::clone(file), Arc::clone(steps), content.clone());
    let next = AtomicUsize::new(0);
    let task: Task = Arc::new(move |_member| {
        let mut share = Share::default();
        while let Some(&step) = steps.get(next.fetch_add(1, Ordering::Relaxed)) {
            let start = usize::try_from(step.offset).expect("content in memory");
            let written = file.write_all_at(&content[start..start + step.length], step.offset);
            let synced = written.and_then(|()| match sync {
                SyncPolicy::EachWrite => file.sync_data(),
                SyncPolicy::Never | SyncPolicy::AtEnd => Ok(()),
            });
            synced.map_err(|error| failed(step, error))?;
            share.bytes += step.length as u64;
            share.steps += 1;
        }
        Ok(share)
    });
    Ok(Share::sum(team.run(&task)?))
}

fn run_ring(
    ring: &mut Ring,
    file: &Arc<File>,
    steps: &[Step],
    content: &PooledBytes,
    sync: SyncPolicy,
) -> Result<Share, Error> {
    let mut share = Share::default();
    let mut next = 0;
    loop {
        while ring.has_room()
            && let Some(&step) = steps.get(next)
        {
            ring.write(next as u64, file, step.offset, slice(content, step));
            next += 1;
        }
        let Some(done) = ring.complete().map_err(Error::Ring)? else { break };
        let step = steps[usize::try_from(done.tag & !SYNC).expect("a step's number")];
        let moved = done.result.map_err(|error| failed(step, error))?;
        if done.tag & SYNC != 0 {
            continue;
        }
        if moved < step.length {
            return Err(failed(step, std::io::ErrorKind::WriteZero.into()));
        }
        share.bytes += moved as u64;
        share.steps += 1;
        if sync == SyncPolicy::EachWrite {
            // Its place has just become free.
            ring.sync_data(done.tag | SYNC, file);
        }
    }
    if sync == SyncPolicy::AtEnd {
        ring.sync_data(SYNC, file);
        let done = ring.complete().map_err(Error::Ring)?.expect("a sync is under way");
        let whole = Step { offset: 0, length: content.len() };
        done.result.map_err(|error| failed(whole, error))?;
    }
    Ok(share)
}

#[cfg(test)]
mod tests {
    use bench_core::fixture::BufferPool;
    use bench_core::units::ByteSize;

    use super::super::cell::Pattern;
    use super::super::steps::steps;
    use super::*;

    #[test]
    fn a_full_disk_is_named_by_every_engine_and_none_of_them_loses_a_buffer() {
        let (size, block) = (ByteSize::kib(64), ByteSize::kib(4));
        let steps: Arc<[Step]> = steps(Pattern::Sequential, size, block, 0).into();
        for engine in [Engine::Psync, Engine::IoUring, Engine::Tokio] {
            let pool = BufferPool::with_limit(size).expect("a pool");
            let mut content = pool.try_acquire(size).expect("room");
            content.resize_zeroed(size.len());
            let content = content.freeze();
            let mut writing = match Writing::open(engine, false, Path::new("/dev/full"), 4) {
                Err(Error::NoUring(_)) => continue,
                other => other.expect("opened"),
            };
            // Twice: what was under way at the first failure does not disturb the second.
            for _ in 0..2 {
                let error = writing.run(&steps, &content, SyncPolicy::Never).expect_err("full");
                let text = error.to_string();
                assert!(text.starts_with("failed to read or write 4096 bytes at offset"), "{text}");
                assert!(text.contains("No space left on device"), "{engine}: {text}");
            }
            drop((writing, content));
            assert_eq!(pool.stats().in_use_bytes, ByteSize::new(0), "{engine}");
        }
    }
}
