//! How a bench executable hands its rows to the front door: one JSON object per line in the file
//! that [`ROWS_VARIABLE`] names. Lines are appended whole and synced, so that what was measured
//! survives a killed process.
//!
//! Two kinds of line: `{"row": …}` holds a [`Row`]; `{"dimensions": {"id": …, "values": {…}}}`
//! holds what made the rows that another tool wrote for this id (criterion's samples).

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::record::Row;

/// The variable that names the file.
pub const ROWS_VARIABLE: &str = "WEIGHBRIDGE_ROWS";

/// Dimensions by name.
pub type Dimensions = BTreeMap<String, String>;

/// Appends rows and dimensions to a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recorder {
    path: PathBuf,
}

/// What a file of rows holds.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Recorded {
    /// Rows in the order they were written.
    pub rows: Vec<Row>,
    /// Dimensions by id; a later line adds to or replaces those of an earlier one.
    pub dimensions: BTreeMap<String, Dimensions>,
    /// Numbers, from 1, of lines that break off in the middle: a process was ended while it wrote.
    pub truncated: Vec<usize>,
}

/// Why rows could not be written or read.
#[derive(Debug, thiserror::Error)]
pub enum RecorderError {
    /// The file system refused.
    #[error("failed to {action} the rows file {path}: {source}", path = path.display())]
    Io {
        /// `write` or `read`.
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A line that no recorder wrote.
    #[error("line {line} of the rows file {path} is not a row: {source}", path = path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// From 1.
        line: usize,
        /// What is wrong with it.
        source: serde_json::Error,
    },
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Line {
    Row(Box<Row>),
    Dimensions { id: String, values: Dimensions },
}

impl Recorder {
    /// The recorder that the environment asks for; `None` where nobody collects rows.
    pub fn from_env() -> Option<Self> {
        std::env::var_os(ROWS_VARIABLE).filter(|path| !path.is_empty()).map(Self::to)
    }

    /// A recorder that appends to `path`, and creates it with the first line.
    pub fn to(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into() }
    }

    /// Appends what made the rows of `id` that another tool writes.
    ///
    /// # Errors
    /// When the file could not be written and synced.
    pub fn dimensions<K: Into<String>>(
        &self,
        id: &str,
        values: impl IntoIterator<Item = (K, String)>,
    ) -> Result<(), RecorderError> {
        let values = values.into_iter().map(|(name, value)| (name.into(), value)).collect();
        self.append([Line::Dimensions { id: id.to_owned(), values }])
    }

    /// Appends rows.
    ///
    /// # Errors
    /// When the file could not be written and synced.
    pub fn rows(&self, rows: Vec<Row>) -> Result<(), RecorderError> {
        self.append(rows.into_iter().map(|row| Line::Row(Box::new(row))))
    }

    fn append(&self, lines: impl IntoIterator<Item = Line>) -> Result<(), RecorderError> {
        let mut text = Vec::new();
        for line in lines {
            serde_json::to_writer(&mut text, &line).expect("rows have string keys");
            text.push(b'\n');
        }
        append_synced(&self.path, text).map_err(|source| RecorderError::Io {
            action: "write",
            path: self.path.clone(),
            source,
        })
    }
}

/// One write of whole lines. Where an earlier process was ended in the middle of a line, the break
/// gets a line of its own, so that it spoils nothing but itself.
fn append_synced(path: &Path, mut text: Vec<u8>) -> io::Result<()> {
    let mut file = OpenOptions::new().read(true).append(true).create(true).open(path)?;
    if !ends_with_newline(&mut file)? {
        text.insert(0, b'\n');
    }
    file.write_all(&text)?;
    file.sync_data()
}

fn ends_with_newline(file: &mut File) -> io::Result<bool> {
    if file.metadata()?.len() == 0 {
        return Ok(true);
    }
    file.seek(SeekFrom::End(-1))?;
    let mut last = [0];
    file.read_exact(&mut last)?;
    Ok(last == *b"\n")
}

/// Reads what recorders appended. A line that breaks off is left out and reported in
/// [`Recorded::truncated`]; what is whole is kept.
///
/// # Errors
/// When the file cannot be read, or holds a line that no recorder wrote.
pub fn read(path: &Path) -> Result<Recorded, RecorderError> {
    let bytes = std::fs::read(path).map_err(|source| RecorderError::Io {
        action: "read",
        path: path.to_owned(),
        source,
    })?;
    parse(&bytes).map_err(|(line, source)| RecorderError::Malformed {
        path: path.to_owned(),
        line,
        source,
    })
}

fn parse(bytes: &[u8]) -> Result<Recorded, (usize, serde_json::Error)> {
    let mut recorded = Recorded::default();
    for (index, line) in bytes.split(|&byte| byte == b'\n').enumerate() {
        if line.is_empty() {
            continue;
        }
        match serde_json::from_slice(line) {
            Ok(Line::Row(row)) => recorded.rows.push(*row),
            Ok(Line::Dimensions { id, values }) => {
                recorded.dimensions.entry(id).or_default().extend(values);
            }
            Err(error) if breaks_off(line, &error) => recorded.truncated.push(index + 1),
            Err(error) => return Err((index + 1, error)),
        }
    }
    Ok(recorded)
}

/// A write that stopped may stop inside a character, which is an error of its own.
fn breaks_off(line: &[u8], error: &serde_json::Error) -> bool {
    let cut_character = std::str::from_utf8(line).is_err_and(|e| e.error_len().is_none());
    line.starts_with(b"{") && (error.is_eof() || cut_character)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::record::{Data, Metric};

    fn row(id: &str, value: u64) -> Row {
        Row::measured(id, Metric::Operations, "1", Data::Count { value })
    }

    fn written(id: &str) -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("rows.jsonl");
        let recorder = Recorder::to(&path);
        recorder.dimensions(id, [("backend", "pread — µ".to_owned())]).expect("written");
        recorder.rows(vec![row(id, 1), row(id, 2)]).expect("written");
        (folder, path)
    }

    #[test]
    fn what_is_recorded_reads_back() {
        let (_folder, path) = written("a/b/1B");
        Recorder::to(&path).dimensions("a/b/1B", [("cache", "cold".to_owned())]).expect("written");
        let recorded = read(&path).expect("readable");
        assert_eq!(recorded.rows, [row("a/b/1B", 1), row("a/b/1B", 2)]);
        assert_eq!(recorded.dimensions["a/b/1B"]["backend"], "pread — µ");
        assert_eq!(recorded.dimensions["a/b/1B"]["cache"], "cold");
        assert!(recorded.truncated.is_empty());
    }

    #[test]
    fn a_file_cut_anywhere_keeps_its_whole_lines_and_says_what_it_lost() {
        let (_folder, path) = written("µ/cut/1B");
        let whole = std::fs::read(&path).expect("readable");
        for length in 0..whole.len() {
            let cut = &whole[..length];
            let recorded = parse(cut).unwrap_or_else(|error| panic!("at {length}: {error:?}"));
            let lines = cut.iter().filter(|&&byte| byte == b'\n').count();
            // A line that lacks nothing but its end of line is whole.
            let partial = cut.last().is_some_and(|&b| b != b'\n') && whole[length] != b'\n';
            let kept = recorded.rows.len() + recorded.dimensions.len();
            assert_eq!(recorded.truncated, if partial { vec![lines + 1] } else { vec![] });
            assert_eq!(kept, lines + usize::from(cut.len() > 1 && whole[length] == b'\n'));
        }
    }

    #[test]
    fn appending_after_a_cut_loses_only_the_cut_line() {
        let (_folder, path) = written("a/cut/1B");
        let whole = std::fs::read(&path).expect("readable");
        std::fs::write(&path, &whole[..whole.len() - 20]).expect("written");
        Recorder::to(&path).rows(vec![row("a/next/1B", 3)]).expect("written");
        let recorded = read(&path).expect("readable");
        assert_eq!(recorded.rows, [row("a/cut/1B", 1), row("a/next/1B", 3)]);
        assert_eq!(recorded.truncated, [3]);
    }

    #[test]
    fn a_line_that_no_recorder_wrote_is_refused_with_its_number() {
        let error = parse(b"\n{\"row\":3}\n").expect_err("not a row");
        assert_eq!(error.0, 2);
        assert!(parse(b"hello").is_err(), "text that merely ends early is not a cut row");
    }

    #[test]
    fn a_missing_file_is_named() {
        let error = read(Path::new("no/such/rows.jsonl")).expect_err("missing").to_string();
        assert!(error.starts_with("failed to read the rows file no/such/rows.jsonl: "), "{error}");
    }

    proptest! {
        #[test]
        fn no_bytes_make_the_reader_panic(bytes: Vec<u8>) {
            let _: Result<Recorded, _> = parse(&bytes);
        }
    }
}
