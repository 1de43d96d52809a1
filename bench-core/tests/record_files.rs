//! Records in files: whole or not at all, and one clear sentence for whatever is wrong.

use std::fs;
use std::io::{self, ErrorKind};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use bench_core::record::{Data, Environment, Metric, RecordError, Row, RunRecord, replace_file};

fn record() -> RunRecord {
    let mut record = RunRecord::begin(Environment::default());
    let data = Data::Samples { values: vec![1.5, 2.0], iterations: vec![1, 2] };
    record.rows.push(Row::measured("a/b", Metric::WallTime, "ns", data));
    record
}

fn names(directory: &Path) -> Vec<String> {
    let entries = fs::read_dir(directory).expect("directory");
    entries.map(|e| e.expect("entry").file_name().into_string().expect("UTF-8")).collect()
}

#[test]
fn what_is_written_is_read_and_replaces_what_was_there() {
    let directory = tempfile::tempdir().expect("directory");
    let path = directory.path().join("run.json");
    let (first, second) = (record(), record());
    first.write(&path).expect("written");
    assert_eq!(RunRecord::read(&path).expect("read"), first);
    second.write(&path).expect("written over");
    assert_eq!(RunRecord::read(&path).expect("read"), second);
    assert_eq!(names(directory.path()), ["run.json"]);
    let mode = fs::metadata(&path).expect("file").permissions().mode();
    assert_ne!(mode & 0o600, 0, "{mode:o}");
}

#[test]
fn unknown_fields_survive() {
    let text = record().to_json().expect("sound").replacen('{', r#"{"later":{"deep":[1,2.5]},"#, 1);
    let text = text.replace(r#""id":"a/b""#, r#""colour":"red","id":"a/b""#);
    let text = text.replace(r#""environment":{"#, r#""environment":{"moon":"full","#);
    let read = RunRecord::from_json(&text).expect("read");
    assert_eq!(read.unknown["later"]["deep"][1], 2.5);
    assert_eq!(read.rows[0].unknown["colour"], "red");
    assert_eq!(read.environment.unknown["moon"], "full");
    assert_eq!(RunRecord::from_json(&read.to_json().expect("sound")).expect("read"), read);
}

#[test]
fn a_file_that_is_not_there_is_said_so() {
    let path = Path::new("/nowhere/run.json");
    let error = RunRecord::read(path).expect_err("not there");
    assert!(matches!(error, RecordError::NotFound { .. }));
    assert!(error.to_string().contains("/nowhere/run.json"), "{error}");
    let error = record().write(path).expect_err("no directory").to_string();
    assert!(error.starts_with("failed to write /nowhere/run.json"), "{error}");
    assert!(RunRecord::read(Path::new("/")).is_err(), "a directory is no record");
}

#[test]
fn a_text_cut_short_anywhere_is_an_error() {
    let text = record().to_json().expect("sound");
    let directory = tempfile::tempdir().expect("directory");
    let path = directory.path().join("run.json");
    for length in 0..text.len() {
        fs::write(&path, &text[..length]).expect("written");
        let error = RunRecord::read(&path).expect_err("cut short");
        assert!(matches!(error, RecordError::Malformed { .. }), "{length}: {error}");
        let said = error.to_string();
        assert!(said.contains("run.json") && said.contains("line 1 column"), "{said}");
    }
}

#[test]
fn a_byte_changed_anywhere_is_never_a_panic() {
    let text = record().to_json().expect("sound").into_bytes();
    let directory = tempfile::tempdir().expect("directory");
    let path = directory.path().join("run.json");
    for place in 0..text.len() {
        let mut text = text.clone();
        text[place] ^= 0x80;
        fs::write(&path, &text).expect("written");
        assert!(RunRecord::read(&path).is_err(), "byte {place} is not UTF-8");
    }
}

#[test]
fn another_version_is_said_before_anything_else() {
    let error = RunRecord::from_json(r#"{"schema": 7, "rows": "of another kind"}"#);
    let said = error.expect_err("another version").to_string();
    assert!(said.contains("version 7") && said.contains("version 1"), "{said}");
}

#[test]
fn a_full_disk_leaves_the_old_file_and_nothing_else() {
    let directory = tempfile::tempdir().expect("directory");
    let path = directory.path().join("run.json");
    let old = record();
    old.write(&path).expect("written");
    for room in [0, 1, 100, 100_000] {
        let error = replace_file(&path, |out| {
            out.write_all(&vec![b'x'; room])?;
            Err(io::Error::from(ErrorKind::StorageFull))
        });
        let said = error.expect_err("full").to_string();
        assert!(said.starts_with("failed to write ") && said.contains("run.json"), "{said}");
        assert!(said.contains("no storage space"), "{said}");
    }
    assert_eq!(RunRecord::read(&path).expect("read"), old);
    assert_eq!(names(directory.path()), ["run.json"]);
}

#[test]
fn a_panic_while_writing_leaves_nothing_either() {
    let directory = tempfile::tempdir().expect("directory");
    let path = directory.path().join("run.json");
    let outcome = std::panic::catch_unwind(|| replace_file(&path, |_| panic!("broke")));
    assert!(outcome.is_err());
    assert_eq!(names(directory.path()), Vec::<String>::new());
}

#[test]
fn what_makes_no_sense_is_not_written() {
    let directory = tempfile::tempdir().expect("directory");
    let path = directory.path().join("run.json");
    let mut bad = record();
    bad.rows[0].data = Some(Data::Samples { values: vec![f64::NAN], iterations: vec![1] });
    let error = bad.write(&path).expect_err("not a number");
    assert!(error.to_string().contains("wall_time of 'a/b'"), "{error}");
    bad.rows = vec![record().rows[0].clone(), record().rows[0].clone()];
    assert!(bad.write(&path).is_err(), "the same row twice");
    assert_eq!(names(directory.path()), Vec::<String>::new());
}
