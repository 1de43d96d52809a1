//! Runs the built program in a folder of its own and checks how it ended.

#![allow(dead_code, reason = "each test target uses the part it needs")]

use std::fs;
use std::process::Command;

/// A folder that is gone after the test; criterion's home is in it.
pub(crate) struct Folder(tempfile::TempDir);

/// How the program ended.
pub(crate) struct Ran {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Folder {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().expect("folder"))
    }

    /// Writes a file, its folders with it, and answers with its path.
    pub(crate) fn write(&self, name: &str, text: &str) -> String {
        let path = self.0.path().join(name);
        fs::create_dir_all(path.parent().expect("in the folder")).expect("folder");
        fs::write(&path, text).expect("written");
        path.to_str().expect("a path in UTF-8").to_owned()
    }

    pub(crate) fn read(&self, name: &str) -> String {
        fs::read_to_string(self.0.path().join(name)).expect("there")
    }

    pub(crate) fn path(&self, name: &str) -> String {
        self.0.path().join(name).to_str().expect("a path in UTF-8").to_owned()
    }

    /// The names of all there is.
    pub(crate) fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(self.0.path()).expect("listed").flatten();
        let mut names: Vec<String> =
            entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
        names.sort();
        names
    }

    /// Runs the program from the package's folder.
    pub(crate) fn run(&self, args: &[&str]) -> Ran {
        self.run_in(env!("CARGO_MANIFEST_DIR"), args)
    }

    pub(crate) fn run_in(&self, folder: &str, args: &[&str]) -> Ran {
        self.run_as(env!("CARGO_BIN_EXE_weighbridge"), folder, args)
    }

    /// As [`run_in`](Self::run_in), by way of another program.
    pub(crate) fn run_as(&self, program: &str, folder: &str, args: &[&str]) -> Ran {
        let output = Command::new(program)
            .args(args)
            .current_dir(folder)
            .env("CRITERION_HOME", self.0.path().join("criterion"))
            .output()
            .expect("the program starts");
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        Ran { code: output.status.code(), stdout: text(output.stdout), stderr: text(output.stderr) }
    }
}

impl Ran {
    #[track_caller]
    pub(crate) fn exits(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "{}\n{}", self.stdout, self.stderr);
        self
    }

    #[track_caller]
    pub(crate) fn prints(self, part: &str) -> Self {
        assert!(self.stdout.contains(part), "no '{part}' in:\n{}", self.stdout);
        self
    }

    /// One sentence on standard error, and this is in it.
    #[track_caller]
    pub(crate) fn complains(self, part: &str) -> Self {
        assert!(self.stderr.contains(part), "no '{part}' in:\n{}", self.stderr);
        assert_eq!(self.stderr.trim_end().lines().count(), 1, "{}", self.stderr);
        assert!(self.stdout.is_empty(), "{}", self.stdout);
        self
    }
}
