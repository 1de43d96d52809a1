//! Gives a target folder that is not there yet the dependencies that another of this checkout has
//! compiled, so that they are compiled once.
//!
//! Only what comes from a registry is taken, which is the same wherever it was compiled. What the
//! workspace itself builds is not: cargo names it by its place in the workspace and calls it fresh by
//! the times of its sources, so that one tree's would be taken for another's.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs::{self, File};
use std::io;
use std::path::Path;

use anyhow::Context;

use crate::bench::folders::link;
use crate::render::disk;

/// What cargo knows of each crate, by which it tells whether it has to be built.
const FINGERPRINTS: &str = ".fingerprint";

/// Fills the target folder `to` from `from`, where there is none yet and `from` has something to
/// give. `lock` is the workspace's lock file, which says what is its own. Leaves `from` as it is,
/// and takes nothing while a cargo builds there. Whether it took something.
///
/// # Errors
/// When the disk refuses; then there is no `to` either.
pub(crate) fn seed(from: &Path, to: &Path, lock: &Path) -> anyhow::Result<bool> {
    let (from, to) = (from.join("release"), to.join("release"));
    let known = from.join(FINGERPRINTS);
    if to.exists() || !known.is_dir() {
        return Ok(false);
    }
    // As cargo does while it builds.
    let Ok(guard) = File::open(from.join(".cargo-lock")) else { return Ok(false) };
    if guard.try_lock_shared().is_err() {
        return Ok(false);
    }
    // What is wrong with it, cargo says better.
    let Some(own) = own_packages(lock) else { return Ok(false) };
    // Under another name until it is whole.
    let half = to.with_extension("half");
    disk::remove_folder(&half)?;
    copy(&from, &half, &own)
        .and_then(|()| fs::rename(&half, &to))
        .inspect_err(|_| drop(disk::remove_folder(&half)))
        .with_context(|| format!("failed to fill {} from {}", to.display(), from.display()))?;
    Ok(true)
}

/// The packages of a lock file that no registry has.
fn own_packages(lock: &Path) -> Option<BTreeSet<String>> {
    let table: toml::Table = fs::read_to_string(lock).ok()?.parse().ok()?;
    let own = |package: &&toml::Value| package.get("source").is_none();
    let name = |package: &toml::Value| Some(package.get("name")?.as_str()?.to_owned());
    Some(table.get("package")?.as_array()?.iter().filter(own).filter_map(name).collect())
}

fn copy(from: &Path, to: &Path, own: &BTreeSet<String>) -> io::Result<()> {
    let foreign = |name: &OsStr| {
        let name = name.to_string_lossy();
        let package = name.rsplit_once('-').map_or(&*name, |(package, _)| package);
        !own.contains(package)
    };
    for folder in [FINGERPRINTS, "build"] {
        for entry in entries(&from.join(folder))? {
            if foreign(&entry.file_name()) {
                copy_tree(&entry.path(), &to.join(folder).join(entry.file_name()))?;
            }
        }
    }
    fs::create_dir_all(to.join("deps"))?;
    for entry in entries(&from.join("deps"))? {
        let there = to.join("deps").join(entry.file_name());
        match entry.path().extension().and_then(OsStr::to_str) {
            // Compilers replace these and never write into one.
            Some("rlib" | "rmeta") => link(&entry.path(), &there)?,
            Some("d" | "so") => copy_file(&entry.path(), &there)?,
            _ => {}
        }
    }
    Ok(())
}

fn copy_tree(from: &Path, to: &Path) -> io::Result<()> {
    if !from.is_dir() {
        return copy_file(from, to);
    }
    fs::create_dir_all(to)?;
    for entry in entries(from)? {
        copy_tree(&entry.path(), &to.join(entry.file_name()))?;
    }
    Ok(())
}

/// With its time, by which cargo tells what is older than what.
fn copy_file(from: &Path, to: &Path) -> io::Result<()> {
    fs::copy(from, to)?;
    File::options().append(true).open(to)?.set_modified(fs::metadata(from)?.modified()?)
}

/// What lies in a folder; nothing where there is none.
fn entries(folder: &Path) -> io::Result<Vec<fs::DirEntry>> {
    match fs::read_dir(folder) {
        Ok(entries) => entries.collect(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, SystemTime};

    use super::*;

    /// A target folder in which a crate of a registry and one of the workspace were built.
    fn target() -> tempfile::TempDir {
        let folder = tempfile::tempdir().expect("temporary folder");
        let long_ago = SystemTime::now() - Duration::from_secs(3600);
        for path in [
            "Cargo.lock",
            "from/release/.cargo-lock",
            "from/release/.fingerprint/serde_core-0a/lib-serde_core",
            "from/release/.fingerprint/benches-0b/bench-count_pool",
            "from/release/build/libc-0c/out/generated.rs",
            "from/release/deps/libserde_core-0a.rlib",
            "from/release/deps/libderive-0d.so",
            "from/release/deps/count_pool-0b",
        ] {
            let path = folder.path().join(path);
            fs::create_dir_all(path.parent().expect("a folder")).expect("create");
            fs::write(&path, "x").expect("write");
            let file = File::options().append(true).open(&path).expect("open");
            file.set_modified(long_ago).expect("set");
        }
        let lock = "[[package]]\nname = \"benches\"\n[[package]]\nname = \"serde_core\"\n\
                    source = \"registry\"\n";
        fs::write(folder.path().join("Cargo.lock"), lock).expect("write");
        folder
    }

    fn seeded(folder: &Path) -> anyhow::Result<bool> {
        seed(&folder.join("from"), &folder.join("to"), &folder.join("Cargo.lock"))
    }

    #[test]
    fn what_a_registry_has_is_taken_with_its_times_and_the_workspaces_own_is_not() {
        let folder = target();
        assert!(seeded(folder.path()).expect("filled"));
        let there = |path: &str| folder.path().join("to/release").join(path);
        for taken in [
            ".fingerprint/serde_core-0a/lib-serde_core",
            "build/libc-0c/out/generated.rs",
            "deps/libserde_core-0a.rlib",
            "deps/libderive-0d.so",
        ] {
            let time = |path: &Path| fs::metadata(path).and_then(|data| data.modified());
            let original = folder.path().join("from/release").join(taken);
            assert_eq!(time(&there(taken)).expect(taken), time(&original).expect(taken));
        }
        assert!(!there(".fingerprint/benches-0b").exists());
        assert!(!there("deps/count_pool-0b").exists());
        assert!(!seeded(folder.path()).expect("nothing to do"), "it is filled once");
    }

    #[test]
    fn nothing_is_taken_while_a_cargo_builds_there_or_when_nothing_is_there() {
        let folder = target();
        let building = File::open(folder.path().join("from/release/.cargo-lock")).expect("open");
        building.lock().expect("lock");
        assert!(!seeded(folder.path()).expect("no error"));
        drop(building);
        fs::remove_dir_all(folder.path().join("from")).expect("remove");
        assert!(!seeded(folder.path()).expect("no error"));
        assert!(!folder.path().join("to").exists());
    }

    #[test]
    fn nothing_is_taken_without_a_sound_lock_file() {
        let folder = target();
        fs::write(folder.path().join("Cargo.lock"), "no lock file").expect("write");
        assert!(!seeded(folder.path()).expect("no error"), "nobody knows what is its own");
    }

    #[test]
    fn a_copy_that_fails_leaves_no_half_of_it() {
        let folder = target();
        let lost = folder.path().join("from/release/deps/liblost-0e.so");
        std::os::unix::fs::symlink("nowhere", lost).expect("link");
        let error = seeded(folder.path()).expect_err("a file can't be read");
        assert!(error.to_string().contains("to/release"), "{error}");
        assert_eq!(fs::read_dir(folder.path().join("to")).expect("list").count(), 0);
    }
}
