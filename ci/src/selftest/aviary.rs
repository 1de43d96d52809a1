//! A copy of the working tree in which canaries are injected: a repository of its own, of which the
//! only commit is the working tree as it is. The user's files and repository stay as they are.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context;

use super::canary::{EXPONENT_MAX, PER_BYTE, QUADRATIC, State, VANISHED};
use crate::exit::{Exit, failure};
use crate::gate::git::{Git, answer, plain};
use crate::gate::stage::Stage;
use crate::render::disk;
use crate::ui::Ui;
use crate::workspace::Workspace;

/// Who commits, and nothing of the user's that would ask for a key or change a file.
const SETTINGS: [&str; 5] = [
    "user.name=selftest",
    "user.email=selftest@localhost",
    "commit.gpgSign=false",
    "core.hooksPath=/dev/null",
    "core.autocrlf=false",
];
/// Says nothing that a compiler listens to.
const COMMENT: &str = "// Every line below is one further down than it was.\n";
/// Where the list of expected counts begins.
const LIST: &str = "[count]\nids = [\n";
/// Targets whose benches fail, as the gate builds and counts them: `count_*`.
const TARGETS: &str = "
[[bench]]
name = \"count_canary\"
path = \"count/canary.rs\"
harness = false

[[bench]]
name = \"count_never\"
path = \"count/never.rs\"
harness = false
";
const CANARY: &str = "\
//! Benches that fail.

use benches::faults::{Hang, Panic};

benches::counts! {
    fault:
        panic = Panic [_1KiB];
        hang = Hang [_1KiB];
}
";
const NEVER: &str = "\
//! A bench that is listed, and when it is to run ends well without having run.

use std::io::Write;

fn main() -> std::io::Result<()> {
    if std::env::args().any(|argument| argument == \"--list\") {
        writeln!(std::io::stdout(), \"count_never::canary::never::_1KiB: benchmark\")?;
    }
    Ok(())
}
";

/// The copy. One self-test has it at a time.
#[derive(Debug)]
pub(crate) struct Aviary {
    /// The folder of the cargo workspace in the copy.
    pub(crate) root: PathBuf,
    state: State,
    _stage: Stage,
}

impl Aviary {
    /// Copies the working tree, uncommitted changes included. `HEAD` of the copy is the working
    /// tree; the commit before it is empty.
    ///
    /// # Errors
    /// When git or the disk refuses; [`Exit::NotMeasured`] when interrupted.
    pub(crate) fn new(workspace: &Workspace, ui: Ui) -> anyhow::Result<Self> {
        let folder = workspace.perf_dir("selftest")?;
        let git = Git::find(&workspace.root, &folder.join("git"))?;
        let stage = Stage::take(&folder, ui)?;
        // What an earlier self-test injected is in no tree, so git would leave it there.
        disk::remove_folder(&stage.tree)?;
        stage.fill(&git, &git.snapshot(&workspace.target)?.tree)?;
        found(&stage.tree)?;
        let root = stage.tree.join(git.prefix());
        Ok(Self { root, state: State::Clean, _stage: stage })
    }

    /// Brings the copy into a state; from a later one there is no way back.
    ///
    /// # Errors
    /// [`Exit::NotMeasured`] when something to inject has no place in this tree; when the disk
    /// refuses.
    pub(crate) fn bring(&mut self, state: State) -> anyhow::Result<()> {
        assert!(self.state <= state, "canaries are asked for in the order of their states");
        if self.state < State::Commented && state >= State::Commented {
            comment(&self.root)?;
        }
        if self.state < State::NoBaselines && state >= State::NoBaselines {
            remove_baselines(&self.root)?;
        }
        if self.state < State::Injected && state == State::Injected {
            inject(&self.root)?;
        }
        self.state = state;
        Ok(())
    }
}

/// A repository in `folder`: an empty commit, then all there is.
fn found(folder: &Path) -> anyhow::Result<()> {
    let git = |arguments: &[&str]| {
        let mut command = plain(folder);
        SETTINGS.iter().for_each(|setting| {
            command.args(["-c", setting]);
        });
        answer(command.args(arguments))
    };
    git(&["init", "--quiet", "--initial-branch=selftest", "."])?;
    git(&["commit", "--quiet", "--allow-empty", "--message=nothing"])?;
    // What the tree holds is in it on purpose, whatever the list of ignored files says.
    git(&["add", "--all", "--force"])?;
    git(&["commit", "--quiet", "--message=the working tree"])?;
    Ok(())
}

/// Puts a comment on top of every source file below the folders that are named after benches, so that
/// no line is where it was.
fn comment(root: &Path) -> anyhow::Result<()> {
    let is_bench = |path: &PathBuf| {
        path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"bench"))
    };
    let mut folders: Vec<PathBuf> =
        entries(root)?.into_iter().filter(is_bench).filter(|path| path.is_dir()).collect();
    let mut commented = 0;
    while let Some(folder) = folders.pop() {
        for path in entries(&folder)? {
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|kind| kind == "rs") {
                write(&path, &format!("{COMMENT}{}", read(&path)?))?;
                commented += 1;
            }
        }
    }
    if commented == 0 {
        let sentence = format!("{} has no source file below bench*/", root.display());
        return Err(failure(Exit::NotMeasured, sentence));
    }
    Ok(())
}

fn entries(folder: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let told = || format!("failed to list {}", folder.display());
    let entries = fs::read_dir(folder).with_context(told)?;
    entries.map(|entry| Ok(entry.with_context(told)?.path())).collect()
}

fn remove_baselines(root: &Path) -> anyhow::Result<()> {
    disk::remove_folder(&root.join("ci/baselines"))
}

fn inject(root: &Path) -> anyhow::Result<()> {
    let benches = root.join("benches");
    append(&benches.join("Cargo.toml"), TARGETS)?;
    write(&benches.join("count/canary.rs"), CANARY)?;
    write(&benches.join("count/never.rs"), NEVER)?;
    let list = benches.join("expected.toml");
    let text = read(&list)?;
    let Some((before, after)) = text.split_once(LIST) else {
        let sentence = format!("{} has no list of counts to inject into", list.display());
        return Err(failure(Exit::NotMeasured, sentence));
    };
    let grows = format!("\n[[budget]]\nid = \"{QUADRATIC}/*\"\nexponent = {EXPONENT_MAX}\n");
    let (id, _, allowed) = PER_BYTE;
    let each = format!("\n[[budget]]\nid = \"{id}\"\ninstructions_per_byte = {allowed}\n");
    write(&list, &format!("{before}{LIST}    \"{VANISHED}\",\n{after}{grows}{each}"))
}

fn append(path: &Path, more: &str) -> anyhow::Result<()> {
    write(path, &(read(path)? + more))
}

fn read(path: &Path) -> anyhow::Result<String> {
    fs::read_to_string(path).with_context(|| format!("failed to read {}", path.display()))
}

fn write(path: &Path, text: &str) -> anyhow::Result<()> {
    fs::write(path, text).with_context(|| format!("failed to write {}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::super::super::gate::git::tests::{commit, git, repository};
    use super::*;

    const UI: Ui = Ui { json: true };

    /// A repository with what canaries are injected into, and its workspace.
    fn workspace() -> (tempfile::TempDir, Workspace) {
        let folder = repository();
        let root = folder.path().to_owned();
        for (name, text) in [
            ("benches/Cargo.toml", "[package]\nname = \"benches\"\n"),
            ("benches/count/pool.rs", ""),
            ("benches/expected.toml", "[count]\nids = [\n    \"a/b\",\n]\n"),
            ("ci/policy.toml", ""),
            ("ci/baselines/x.txt", "a"),
            (".gitignore", "/target\n"),
        ] {
            let path = root.join(name);
            fs::create_dir_all(path.parent().expect("a folder")).expect("created");
            fs::write(path, text).expect("written");
        }
        git(&root, &["add", "--all"]);
        commit(&root);
        let target = root.join("target");
        (folder, Workspace { root, target })
    }

    #[test]
    fn the_copys_head_is_the_working_tree_and_the_users_repository_stays_as_it_is() {
        let (folder, workspace) = workspace();
        fs::write(folder.path().join("a.txt"), "not committed\n").expect("written");
        let before = git(folder.path(), &["status", "--porcelain"]);
        let mut aviary = Aviary::new(&workspace, UI).expect("copied");
        let held = fs::read_to_string(aviary.root.join("a.txt")).expect("there");
        assert_eq!(held, "not committed\n");
        assert_eq!(git(&aviary.root, &["status", "--porcelain"]), "");
        assert_eq!(git(&aviary.root, &["ls-tree", "--name-only", "HEAD~1"]), "");
        aviary.bring(State::Commented).expect("commented");
        aviary.bring(State::NoBaselines).expect("removed");
        assert!(!aviary.root.join("ci/baselines").exists());
        aviary.bring(State::Injected).expect("injected");
        let list = fs::read_to_string(aviary.root.join("benches/expected.toml")).expect("there");
        let list: toml::Table = list.parse().expect("sound");
        assert_eq!(list["count"]["ids"][0].as_str(), Some(VANISHED));
        assert_eq!(list["budget"][0]["id"].as_str(), Some("payload/verify/*"));
        assert_eq!(list["budget"][1]["id"].as_str(), Some(PER_BYTE.0));
        let pool = fs::read_to_string(aviary.root.join("benches/count/pool.rs")).expect("there");
        assert_eq!(pool, COMMENT, "commented once");
        assert_eq!(git(folder.path(), &["status", "--porcelain"]), before);
    }

    #[test]
    fn what_an_earlier_self_test_injected_is_gone() {
        let (_folder, workspace) = workspace();
        let mut earlier = Aviary::new(&workspace, UI).expect("copied");
        earlier.bring(State::Injected).expect("injected");
        drop(earlier);
        let aviary = Aviary::new(&workspace, UI).expect("copied again");
        assert!(!aviary.root.join("benches/count/canary.rs").exists());
        assert!(aviary.root.join("ci/baselines/x.txt").exists());
        assert_eq!(git(&aviary.root, &["status", "--porcelain"]), "");
    }

    #[test]
    fn a_tree_without_a_place_for_a_canary_tests_nothing() {
        let (folder, workspace) = workspace();
        fs::write(folder.path().join("benches/expected.toml"), "").expect("written");
        let mut aviary = Aviary::new(&workspace, UI).expect("copied");
        let error = aviary.bring(State::Injected).expect_err("no list");
        assert_eq!(crate::exit::of(&error), Exit::NotMeasured);
        assert!(error.to_string().contains("expected.toml has no list"), "{error}");
    }

    #[test]
    fn the_real_list_has_a_place_for_a_canary() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("in the workspace");
        assert!(read(&root.join("benches/expected.toml")).expect("there").contains(LIST));
    }
}
