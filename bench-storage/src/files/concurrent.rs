//! Readers and writers at the same time, on one file or on one each.

use std::fmt;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::str::FromStr;
use std::sync::Arc;

use bench_core::fixture::{BufferPool, Payload, PooledBytes, class_for};
use bench_core::units::ByteSize;
use bench_core::workload::{Failure, Workload};

use super::cell::{DEPTH_MOST, ParseCellError, Pattern, parts, sized};
use super::reading::{Pass, failed};
use super::steps::{Step, steps};
use super::team::{Task, Team};
use super::{SEED, Share, check_amount, check_cell, pool_for};
use crate::cache_state::{Reached, Warm};
use crate::error::Error;
use crate::file::ScratchFile;
use crate::scratch::ScratchDirectory;
use crate::source::{BufferedFile, Source, read_full};

/// On what they work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Files {
    /// All on the same.
    One,
    /// Each on its own.
    Many,
}

/// Who works on what: `<readers>r<writers>w/one|many/bs<block>/<size>`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConcurrentCell {
    /// Threads that read a whole file each.
    pub readers: u32,
    /// Threads that write over a whole file each.
    pub writers: u32,
    /// On what they work.
    pub files: Files,
    /// What one call moves.
    pub block: ByteSize,
    /// Each file.
    pub size: ByteSize,
}

impl fmt::Display for ConcurrentCell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { readers, writers, files, block, size } = self;
        let files = match files {
            Files::One => "one",
            Files::Many => "many",
        };
        write!(f, "{readers}r{writers}w/{files}/bs{block}/{size}")
    }
}

impl FromStr for ConcurrentCell {
    type Err = ParseCellError;

    fn from_str(text: &str) -> Result<Self, ParseCellError> {
        let form = "2r1w/one/bs64KiB/16MiB, with `one` or `many` and 1 to 256 threads";
        let [threads, files, block, size] = parts(text, form)?;
        let wrong = || parts::<0>(text, form).map(|_| unreachable!("no text has no parts"));
        let numbers = threads.strip_suffix('w').and_then(|threads| threads.split_once('r'));
        let numbers = numbers.and_then(|(r, w)| Some((r.parse().ok()?, w.parse().ok()?)));
        let files = match files {
            "one" => Some(Files::One),
            "many" => Some(Files::Many),
            _ => None,
        };
        let (Some((readers, writers)), Some(files)) = (numbers, files) else { return wrong() };
        match u32::checked_add(readers, writers) {
            Some(1..=DEPTH_MOST) => {}
            _ => return wrong(),
        }
        let (block, size) = (sized(block, "bs")?, sized(size, "")?);
        Ok(Self { readers, writers, files, block, size })
    }
}

/// Reads and overwrites in order by `pread` and `pwrite` in memory, each thread through a
/// descriptor of its own: `files/concurrent/2r1w/one/bs64KiB/16MiB`. What readers and writers of one
/// file cost each other is the lock of its inode and the sharing of its pages.
///
/// Readers meet old and new bytes as they come: beside writers each byte of their last blocks has to be
/// one of the two that it can be, elsewhere the one that it is. What the writers wrote is checked whole.
#[derive(Debug)]
pub struct Concurrent {
    cell: ConcurrentCell,
    team: Team,
    /// One, or one for each thread.
    files: Arc<[ScratchFile]>,
    readers: Arc<[BufferedFile]>,
    content: PooledBytes,
    steps: Arc<[Step]>,
    pool: BufferPool,
    reached: Vec<Reached<Warm>>,
    outcome: Option<Result<Vec<Share>, Error>>,
    _directory: ScratchDirectory,
}

impl Workload for Concurrent {
    const NAME: &'static str = "files/concurrent";
    type Parameter = ConcurrentCell;

    fn set_up(cell: &ConcurrentCell) -> Result<Self, Failure> {
        check_cell(cell.block, cell.size, None)?;
        let threads = cell.readers + cell.writers;
        let directory = ScratchDirectory::create()?;
        let count = if cell.files == Files::One { 1 } else { threads };
        let payload = Payload::seeded(SEED, cell.size);
        let create = |n| ScratchFile::create(&directory, &format!("file-{n}"), payload);
        let files: Vec<_> = (0..count).map(create).collect::<Result<_, _>>()?;
        let path = |thread: u32| files[(thread % count) as usize].cached().path();
        let readers = (0..cell.readers).map(|thread| BufferedFile::open(path(thread)));
        let readers = readers.collect::<Result<Vec<_>, _>>()?.into();
        let class = class_for(cell.size);
        let mut content =
            BufferPool::builder(class).class(class).build()?.try_acquire(cell.size)?;
        content.resize_zeroed(cell.size.len());
        payload.fill(0, content.filled_mut());
        let mut this = Self {
            cell: *cell,
            team: Team::of(threads)?,
            readers,
            files: files.into(),
            content: content.freeze(),
            steps: steps(Pattern::Sequential, cell.size, cell.block, SEED).into(),
            pool: pool_for(cell.block, threads)?,
            reached: Vec::new(),
            outcome: None,
            _directory: directory,
        };
        this.prepare()?;
        this.run();
        this.check()?;
        this.prepare()?;
        Ok(this)
    }

    fn bytes(&self) -> Option<ByteSize> {
        let threads = u64::from(self.cell.readers + self.cell.writers);
        Some(ByteSize::new(self.cell.size.bytes() * threads))
    }

    fn prepare(&mut self) -> Result<(), Failure> {
        self.outcome = None;
        self.reached.clear();
        for (number, file) in self.files.iter().enumerate() {
            self.reached.push(file.cached().reach::<Warm>()?);
            if self.is_written(number) {
                file.erase_in_memory()?;
            }
        }
        Ok(())
    }

    fn run(&mut self) {
        if !matches!(self.outcome, Some(Err(_))) {
            self.outcome = None;
            self.outcome = Some(self.team.run(&self.task()));
        }
    }

    fn check(&mut self) -> Result<(), Failure> {
        let shares = self.outcome.take().ok_or("nothing was done")??;
        for share in &shares {
            check_amount(share, &self.steps)?;
        }
        // Verifying reads pages in.
        let mut files = self.files.iter().zip(&self.reached);
        let held = files.try_for_each(|(file, reached)| reached.held(file.cached()));
        for (number, file) in self.files.iter().enumerate() {
            if self.is_written(number) {
                file.verify()?;
            }
        }
        let read = shares.iter().flat_map(|share| &share.last);
        let payload = self.files[0].payload();
        for (step, block) in read {
            if self.cell.writers > 0 && self.cell.files == Files::One {
                old_or_new(payload, step.offset, block)?;
            } else {
                payload.verify(step.offset, block)?;
            }
        }
        Ok(held?)
    }

    fn is_disturbed(failure: &Failure) -> bool {
        Error::is_state_lost(failure)
    }

    fn dimensions(&self) -> Vec<(&'static str, String)> {
        let mut dimensions = vec![
            ("backend", "pread and pwrite".to_owned()),
            ("readers", self.cell.readers.to_string()),
            ("writers", self.cell.writers.to_string()),
            ("files", self.files.len().to_string()),
            ("block_size", self.cell.block.to_string()),
            ("sync", "nosync".to_owned()),
        ];
        dimensions.extend(self.team.cpus());
        dimensions.extend(self.reached.iter().take(1).flat_map(Reached::dimensions));
        dimensions.extend(self.files[0].payload().dimensions());
        dimensions
    }
}

impl Concurrent {
    /// Whether the file of this number has a writer: the first threads read.
    fn is_written(&self, number: usize) -> bool {
        match self.cell.files {
            Files::One => self.cell.writers > 0,
            Files::Many => number >= self.cell.readers as usize,
        }
    }

    fn task(&self) -> Task {
        let (files, readers) = (Arc::clone(&self.files), Arc::clone(&self.readers));
        let content = self.content.clone();
        let pass = Pass { steps: Arc::clone(&self.steps), pool: self.pool.clone(), verify: None };
        Arc::new(move |thread| match readers.get(thread) {
            Some(source) => read(source, &pass),
            None => write(files[thread % files.len()].cached().file(), &pass.steps, &content),
        })
    }
}

fn read(source: &dyn Source, pass: &Pass) -> Result<Share, Error> {
    let mut share = Share::default();
    let mut buffer = pass.buffer()?;
    for &step in pass.steps.iter() {
        buffer.clear();
        read_full(source, step.offset, step.length, &mut buffer)
            .map_err(|error| failed(step, error))?;
        pass.account(&mut share, step, &buffer)?;
    }
    share.last.extend(pass.steps.last().map(|&step| (step, buffer)));
    Ok(share)
}

fn write(file: &File, steps: &[Step], content: &PooledBytes) -> Result<Share, Error> {
    let mut share = Share::default();
    for &step in steps {
        let start = usize::try_from(step.offset).expect("content in memory");
        file.write_all_at(&content[start..start + step.length], step.offset)
            .map_err(|error| failed(step, error))?;
        share.bytes += step.length as u64;
        share.steps += 1;
    }
    Ok(share)
}

/// Whether every byte of a block that was read beside writers is the erased one or that which they write
/// there; a read that meets a write may come back with parts of both.
fn old_or_new(payload: &Payload, offset: u64, read: &[u8]) -> Result<(), Failure> {
    let mut written = vec![0; read.len()];
    payload.fill(offset, &mut written);
    let wrong = read.iter().zip(&written).position(|(byte, new)| *byte != 0 && byte != new);
    wrong.map_or(Ok(()), |at| {
        let at = offset + at as u64;
        Err(format!("the byte at offset {at} was neither erased nor written there").into())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_byte_that_no_writer_put_there_is_caught_beside_writers() {
        let cell = "1r1w/one/bs8KiB/64KiB".parse().expect("a cell");
        let mut work = Concurrent::set_up(&cell).expect("a scratch file");
        let payload = *work.files[0].payload();
        let check = |work: &mut Concurrent, damage: &dyn Fn(&mut [u8])| {
            work.prepare().expect("in memory");
            work.run();
            let Some(Ok(shares)) = &mut work.outcome else { panic!("{:?}", work.outcome) };
            let (step, block) = &mut shares[0].last[0];
            assert_eq!(step.offset, 56 << 10);
            damage(block.filled_mut());
            work.check()
        };
        check(&mut work, &|block| block.fill(0)).expect("before it was written");
        check(&mut work, &|block| payload.fill(56 << 10, block)).expect("after it was written");
        let torn = |block: &mut [u8]| {
            payload.fill(56 << 10, block);
            block[..1000].fill(0);
        };
        check(&mut work, &torn).expect("while it was written");
        let wrong = |block: &mut [u8]| {
            torn(block);
            block[100] = if payload.to_bytes()[(56 << 10) + 100] == 1 { 2 } else { 1 };
        };
        let told = check(&mut work, &wrong).expect_err("a byte from nowhere").to_string();
        assert_eq!(told, "the byte at offset 57444 was neither erased nor written there");
        let elsewhere = |block: &mut [u8]| payload.fill(0, block);
        check(&mut work, &elsewhere).expect_err("read elsewhere");
    }
}
