//! Where and with what a run measures: everything the record's [`Environment`] lists and this
//! process can read. What cannot be read is `None`, never a guess.
//!
//! Reads `/proc`, `/sys` and `/etc/machine-id`, and asks `rustc`, `getconf`, `valgrind` and `git`.
//! Parsing is pure and apart from the reading, so that other machines' answers can be tested here.

mod cpu;
mod host;
mod toolchain;

#[cfg(feature = "measure")]
pub(super) use toolchain::glibc;

use std::fs;
use std::path::Path;

use sha2::{Digest, Sha256};

pub use self::host::{huge_pages, read_ahead, read_ahead_bytes};
use crate::record::Environment;

impl Environment {
    /// Gathers the environment for benches built from the workspace at `root`: its lock file, its
    /// commit, and the toolchain that applies there.
    ///
    /// [`rustflags`](Environment::rustflags) are those that the program which gathers was compiled
    /// with: the same Cargo builds it and the benches from the same variables and configuration.
    /// [`executables`](Environment::executables) stays empty; [`profile`](Environment::profile) is
    /// that of the program which gathers, and [`glibc_tunables`](Environment::glibc_tunables) its
    /// own: whoever builds and starts the benches sets them to what the benches get.
    pub fn gather(root: &Path) -> Self {
        let cpuinfo = read_text("/proc/cpuinfo").unwrap_or_default();
        let compiler = toolchain::Compiler::ask(root);
        Self {
            host_id: host::id(),
            cpu_model: cpu::model(&cpuinfo),
            cpu_features: cpu::features(&cpuinfo),
            cores: host::cores(),
            memory_bytes: read_text("/proc/meminfo").and_then(|text| host::memory_bytes(&text)),
            kernel: read_text("/proc/sys/kernel/osrelease"),
            governor: cpu::governor(),
            turbo: cpu::turbo(),
            smt: read_text("/sys/devices/system/cpu/smt/active").and_then(|text| flag(&text)),
            virtualised: cpu::virtualised(&cpuinfo, host::firmware().as_deref()),
            glibc: toolchain::glibc(),
            rustc: compiler.version,
            target: compiler.target,
            rustflags: Some(env!("WEIGHBRIDGE_RUSTFLAGS").to_owned()),
            profile: Some(if cfg!(debug_assertions) { "dev" } else { "release" }.to_owned()),
            lockfile_hash: fs::read(root.join("Cargo.lock")).ok().map(|lock| sha256(&lock)),
            valgrind: toolchain::valgrind(),
            glibc_tunables: std::env::var("GLIBC_TUNABLES").ok(),
            git_commit: toolchain::git_commit(root),
            git_dirty: toolchain::git_dirty(root),
            tcp_congestion_control: read_text("/proc/sys/net/ipv4/tcp_congestion_control"),
            socket_limits: host::socket_limits(),
            read_ahead_bytes: host::read_ahead_bytes(root),
            huge_pages: host::huge_pages(),
            ..Self::default()
        }
    }
}

/// A small text file without the white space around it; `None` when unreadable or empty.
fn read_text(path: impl AsRef<Path>) -> Option<String> {
    let text = fs::read_to_string(path).ok()?;
    let text = text.trim();
    (!text.is_empty()).then(|| text.to_owned())
}

/// The kernel's way to write a bool.
fn flag(text: &str) -> Option<bool> {
    match text.trim() {
        "0" => Some(false),
        "1" => Some(true),
        _ => None,
    }
}

/// SHA-256 in lower-case hexadecimal digits.
fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_machine_says_what_every_linux_says() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("a workspace");
        let environment = Environment::gather(root);
        assert!(environment.cores.is_some_and(|cores| cores > 0));
        assert!(environment.memory_bytes.is_some_and(|bytes| bytes > 1 << 20));
        assert!(environment.kernel.is_some_and(|kernel| kernel.contains('.')));
        assert!(environment.cpu_features.is_sorted());
        assert!(environment.rustc.is_some_and(|rustc| rustc.starts_with("1.")));
        assert!(environment.lockfile_hash.is_some_and(|hash| hash.len() == 64));
    }

    #[test]
    fn outside_a_workspace_nothing_is_made_up() {
        let folder = tempfile::tempdir().expect("a folder");
        let environment = Environment::gather(folder.path());
        assert_eq!(environment.lockfile_hash, None);
        assert_eq!(environment.git_commit, None);
        assert_eq!(environment.git_dirty, None);
    }

    #[test]
    fn hashes_are_hexadecimal() {
        let empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        assert_eq!(sha256(b""), empty);
    }

    #[test]
    fn only_the_kernels_bools_are_bools() {
        assert_eq!(
            ["0\n", "1", "notsupported", ""].map(flag),
            [Some(false), Some(true), None, None]
        );
    }
}
