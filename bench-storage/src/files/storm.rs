//! What directories cost: many small files created, opened, looked at, renamed, removed.

use std::fmt;
use std::fs::{self, File};
use std::path::PathBuf;
use std::str::FromStr;

use bench_core::workload::{Failure, Workload};

use super::cell::{ParseCellError, parts};
use crate::error::Error;
use crate::file_system::file_system;
use crate::scratch::ScratchDirectory;

const FILES_MOST: u32 = 100_000;

/// What is done to every file of a directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StormKind {
    /// Created, empty, and closed.
    Create,
    /// Opened for reading and closed.
    Open,
    /// Its metadata is read.
    Stat,
    /// It gets another name in the same directory.
    Rename,
    /// It is removed.
    Unlink,
}

impl StormKind {
    /// All of them, in the order of a file's life.
    pub const ALL: [Self; 5] = [Self::Create, Self::Open, Self::Stat, Self::Rename, Self::Unlink];

    const fn name(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Open => "open",
            Self::Stat => "stat",
            Self::Rename => "rename",
            Self::Unlink => "unlink",
        }
    }
}

/// A storm: `kind/files`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StormCell {
    /// What is done.
    pub kind: StormKind,
    /// To how many files.
    pub files: u32,
}

impl fmt::Display for StormCell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.kind.name(), self.files)
    }
}

impl FromStr for StormCell {
    type Err = ParseCellError;

    fn from_str(text: &str) -> Result<Self, ParseCellError> {
        let form = "kind/files with a kind of create, open, stat, rename or unlink and 1 to 100000 \
                    files, as stat/1000";
        let [kind, files] = parts(text, form)?;
        let kind = StormKind::ALL.into_iter().find(|known| known.name() == kind);
        let files = files.parse().ok().filter(|files| (1..=FILES_MOST).contains(files));
        match (kind, files) {
            (Some(kind), Some(files)) => Ok(Self { kind, files }),
            _ => parts::<0>(text, form).map(|_| unreachable!("no text has no parts")),
        }
    }
}

/// One operation on every file of one directory, on one thread: `files/storm/stat/1000`. Nothing is
/// synced: it is the system calls and the file system's memory that are measured, and what of its
/// journal falls due meanwhile.
#[derive(Debug)]
pub struct Storm {
    cell: StormCell,
    /// By number, before and after a rename.
    names: Vec<(PathBuf, PathBuf)>,
    directory: ScratchDirectory,
    outcome: Option<Result<u32, Error>>,
}

impl Workload for Storm {
    const NAME: &'static str = "files/storm";
    const ISOLATED: bool = true;
    type Parameter = StormCell;

    fn set_up(cell: &StormCell) -> Result<Self, Failure> {
        let directory = ScratchDirectory::create()?;
        let name = |number: u32, part: &str| directory.path().join(format!("{part}-{number:06}"));
        let names = (0..cell.files).map(|number| (name(number, "file"), name(number, "moved")));
        let mut this = Self { cell: *cell, names: names.collect(), directory, outcome: None };
        this.prepare()?;
        Ok(this)
    }

    fn prepare(&mut self) -> Result<(), Failure> {
        self.outcome = None;
        for entry in fs::read_dir(self.directory.path())? {
            fs::remove_file(entry?.path())?;
        }
        if self.cell.kind != StormKind::Create {
            self.each(StormKind::Create)?;
        }
        Ok(())
    }

    fn run(&mut self) {
        self.outcome = Some(self.each(self.cell.kind));
    }

    fn check(&mut self) -> Result<(), Failure> {
        let done = self.outcome.take().ok_or("nothing was done")??;
        let first = |after: bool| {
            self.names.iter().filter(move |(a, b)| [a, b][usize::from(after)].exists())
        };
        let (before, after) = (first(false).count(), first(true).count());
        let files = self.names.len();
        let expected = match self.cell.kind {
            StormKind::Create | StormKind::Open | StormKind::Stat => (files, 0),
            StormKind::Rename => (0, files),
            StormKind::Unlink => (0, 0),
        };
        if done == self.cell.files && (before, after) == expected {
            return Ok(());
        }
        Err(format!(
            "{done} of {files} done; {before} files are under their first name and {after} under \
             their second, where {expected:?} were due"
        )
        .into())
    }

    fn dimensions(&self) -> Vec<(&'static str, String)> {
        let opened = File::open(self.directory.path());
        let name = opened.and_then(|directory| file_system(&directory));
        vec![
            ("backend", "system calls".to_owned()),
            ("files", self.cell.files.to_string()),
            ("file_system", name.unwrap_or_else(|_| "not readable".to_owned())),
            ("sync", "nosync".to_owned()),
        ]
    }
}

impl Storm {
    /// Does this to every file and says to how many.
    fn each(&self, kind: StormKind) -> Result<u32, Error> {
        let mut done = 0;
        for (path, moved) in &self.names {
            let outcome = match kind {
                StormKind::Create => {
                    File::options().write(true).create_new(true).open(path).map(drop)
                }
                StormKind::Open => File::open(path).map(drop),
                StormKind::Stat => fs::metadata(path).map(drop),
                StormKind::Rename => fs::rename(path, moved),
                StormKind::Unlink => fs::remove_file(path),
            };
            outcome.map_err(Error::io(kind.name(), path))?;
            done += 1;
        }
        Ok(done)
    }
}
