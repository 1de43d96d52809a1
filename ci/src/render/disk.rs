//! Reports on disk: whole or not there, and one sentence when the disk does not take them.

use std::io::{self, Write};
use std::path::Path;

use anyhow::Context;
use bench_core::record::{RecordError, replace_file};

use crate::exit::{Exit, failure};

/// Replaces the file with these bytes, or leaves what was there.
///
/// # Errors
/// One sentence with the path, whatever the disk did not take.
pub(crate) fn write(path: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    write_with(path, |out| out.write_all(bytes))
}

/// Removes a folder with all that is in it, where it is there.
///
/// # Errors
/// One sentence with the path, when the disk refuses.
pub(crate) fn remove_folder(path: &Path) -> anyhow::Result<()> {
    match std::fs::remove_dir_all(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("failed to remove {}", path.display()))
        }
        _ => Ok(()),
    }
}

/// As [`write()`], with the writing itself left to the caller.
fn write_with(
    path: &Path,
    fill: impl FnOnce(&mut dyn Write) -> io::Result<()>,
) -> anyhow::Result<()> {
    replace_file(path, fill).map_err(|error| {
        let why = match &error {
            RecordError::Io { source, .. } => plain(source),
            other => other.to_string(),
        };
        let kept =
            if path.exists() { "the old file is as it was" } else { "nothing was left behind" };
        failure(Exit::Broke, format!("failed to write {}: {why}; {kept}", path.display()))
    })
}

fn plain(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::StorageFull => "the disk is full".to_owned(),
        io::ErrorKind::NotFound => "there is no such folder".to_owned(),
        io::ErrorKind::PermissionDenied => "permission denied".to_owned(),
        _ => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use std::fs::File;

    use super::*;
    use crate::exit;

    #[test]
    fn a_file_is_replaced_as_a_whole() {
        let folder = tempfile::tempdir().expect("folder");
        let path = folder.path().join("report.md");
        write(&path, b"old").expect("written");
        write(&path, b"new").expect("written");
        assert_eq!(std::fs::read(&path).expect("there"), b"new");
        assert_eq!(std::fs::read_dir(folder.path()).expect("listed").count(), 1);
    }

    #[test]
    fn a_full_disk_is_one_sentence_and_leaves_the_old_file() {
        let folder = tempfile::tempdir().expect("folder");
        let path = folder.path().join("report.html");
        write(&path, b"old").expect("written");
        let full = |out: &mut dyn Write| {
            out.write_all(b"half of the n")?;
            Err(io::ErrorKind::StorageFull.into())
        };
        let error = write_with(&path, full).expect_err("full");
        assert_eq!(exit::of(&error), Exit::Broke);
        let told = format!(
            "failed to write {}: the disk is full; the old file is as it was",
            path.display()
        );
        assert_eq!(error.to_string(), told);
        assert_eq!(std::fs::read(&path).expect("there"), b"old");
        assert_eq!(std::fs::read_dir(folder.path()).expect("listed").count(), 1, "no leftovers");
    }

    #[test]
    fn the_kernels_own_full_device_reads_the_same() {
        let Ok(mut full) = File::options().write(true).open("/dev/full") else { return };
        let folder = tempfile::tempdir().expect("folder");
        let path = folder.path().join("report.md");
        let error = write_with(&path, |_| full.write_all(b"x")).expect_err("full");
        assert!(
            error.to_string().ends_with("the disk is full; nothing was left behind"),
            "{error}"
        );
        assert!(!path.exists());
    }

    #[test]
    fn a_folder_that_is_not_there_is_named() {
        let error = write(Path::new("/no/such/folder/x.md"), b"").expect_err("no folder");
        assert!(error.to_string().contains("there is no such folder"), "{error}");
    }
}
