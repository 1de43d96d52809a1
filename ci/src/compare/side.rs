//! Both sides of a live comparison: built in the gate's one folder where they are git refs, taken as
//! they are where they are executables.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::name::{Kind, WORKING_TREE};
use super::program;
use crate::bench::build::WALLS;
use crate::exit::{Exit, failure};
use crate::expected::Expected;
use crate::gate::git::{self, Git};
use crate::gate::sides::Workshop;
use crate::gate::stage::Stage;
use crate::ui::Ui;
use crate::workspace::Workspace;

/// One side, ready to be laid out.
#[derive(Debug)]
pub(crate) struct Side {
    /// As the user wrote it.
    pub(crate) name: String,
    /// As git knows it; `None` for executables that somebody built.
    pub(crate) git: Option<git::Side>,
    /// SHA-256 of the lock file that it was built by.
    pub(crate) lockfile_hash: Option<String>,
    /// The ids that it must have; `None` where nobody wrote that down.
    pub(crate) expected: Option<Expected>,
    /// By target.
    pub(crate) executables: BTreeMap<String, PathBuf>,
}

/// What the user asked for on one side.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Asked<'a> {
    pub(crate) name: &'a str,
    pub(crate) kind: Kind,
    pub(crate) features: &'a [String],
}

/// Both sides with what is to be said of them.
#[derive(Debug)]
pub(crate) struct Sides {
    pub(crate) base: Side,
    pub(crate) head: Side,
    pub(crate) remarks: Vec<String>,
    /// Held until the executables are copied out of the cache, which another command may sweep.
    pub(crate) stage: Option<Stage>,
}

/// Builds or finds both sides.
///
/// # Errors
/// A side that does not build, with its name and the compiler's message; no executables.
pub(crate) fn sides(
    base: Asked<'_>,
    head: Asked<'_>,
    workspace: &Workspace,
    git: Option<&Git>,
    ui: Ui,
) -> anyhow::Result<Sides> {
    let Some(of_git) = [base, head].into_iter().find(|asked| asked.kind == Kind::Ref) else {
        let (base, head) = (found(base)?, found(head)?);
        return Ok(Sides { base, head, remarks: Vec::new(), stage: None });
    };
    let git = git.ok_or_else(|| {
        let name = of_git.name;
        let why =
            format!("'{name}' can't be built: this is no cargo workspace in a git repository");
        failure(Exit::Usage, why)
    })?;
    let stage = Stage::take(&workspace.perf_dir("gate")?, ui)?;
    let workshop = Workshop { workspace, git, stage: &stage, ui };
    // Both are known before either is built: a build may take minutes, in which a ref may move.
    let known = [known(base, git, workspace)?, known(head, git, workspace)?];
    let remarks = remarks(&known, git)?;
    let [of_base, of_head] = known;
    let base = side(base, of_base, &workshop, "base")?;
    let head = side(head, of_head, &workshop, "head")?;
    Ok(Sides { base, head, remarks, stage: Some(stage) })
}

fn known(asked: Asked<'_>, git: &Git, workspace: &Workspace) -> anyhow::Result<Option<git::Side>> {
    match (asked.kind, asked.name) {
        (Kind::Ref, WORKING_TREE) => git.snapshot(&workspace.target).map(Some),
        (Kind::Ref, name) => git.resolve(name).map(Some),
        _ => Ok(None),
    }
}

fn remarks(known: &[Option<git::Side>; 2], git: &Git) -> anyhow::Result<Vec<String>> {
    let mut remarks = Vec::new();
    if let [Some(base), Some(head)] = known {
        remarks.push("both sides were built in one place".to_owned());
        if git.differs(&base.tree, &head.tree, ".cargo")? {
            let why = ".cargo differs; the working tree's settings reach both sides";
            remarks.push(why.to_owned());
        }
    }
    if known.iter().flatten().any(|side| side.dirty) {
        let why = "the working tree has uncommitted changes; they are part of what is measured";
        remarks.push(why.to_owned());
    }
    Ok(remarks)
}

fn side(
    asked: Asked<'_>,
    known: Option<git::Side>,
    workshop: &Workshop<'_>,
    place: &str,
) -> anyhow::Result<Side> {
    let Some(known) = known else { return found(asked) };
    let name = match asked.name {
        WORKING_TREE => format!("the {place} (the working tree)"),
        name => format!("the {place} {name}"),
    };
    let built = workshop.build(&known, &name, asked.features, &WALLS)?;
    let path = Path::new("benches/expected.toml");
    let text = workshop.git.file(&known.tree, &workshop.git.prefix().join(path)).ok();
    Ok(Side {
        name: asked.name.to_owned(),
        lockfile_hash: workshop.lockfile_hash(&known),
        expected: text.map(|text| Expected::parse(path, &text)).transpose()?,
        git: Some(known),
        executables: built.benches,
    })
}

fn found(asked: Asked<'_>) -> anyhow::Result<Side> {
    // They run in folders of their own, where no path leads that begins in ours.
    let absolute = |(target, path): (String, PathBuf)| Ok((target, std::path::absolute(path)?));
    let executables = program::at(Path::new(asked.name))?.into_iter().map(absolute);
    Ok(Side {
        name: asked.name.to_owned(),
        git: None,
        lockfile_hash: None,
        expected: None,
        executables: executables.collect::<std::io::Result<_>>()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gate::git::tests::repository;

    #[test]
    fn a_working_tree_is_a_snapshot_and_a_ref_is_resolved_once() {
        let folder = repository();
        let root = folder.path();
        let git = Git::find(root, &root.join("target/scratch")).expect("a repository");
        let workspace = Workspace { root: root.to_owned(), target: root.join("target") };
        let ask = |name, kind| {
            known(Asked { name, kind, features: &[] }, &git, &workspace).expect("known")
        };
        let clean = [ask("main", Kind::Ref), ask(WORKING_TREE, Kind::Ref)];
        assert_eq!(clean[0], clean[1]);
        assert_eq!(remarks(&clean, &git).expect("trees").len(), 1);
        std::fs::write(root.join("b.txt"), "new\n").expect("written");
        let changed = [ask("main", Kind::Ref), ask(WORKING_TREE, Kind::Ref)];
        assert_ne!(changed[0], changed[1]);
        assert!(remarks(&changed, &git).expect("trees")[1].contains("uncommitted changes"));
        assert_eq!(ask("main", Kind::Executable), None);
    }
}
