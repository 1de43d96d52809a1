//! Where executables are counted: under paths that are equally long, in whatever folder the checkout
//! is, because what lies on the stack, and what a bench keeps of its own path, moves some counts.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context;

/// Lengths of folders are multiples of this: less than a file name may have, more than most paths.
const LENGTH_STEP: usize = 250;

/// A folder in this one whose path has a length that does not depend on the checkout, as long as that
/// lies less than 250 bytes deep.
pub(crate) fn level(folder: &Path) -> PathBuf {
    // With the separator, and never without a name.
    let length = folder.as_os_str().len() + 1;
    folder.join("x".repeat(LENGTH_STEP - length % LENGTH_STEP))
}

/// How an executable gets to its place.
pub(crate) type Put = fn(&Path, &Path) -> std::io::Result<()>;

/// Puts the executables into `folder` under their targets' names, and nothing else.
///
/// # Errors
/// When the disk refuses.
pub(crate) fn executables(
    benches: &BTreeMap<String, PathBuf>,
    folder: &Path,
    put: Put,
) -> anyhow::Result<BTreeMap<String, PathBuf>> {
    let _older = fs::remove_dir_all(folder);
    let place = |(target, path): (&String, &PathBuf)| {
        let there = folder.join(target);
        put(path, &there).map(|()| (target.clone(), there))
    };
    fs::create_dir_all(folder)
        .and_then(|()| benches.iter().map(place).collect())
        .with_context(|| format!("failed to lay out {}", folder.display()))
}

/// A hard link where the file system has them, a copy where not.
pub(crate) fn link(from: &Path, to: &Path) -> std::io::Result<()> {
    let _older = fs::remove_file(to);
    fs::hard_link(from, to).or_else(|_| fs::copy(from, to).map(drop))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_of_any_depth_have_paths_of_one_length() {
        for length in 2..249 {
            let folder = PathBuf::from("/".to_owned() + &"a".repeat(length - 1));
            let level = level(&folder);
            assert_eq!((level.as_os_str().len(), level.parent()), (250, Some(&*folder)));
        }
        // One more would be a folder without a name, or one with a name that is too long.
        let deep = PathBuf::from("/".to_owned() + &"a".repeat(248));
        assert_eq!(level(&deep).as_os_str().len(), 500);
        assert!(level(&deep).file_name().is_some_and(|name| name.len() <= 255));
    }
}
