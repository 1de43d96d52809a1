//! Keeps cargo from taking changed sources for built ones when the clock was set back.
//!
//! Cargo calls a crate fresh when no source is newer than its fingerprint. Sources that are
//! written after the clock went back look older than the build before it.

use std::fs;
use std::path::Path;
use std::time::SystemTime;

use anyhow::Context;

/// Removes every fingerprint under `target` that is not older than `began`, the time that the file
/// system gave to a file written before the sources. While the clock runs forwards there is none.
/// The crates behind them are built again.
///
/// # Errors
/// When the disk refuses: a stale build would be taken for the side's own.
pub(crate) fn forget_since(target: &Path, began: SystemTime) -> anyhow::Result<()> {
    let folder = target.join("release/.fingerprint");
    for entry in fs::read_dir(&folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if newest(&path).is_some_and(|time| time >= began) {
            fs::remove_dir_all(&path)
                .with_context(|| format!("failed to remove {}", path.display()))?;
        }
    }
    Ok(())
}

fn newest(folder: &Path) -> Option<SystemTime> {
    let files = fs::read_dir(folder).ok()?.flatten();
    files.filter_map(|file| file.metadata().ok()?.modified().ok()).max()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn only_what_is_not_older_than_the_sources_goes() {
        let target = tempfile::tempdir().expect("temporary folder");
        let folder = target.path().join("release/.fingerprint");
        let now = SystemTime::now();
        let hour = Duration::from_secs(3600);
        for (name, time) in [("old-1", now - hour), ("same-2", now), ("later-3", now + hour)] {
            fs::create_dir_all(folder.join(name)).expect("create");
            let path = folder.join(name).join("dep-lib");
            fs::write(&path, "").expect("write");
            let file = fs::File::options().write(true).open(&path).expect("open");
            file.set_modified(time).expect("set");
        }
        forget_since(target.path(), now).expect("removed");
        assert!(!folder.join("same-2").exists());
        assert!(folder.join("old-1").exists() && !folder.join("later-3").exists());
        forget_since(&target.path().join("none"), now).expect("nothing is there");
    }
}
