//! The same files and the same calls on either backend, so that a workload is written once.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use bench_core::units::ByteSize;
use rustix::fs::{Mode, OFlags, open, stat};
use rustix::io::{Errno, read};

use super::choice::{Choice, Kind};
use super::mount::{DEVICE, FuseMount, available};
use super::options::FuseOptions;
use super::requests::Requests;
use super::seeded::SeededTree;
use crate::error::Error;
use crate::file::BLOCK;
use crate::file_system::file_system;
use crate::scratch::ScratchDirectory;

/// System calls that went through [`FileTree`], by kind, failed ones too.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Calls {
    /// `stat(2)`
    pub stat: u64,
    /// `open(2)`
    pub open: u64,
    /// `read(2)`, with the one that finds the end.
    pub read: u64,
    /// `close(2)`
    pub close: u64,
}

impl Calls {
    /// Each kind with the name that rows give it.
    pub const fn by_kind(&self) -> [(&'static str, u64); 4] {
        let Self { stat, open, read, close } = *self;
        [("stat", stat), ("open", open), ("read", read), ("close", close)]
    }

    /// Of every kind.
    pub const fn all(&self) -> u64 {
        self.stat + self.open + self.read + self.close
    }
}

/// A [`SeededTree`] on a FUSE mount, or as plain files; its calls are counted.
#[derive(Debug)]
pub struct FileTree {
    tree: SeededTree,
    asked: Choice,
    reason: String,
    options: FuseOptions,
    /// By number: the file and one that is not there.
    paths: Vec<(PathBuf, PathBuf)>,
    calls: Calls,
    // Unmounted before its directory goes.
    mount: Option<FuseMount>,
    scratch: ScratchDirectory,
}

impl FileTree {
    /// Mounts the tree, or writes it, in a scratch directory of its own.
    ///
    /// # Errors
    /// What the chosen backend cannot do; `auto` takes plain files only where the machine has no FUSE
    /// or gives no right to mount, never where options are wrong or are not taken.
    pub fn start(choice: Choice, tree: SeededTree, options: FuseOptions) -> Result<Self, Error> {
        Self::start_on(Path::new(DEVICE), choice, tree, options)
    }

    fn start_on(
        device: &Path,
        asked: Choice,
        tree: SeededTree,
        options: FuseOptions,
    ) -> Result<Self, Error> {
        let scratch = ScratchDirectory::create()?;
        let mounted = || {
            available(device)?;
            FuseMount::start(&scratch, "mount", tree, options)
        };
        let (mount, reason) = match asked {
            Choice::Exact(Kind::PlainFiles) => (None, "it was asked for".to_owned()),
            Choice::Exact(Kind::Fuse) => (Some(mounted()?), "it was asked for".to_owned()),
            Choice::Auto => match mounted() {
                Ok(mount) => (Some(mount), "this machine can mount".to_owned()),
                Err(error @ Error::NoFuse { .. }) => (None, error.to_string()),
                Err(error) => return Err(error),
            },
        };
        let folder = match &mount {
            Some(mount) => mount.path().to_owned(),
            None => plain_files(&scratch, &tree)?,
        };
        let both = |number| {
            let (name, missing) = (SeededTree::name(number), SeededTree::missing(number));
            (folder.join(name), folder.join(missing))
        };
        let paths = (0..tree.files).map(both).collect();
        Ok(Self { tree, asked, reason, options, paths, calls: Calls::default(), mount, scratch })
    }

    /// What is in the files.
    pub const fn tree(&self) -> &SeededTree {
        &self.tree
    }

    /// Which backend it is.
    pub const fn kind(&self) -> Kind {
        if self.mount.is_some() { Kind::Fuse } else { Kind::PlainFiles }
    }

    /// How it came to be this one.
    pub fn reason(&self) -> &str {
        &self.reason
    }

    /// The calls made so far.
    pub const fn calls(&self) -> Calls {
        self.calls
    }

    /// The kernel's requests so far, and nothing where there is no mount.
    ///
    /// # Errors
    /// As [`FuseMount::settled`].
    pub fn requests(&self) -> Result<Option<Requests>, Error> {
        self.mount.as_ref().map(FuseMount::settled).transpose()
    }

    /// The most that one of the kernel's read requests has asked for; nothing where there is no mount.
    pub fn largest_read(&self) -> Option<ByteSize> {
        self.mount.as_ref().map(FuseMount::largest_read)
    }

    /// The size of this file, by `stat(2)`.
    ///
    /// # Errors
    /// What the call failed with.
    pub fn stat(&mut self, number: u32) -> io::Result<u64> {
        self.calls.stat += 1;
        Ok(u64::try_from(stat(&self.paths[number as usize].0)?.st_size).unwrap_or(0))
    }

    /// Whether `stat(2)` of a name that no file has says that there is none.
    ///
    /// # Errors
    /// What else it failed with.
    pub fn stat_missing(&mut self, number: u32) -> io::Result<bool> {
        self.calls.stat += 1;
        match stat(&self.paths[number as usize].1) {
            Ok(_) => Ok(false),
            Err(Errno::NOENT) => Ok(true),
            Err(errno) => Err(errno.into()),
        }
    }

    /// Opens the file, reads it from its beginning in blocks of [`BLOCK`] until nothing comes any more,
    /// closes it, and says how much came. What does not fit `out` is an error.
    ///
    /// # Errors
    /// What a call failed with; `FileTooLarge` where the file goes on behind `out`.
    pub fn read(&mut self, number: u32, out: &mut [u8]) -> io::Result<usize> {
        self.calls.open += 1;
        let flags = OFlags::RDONLY | OFlags::CLOEXEC;
        let file = open(&self.paths[number as usize].0, flags, Mode::empty())?;
        self.calls.close += 1; // Where the handle goes, at the latest.
        let mut filled = 0;
        loop {
            self.calls.read += 1;
            let mut beyond = [0];
            let space = &mut out[filled..];
            let at_end = space.is_empty();
            let most = space.len().min(BLOCK.len());
            let into = if at_end { &mut beyond[..] } else { &mut space[..most] };
            match read(&file, into)? {
                0 => return Ok(filled),
                _ if at_end => return Err(io::ErrorKind::FileTooLarge.into()),
                some => filled += some,
            }
        }
    }

    /// What made the number: the backend and why it is this one, what was asked of it and what stands.
    /// What was asked of a mount is not said where there is none.
    pub fn dimensions(&self) -> Vec<(&'static str, String)> {
        let mut dimensions = vec![
            ("backend", self.kind().name().to_owned()),
            ("backend_asked", self.asked.to_string()),
            ("backend_reason", self.reason.clone()),
            ("files", self.tree.files.to_string()),
            ("size", self.tree.size.to_string()),
            ("seed", self.tree.seed.to_string()),
            ("block_size", BLOCK.min(self.tree.size).to_string()),
        ];
        match &self.mount {
            Some(mount) => {
                dimensions.extend(self.options.dimensions());
                dimensions.extend(mount.negotiated().dimensions());
            }
            None => {
                let opened = File::open(self.scratch.path());
                let name = opened.and_then(|directory| file_system(&directory));
                let name = name.unwrap_or_else(|_| "not readable".to_owned());
                dimensions.push(("file_system", name));
            }
        }
        dimensions
    }
}

/// The tree as files, in a folder of its own.
fn plain_files(scratch: &ScratchDirectory, tree: &SeededTree) -> Result<PathBuf, Error> {
    tree.check()?;
    let folder = scratch.path().join("plain");
    fs::create_dir(&folder).map_err(Error::io("create", &folder))?;
    let content = tree.payload().to_bytes();
    for number in 0..tree.files {
        let path = folder.join(SeededTree::name(number));
        fs::write(&path, &content[tree.range(number)]).map_err(Error::io("write", &path))?;
    }
    Ok(folder)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TREE: SeededTree = SeededTree { files: 3, size: crate::file::BLOCK, seed: 9 };

    fn start(choice: Choice) -> Result<FileTree, Error> {
        let device = Path::new("/dev/no-such-device");
        FileTree::start_on(device, choice, TREE, FuseOptions::UNCACHED)
    }

    #[test]
    fn without_the_device_auto_takes_plain_files_and_says_why() {
        let tree = start(Choice::Auto).expect("plain files");
        assert_eq!((tree.kind(), tree.requests().expect("none")), (Kind::PlainFiles, None));
        let dimensions = tree.dimensions();
        let of = |name: &str| dimensions.iter().find(|(n, _)| *n == name).expect(name).1.as_str();
        assert_eq!((of("backend"), of("backend_asked")), ("plain_files", "auto"));
        let reason = of("backend_reason");
        assert!(reason.contains("failed to open /dev/no-such-device: No such file"), "{reason}");
        for option in ["entry_ttl", "attr_ttl", "negative_ttl", "keep_cache"] {
            let claimed = dimensions.iter().any(|(name, _)| *name == option);
            assert!(!claimed, "files on a disk have no {option}");
        }
    }

    #[test]
    fn without_the_device_a_demand_for_fuse_fails_with_what_to_do() {
        let error = start(Choice::Exact(Kind::Fuse)).expect_err("no device").to_string();
        assert!(error.starts_with("cannot mount a FUSE file system here: failed to"), "{error}");
        assert!(error.contains("load the module fuse, and run as root or install"), "{error}");
    }

    #[test]
    fn wrong_options_do_not_fall_back() {
        let none = SeededTree { files: 0, ..TREE };
        for choice in [Choice::Auto, Choice::Exact(Kind::PlainFiles)] {
            let started = FileTree::start(choice, none, FuseOptions::UNCACHED);
            assert!(matches!(started, Err(Error::InvalidFuse(_) | Error::NoFuse { .. })));
        }
    }

    #[test]
    fn every_backend_has_the_same_files_and_counts_every_call() {
        for choice in [Choice::Exact(Kind::PlainFiles), Choice::Auto] {
            let mut tree = FileTree::start(choice, TREE, FuseOptions::UNCACHED).expect("a tree");
            let mut content = vec![0; TREE.size.len()];
            for number in 0..TREE.files {
                assert_eq!(tree.stat(number).expect("stat"), TREE.size.bytes());
                assert!(tree.stat_missing(number).expect("stat"));
                assert_eq!(tree.read(number, &mut content).expect("read"), content.len());
                TREE.verify(number, &content).expect("its content");
            }
            // One block, and the end.
            assert_eq!(tree.calls(), Calls { stat: 6, open: 3, read: 6, close: 3 });
            assert_eq!(tree.calls().all(), 18);
            let error = tree.read(0, &mut content[..100]).expect_err("there is more");
            assert_eq!(error.kind(), io::ErrorKind::FileTooLarge);
            assert_eq!(tree.requests().expect("settled").is_some(), tree.kind() == Kind::Fuse);
        }
    }
}
