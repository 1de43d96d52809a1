//! A checkout in which nothing real is compiled or counted: cargo is a script that "builds" benches
//! in an instant or not at all, and the benches are scripts too.

#![allow(dead_code, reason = "each test file uses a part of it")]

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::{Duration, Instant};

/// A bench that counts what a file says, in the shell.
const COUNTING: &str = r#"
case "$*" in *--list*)
    for F in cycle other; do
        if [ -e "BIN/$F" ]; then echo "count_a::pool::$F::_4KiB: benchmark"; fi
    done
    exit;;
*cycle*) F=cycle;;
*) F=other;;
esac
N=$(cat "BIN/$F")
O="$GUNGRAUN_HOME/count_a/pool/$F._4KiB"
mkdir -p "$O"
echo 'SUMMARY' > "$O/summary.json"
"#;

/// What gungraun leaves of a bench, version 7 of its schema.
const SUMMARY: &str = r#"{"version":"7","kind":"LibraryBenchmark","baselines":[null,null],
    "benchmark_exe":"x","benchmark_file":"x","function_name":"'$F'","group":"pool","id":"_4KiB",
    "module_path":"count_a::pool::'$F'","duration_ns":1,"started_at":"2026-01-01T00:00:00Z",
    "package_dir":"/","project_root":"/","output_dir":"/","profiles":[{"tool":"Callgrind",
    "duration_ns":1,"process_ns":1,"started_at":"2026-01-01T00:00:00Z","data":{"parts":[],"total":
    {"metrics":{"Ir":{"values":{"new":'$N'}}},"regressions":[]}}}]}"#;

/// Long enough for a loaded machine; nothing is decided by it but that a test failed.
const PATIENCE: Duration = Duration::from_secs(60);

/// A checkout with one commit, a cargo that does what `build` says, and a valgrind that is there.
pub(crate) struct Checkout {
    pub(crate) folder: tempfile::TempDir,
}

impl Checkout {
    pub(crate) fn new(build: &str) -> Self {
        let folder = tempfile::tempdir().expect("temporary folder");
        let checkout = Self { folder };
        let root = checkout.root();
        fs::create_dir_all(root.join("benches")).expect("create");
        fs::write(root.join("Cargo.toml"), "[workspace]\n").expect("write");
        fs::write(root.join(".gitignore"), "/target\n").expect("write");
        fs::write(root.join("source.txt"), "one\n").expect("write");
        let metadata = format!(
            r#"{{"workspace_root":"{0}","target_directory":"{0}/target"}}"#,
            root.display()
        );
        checkout
            .tool("cargo", &format!("case $1 in metadata) echo '{metadata}';; *) {build};; esac"));
        checkout.tool("valgrind", "echo valgrind-3.19.0");
        checkout.tool("rustc", "printf 'rustc 1.95.0\\nhost: x86_64-unknown-linux-gnu\\n'");
        checkout.git(&["init", "--quiet", "--initial-branch=main", "."]);
        checkout.git(&["add", "--all"]);
        checkout.commit();
        checkout
    }

    /// A checkout whose cargo builds one bench, the script `bench`.
    pub(crate) fn with_bench(bench: &str) -> Self {
        let message = r#"{"target":{"kind":["bench"],"name":"count_a"},"executable":"'$EXE'"}"#;
        let checkout = Self::new(&format!("EXE=\"$(dirname \"$0\")/count_a\"; echo '{message}'"));
        let listing = "case \"$*\" in *--list*) echo 'count_a::pool::cycle::_4KiB: benchmark'; \
                       echo 'count_a::pool::other::_4KiB: benchmark'; exit;; esac";
        checkout.tool("count_a", &format!("{listing}\n{bench}"));
        checkout
    }

    pub(crate) fn root(&self) -> PathBuf {
        self.folder.path().join("checkout")
    }

    /// Puts a program first on the path.
    pub(crate) fn tool(&self, name: &str, script: &str) {
        let folder = self.folder.path().join("bin");
        fs::create_dir_all(&folder).expect("create");
        let path = folder.join(name);
        fs::write(&path, format!("#!/bin/sh\n{script}\n")).expect("write");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("executable");
    }

    pub(crate) fn read_tool(&self, name: &str) -> String {
        fs::read_to_string(self.folder.path().join("bin").join(name)).expect("readable")
    }

    pub(crate) fn git(&self, args: &[&str]) -> String {
        let output = Command::new("git").arg("-C").arg(self.root()).args(args).output();
        let output = output.expect("git runs");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    pub(crate) fn commit(&self) {
        let who = ["-c", "user.name=a", "-c", "user.email=a@example.org"];
        self.git(&[&who[..], &["commit", "--quiet", "--all", "--message=x"]].concat());
    }

    /// A checkout whose benches count what the files `cycle` and `other` say; a bench without its
    /// file is not there.
    pub(crate) fn counting(cycle: u64, other: u64) -> Self {
        let checkout = Self::with_bench("exit 1");
        let folder = checkout.folder.path().join("bin");
        let script = COUNTING.replace("BIN", &folder.display().to_string());
        checkout.tool("count_a", &script.replace("SUMMARY", SUMMARY));
        checkout.count("cycle", Some(cycle));
        checkout.count("other", Some(other));
        checkout
    }

    /// What a bench counts from now on; `None` takes it away.
    pub(crate) fn count(&self, bench: &str, value: Option<u64>) {
        let path = self.folder.path().join("bin").join(bench);
        match value {
            Some(value) => fs::write(path, value.to_string()).expect("write"),
            None => fs::remove_file(path).expect("remove"),
        }
    }

    pub(crate) fn gate(&self, args: &[&str]) -> Command {
        self.perf("gate", args)
    }

    /// `cargo perf` with this command and these arguments.
    pub(crate) fn perf(&self, name: &str, args: &[&str]) -> Command {
        let bin = self.folder.path().join("bin");
        let path = std::env::var("PATH").unwrap_or_default();
        let mut command = Command::new(env!("CARGO_BIN_EXE_weighbridge"));
        command
            .current_dir(self.root())
            .env("CARGO", bin.join("cargo"))
            .env("RUSTC", bin.join("rustc"))
            .env("PATH", format!("{}:{path}", bin.display()))
            .env_remove("CARGO_TARGET_DIR")
            .env_remove("CARGO_BUILD_TARGET")
            .env_remove("WEIGHBRIDGE_HISTORY")
            .arg(name)
            .args(args);
        command
    }

    pub(crate) fn run(&self, args: &[&str]) -> (i32, String) {
        said(self.gate(args).output().expect("the gate runs"))
    }

    /// Every file of `.git` with its content.
    pub(crate) fn repository(&self) -> Vec<(PathBuf, Vec<u8>)> {
        let mut files = Vec::new();
        let mut folders = vec![self.root().join(".git")];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).expect("readable") {
                let path = entry.expect("readable").path();
                if path.is_dir() {
                    folders.push(path);
                } else {
                    files.push((path.clone(), fs::read(path).expect("readable")));
                }
            }
        }
        files.sort();
        files
    }

    pub(crate) fn read(&self, path: &str) -> String {
        fs::read_to_string(self.root().join(path)).unwrap_or_default()
    }
}

pub(crate) fn said(output: Output) -> (i32, String) {
    let text =
        [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
    (output.status.code().unwrap_or(-1), text.concat())
}

/// That a command ended with this code and said all this.
#[track_caller]
pub(crate) fn expect(answer: &(i32, String), code: i32, parts: &[&str]) {
    let (found, text) = answer;
    assert_eq!(*found, code, "{text}");
    for part in parts {
        assert!(text.contains(part), "no '{part}' in:\n{text}");
    }
}

pub(crate) fn await_file(path: &Path) {
    let started = Instant::now();
    while !path.exists() {
        assert!(started.elapsed() < PATIENCE, "{} never came", path.display());
        std::thread::sleep(Duration::from_millis(10));
    }
}

pub(crate) fn runs(pid: &str) -> bool {
    let stat = fs::read_to_string(format!("/proc/{}/stat", pid.trim())).unwrap_or_default();
    !stat.is_empty() && !stat.contains(") Z ")
}

/// As Ctrl-C does.
pub(crate) fn interrupt(pid: u32) {
    let pid = rustix::process::Pid::from_raw(pid.cast_signed()).expect("a process");
    rustix::process::kill_process(pid, rustix::process::Signal::INT).expect("it runs");
}
