//! What the gate asks git: the commit behind a ref, and the working tree as a tree object.
//!
//! Nothing is written into the user's repository: new objects and indexes go into a scratch
//! folder, and the repository's own objects are only read, as alternates.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::Context;

use crate::exit::{Exit, failure};
use crate::process::{self, Ending, Outcome};

/// Git answers at once; only the snapshot of a very large tree takes longer.
const DEADLINE: Duration = Duration::from_secs(600);

/// Variables by which a hook or the user points git elsewhere.
const FOREIGN: [&str; 7] = [
    "GIT_DIR",
    "GIT_WORK_TREE",
    "GIT_INDEX_FILE",
    "GIT_OBJECT_DIRECTORY",
    "GIT_ALTERNATE_OBJECT_DIRECTORIES",
    "GIT_COMMON_DIR",
    "GIT_PREFIX",
];

/// One side of a comparison, as git knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Side {
    /// Full hash of the commit.
    pub(crate) commit: String,
    /// Full hash of the tree: equal trees are equal sources.
    pub(crate) tree: String,
    /// Whether the tree differs from the commit's.
    pub(crate) dirty: bool,
}

/// A repository that is read, and the scratch folder that is written in its place.
#[derive(Clone, Debug)]
pub(crate) struct Git {
    /// The folder that holds `.git`.
    root: PathBuf,
    /// Where the cargo workspace lies under it; empty when it is the root.
    prefix: PathBuf,
    git_dir: PathBuf,
    objects: PathBuf,
    index: PathBuf,
    scratch: PathBuf,
}

/// Refuses what git would take for an option, before git sees it.
///
/// # Errors
/// [`Exit::Usage`].
pub(crate) fn check_ref(name: &str) -> anyhow::Result<()> {
    if name.is_empty() || name.starts_with('-') || name.chars().any(char::is_control) {
        let sentence = format!("'{name}' is not a git ref; name a branch, a tag or a commit");
        return Err(failure(Exit::Usage, sentence));
    }
    Ok(())
}

impl Git {
    /// The repository that `folder` lies in. `scratch` is made when first needed.
    ///
    /// # Errors
    /// [`Exit::Usage`] when `folder` is not in a repository with a working tree.
    pub(crate) fn find(folder: &Path, scratch: &Path) -> anyhow::Result<Self> {
        let asked = ["--show-toplevel", "--absolute-git-dir", "--show-prefix"];
        let outcome = run(plain(folder).arg("rev-parse").args(asked))?;
        let mut lines = outcome.stdout.lines();
        let (Some(root), Some(git_dir), true) = (lines.next(), lines.next(), outcome.success())
        else {
            return Err(failure(Exit::Usage, no_repository(folder, &outcome)));
        };
        let prefix = PathBuf::from(lines.next().unwrap_or_default());
        let root = PathBuf::from(root);
        let inside = |name: &str| -> anyhow::Result<PathBuf> {
            let path = answer(plain(&root).args(["rev-parse", "--git-path", name]))?;
            Ok(root.join(path))
        };
        Ok(Self {
            objects: inside("objects")?,
            index: inside("index")?,
            git_dir: PathBuf::from(git_dir),
            scratch: scratch.to_owned(),
            prefix,
            root,
        })
    }

    /// Where the cargo workspace lies under the root of the repository.
    pub(crate) fn prefix(&self) -> &Path {
        &self.prefix
    }

    /// The commit that `name` means now, resolved once.
    ///
    /// # Errors
    /// [`Exit::Usage`] when it means none.
    pub(crate) fn resolve(&self, name: &str) -> anyhow::Result<Side> {
        check_ref(name)?;
        let parse = |what: String| {
            run(plain(&self.root)
                .args(["rev-parse", "--verify", "--quiet", "--end-of-options"])
                .arg(what))
        };
        let commit = parse(format!("{name}^{{commit}}"))?;
        if !commit.success() {
            let why = words(&commit);
            let why = if why.is_empty() { why } else { format!(" ({why})") };
            let sentence =
                format!("git knows no commit '{name}' here{why}; fetch it, or name another ref");
            return Err(failure(Exit::Usage, sentence));
        }
        let commit = commit.stdout.trim().to_owned();
        let tree = parse(format!("{commit}^{{tree}}"))?.stdout.trim().to_owned();
        Ok(Self::side(commit, tree))
    }

    /// The commit at which the history of the working tree left that of `name`: what was done over
    /// there since is no change of this tree. With it a sentence, where that is not what `name`
    /// means now.
    ///
    /// # Errors
    /// [`Exit::Usage`] when `name` means no commit, or one that shares no history with this tree.
    pub(crate) fn fork(&self, name: &str) -> anyhow::Result<(Side, Option<String>)> {
        let tip = self.resolve(name)?;
        let head = self.resolve("HEAD")?;
        let outcome = run(plain(&self.root).args(["merge-base", &tip.commit, &head.commit]))?;
        let commit = outcome.stdout.trim();
        if commit.is_empty() {
            let sentence = format!(
                "'{name}' and the commit of the working tree have no common ancestor here; fetch \
                 the whole history, or name another ref"
            );
            return Err(failure(Exit::Usage, sentence));
        }
        if commit == tip.commit {
            return Ok((tip, None));
        }
        let remark = format!(
            "{name} is at {} by now; the base is {commit}, where this tree's history left it",
            tip.commit
        );
        Ok((self.resolve(commit)?, Some(remark)))
    }

    fn side(commit: String, tree: String) -> Side {
        Side { commit, tree, dirty: false }
    }

    /// The working tree as it is now: tracked, changed and new files, but not ignored ones and
    /// nothing under `except` (the target folder).
    ///
    /// # Errors
    /// [`Exit::Usage`] when there is no commit yet; whatever git says when it can't read a file.
    pub(crate) fn snapshot(&self, except: &Path) -> anyhow::Result<Side> {
        let head = self.resolve("HEAD")?;
        let index = self.scratch.join("snapshot.index");
        std::fs::create_dir_all(&self.scratch)
            .with_context(|| format!("failed to create {}", self.scratch.display()))?;
        // The user's index knows which files are unchanged, which spares reading them all.
        if copy_with_time(&self.index, &index).is_err() {
            let _missing = std::fs::remove_file(&index);
        }
        let _stale = std::fs::remove_file(index.with_extension("index.lock"));
        let mut add = self.apart(&self.root, &index);
        add.args(["add", "--all", "--", "."]);
        // Git refuses to be told to leave out what it ignores anyway.
        if let Ok(inside) = except.strip_prefix(&self.root)
            && !self.ignores(except)?
        {
            let mut pattern = std::ffi::OsString::from(":(exclude,top,literal)");
            pattern.push(inside);
            add.arg(pattern);
        }
        answer(&mut add)?;
        let tree = answer(self.apart(&self.root, &index).arg("write-tree"))?;
        Ok(Side { dirty: tree != head.tree, tree, ..head })
    }

    fn ignores(&self, path: &Path) -> anyhow::Result<bool> {
        says_yes(plain(&self.root).args(["check-ignore", "--quiet"]).arg(path))
    }

    /// A git command on this repository whose working tree is `work_tree` and whose index is
    /// `index`; new objects land in the scratch folder, and no hook of the user runs.
    pub(crate) fn apart(&self, work_tree: &Path, index: &Path) -> Command {
        let objects = self.scratch.join("objects");
        // Without this folder git sees no repository; where it can't be made, git says so.
        let _failed = std::fs::create_dir_all(&objects);
        let mut command = plain(work_tree);
        command
            .args(["-c", "core.hooksPath=/dev/null", "-c", "core.fsmonitor=false"])
            .args(["-c", "core.splitIndex=false", "-c", "advice.addEmbeddedRepo=false"])
            .env("GIT_DIR", &self.git_dir)
            .env("GIT_WORK_TREE", work_tree)
            .env("GIT_INDEX_FILE", index)
            .env("GIT_OBJECT_DIRECTORY", objects)
            .env("GIT_ALTERNATE_OBJECT_DIRECTORIES", &self.objects);
        command
    }

    /// The text of a file of a tree.
    ///
    /// # Errors
    /// When the tree has no such file.
    pub(crate) fn file(&self, tree: &str, path: &Path) -> anyhow::Result<String> {
        let mut command = self.apart(&self.root, &self.scratch.join("snapshot.index"));
        let outcome = run(command.arg("show").arg(format!("{tree}:{}", path.display())))?;
        anyhow::ensure!(outcome.success(), "the tree has no {}", path.display());
        Ok(outcome.stdout)
    }

    /// Whether two trees differ under `path`.
    pub(crate) fn differs(&self, a: &str, b: &str, path: &str) -> anyhow::Result<bool> {
        let mut command = self.apart(&self.root, &self.scratch.join("snapshot.index"));
        let path = self.prefix.join(path);
        command.args(["diff-tree", "--quiet", a, b, "--"]).arg(path);
        Ok(!says_yes(&mut command)?)
    }
}

/// Copies an index. Its time says which of its entries may be older than their files' last
/// change, so the copy must not look newer.
fn copy_with_time(from: &Path, to: &Path) -> std::io::Result<()> {
    std::fs::copy(from, to)?;
    let written = std::fs::metadata(from)?.modified()?;
    std::fs::File::options().write(true).open(to)?.set_modified(written)
}

/// Git in this folder, wherever the user's variables point it.
pub(crate) fn plain(folder: &Path) -> Command {
    let mut command = Command::new("git");
    FOREIGN.iter().for_each(|name| {
        command.env_remove(name);
    });
    // Without the lock setting a mere question refreshes the user's index; what git says is read.
    command.env("GIT_OPTIONAL_LOCKS", "0").env("LC_ALL", "C").arg("-C").arg(folder);
    command
}

fn run(command: &mut Command) -> anyhow::Result<Outcome> {
    let outcome = process::run(command, DEADLINE)?;
    match outcome.ending {
        Ending::Interrupted => Err(failure(Exit::NotMeasured, "interrupted: nothing was measured")),
        _ => Ok(outcome),
    }
}

/// All that git said, as one line: its advice names the command that helps.
fn words(outcome: &Outcome) -> String {
    outcome.stderr.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn no_repository(folder: &Path, outcome: &Outcome) -> String {
    let folder = folder.display();
    match words(outcome) {
        said if said.is_empty() || said.contains("not a git repository") => {
            format!("{folder} is not in a git repository; what is counted is known by its commit")
        }
        said => format!("git can't read the repository of {folder}: {said}"),
    }
}

/// The answer of a command that exits with 0 for yes and 1 for no.
fn says_yes(command: &mut Command) -> anyhow::Result<bool> {
    let outcome = run(command)?;
    match outcome.ending {
        Ending::Exited(status) if matches!(status.code(), Some(0 | 1)) => Ok(outcome.success()),
        _ => anyhow::bail!("failed to ask git: {}", words(&outcome)),
    }
}

/// What the command prints, trimmed.
///
/// # Errors
/// What git said when it failed.
pub(crate) fn answer(command: &mut Command) -> anyhow::Result<String> {
    let outcome = run(command)?;
    let verb = command.get_args().find(|arg| is_verb(arg)).unwrap_or_default().to_string_lossy();
    anyhow::ensure!(outcome.success(), "failed to run git {verb}: {}", words(&outcome));
    Ok(outcome.stdout.trim().to_owned())
}

fn is_verb(arg: &OsStr) -> bool {
    ["add", "checkout", "commit", "init", "write-tree", "read-tree", "rev-parse"]
        .iter()
        .any(|verb| arg == *verb)
}

#[cfg(test)]
pub(crate) mod tests;
