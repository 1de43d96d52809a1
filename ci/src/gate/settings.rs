//! What reaches a build from outside of its tree: cargo's configuration files, variables, and the
//! tools that compile and link C.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use toml::{Table, Value};

use crate::bench::build::of_package;
use crate::exit::{Exit, failure};
use crate::process;

/// Both names that cargo reads; the first wins where a folder has both.
const NAMES: [&str; 2] = ["config", "config.toml"];
/// Words of the variables that `cc` and its like read, as in `CC_x86_64_unknown_linux_gnu`.
const OF_C: [&str; 9] =
    ["CC", "CXX", "AR", "LD", "CFLAGS", "CXXFLAGS", "CPPFLAGS", "LDFLAGS", "CMAKE"];
/// Counts how often rustup's cargo called itself; says nothing of the build.
const DEPTH: &str = "RUST_RECURSION_COUNT";
const ANSWER: Duration = Duration::from_secs(60);

/// Everything outside of the tree in `stage` that can change what is built there, as names and
/// contents in a fixed order.
pub(crate) fn outside(stage: &Path) -> Vec<(String, Vec<u8>)> {
    let above = stage.parent().unwrap_or(stage);
    let mut parts: Vec<(String, Vec<u8>)> = Vec::new();
    for path in files(above, cargo_home().as_deref()) {
        // What can't be read can't be built with either; cargo says so.
        let content = fs::read(&path).unwrap_or_default();
        parts.push((path.display().to_string(), content));
    }
    parts.extend(flags(std::env::vars_os()));
    for tool in ["cc", "ld"] {
        let outcome = process::run(Command::new(tool).arg("--version"), ANSWER);
        let version = outcome.ok().and_then(|said| said.stdout.lines().next().map(str::to_owned));
        parts.push((format!("{tool} --version"), version.unwrap_or_default().into_bytes()));
    }
    parts
}

/// Refuses a target triple: benches look for their runner where builds for the host put it.
///
/// # Errors
/// [`Exit::Usage`] that says where it is set.
pub(crate) fn refuse_triple(root: &Path) -> anyhow::Result<()> {
    let variable = "CARGO_BUILD_TARGET";
    let place = if std::env::var_os(variable).is_some_and(|value| !value.is_empty()) {
        Some(format!("the variable {variable}"))
    } else {
        let mut files = files(root, cargo_home().as_deref()).into_iter();
        files.find(|path| names_triple(path)).map(|path| path.display().to_string())
    };
    place.map_or(Ok(()), |place| {
        let sentence = format!("{place} sets build.target; the gate builds for the host: unset it");
        Err(failure(Exit::Usage, sentence))
    })
}

fn names_triple(path: &Path) -> bool {
    table(path).is_some_and(|table| table.get("build").and_then(|b| b.get("target")).is_some())
}

fn table(path: &Path) -> Option<Table> {
    fs::read_to_string(path).ok()?.parse().ok()
}

/// Cargo's configuration files for a build in `folder`, the strongest first, each followed by
/// those that it includes.
fn files(folder: &Path, home: Option<&Path>) -> Vec<PathBuf> {
    let above = folder.ancestors().map(|folder| folder.join(".cargo"));
    let folders = above.chain(home.map(Path::to_owned));
    let mut found = Vec::new();
    for path in folders.flat_map(|folder| NAMES.map(|name| folder.join(name))) {
        add(path, &mut found);
    }
    found
}

fn add(path: PathBuf, found: &mut Vec<PathBuf>) {
    if !path.is_file() || found.contains(&path) {
        return;
    }
    let included = table(&path).and_then(|table| table.get("include").cloned());
    let folder = path.parent().map(Path::to_owned).unwrap_or_default();
    found.push(path);
    let list = match included {
        Some(Value::Array(list)) => list,
        Some(one) => vec![one],
        None => return,
    };
    for one in &list {
        // A path, or a table that holds one.
        if let Some(name) = one.get("path").unwrap_or(one).as_str() {
            add(folder.join(name), found);
        }
    }
}

fn cargo_home() -> Option<PathBuf> {
    let of_user = || Some(PathBuf::from(std::env::var_os("HOME")?).join(".cargo"));
    std::env::var_os("CARGO_HOME").map(PathBuf::from).or_else(of_user)
}

/// The variables that may change what the compilers make, sorted. One too many costs a build, one
/// too few an answer that is wrong.
fn flags(variables: impl Iterator<Item = (OsString, OsString)>) -> Vec<(String, Vec<u8>)> {
    let counts = |name: &str| {
        let of_rust = name.starts_with("CARGO") || name.starts_with("RUST");
        let of_c = name.split('_').any(|word| OF_C.contains(&word));
        (of_rust || of_c) && !of_package(name) && name != DEPTH
    };
    let mut flags: Vec<_> = variables
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_encoded_bytes())))
        .filter(|(name, _)| counts(name))
        .collect();
    flags.sort();
    flags
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(path: &Path, text: &str) -> PathBuf {
        fs::create_dir_all(path.parent().expect("in a folder")).expect("create");
        fs::write(path, text).expect("write");
        path.to_owned()
    }

    #[test]
    fn every_file_that_cargo_reads_is_found_the_strongest_first() {
        let folder = tempfile::tempdir().expect("temporary folder");
        let root = folder.path();
        let home = root.join("home");
        let expected = [
            write(&root.join("a/b/.cargo/config.toml"), "include = ['more.toml']\n"),
            write(&root.join("a/b/.cargo/more.toml"), "include = [{ path = 'config.toml' }]\n"),
            write(&root.join("a/.cargo/config"), "not toml"),
            write(&root.join("home/config.toml"), ""),
        ];
        let found = files(&root.join("a/b"), Some(&home));
        let inside: Vec<_> = found.into_iter().filter(|path| path.starts_with(root)).collect();
        assert_eq!(inside, expected);
    }

    #[test]
    fn a_triple_is_found_in_a_file_of_any_folder_above() {
        let folder = tempfile::tempdir().expect("temporary folder");
        let inner = folder.path().join("a/b");
        let path = write(&folder.path().join("a/.cargo/config.toml"), "[build]\njobs = 1\n");
        refuse_triple(&inner).expect("no triple");
        write(&path, "[build]\ntarget = 'x86_64-unknown-linux-gnu'\n");
        let error = refuse_triple(&inner).expect_err("a triple");
        assert_eq!(crate::exit::of(&error), Exit::Usage);
        assert!(error.to_string().contains("a/.cargo/config.toml"), "{error}");
    }

    #[test]
    fn variables_that_change_the_code_count_and_those_of_our_own_package_do_not() {
        let pick = |name: &str| flags([(name.into(), "1".into())].into_iter()).len();
        let count = [
            "RUSTFLAGS",
            "CARGO_ENCODED_RUSTFLAGS",
            "CARGO_PROFILE_BENCH_LTO",
            "CARGO_TARGET_X86_64_UNKNOWN_LINUX_GNU_LINKER",
            "RUSTUP_TOOLCHAIN",
            "CC_x86_64_unknown_linux_gnu",
            "TARGET_CXXFLAGS",
        ];
        assert_eq!(count.map(pick), [1; 7]);
        let none = ["HOME", "TERM", "CARGO_PKG_NAME", "CARGO_MANIFEST_DIR", DEPTH, "ACCOUNT"];
        assert_eq!(none.map(pick), [0; 6]);
    }
}
