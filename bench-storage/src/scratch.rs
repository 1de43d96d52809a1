//! A directory for the files of one run, on a disk, gone when the run is over.
//!
//! The guard removes it in `Drop`, also while a panic unwinds. A run that was killed cannot; its
//! directory is removed by the next run that creates one in the same place, and a directory whose
//! run is alive never is, because every run holds a lock on its own. What was mounted in it by that
//! killed run is unmounted first; a directory in which something else is mounted stays, because to
//! remove it would be to remove what is in that.

use std::env;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use crate::error::Error;
use crate::file_system::{file_system, lives_in_memory};
use crate::mounts;

/// The variable that names the directory to create scratch directories in.
pub const SCRATCH_VARIABLE: &str = "WEIGHBRIDGE_SCRATCH";

const PREFIX: &str = "run-";

/// A directory that this run created and that is removed, with all in it, when dropped, unless somebody
/// has mounted something in it.
#[derive(Debug)]
#[must_use = "the directory is removed as soon as this guard is dropped"]
pub struct ScratchDirectory {
    directory: tempfile::TempDir,
    /// Held as long as the directory is in use.
    _in_use: File,
}

impl ScratchDirectory {
    /// Creates one in the directory that `WEIGHBRIDGE_SCRATCH` names, else in `perf/scratch` of
    /// the target directory that this executable was built into, else in `target/perf/scratch`
    /// of the current directory. Of the last two, one in memory (tmpfs) is passed over for one on
    /// a disk; what the user names is taken as it is.
    ///
    /// # Errors
    /// What creating it failed with.
    pub fn create() -> Result<Self, Error> {
        match env::var_os(SCRATCH_VARIABLE) {
            Some(named) => Self::create_in(Path::new(&named)),
            None => Self::create_in(&first_on_disk(default_parents()?)?),
        }
    }

    /// Creates one in this directory, which is created when it is not there, and removes those
    /// that killed runs left in it.
    ///
    /// # Errors
    /// What creating it failed with.
    pub fn create_in(parent: &Path) -> Result<Self, Error> {
        fs::create_dir_all(parent).map_err(Error::io("create", parent))?;
        // Between creating a directory and locking it, it looks abandoned: one run at a time.
        let turn = File::open(parent).map_err(Error::io("open", parent))?;
        turn.lock().map_err(Error::io("lock", parent))?;
        remove_abandoned(parent);
        let directory = tempfile::Builder::new()
            .prefix(PREFIX)
            .tempdir_in(parent)
            .map_err(Error::io("create a directory in", parent))?;
        let path = directory.path();
        let in_use = File::open(path).map_err(Error::io("open", path))?;
        in_use.lock().map_err(Error::io("lock", path))?;
        Ok(Self { directory, _in_use: in_use })
    }

    /// Where the directory lies.
    pub fn path(&self) -> &Path {
        self.directory.path()
    }
}

impl Drop for ScratchDirectory {
    fn drop(&mut self) {
        if !may_go(self.directory.path()) {
            self.directory.disable_cleanup(true);
        }
    }
}

/// Whether removing all in this directory removes nothing that is mounted there. Ours is unmounted: a
/// file system that a killed run served answers nobody.
fn may_go(directory: &Path) -> bool {
    mounts::detach_ours_below(directory);
    // Where nobody tells, there may be something.
    mounts::any_below(directory).is_ok_and(|any| !any)
}

fn default_parents() -> Result<Vec<PathBuf>, Error> {
    let here = Path::new(".");
    let current = env::current_dir().map_err(Error::io("find", here))?;
    // Cargo marks its target directory so that back-up programs pass it over.
    let built_into = env::current_exe().ok().and_then(|executable| {
        let marked = |directory: &&Path| directory.join("CACHEDIR.TAG").is_file();
        executable.ancestors().find(marked).map(Path::to_owned)
    });
    let targets = built_into.into_iter().chain([current.join("target")]);
    Ok(targets.map(|target| target.join("perf").join("scratch")).collect())
}

/// The first of these that lies on a disk; the first of all where none does.
fn first_on_disk(parents: Vec<PathBuf>) -> Result<PathBuf, Error> {
    for parent in &parents {
        let existing = parent.ancestors().find(|ancestor| ancestor.is_dir()).unwrap_or(parent);
        let found = File::open(existing).and_then(|directory| file_system(&directory));
        let name = found.map_err(Error::io("tell the file system of", existing))?;
        if !lives_in_memory(&name) {
            return Ok(parent.clone());
        }
    }
    Ok(parents.into_iter().next().expect("the current directory is always among them"))
}

/// Removes the scratch directories that nobody holds a lock on. What cannot be removed stays:
/// another run's rubbish is no reason not to measure.
fn remove_abandoned(parent: &Path) {
    let Ok(entries) = fs::read_dir(parent) else { return };
    for entry in entries.flatten() {
        let ours = entry.file_name().to_str().is_some_and(|name| name.starts_with(PREFIX));
        if ours && is_abandoned(&entry.path()).unwrap_or(false) && may_go(&entry.path()) {
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}

fn is_abandoned(directory: &Path) -> io::Result<bool> {
    match File::open(directory)?.try_lock() {
        Ok(()) => Ok(true),
        Err(fs::TryLockError::WouldBlock) => Ok(false),
        Err(fs::TryLockError::Error(error)) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use std::panic;

    use super::*;

    #[test]
    fn the_directory_is_removed_with_its_files_on_drop_and_on_panic() {
        let scratch = ScratchDirectory::create().expect("create");
        let path = scratch.path().to_owned();
        fs::write(path.join("file"), "content").expect("write");
        drop(scratch);
        assert!(!path.exists());

        let scratch = ScratchDirectory::create().expect("create");
        let path = scratch.path().to_owned();
        let unwound = panic::catch_unwind(move || {
            fs::write(scratch.path().join("file"), "content").expect("write");
            panic!("a bench failed");
        });
        assert!(unwound.is_err());
        assert!(!path.exists());
    }

    #[test]
    fn what_a_killed_run_left_is_removed_and_a_live_run_is_not() {
        let parent = tempfile::tempdir().expect("create");
        let live = ScratchDirectory::create_in(parent.path()).expect("create");
        let abandoned = parent.path().join("run-killed");
        let foreign = parent.path().join("somebody-elses");
        for directory in [&abandoned, &foreign] {
            fs::create_dir(directory).expect("create");
            fs::write(directory.join("file"), "content").expect("write");
        }
        let next = ScratchDirectory::create_in(parent.path()).expect("create");
        assert!(!abandoned.exists());
        assert!(live.path().exists() && next.path().exists() && foreign.exists());
    }

    #[test]
    fn a_directory_in_memory_is_passed_over_for_one_on_a_disk() {
        let memory = PathBuf::from("/dev/shm/not/there/yet");
        let disk = PathBuf::from("/proc");
        if !Path::new("/dev/shm").is_dir() {
            return;
        }
        let chosen = first_on_disk(vec![memory.clone(), disk.clone()]).expect("choose");
        assert_eq!(chosen, disk);
        assert_eq!(first_on_disk(vec![memory.clone()]).expect("choose"), memory);
    }

    #[test]
    fn a_place_that_cannot_hold_a_directory_is_named() {
        let error = ScratchDirectory::create_in(Path::new("/proc/nowhere")).expect_err("refused");
        assert!(error.to_string().starts_with("failed to create /proc/nowhere: "), "{error}");
    }
}
