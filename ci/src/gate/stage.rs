//! The one folder from which both sides are built, so that no path inside an executable, and no
//! length of one, tells them apart.
//!
//! Only the files that differ between two trees get new times, so cargo builds only these. The
//! user's repository does not know of the folder.

use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use anyhow::Context;

use super::git::{Git, answer};
use crate::exit::{Exit, failure};
use crate::process;
use crate::render::disk;
use crate::ui::Ui;

/// How often a gate that waits for another looks again.
const POLL: Duration = Duration::from_millis(100);

/// The folder and what belongs to it. Held by one gate at a time.
#[derive(Debug)]
#[must_use = "dropping it lets another gate into the folder"]
pub(crate) struct Stage {
    /// Sources.
    pub(crate) tree: PathBuf,
    /// Cargo's target folder for them, and for nothing else: cargo names what it builds by the
    /// place of a crate in its workspace, so that in the user's own target folder either would be
    /// taken for the other.
    pub(crate) target: PathBuf,
    index: PathBuf,
    complete: PathBuf,
    _lock: File,
}

impl Stage {
    /// Takes the stage under `folder`; waits while another gate has it.
    ///
    /// # Errors
    /// [`Exit::NotMeasured`] when interrupted while it waits; when the disk refuses.
    pub(crate) fn take(folder: &Path, ui: Ui) -> anyhow::Result<Self> {
        let path = folder.join("lock");
        fs::create_dir_all(folder)
            .and_then(|()| File::create(&path))
            .with_context(|| format!("failed to create {}", path.display()))
            .and_then(|lock| {
                wait(&lock, ui, "another gate is running in this checkout")?;
                Ok(Self {
                    tree: folder.join("tree"),
                    target: folder.join("target"),
                    index: folder.join("stage.index"),
                    complete: folder.join("stage.complete"),
                    _lock: lock,
                })
            })
    }

    /// Makes the folder hold exactly `tree`. Files already as they should be are not touched;
    /// what an interrupted gate left half-written is thrown away. Returns the time, by the file
    /// system's clock, that no file that was touched is older than.
    ///
    /// # Errors
    /// What git said.
    pub(crate) fn fill(&self, git: &Git, tree: &str) -> anyhow::Result<SystemTime> {
        let began = self.now()?;
        if fs::remove_file(&self.complete).is_err() {
            self.clear()?;
        }
        // We hold the lock, so a lock of git's can only be left over.
        let _stale = fs::remove_file(self.index.with_extension("index.lock"));
        fs::create_dir_all(&self.tree)
            .with_context(|| format!("failed to create {}", self.tree.display()))?;
        let mut command = git.apart(&self.tree, &self.index);
        answer(command.args(["read-tree", "--reset", "-u", tree]))?;
        fs::write(&self.complete, tree)
            .with_context(|| format!("failed to write {}", self.complete.display()))?;
        Ok(began)
    }

    /// The time that a file has which is written now.
    fn now(&self) -> anyhow::Result<SystemTime> {
        let path = self.complete.with_extension("began");
        fs::write(&path, "x")
            .and_then(|()| fs::metadata(&path)?.modified())
            .with_context(|| format!("failed to write {}", path.display()))
    }

    fn clear(&self) -> anyhow::Result<()> {
        let _missing = fs::remove_file(&self.index);
        disk::remove_folder(&self.tree)
    }
}

/// Takes a lock of whoever is at work meanwhile, as `what` says.
///
/// # Errors
/// [`Exit::NotMeasured`] when interrupted while it waits.
pub(crate) fn wait(lock: &File, ui: Ui, what: &str) -> anyhow::Result<()> {
    let mut said = false;
    loop {
        match lock.try_lock() {
            Ok(()) => return Ok(()),
            Err(TryLockError::Error(error)) => return Err(error).context("failed to lock"),
            Err(TryLockError::WouldBlock) if process::interrupted() => {
                let sentence = format!("interrupted while {what}; nothing was measured");
                return Err(failure(Exit::NotMeasured, sentence));
            }
            Err(TryLockError::WouldBlock) => {
                if !std::mem::replace(&mut said, true) {
                    ui.say(&format!("{what}; waiting for it to end"));
                }
                std::thread::sleep(POLL);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::super::git::tests::{commit, git, repository};
    use super::*;

    const UI: Ui = Ui { json: true };

    fn names(folder: &Path) -> Vec<String> {
        let entries = fs::read_dir(folder).expect("readable");
        let mut names: Vec<_> = entries
            .map(|entry| entry.expect("readable").file_name().to_string_lossy().into_owned())
            .collect();
        names.sort();
        names
    }

    #[test]
    fn the_stage_holds_exactly_the_tree_and_touches_only_what_differs() {
        let folder = repository();
        let root = folder.path();
        fs::write(root.join("gone.txt"), "g").expect("write");
        git(root, &["add", "gone.txt"]);
        commit(root);
        let known = Git::find(root, &root.join("target/scratch")).expect("a repository");
        let first = known.resolve("HEAD").expect("known");
        fs::remove_file(root.join("gone.txt")).expect("remove");
        fs::write(root.join("new.txt"), "n").expect("write");
        let second = known.snapshot(&root.join("target")).expect("snapshot");

        let stage = Stage::take(&root.join("target/gate"), UI).expect("free");
        stage.fill(&known, &first.tree).expect("fill");
        assert_eq!(names(&stage.tree), ["a.txt", "gone.txt"]);
        let time =
            || fs::metadata(stage.tree.join("a.txt")).and_then(|m| m.modified()).expect("time");
        let before = time();
        let began = stage.fill(&known, &second.tree).expect("fill");
        let touched = fs::metadata(stage.tree.join("new.txt")).and_then(|m| m.modified());
        assert!(touched.expect("time") >= began);
        assert_eq!(names(&stage.tree), ["a.txt", "new.txt"]);
        assert_eq!(time(), before);
        assert_eq!(git(root, &["worktree", "list"]).lines().count(), 1);
    }

    #[test]
    fn a_stage_that_was_left_half_written_is_made_anew() {
        let folder = repository();
        let root = folder.path();
        let known = Git::find(root, &root.join("target/scratch")).expect("a repository");
        let tree = known.resolve("HEAD").expect("known").tree;
        let stage = Stage::take(&root.join("target/gate"), UI).expect("free");
        fs::create_dir_all(&stage.tree).expect("create");
        fs::write(stage.tree.join("half.txt"), "").expect("write");
        fs::write(stage.index.with_extension("index.lock"), "").expect("write");
        stage.fill(&known, &tree).expect("fill");
        assert_eq!(names(&stage.tree), ["a.txt"]);
        fs::write(stage.tree.join("a.txt"), "spoilt by somebody").expect("write");
        stage.fill(&known, &tree).expect("fill");
        assert_eq!(fs::read_to_string(stage.tree.join("a.txt")).expect("text"), "one\n");
    }

    #[test]
    fn two_gates_do_not_share_a_stage() {
        let folder = tempfile::tempdir().expect("temporary folder");
        let held = Stage::take(folder.path(), UI).expect("free");
        let path = folder.path().to_owned();
        let (sender, taken) = mpsc::channel();
        let waiting = std::thread::spawn(move || {
            let second = Stage::take(&path, UI);
            sender.send("second").expect("heard");
            second.map(drop)
        });
        // Time for the second to take what it must not; a slow machine only sees less.
        let early = taken.recv_timeout(4 * POLL);
        assert_eq!(early, Err(mpsc::RecvTimeoutError::Timeout), "both have the stage");
        drop(held);
        assert_eq!(taken.recv(), Ok("second"));
        waiting.join().expect("no panic").expect("taken once free");
    }
}
