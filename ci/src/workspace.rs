//! Where things are: the workspace, its target folder, and what `cargo perf` keeps in it.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Context;
use serde_json::Value;
use tempfile::TempDir;

use crate::exit::{Exit, failure};

/// The folders of one checkout.
#[derive(Clone, Debug)]
pub(crate) struct Workspace {
    /// Holds the virtual manifest.
    pub(crate) root: PathBuf,
    /// Cargo's target folder.
    pub(crate) target: PathBuf,
}

impl Workspace {
    /// The workspace that the current folder lies in, as cargo sees it.
    pub(crate) fn find() -> anyhow::Result<Self> {
        let output = Command::new(cargo())
            .args(["metadata", "--no-deps", "--format-version=1"])
            .output()
            .context("failed to start cargo")?;
        if !output.status.success() {
            let why = String::from_utf8_lossy(&output.stderr).trim().to_owned();
            return Err(failure(Exit::Usage, format!("no cargo workspace here: {why}")));
        }
        let metadata: Value = serde_json::from_slice(&output.stdout)?;
        let path = |key: &str| metadata[key].as_str().map(PathBuf::from);
        let root = path("workspace_root").context("cargo metadata names no workspace root")?;
        let target = path("target_directory").context("cargo metadata names no target folder")?;
        Ok(Self { root, target })
    }

    /// What `cargo perf` keeps: records, reports, cached executables. Made when missing.
    pub(crate) fn perf(&self) -> anyhow::Result<PathBuf> {
        make(self.target.join("perf"))
    }

    /// A folder under [`perf`](Self::perf). Made when missing.
    pub(crate) fn perf_dir(&self, name: &str) -> anyhow::Result<PathBuf> {
        make(self.target.join("perf").join(name))
    }

    /// A new folder for one call of ours, so that two at once keep apart; removed with the guard.
    pub(crate) fn scratch(&self) -> anyhow::Result<TempDir> {
        let perf = self.perf()?;
        tempfile::Builder::new()
            .prefix("scratch-")
            .tempdir_in(&perf)
            .with_context(|| cannot_make(&perf.join("scratch-…")))
    }
}

/// The cargo that called us, or the one on the path.
pub(crate) fn cargo() -> PathBuf {
    std::env::var_os("CARGO").map_or_else(|| PathBuf::from("cargo"), PathBuf::from)
}

fn make(path: PathBuf) -> anyhow::Result<PathBuf> {
    std::fs::create_dir_all(&path).with_context(|| cannot_make(&path))?;
    Ok(path)
}

fn cannot_make(path: &Path) -> String {
    format!("failed to create the folder {}", path.display())
}
