//! Python's grpcio, in a virtual environment of its own under the target folder: what a peer and
//! the test of interoperability run.

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use bench_core::workload::Failure;
use tempfile::NamedTempFile;

/// What Python runs.
pub const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/peers/grpcio_peer.py");

/// The version that was tried; another one may be as good.
const PACKAGE: &str = "grpcio==1.85.1";

/// The interpreter that has grpcio. The first call makes the environment, for which it needs
/// Python 3 with `venv` and the package index.
///
/// # Errors
/// Why there is none, in one sentence.
pub fn python() -> Result<PathBuf, Failure> {
    let folder = target().join("grpcio");
    let python = folder.join("bin/python");
    if has_grpcio(&python) {
        return Ok(python);
    }
    let made = quietly(Command::new("python3").args(["-m", "venv"]).arg(&folder))?;
    if !made {
        return Err("grpcio needs Python 3 with its module venv, which is not here".into());
    }
    let pip = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", PACKAGE];
    if !quietly(Command::new(&python).args(pip))? || !has_grpcio(&python) {
        return Err(format!("{PACKAGE} cannot be installed from the package index").into());
    }
    Ok(python)
}

fn has_grpcio(python: &Path) -> bool {
    python.exists() && quietly(Command::new(python).args(["-c", "import grpc"])).unwrap_or(false)
}

fn quietly(command: &mut Command) -> io::Result<bool> {
    let none = Stdio::null;
    match command.stdin(none()).stdout(none()).stderr(none()).status() {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        status => Ok(status?.success()),
    }
}

/// The target folder: that of cargo, as far as the place of this program tells.
fn target() -> PathBuf {
    let program = std::env::current_exe().unwrap_or_default();
    let tagged = program.ancestors().find(|folder| folder.join("CACHEDIR.TAG").exists());
    let own = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../target");
    tagged.map_or_else(own, Path::to_owned)
}

/// The content as a file, for programs that are not ours.
///
/// # Errors
/// What the disk refused.
pub fn content_file(content: &[u8]) -> io::Result<NamedTempFile> {
    let mut file = NamedTempFile::new()?;
    file.write_all(content)?;
    file.flush()?;
    Ok(file)
}
