//! Bench executables that somebody built: a file, or a folder of them.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};

use anyhow::Context;

use crate::exit::{Exit, failure};

/// What the names of executables in a folder begin with.
const PREFIX: &str = "wall_";
/// What a program begins with: an executable of the linker, or a script.
const BEGINNINGS: [&[u8]; 2] = [b"\x7fELF", b"#!"];
/// Digits that cargo appends to the name of a target, after a hyphen.
const HASH_LEN: usize = 16;

/// Whether the file is a program by its first bytes.
pub(crate) fn is_program(path: &Path) -> bool {
    let mut first = Vec::new();
    let read = path.is_file()
        && File::open(path).is_ok_and(|file| file.take(4).read_to_end(&mut first).is_ok());
    read && BEGINNINGS.iter().any(|beginning| first.starts_with(beginning))
}

/// The executables at a path, by target: the one file, or every `wall_*` of the folder. Cargo's hash
/// is no part of a target's name.
///
/// # Errors
/// [`Exit::NotMeasured`] when there is none, [`Exit::Usage`] when a folder holds two of one target.
pub(crate) fn at(path: &Path) -> anyhow::Result<BTreeMap<String, PathBuf>> {
    let found = if path.is_dir() {
        in_folder(path)?
    } else if is_program(path) {
        [(target(path), path.to_owned())].into()
    } else {
        BTreeMap::new()
    };
    if found.is_empty() {
        let why = format!("{} holds no bench executable (wall_*); build one", path.display());
        return Err(failure(Exit::NotMeasured, why));
    }
    Ok(found)
}

/// The `wall_*` executables in a folder.
pub(crate) fn in_folder(folder: &Path) -> anyhow::Result<BTreeMap<String, PathBuf>> {
    let context = || format!("failed to read the folder {}", folder.display());
    let mut paths: Vec<PathBuf> = fs::read_dir(folder)
        .with_context(context)?
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<Result<_, _>>()
        .with_context(context)?;
    paths.sort();
    let mut found = BTreeMap::new();
    for path in paths {
        let target = target(&path);
        if !target.starts_with(PREFIX) || !is_program(&path) {
            continue;
        }
        if let Some(other) = found.insert(target, path.clone()) {
            let (one, other) = (path.display(), other.display());
            let why = format!("{one} and {other} are of one bench target; name the one you mean");
            return Err(failure(Exit::Usage, why));
        }
    }
    Ok(found)
}

/// The name of the target: that of the file, without the hash that cargo appends.
fn target(path: &Path) -> String {
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    match name.rsplit_once('-') {
        Some((target, hash))
            if hash.len() == HASH_LEN && hash.chars().all(|c| c.is_ascii_hexdigit()) =>
        {
            target.to_owned()
        }
        _ => name,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_holds_its_wall_programs_by_target() {
        let folder = tempfile::tempdir().expect("temporary folder");
        let write = |name: &str, text: &str| {
            fs::write(folder.path().join(name), text).expect("written");
        };
        write("wall_a-0123456789abcdef", "\x7fELF");
        write("wall_a-0123456789abcdef.d", "wall_a: a.rs");
        write("wall_b", "#!/bin/sh\n");
        write("count_a", "\x7fELF");
        let found = at(folder.path()).expect("two");
        assert_eq!(found.keys().collect::<Vec<_>>(), ["wall_a", "wall_b"]);
        write("wall_a-fedcba9876543210", "\x7fELF");
        let error = at(folder.path()).expect_err("two of one target");
        assert_eq!(crate::exit::of(&error), Exit::Usage);
        let one = at(&folder.path().join("count_a")).expect("as named");
        assert_eq!(one.keys().collect::<Vec<_>>(), ["count_a"]);
    }

    #[test]
    fn where_there_is_none_nothing_is_measured() {
        let folder = tempfile::tempdir().expect("temporary folder");
        let error = at(folder.path()).expect_err("empty");
        assert_eq!(crate::exit::of(&error), Exit::NotMeasured);
    }
}
