//! Where executables are counted: under paths that are equally long, wherever the checkout is, because
//! a path moves the stack, and a bench keeps its own on the heap: either moves some counts.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context;

/// Lengths of folders are multiples of this: less than a file name may have, more than most paths.
const LENGTH_STEP: usize = 250;

/// A folder in this one whose path is 250 bytes long, or the next multiple of that where the path of
/// this one has more than 248.
pub(crate) fn levelled(folder: &Path) -> PathBuf {
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
pub(crate) fn lay_out(
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
            let levelled = levelled(&folder);
            assert_eq!((levelled.as_os_str().len(), levelled.parent()), (250, Some(&*folder)));
        }
        // One more would be a folder without a name, or one with a name that is too long.
        let deep = PathBuf::from("/".to_owned() + &"a".repeat(248));
        assert_eq!(levelled(&deep).as_os_str().len(), 500);
        assert!(levelled(&deep).file_name().is_some_and(|name| name.len() <= 255));
    }

    #[test]
    fn executables_are_laid_out_without_leftovers() {
        let folder = tempfile::tempdir().expect("temporary folder");
        let built = folder.path().join("count_a-123");
        fs::write(&built, "x").expect("write");
        let benches: BTreeMap<String, PathBuf> = [("count_a".to_owned(), built.clone())].into();
        let run = folder.path().join("run");
        fs::create_dir_all(&run).expect("create");
        fs::write(run.join("count_old"), "left over").expect("write");
        let there = lay_out(&benches, &run, link).expect("laid out");
        assert_eq!(fs::read_dir(&run).expect("list").count(), 1);
        assert_eq!(there["count_a"], run.join("count_a"));
        assert_eq!(fs::read(&there["count_a"]).expect("read"), fs::read(&built).expect("read"));
    }
}
