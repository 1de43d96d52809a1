//! The adapter with a selection and a recorder of our own; what criterion writes is tested in
//! `tests/measure_wall.rs`.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use regex::Regex;

use super::*;
use crate::measure::recorder;
use crate::units::ByteSize;

const DISTURBED: &str = "somebody took its pages";

thread_local! {
    /// Set-ups of `Counted` on this test's thread.
    static SET_UPS: Cell<u32> = const { Cell::new(0) };
}

struct Counted {
    runs: u64,
    /// Checks that will fail by the machine.
    disturbances: u32,
}

impl Workload for Counted {
    const NAME: &'static str = "demo/counted";
    type Parameter = String;

    fn set_up(parameter: &String) -> Result<Self, Failure> {
        SET_UPS.set(SET_UPS.get() + 1);
        let disturbances = match &**parameter {
            "no-set-up" => return Err("no disk".into()),
            "disturbed" => 2,
            "hopeless" => u32::MAX,
            _ => 0,
        };
        Ok(Self { runs: 0, disturbances })
    }

    fn bytes(&self) -> Option<ByteSize> {
        Some(ByteSize::kib(4))
    }

    fn run(&mut self) {
        self.runs += 1;
    }

    fn check(&mut self) -> Result<(), Failure> {
        if self.disturbances > 0 {
            self.disturbances -= 1;
            return Err(DISTURBED.into());
        }
        if self.runs > 0 { Ok(()) } else { Err("nothing ran".into()) }
    }

    fn is_disturbed(failure: &Failure) -> bool {
        failure.to_string() == DISTURBED
    }

    fn dimensions(&self) -> Vec<(&'static str, String)> {
        vec![("backend", "memory".to_owned())]
    }
}

/// Registers `Counted` under criterion in `folder`; rows go to `rows.jsonl` there.
fn register(folder: &Path, parameter: &str, c: Criterion, selection: Selection) {
    let parameter = parameter.to_owned();
    let recorder = Some(Recorder::to(folder.join("rows.jsonl")));
    let id = workload::id::<Counted>(&parameter);
    let mut c = c.output_directory(folder);
    let disturbed = Cell::new(0);
    Bench { id, selection, recorder, disturbed }.register::<Counted>(&mut c, &parameter);
}

/// Milliseconds in all.
fn short() -> Criterion {
    let ms = Duration::from_millis;
    criterion().sample_size(10).warm_up_time(ms(1)).measurement_time(ms(1)).nresamples(1_001)
}

#[test]
fn dimensions_are_recorded_once_with_the_bytes_of_an_operation() {
    let folder = tempfile::tempdir().expect("a folder");
    register(folder.path(), "recorded", short(), Selection::All);
    let recorded = recorder::read(&folder.path().join("rows.jsonl")).expect("readable");
    let dimensions = &recorded.dimensions["demo/counted/recorded"];
    assert_eq!((&*dimensions["backend"], &*dimensions["bytes"]), ("memory", "4096"));
    assert!(!dimensions.contains_key("disturbed"));
    assert_eq!(SET_UPS.get(), 1, "one set-up serves warm-up and measurement");
}

#[test]
fn an_id_that_is_filtered_out_sets_nothing_up_and_records_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    let c = short().with_filter("another");
    let another = Selection::Matching(Regex::new("another").expect("a pattern"));
    register(folder.path(), "unselected", c, another);
    assert_eq!(SET_UPS.get(), 0);
    assert!(!folder.path().join("rows.jsonl").exists());
}

#[test]
fn a_selection_that_guesses_wrong_costs_no_measurement() {
    let folder = tempfile::tempdir().expect("a folder");
    register(folder.path(), "guessed", short(), Selection::Nothing);
    assert!(folder.path().join("demo_counted/guessed/new/sample.json").exists());
    assert_eq!(SET_UPS.get(), 1);
}

#[test]
fn a_failure_names_the_id_and_leaves_a_failed_row() {
    let folder = tempfile::tempdir().expect("a folder");
    let panic = catch_unwind(AssertUnwindSafe(|| {
        register(folder.path(), "no-set-up", short(), Selection::All);
    }));
    let message = *panic.expect_err("fails").downcast::<String>().expect("a sentence");
    assert_eq!(message, "demo/counted/no-set-up: set-up failed: no disk");
    let recorded = recorder::read(&folder.path().join("rows.jsonl")).expect("readable");
    let row = &recorded.rows[0];
    assert_eq!((&*row.id, &row.metric), ("demo/counted/no-set-up", &Metric::WallTime));
    assert_eq!(row.error.as_deref(), Some("set-up failed: no disk"));
}

#[test]
fn a_profile_may_end_with_a_call_for_no_operation() {
    let (selection, disturbed) = (Selection::All, Cell::new(0));
    let bench = Bench { id: "demo/none/1B".into(), selection, recorder: None, disturbed };
    assert_eq!(bench.measure(&mut Counted { runs: 0, disturbances: 0 }, 0), Duration::ZERO);
}

#[test]
#[should_panic(expected = "demo/twice/1B: this id is registered twice")]
fn an_id_registered_twice_is_refused() {
    names("demo/twice/1B");
    names("demo/twice/1B");
}

#[test]
#[should_panic(expected = "shorten the id")]
fn an_id_that_criterion_would_cut_is_refused() {
    names(&format!("demo/{}/1B", "x".repeat(60)));
}

#[test]
fn what_the_machine_disturbs_is_measured_anew_and_not_for_ever() {
    let folder = tempfile::tempdir().expect("a folder");
    register(folder.path(), "disturbed", short(), Selection::All);
    let recorded = recorder::read(&folder.path().join("rows.jsonl")).expect("readable");
    assert_eq!(recorded.dimensions["demo/counted/disturbed"]["disturbed"], "2");
    let panic = catch_unwind(AssertUnwindSafe(|| {
        register(folder.path(), "hopeless", short(), Selection::All);
    }));
    let message = *panic.expect_err("fails").downcast::<String>().expect("a sentence");
    assert_eq!(message, format!("demo/counted/hopeless: check failed: {DISTURBED}"));
}
