//! Python's grpcio, in a virtual environment of its own under the target folder: what a peer and
//! the test of interoperability run.

pub mod peer;

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use bench_core::workload::Failure;
use tempfile::NamedTempFile;

use self::peer::Peer;

/// What Python runs.
pub const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/peers/grpcio_peer.py");

/// The version that was tried; another one may be as good.
const VERSION: &str = "1.85.1";

/// How long Python may take to start and say something: it shares the machine with builds.
const SAYING: Duration = Duration::from_secs(60);
/// How long an installation over a slow network may take.
const INSTALLING: Duration = Duration::from_secs(300);

/// The interpreter that has grpcio. The first call makes the environment, for which it needs
/// Python 3 with `venv` and the package index. Calls at the same time wait for the first, be they
/// of one program or of several.
///
/// # Errors
/// Why there is none, in one sentence.
pub fn python() -> Result<PathBuf, Failure> {
    let folder = target().join(format!("grpcio-{VERSION}"));
    made_once(&folder, |folder| has_grpcio(&interpreter(folder)).is_ok(), install)?;
    Ok(interpreter(&folder))
}

fn interpreter(folder: &Path) -> PathBuf {
    folder.join("bin/python")
}

fn install(folder: &Path) -> Result<(), Failure> {
    let no_venv =
        |why| format!("grpcio needs Python 3 with its module venv, which is not here: {why}");
    let mut venv = Command::new("python3");
    Peer::start(venv.args(["-m", "venv"]).arg(folder))
        .and_then(|venv| venv.finish(INSTALLING))
        .map_err(no_venv)?;
    let mut pip = Command::new(interpreter(folder));
    pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check"])
        .arg(format!("grpcio=={VERSION}"));
    Peer::start(&mut pip)
        .and_then(|pip| pip.finish(INSTALLING))
        .and_then(|_| has_grpcio(&interpreter(folder)))
        .map_err(|why| format!("grpcio {VERSION} cannot be installed: {why}").into())
}

/// Whether it is there, in the version that was asked for.
fn has_grpcio(python: &Path) -> Result<(), Failure> {
    let mut ask = Command::new(python);
    ask.args(["-c", "import grpc; print(grpc.__version__)"]);
    let found = Peer::start(&mut ask)?.finish(SAYING)?;
    match found.trim() {
        VERSION => Ok(()),
        other => Err(format!("version '{other}' is there instead of {VERSION}").into()),
    }
}

/// Makes a folder that others may be making at the same time: one at a time looks whether it is
/// `good`, and whoever finds that it is not makes it beside and renames it. So it is never there
/// by half, even when a maker is killed.
fn made_once(
    folder: &Path,
    good: impl Fn(&Path) -> bool,
    make: impl FnOnce(&Path) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let parent = folder.parent().ok_or("the folder has none above it")?;
    fs::create_dir_all(parent)?;
    // Opened by each call for itself, so it keeps threads apart as well as programs.
    let lock = File::create(folder.with_added_extension("lock"))?;
    lock.lock()?;
    if good(folder) {
        return Ok(());
    }
    let scratch = tempfile::Builder::new().prefix("grpcio-").tempdir_in(parent)?;
    let made = scratch.path().join("made");
    make(&made)?;
    if folder.exists() {
        fs::remove_dir_all(folder)?;
    }
    Ok(fs::rename(made, folder)?)
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

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::thread;

    use super::*;

    #[test]
    fn of_many_at_the_same_time_one_makes_it_and_all_have_it() {
        let place = tempfile::tempdir().expect("folder");
        let folder = place.path().join("target/made-1.2");
        let makers = AtomicUsize::new(0);
        let good = |folder: &Path| folder.join("whole").exists();
        let make = |folder: &Path| {
            makers.fetch_add(1, Ordering::Relaxed);
            fs::create_dir(folder)?;
            thread::yield_now();
            Ok(fs::write(folder.join("whole"), "")?)
        };
        thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    made_once(&folder, good, make).expect("made");
                    assert!(good(&folder));
                });
            }
        });
        assert_eq!(makers.into_inner(), 1);
    }

    #[test]
    fn what_is_not_good_is_made_again_and_what_fails_leaves_nothing() {
        let place = tempfile::tempdir().expect("folder");
        let folder = place.path().join("made");
        let good = |folder: &Path| folder.join("whole").exists();
        let half = |folder: &Path| -> Result<(), Failure> {
            fs::create_dir(folder)?;
            Err("no network".into())
        };
        let error = made_once(&folder, good, half).expect_err("half");
        assert_eq!(error.to_string(), "no network");
        let left = fs::read_dir(place.path()).expect("folder").count();
        assert_eq!(left, 1, "the lock, and nothing else");
        fs::create_dir(&folder).expect("as an older version left it");
        let whole = |folder: &Path| {
            fs::create_dir(folder)?;
            Ok(fs::write(folder.join("whole"), "")?)
        };
        made_once(&folder, good, whole).expect("made");
        assert!(good(&folder));
    }

    #[test]
    fn another_version_is_not_the_one_that_was_asked_for() {
        let place = tempfile::tempdir().expect("folder");
        let python = place.path().join("python");
        fs::write(&python, "#!/bin/sh\necho 1.0.0\n").expect("script");
        let mut runnable = Command::new("chmod");
        assert!(runnable.arg("+x").arg(&python).status().expect("chmod").success());
        let error = has_grpcio(&python).expect_err("another one").to_string();
        assert_eq!(error, "version '1.0.0' is there instead of 1.85.1");
        assert!(has_grpcio(&place.path().join("none")).is_err());
    }
}
