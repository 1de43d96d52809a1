//! A file of SQLite: the suite, and files that are locked, newer, foreign or cannot be.

use std::fs;
use std::path::Path;
use std::time::Duration;

use tempfile::TempDir;

use super::super::link::Link;
use super::super::place::Place;
use super::super::write::Stored;
use super::super::{PATIENCE, Store};
use super::{conformance, count, record};
use crate::exit::{self, Exit};

fn folder() -> (TempDir, Place) {
    let folder = tempfile::tempdir().expect("folder");
    let place = Place::File(folder.path().join("with space ?.sqlite"));
    (folder, place)
}

/// Does this to the file by another connection, as another program would.
fn beside(place: &Place, statement: &'static str) -> (tokio::runtime::Runtime, Link) {
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("runtime");
    let link = runtime.block_on(async {
        let mut link = Link::open(place, PATIENCE).await.expect("opened");
        link.execute(statement, Vec::new()).await.expect(statement);
        link
    });
    (runtime, link)
}

#[test]
fn a_file_conforms() {
    let (folder, place) = folder();
    conformance::conform(&place);
    let names: Vec<_> = fs::read_dir(folder.path()).expect("listed").flatten().collect();
    assert_eq!(names.len(), 1, "one file and no log beside it: {names:?}");
}

#[test]
fn a_store_that_another_process_writes_is_said_to_be_locked_and_can_be_read() {
    let (_folder, place) = folder();
    Store::open(&place).expect("made");
    let (runtime, link) = beside(&place, "BEGIN IMMEDIATE");
    let mut store = Store::open_with(&place, Duration::from_millis(20)).expect("opened to read");
    assert_eq!(store.runs().expect("read"), []);
    let error = store.record(&record(0, vec![count("a", 1)])).expect_err("locked");
    assert_eq!(exit::of(&error), Exit::Broke);
    assert!(error.to_string().contains("another process is writing"), "{error}");
    runtime.block_on(link.close());
    let stored = store.record(&record(0, vec![count("a", 1)])).expect("free again");
    assert_eq!(stored, Stored { runs: 1, rows: 1, known: 0 });
}

#[test]
fn a_store_of_a_newer_program_is_left_alone() {
    let (_folder, place) = folder();
    Store::open(&place).expect("made");
    let newer = "INSERT INTO history_migrations \
                 (version, description, success, checksum, execution_time) \
                 VALUES (7, 'of tomorrow', TRUE, 'x', 0)";
    let (runtime, link) = beside(&place, newer);
    runtime.block_on(link.close());
    let error = Store::open(&place).err().expect("newer");
    assert_eq!(exit::of(&error), Exit::Usage);
    let told = error.to_string();
    assert!(told.contains("schema version 7") && told.ends_with("upgrade the program"), "{told}");
}

#[test]
fn a_file_that_is_no_database_is_left_alone() {
    let (_folder, place) = folder();
    let Place::File(path) = &place else { unreachable!("a file") };
    fs::write(path, "{\"schema\": 1, \"run_id\": \"this is a record and no database at all\"}")
        .expect("written");
    let error = Store::open(&place).err().expect("foreign");
    assert_eq!(exit::of(&error), Exit::Usage);
    assert!(error.to_string().contains("is no SQLite database"), "{error}");
    assert!(fs::read_to_string(path).expect("there").starts_with("{\"schema\": 1"));
}

#[test]
fn a_place_where_nothing_can_be_made_is_named() {
    for path in ["/no/such/folder/x.sqlite", "/proc/x.sqlite", "/"] {
        let error = Store::open(&Place::File(path.into())).err().expect(path);
        assert_eq!(exit::of(&error), Exit::Broke, "{path}");
        let told = error.to_string();
        assert!(told.contains(path) && !told.contains('\n'), "{told}");
    }
}

#[test]
fn nothing_is_made_by_looking() {
    let (folder, place) = folder();
    let error = Store::existing(&place).err().expect("not there");
    assert_eq!(exit::of(&error), Exit::NotMeasured);
    assert_eq!(fs::read_dir(folder.path()).expect("listed").count(), 0);
    assert!(!Path::new("history.sqlite").exists());
}

#[test]
fn two_that_make_the_same_file_at_once_both_get_it() {
    let (_folder, place) = folder();
    std::thread::scope(|scope| {
        for n in 0..4 {
            let place = &place;
            scope.spawn(move || {
                let mut store = Store::open(place).expect("opened");
                store.record(&record(n, vec![count("a", 1)])).expect("stored");
            });
        }
    });
    assert_eq!(Store::open(&place).expect("opened").runs().expect("read").len(), 4);
}
