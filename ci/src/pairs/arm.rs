//! The arms of a comparison: copies of executables under paths of equal length.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context;
use sha2::{Digest, Sha256};

use crate::bench::code_hash::hex;

/// One side of a comparison, as the rounds see it.
#[derive(Clone, Debug)]
pub(crate) struct Arm {
    /// Its one-letter name, so that no path of one arm is longer than another's.
    pub(crate) letter: char,
    /// Executables by bench target, as in `wall_pool`.
    pub(crate) executables: BTreeMap<String, PathBuf>,
    /// What its processes find in their environment besides what all find.
    pub(crate) variables: Vec<(String, String)>,
    /// The folder for what criterion writes.
    pub(crate) home: PathBuf,
}

impl Arm {
    /// Copies the executables to `<root>/<letter>/<target>`. Copies and not links: arms of the
    /// same file would share its pages in memory, which those of two builds never do.
    ///
    /// # Errors
    /// When the disk refuses.
    pub(crate) fn lay_out(
        root: &Path,
        letter: char,
        executables: &BTreeMap<String, PathBuf>,
    ) -> anyhow::Result<Self> {
        let folder = root.join(letter.to_string());
        let home = root.join(format!("{letter}-out"));
        let _older = fs::remove_dir_all(&folder);
        let place = |(target, from): (&String, &PathBuf)| {
            let there = folder.join(target);
            fs::copy(from, &there).map(|_| (target.clone(), there))
        };
        let executables = fs::create_dir_all(&folder)
            .and_then(|()| executables.iter().map(place).collect())
            .with_context(|| format!("failed to lay out {}", folder.display()))?;
        Ok(Self { letter, executables, variables: Vec::new(), home })
    }

    /// SHA-256 of each executable: what a resumed comparison must find again.
    ///
    /// # Errors
    /// When one can't be read.
    pub(crate) fn hashes(&self) -> anyhow::Result<BTreeMap<String, String>> {
        let hash = |(target, path): (&String, &PathBuf)| {
            let bytes =
                fs::read(path).with_context(|| format!("failed to read {}", path.display()))?;
            Ok((target.clone(), hex(&Sha256::digest(bytes))))
        };
        self.executables.iter().map(hash).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arms_are_copies_under_paths_of_equal_length() {
        let folder = tempfile::tempdir().expect("temporary folder");
        let built = folder.path().join("wall_x-123");
        fs::write(&built, "x").expect("write");
        let executables: BTreeMap<String, PathBuf> = [("wall_x".to_owned(), built)].into();
        let arm = |letter| Arm::lay_out(folder.path(), letter, &executables).expect("laid out");
        let (a, b) = (arm('a'), arm('b'));
        let length = |arm: &Arm| arm.executables["wall_x"].as_os_str().len();
        assert_eq!(length(&a), length(&b));
        assert_eq!(a.home.as_os_str().len(), b.home.as_os_str().len());
        assert_eq!(a.hashes().expect("readable"), b.hashes().expect("readable"));
        fs::write(&a.executables["wall_x"], "y").expect("write");
        assert_ne!(a.hashes().expect("readable"), b.hashes().expect("readable"));
    }
}
