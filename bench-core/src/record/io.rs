//! The record as text and as a file.

use std::fs::File;
use std::io::{self, BufWriter, ErrorKind, Write};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde_json::Value;

use super::{RunRecord, SCHEMA_VERSION};

/// Why a record cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    /// There is no such file.
    #[error("there is no record at {}; run the benchmarks first or name another file", .path.display())]
    NotFound {
        /// The file.
        path: PathBuf,
    },
    /// The system refused.
    #[error("failed to {action} {}: {source}", .path.display())]
    Io {
        /// What was tried: `read`, `write`.
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The text is cut short, is not JSON, or is not a record.
    #[error("{origin} is not a record: {source}; measure again or restore the file")]
    Malformed {
        /// Where the text came from.
        origin: String,
        /// What is wrong, with line and column.
        source: serde_json::Error,
    },
    /// The record is of a version that this program does not know.
    #[error(
        "{origin} has schema version {found}, and this program reads version {known}; \
         use the program that wrote it, or measure again",
        known = SCHEMA_VERSION
    )]
    Schema {
        /// Where the text came from.
        origin: String,
        /// The version as written; `missing` where there is none.
        found: String,
    },
    /// The record says something that cannot be.
    #[error("{place} makes no sense: {reason}")]
    Unsound {
        /// The row, and the file where it came from one.
        place: String,
        /// What is wrong.
        reason: String,
    },
    /// A histogram cannot be decoded.
    #[error("the histogram is broken: {reason}")]
    Histogram {
        /// What is wrong.
        reason: String,
    },
}

/// The one field that tells how to read the others.
#[derive(Deserialize)]
struct Version {
    schema: Option<Value>,
}

impl RunRecord {
    /// The record in the file `path`.
    ///
    /// # Errors
    /// No such file, a file that cannot be read, and all of [`from_json`](Self::from_json).
    pub fn read(path: &Path) -> Result<Self, RecordError> {
        let text = std::fs::read(path).map_err(|source| match source.kind() {
            ErrorKind::NotFound => RecordError::NotFound { path: path.to_owned() },
            _ => RecordError::Io { action: "read", path: path.to_owned(), source },
        })?;
        parse(&text, &path.display().to_string())
    }

    /// Writes the record to the file `path`, by [`replace_file`].
    ///
    /// # Errors
    /// A record that does not pass [`check`](Self::check), and whatever the system refuses.
    pub fn write(&self, path: &Path) -> Result<(), RecordError> {
        self.check()?;
        replace_file(path, |out| self.write_to(out))
    }

    /// The record in the text.
    ///
    /// # Errors
    /// Text that is cut short or not JSON, with line and column; another schema version, said
    /// before anything else of the record is looked at; fields that are missing or of the wrong
    /// kind; a record that does not pass [`check`](Self::check).
    pub fn from_json(text: &str) -> Result<Self, RecordError> {
        parse(text.as_bytes(), "the text")
    }

    /// The record as text, on one line.
    ///
    /// # Errors
    /// A record that does not pass [`check`](Self::check): a value that is not finite has no JSON.
    pub fn to_json(&self) -> Result<String, RecordError> {
        self.check()?;
        Ok(serde_json::to_string(self).expect("a sound record has a text"))
    }

    fn write_to(&self, out: &mut dyn Write) -> io::Result<()> {
        serde_json::to_writer(&mut *out, self)?;
        out.write_all(b"\n")
    }
}

/// Replaces the file `path` by what `fill` writes, whole or not at all: into a file beside it,
/// which is forced to the disk and then takes the name. On any error what was there before is
/// untouched, and nothing is left behind. Parent directories must exist.
///
/// # Errors
/// [`RecordError::Io`] with the path and what the system said, a full disk for one.
pub fn replace_file(
    path: &Path,
    fill: impl FnOnce(&mut dyn Write) -> io::Result<()>,
) -> Result<(), RecordError> {
    replace(path, fill).map_err(|source| RecordError::Io {
        action: "write",
        path: path.to_owned(),
        source,
    })
}

fn replace(path: &Path, fill: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> io::Result<()> {
    let directory = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    // As any new file: readable to whom the umask lets. It deletes itself unless persisted.
    let mode = std::fs::Permissions::from_mode(0o666);
    let mut file = tempfile::Builder::new()
        .prefix(".weighbridge-")
        .permissions(mode)
        .tempfile_in(directory)?;
    let mut out = BufWriter::new(file.as_file_mut());
    fill(&mut out)?;
    out.flush()?;
    drop(out);
    file.as_file().sync_all()?;
    file.persist(path).map_err(|refused| refused.error)?;
    // The name is an entry of the directory, and only its own sync makes the name last.
    File::open(directory)?.sync_all()
}

fn parse(text: &[u8], origin: &str) -> Result<RunRecord, RecordError> {
    let malformed = |source| RecordError::Malformed { origin: origin.to_owned(), source };
    let version: Version = serde_json::from_slice(text).map_err(malformed)?;
    if version.schema != Some(Value::from(SCHEMA_VERSION)) {
        let found = version.schema.map_or("missing".to_owned(), |value| value.to_string());
        return Err(RecordError::Schema { origin: origin.to_owned(), found });
    }
    let record: RunRecord = serde_json::from_slice(text).map_err(malformed)?;
    record.check().map_err(|error| match error {
        RecordError::Unsound { place, reason } => {
            RecordError::Unsound { place: format!("{place} in {origin}"), reason }
        }
        other => other,
    })?;
    Ok(record)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::{Data, Environment, Metric, Row};

    /// A disk with this many bytes left.
    struct AlmostFull<'a> {
        room: usize,
        out: &'a mut dyn Write,
    }

    impl Write for AlmostFull<'_> {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            if self.room == 0 {
                return Err(ErrorKind::StorageFull.into());
            }
            let written = self.out.write(&bytes[..bytes.len().min(self.room)])?;
            self.room -= written;
            Ok(written)
        }

        fn flush(&mut self) -> io::Result<()> {
            self.out.flush()
        }
    }

    #[test]
    fn wherever_the_disk_gets_full_the_old_record_stays() {
        let directory = tempfile::tempdir().expect("directory");
        let path = directory.path().join("run.json");
        let mut record = RunRecord::begin(Environment::default());
        record.write(&path).expect("written");
        let old = record.clone();
        let data = Data::Count { value: 1 };
        record.rows.push(Row::measured("a", Metric::Syscalls, "1", data));
        let length = record.to_json().expect("sound").len();
        // Every 40th place: each try forces a file to the disk.
        for room in (0..=length).step_by(40) {
            let full = replace_file(&path, |out| record.write_to(&mut AlmostFull { room, out }));
            let said = full.expect_err("full").to_string();
            let expected = format!("failed to write {}: no storage space", path.display());
            assert_eq!(said, expected);
            assert_eq!(RunRecord::read(&path).expect("read"), old);
            assert_eq!(std::fs::read_dir(directory.path()).expect("directory").count(), 1);
        }
        let room = length + 1;
        replace_file(&path, |out| record.write_to(&mut AlmostFull { room, out })).expect("fits");
        assert_eq!(RunRecord::read(&path).expect("read"), record);
    }
}
