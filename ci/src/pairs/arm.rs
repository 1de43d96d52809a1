//! The arms of a comparison: executables under paths of equal length, laid out anew for every
//! round.
//!
//! Where in memory the pages of an executable lie decides which of them share a cache set. A file
//! keeps its pages as long as it exists: with one file for each arm, one of three equal arms was
//! 0.3 % faster than the others for a quarter of an hour, at an operation of 60 ns. So every
//! round has files of its own, made in the order that chance has drawn for it, and this luck is
//! drawn anew with every round as well.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context;

use super::image::Image;

/// One side of a comparison, as the rounds see it.
#[derive(Clone, Debug)]
pub(crate) struct Arm {
    /// Its one-letter name, so that no path of one arm is longer than another's.
    pub(crate) letter: char,
    /// Executables by bench target, as in `wall_pool`.
    images: Arc<BTreeMap<String, Image>>,
    /// What its processes find in their environment besides what all find.
    pub(crate) variables: Vec<(String, String)>,
    /// Where its executables are laid out.
    folder: PathBuf,
    /// The folder for what criterion writes.
    pub(crate) home: PathBuf,
}

impl Arm {
    /// An arm of these executables, with its folders under `root`.
    ///
    /// # Errors
    /// When an executable can't be read, or the disk refuses.
    pub(crate) fn new(
        root: &Path,
        letter: char,
        executables: &BTreeMap<String, PathBuf>,
    ) -> anyhow::Result<Self> {
        let folder = root.join(letter.to_string());
        let home = root.join(format!("{letter}-out"));
        let _older = fs::remove_dir_all(&folder);
        fs::create_dir_all(&folder)
            .with_context(|| format!("failed to create the folder {}", folder.display()))?;
        let image = |(target, path): (&String, &PathBuf)| Ok((target.clone(), Image::read(path)?));
        let images = executables.iter().map(image).collect::<anyhow::Result<BTreeMap<_, _>>>()?;
        Ok(Self { letter, images: Arc::new(images), variables: Vec::new(), folder, home })
    }

    /// SHA-256 of each executable: what a resumed comparison must find again.
    pub(crate) fn hashes(&self) -> BTreeMap<String, String> {
        self.images.iter().map(|(target, image)| (target.clone(), image.hash.clone())).collect()
    }

    /// Where the executable of a target lies once it is laid out.
    pub(crate) fn executable(&self, target: &str) -> PathBuf {
        self.folder.join(target)
    }
}

/// Lays the executable of one target out anew for all arms, in this order. All older ones are
/// removed first, so that the memory they lay in is up for any of them.
///
/// # Errors
/// When an arm has no such target, or the disk refuses.
pub(crate) fn lay_out<'a>(
    arms: impl Iterator<Item = &'a Arm> + Clone,
    target: &str,
) -> anyhow::Result<()> {
    for arm in arms.clone() {
        let _none = fs::remove_file(arm.executable(target));
    }
    for arm in arms {
        let image = arm.images.get(target).with_context(|| format!("there is no {target}"))?;
        image.write(&arm.executable(target))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arms_are_laid_out_anew_under_paths_of_equal_length() {
        let folder = tempfile::tempdir().expect("temporary folder");
        let built = folder.path().join("wall_x-123");
        fs::write(&built, "x").expect("write");
        let executables: BTreeMap<String, PathBuf> = [("wall_x".to_owned(), built)].into();
        let arm = |letter| Arm::new(folder.path(), letter, &executables).expect("an arm");
        let arms = [arm('a'), arm('b')];
        let [a, b] = &arms;
        let length = |path: &Path| path.as_os_str().len();
        assert_eq!(length(&a.executable("wall_x")), length(&b.executable("wall_x")));
        assert_eq!(length(&a.home), length(&b.home));
        assert_eq!(a.hashes(), b.hashes());
        for _ in 0..2 {
            lay_out(arms.iter(), "wall_x").expect("laid out");
            assert_eq!(fs::read(b.executable("wall_x")).expect("there"), b"x");
        }
        let error = lay_out(arms.iter(), "wall_y").expect_err("no such target");
        assert!(error.to_string().contains("wall_y"), "{error}");
    }
}
