//! Keeps the executables of both sides by what they were made of, so that a base that was built
//! once is not built again.
//!
//! A folder for each key, written beside its place and renamed into it, and renamed out of it
//! before it is removed, so that it is there whole or not at all. A list of its files is written
//! last; an entry that does not hold what its list says is none. Only the newest are kept.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, SystemTime};

use anyhow::Context;
use sha2::{Digest, Sha256};

use crate::bench::build::{Executables, RUNNER};
use crate::bench::code_hash::hex;
use crate::process;

/// How many builds are kept. One is some tens of megabytes.
const KEPT: usize = 8;
/// Names a folder that is still being written, or is being removed.
const UNFINISHED: &str = "unfinished";
/// Raised when what a key stands for changes.
const VERSION: &str = "5";
/// Names the file of an entry that lists the others.
const LIST: &str = "files";

/// A folder of builds. Only whoever holds the stage may touch it.
#[derive(Clone, Debug)]
pub(crate) struct Cache {
    folder: PathBuf,
}

/// What executables are made of, as a hash: `tree`, which `targets` of it, and what is `outside` of it
/// ([`outside`](super::settings::outside)).
///
/// The lock file and the profile are in the tree. The folder of the stage counts because its path
/// is compiled into the executables.
///
/// # Errors
/// When `rustc` can't be asked for its version.
pub(crate) fn key(
    tree: &str,
    targets: &[&str],
    features: &[String],
    stage: &Path,
    outside: &[(String, Vec<u8>)],
) -> anyhow::Result<String> {
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let version = process::run(Command::new(rustc).arg("-vV"), Duration::from_secs(60))?;
    anyhow::ensure!(version.success(), "rustc -vV failed: {}", version.last_words());
    let mut features = features.to_vec();
    features.sort();
    let mut hash = Sha256::new();
    let mut part = |bytes: &[u8]| {
        hash.update((bytes.len() as u64).to_le_bytes());
        hash.update(bytes);
    };
    part(VERSION.as_bytes());
    part(tree.as_bytes());
    part(targets.join(",").as_bytes());
    part(version.stdout.as_bytes());
    part(features.join(",").as_bytes());
    part(stage.as_os_str().as_encoded_bytes());
    for (name, content) in outside {
        part(name.as_bytes());
        part(content);
    }
    Ok(hex(&hash.finalize())[..32].to_owned())
}

impl Cache {
    /// The cache in `folder`, which is made when first needed.
    pub(crate) fn new(folder: PathBuf) -> Self {
        Self { folder }
    }

    /// The executables kept under `key`.
    pub(crate) fn get(&self, key: &str) -> Option<Executables> {
        let folder = self.folder.join(key);
        let mut found = Executables::default();
        for name in fs::read_to_string(folder.join(LIST)).ok()?.lines().map(str::to_owned) {
            let path = folder.join(&name);
            if !path.is_file() {
                return None;
            }
            if name == RUNNER {
                found.runner = Some(path);
            } else {
                found.benches.insert(name, path);
            }
        }
        // The newest are those that were used last; a clock that can't be set costs a build.
        let _touched = fs::File::open(&folder).and_then(|f| f.set_modified(SystemTime::now()));
        Some(found)
    }

    /// Copies the executables to `key` and drops the oldest builds.
    ///
    /// # Errors
    /// When the disk refuses.
    pub(crate) fn put(&self, key: &str, built: &Executables) -> anyhow::Result<Executables> {
        let unfinished = self.folder.join(format!("{UNFINISHED}-{key}"));
        let whole = self.folder.join(key);
        let write = || -> std::io::Result<()> {
            self.sweep();
            fs::create_dir_all(&unfinished)?;
            for (name, path) in &built.benches {
                fs::copy(path, unfinished.join(name))?;
            }
            if let Some(runner) = &built.runner {
                fs::copy(runner, unfinished.join(RUNNER))?;
            }
            let runner = built.runner.as_ref().map(|_| RUNNER);
            let names = built.benches.keys().map(String::as_str).chain(runner);
            let list: String = names.map(|name| format!("{name}\n")).collect();
            fs::write(unfinished.join(LIST), list)?;
            self.discard(&whole);
            fs::rename(&unfinished, &whole)
        };
        if let Err(error) = write() {
            let _half = fs::remove_dir_all(&unfinished);
            return Err(error).with_context(|| format!("failed to write {}", whole.display()));
        }
        self.get(key).with_context(|| format!("failed to read {}", whole.display()))
    }

    /// Removes what an interrupted gate left and all but the newest builds, making room for one.
    fn sweep(&self) {
        let Ok(entries) = fs::read_dir(&self.folder) else { return };
        let mut kept: Vec<(SystemTime, PathBuf)> = Vec::new();
        for entry in entries.flatten() {
            let path = entry.path();
            if entry.file_name().to_string_lossy().starts_with(UNFINISHED) {
                let _gone = fs::remove_dir_all(path);
            } else if let Ok(time) = entry.metadata().and_then(|data| data.modified()) {
                kept.push((time, path));
            }
        }
        kept.sort();
        let surplus = (kept.len() + 1).saturating_sub(KEPT);
        for (_, path) in kept.into_iter().take(surplus) {
            self.discard(&path);
        }
    }

    /// Removes an entry. It loses its name first: whoever is interrupted half-way leaves no entry
    /// that looks whole.
    fn discard(&self, entry: &Path) {
        let going = self.folder.join(format!("{UNFINISHED}-gone"));
        let _older = fs::remove_dir_all(&going);
        if fs::rename(entry, &going).is_ok() {
            let _gone = fs::remove_dir_all(&going);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn built(folder: &Path) -> Executables {
        let (bench, runner) = (folder.join("count_a-1"), folder.join("runner"));
        fs::write(&bench, "bench").expect("write");
        fs::write(&runner, "runner").expect("write");
        Executables { runner: Some(runner), benches: [("count_a".into(), bench)].into() }
    }

    #[test]
    fn what_is_put_is_got_and_only_the_newest_stay() {
        let folder = tempfile::tempdir().expect("temporary folder");
        let built = built(folder.path());
        let cache = Cache::new(folder.path().join("cache"));
        assert_eq!(cache.get("0"), None);
        for key in 0..KEPT + 3 {
            let put = cache.put(&key.to_string(), &built).expect("put");
            let age = Duration::from_secs((100 - key) as u64);
            let entry = fs::File::open(cache.folder.join(key.to_string())).expect("open");
            entry.set_modified(SystemTime::now() - age).expect("set");
            assert_eq!(fs::read_to_string(&put.benches["count_a"]).expect("read"), "bench");
            assert!(put.runner.is_some());
        }
        let kept = fs::read_dir(&cache.folder).expect("list").count();
        assert_eq!(kept, KEPT);
        assert_eq!(cache.get("0"), None);
        assert!(cache.get("10").is_some());
    }

    #[test]
    fn an_entry_that_lost_a_file_is_none_and_is_written_anew() {
        let folder = tempfile::tempdir().expect("temporary folder");
        let built = built(folder.path());
        let cache = Cache::new(folder.path().join("cache"));
        for lost in ["count_a", RUNNER, LIST] {
            cache.put("k", &built).expect("put");
            fs::remove_file(cache.folder.join("k").join(lost)).expect("remove");
            assert_eq!(cache.get("k"), None, "{lost} is lost");
        }
        let put = cache.put("k", &built).expect("put");
        assert_eq!(cache.get("k"), Some(put));
        assert_eq!(fs::read_dir(&cache.folder).expect("list").count(), 1);
    }

    #[test]
    fn a_build_that_can_not_be_kept_leaves_nothing() {
        let folder = tempfile::tempdir().expect("temporary folder");
        let mut built = built(folder.path());
        built.benches.insert("count_b".into(), folder.path().join("missing"));
        let cache = Cache::new(folder.path().join("cache"));
        cache.put("k", &built).expect_err("a file is missing");
        assert_eq!(fs::read_dir(&cache.folder).expect("list").count(), 0);
    }

    #[test]
    fn the_key_changes_with_everything_that_changes_the_code() {
        let of = |targets: &[&str], tree, features: &[&str], stage, outside: &str| {
            let features: Vec<String> = features.iter().map(|&f| f.to_owned()).collect();
            let outside = [("config.toml".to_owned(), outside.into())];
            super::key(tree, targets, &features, Path::new(stage), &outside).expect("key")
        };
        let key = |tree, features: &[&str], stage, outside: &str| {
            of(&["count_*"], tree, features, stage, outside)
        };
        let one = key("t", &["a", "b"], "/s", "x");
        assert_eq!(one, key("t", &["b", "a"], "/s", "x"));
        for other in [
            key("u", &["a", "b"], "/s", "x"),
            key("t", &["a"], "/s", "x"),
            key("t", &["a", "b"], "/r", "x"),
            key("t", &["a", "b"], "/s", "y"),
            of(&["wall_*"], "t", &["a", "b"], "/s", "x"),
        ] {
            assert_ne!(one, other);
        }
    }
}
