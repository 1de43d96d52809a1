//! A file of SQLite: the suite, and files that are locked, newer, foreign or cannot be.

use std::fs;
use std::path::Path;

use tempfile::TempDir;

use super::super::Store;
use super::super::place::Place;
use super::conformance;
use crate::exit::{self, Exit};

fn folder() -> (TempDir, Place) {
    let folder = tempfile::tempdir().expect("folder");
    let place = Place::File(folder.path().join("with space ?.sqlite"));
    (folder, place)
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
    conformance::locked_is_said(&place, &["BEGIN IMMEDIATE"]);
}

#[test]
fn a_store_of_a_newer_program_is_left_alone() {
    let (_folder, place) = folder();
    conformance::newer_is_left_alone(&place);
}

#[test]
fn many_that_make_the_same_file_at_once_all_get_it() {
    let (_folder, place) = folder();
    conformance::many_at_once_are_served(&place);
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
fn nothing_is_made_by_looking_into_an_empty_file() {
    let (_folder, place) = folder();
    let Place::File(path) = &place else { unreachable!("a file") };
    fs::write(path, "").expect("written");
    conformance::nothing_is_made_by_looking(&place);
}
