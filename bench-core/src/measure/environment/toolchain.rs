//! Compiler, C library, valgrind and the commit: what their own programs answer.

use std::ffi::OsString;
use std::path::Path;
use std::process::{Command, Stdio};

/// What `rustc -vV` says.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Compiler {
    /// `1.95.0 (59807616e 2026-04-14)`
    pub(super) version: Option<String>,
    /// The triple built for.
    pub(super) target: Option<String>,
}

impl Compiler {
    /// Asks the compiler that applies in `root`, where a toolchain file may choose another one.
    pub(super) fn ask(root: &Path) -> Self {
        let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| OsString::from("rustc"));
        let answer = output(Command::new(rustc).arg("-vV").current_dir(root)).unwrap_or_default();
        let mut compiler = Self::parse(&answer);
        if let Ok(target) = std::env::var("CARGO_BUILD_TARGET") {
            compiler.target = Some(target);
        }
        compiler
    }

    fn parse(answer: &str) -> Self {
        let line = |prefix| {
            let value = answer.lines().find_map(|line| line.strip_prefix(prefix))?;
            Some(value.trim().to_owned())
        };
        Self { version: line("rustc "), target: line("host: ") }
    }
}

/// The C library's version.
pub(in crate::measure) fn glibc() -> Option<String> {
    after("glibc ", &output(Command::new("getconf").arg("GNU_LIBC_VERSION"))?)
}

/// Valgrind's version.
pub(super) fn valgrind() -> Option<String> {
    after("valgrind-", &output(Command::new("valgrind").arg("--version"))?)
}

fn after(prefix: &str, answer: &str) -> Option<String> {
    let version = answer.trim().strip_prefix(prefix)?.trim();
    (!version.is_empty()).then(|| version.to_owned())
}

/// The commit that is checked out.
pub(super) fn git_commit(root: &Path) -> Option<String> {
    let commit = output(git(root).args(["rev-parse", "--verify", "HEAD"]))?;
    Some(commit.trim().to_owned())
}

/// Whether tracked files differ from the commit or new ones are not ignored.
pub(super) fn git_dirty(root: &Path) -> Option<bool> {
    git_commit(root)?;
    Some(!output(git(root).args(["status", "--porcelain"]))?.trim().is_empty())
}

/// Git that takes no lock, since the user may be working in the tree.
fn git(root: &Path) -> Command {
    let mut git = Command::new("git");
    git.arg("-C").arg(root).env("GIT_OPTIONAL_LOCKS", "0");
    git
}

/// What the program wrote; `None` when there is no such program or it failed.
fn output(command: &mut Command) -> Option<String> {
    let output = command.env("LC_ALL", "C").stdin(Stdio::null()).output().ok()?;
    if !output.status.success() {
        return None;
    }
    String::from_utf8(output.stdout).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_compilers_answer_gives_version_and_target() {
        let answer = "rustc 1.95.0 (59807616e 2026-04-14)\nbinary: rustc\n\
            host: x86_64-unknown-linux-gnu\nrelease: 1.95.0\n";
        let compiler = Compiler::parse(answer);
        assert_eq!(compiler.version.as_deref(), Some("1.95.0 (59807616e 2026-04-14)"));
        assert_eq!(compiler.target.as_deref(), Some("x86_64-unknown-linux-gnu"));
        assert_eq!(Compiler::parse(""), Compiler::default());
    }

    #[test]
    fn versions_lose_their_name() {
        assert_eq!(after("glibc ", "glibc 2.36\n").as_deref(), Some("2.36"));
        assert_eq!(after("valgrind-", "valgrind-3.19.0\n").as_deref(), Some("3.19.0"));
        assert_eq!(after("glibc ", "undefined"), None);
        assert_eq!(after("glibc ", "glibc "), None);
    }

    #[test]
    fn a_program_that_is_missing_or_fails_has_no_answer() {
        assert_eq!(output(&mut Command::new("no-such-program-at-all")), None);
        assert_eq!(output(&mut Command::new("false")), None);
    }
}
