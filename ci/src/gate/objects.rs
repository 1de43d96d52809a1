//! Bounds the folder of git objects that snapshots leave behind.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use anyhow::Context;

/// Drops the objects in `scratch` when they take more than `bound` bytes; what is needed of them is
/// made again. Only for whoever holds the stage, and before a snapshot.
///
/// # Errors
/// When the disk refuses.
pub(crate) fn prune(scratch: &Path, bound: u64) -> anyhow::Result<()> {
    let objects = scratch.join("objects");
    if bytes_on_disk(&objects) <= bound {
        return Ok(());
    }
    fs::remove_dir_all(&objects).with_context(|| format!("failed to remove {}", objects.display()))
}

/// What the files under `folder` take. Most objects are smaller than a block, and take one.
fn bytes_on_disk(folder: &Path) -> u64 {
    const BLOCK: u64 = 512;
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let sizes = entries.map(|entry| match entry.metadata() {
        Ok(data) if data.is_dir() => bytes_on_disk(&entry.path()),
        Ok(data) => data.blocks() * BLOCK,
        Err(_) => 0,
    });
    sizes.sum()
}

#[cfg(test)]
mod tests {
    use super::super::git::Git;
    use super::super::git::tests::repository;
    use super::super::stage::Stage;
    use super::*;
    use crate::ui::Ui;

    #[test]
    fn objects_beyond_the_bound_are_dropped_and_the_stage_can_still_be_filled() {
        let folder = repository();
        let root = folder.path();
        let scratch = root.join("target/scratch");
        let known = Git::find(root, &scratch).expect("a repository");
        let stage = Stage::take(&root.join("target/gate"), Ui { json: true }).expect("free");
        fs::create_dir(root.join("b")).expect("create");
        let fill = |text: &str| {
            fs::write(root.join("b/c.txt"), text).expect("write");
            let side = known.snapshot(&root.join("target")).expect("snapshot");
            stage.fill(&known, &side.tree).expect("fill");
            assert_eq!(fs::read_to_string(stage.tree.join("b/c.txt")).expect("text"), text);
        };
        fill("one");
        prune(&scratch, u64::MAX).expect("within the bound");
        assert!(scratch.join("objects").exists());
        prune(&scratch, 0).expect("dropped");
        assert!(!scratch.join("objects").exists());
        fill("two");
        let head = known.resolve("HEAD").expect("known");
        prune(&scratch, 0).expect("dropped");
        stage.fill(&known, &head.tree).expect("fill");
        assert!(!stage.tree.join("b").exists() && stage.tree.join("a.txt").exists());
    }
}
