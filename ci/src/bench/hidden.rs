//! Keeps a program, and all that it starts, from the debug information of the system's libraries:
//! valgrind reads all there is of the C library before the first instruction, in a third of the time
//! of a short bench, and has no switch against it.
//!
//! With Landlock (Linux 5.13) a thread gives up rights, for itself and what it starts, that nobody has
//! to grant: here to read files below one folder. Its rules say what stays allowed, so they name
//! all that lies beside the way down to the folder. Where the kernel does not know it, or refuses,
//! nothing is hidden: counts are the same, and take longer.

use std::fs;
use std::path::Path;

use landlock::{
    AccessFs, PathBeneath, PathFd, Ruleset, RulesetAttr, RulesetCreatedAttr, RulesetStatus,
};

/// Where systems keep debug information by build id.
const FOLDER: &str = "/usr/lib/debug/.build-id";

/// Does `what` on a thread of its own from which, and from whose children, the debug information of
/// the system is hidden as far as the kernel can.
///
/// # Panics
/// When `what` does.
pub(crate) fn without_debug_information<T: Send>(what: impl FnOnce() -> T + Send) -> T {
    std::thread::scope(|scope| {
        let hidden = || {
            let _as_far_as_it_goes = hide(Path::new(FOLDER));
            what()
        };
        scope.spawn(hidden).join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
}

/// Gives up reading files below `folder`, for this thread and what it starts from now on. Says
/// whether the kernel does so.
fn hide(folder: &Path) -> anyhow::Result<bool> {
    if !folder.is_dir() {
        return Ok(false);
    }
    let mut rules = Ruleset::default().handle_access(AccessFs::ReadFile)?.create()?;
    for below in folder.ancestors() {
        let Some(level) = below.parent() else { break };
        for entry in fs::read_dir(level)? {
            let entry = entry?;
            // What a link leads to is named where it lies; the link might lead to the folder.
            if entry.path() != below && !entry.file_type()?.is_symlink() {
                let beside = PathBeneath::new(PathFd::new(entry.path())?, AccessFs::ReadFile);
                rules = rules.add_rule(beside)?;
            }
        }
    }
    Ok(rules.restrict_self()?.ruleset == RulesetStatus::FullyEnforced)
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    #[test]
    fn a_folder_is_hidden_from_children_and_nothing_beside_it_nor_from_anybody_else() {
        let folder = tempfile::tempdir().expect("folder");
        let root = folder.path().canonicalize().expect("there");
        let write = |name: &str| {
            let path = root.join(name);
            fs::create_dir_all(path.parent().expect("a folder")).expect("created");
            fs::write(&path, name).expect("written");
            path
        };
        let (inside, beside) = (write("a/hidden/x/file"), write("a/other/file"));
        let reads = |path: &Path| {
            Command::new("cat").arg(path).output().expect("cat runs").status.success()
        };
        std::thread::scope(|scope| {
            scope.spawn(|| {
                assert!(!hide(&root.join("none")).expect("nothing to hide") && reads(&inside));
                // A kernel without Landlock says so, and hides nothing.
                let hidden = hide(&root.join("a/hidden")).expect("it can be asked");
                assert_eq!((reads(&inside), reads(&beside)), (!hidden, true));
            });
        });
        assert!(reads(&inside), "it is hidden from other threads too");
        assert_eq!(without_debug_information(|| 7), 7);
    }
}
