//! Turns of arms that only pretend.

use std::cell::RefCell;
use std::rc::Rc;

use bench_core::measure::recorder::Dimensions;
use bench_core::scale::Scale;
use bench_core::units::ByteSize;
use bench_core::workload::Failure;
use bench_grpc::Operation;

use super::super::arm::Arms;
use super::super::plan::Cell;
use super::*;

/// An arm that writes down what is asked of it, and breaks on its `breaks`th turn or hangs on its
/// `hangs`th.
struct Fake {
    name: &'static str,
    log: Rc<RefCell<Vec<String>>>,
    breaks: usize,
    hangs: usize,
    lies: usize,
    late: bool,
    turns: usize,
    verified: usize,
}

impl Arm for Fake {
    fn name(&self) -> &str {
        self.name
    }
    fn turn(&mut self, stop: Stop, _: &dyn Watch) -> Result<Turn, String> {
        let Stop::Operations(operations) = stop else { panic!("by no clock") };
        self.turns += 1;
        if self.turns >= self.hangs {
            return Err("a call had not ended".to_owned());
        }
        self.log.borrow_mut().push(format!("{}{operations}", self.name));
        let mut turn = Turn { operations, ..Turn::empty() };
        turn.elapsed = Duration::from_millis(operations);
        if self.turns >= self.breaks {
            turn.errors = vec![("Unavailable".to_owned(), operations)];
        } else {
            turn.latency.record_n(1_000_000, operations).expect("in range");
        }
        Ok(turn)
    }
    fn verify(&mut self, _: &dyn Watch) -> Result<(), Failure> {
        self.verified += 1;
        if self.verified >= self.lies { Err("other content".into()) } else { Ok(()) }
    }
    fn spoiled(&self) -> Result<Option<String>, Failure> {
        Ok(self.late.then(|| "9 ms late".to_owned()))
    }
    fn dimensions(&self) -> Dimensions {
        [("backend".to_owned(), "fake".to_owned())].into()
    }
}

struct Quiet {
    turns: usize,
    stop_at: usize,
}

impl Watch for Quiet {
    fn turned(&mut self, _: &str) {
        self.turns += 1;
    }
    fn stopped(&self) -> bool {
        self.turns >= self.stop_at
    }
}

fn arms(log: &Rc<RefCell<Vec<String>>>, edit: impl Fn(&mut Fake)) -> Arms {
    let arm = |name: &'static str| {
        let (log, late, turns, verified) = (log.clone(), false, 0, 0);
        let mut fake = Fake { name, log, breaks: 99, hangs: 99, lies: 99, late, turns, verified };
        edit(&mut fake);
        (name.to_owned(), Ok(Box::new(fake) as Box<dyn Arm>))
    };
    ["a", "b"].map(arm).into()
}

fn effort(rounds: u64) -> Effort {
    let turn = Duration::from_millis(3);
    Effort { rounds, turn, ..Effort::of(Scale::Quick) }
}

fn on() -> Quiet {
    Quiet { turns: 0, stop_at: usize::MAX }
}

#[test]
fn the_order_rotates_and_the_warm_up_is_no_round() {
    let log = Rc::default();
    let tallies = measure(&mut arms(&log, |_| {}), effort(3), &mut on());
    assert_eq!(tallies.iter().map(Tally::rounds).collect::<Vec<_>>(), [3, 3]);
    let said = log.borrow().join(" ");
    assert_eq!(said, "a1 a1 b1 b1 a3 b3 b3 a3 a3 b3");
}

#[test]
fn the_warm_up_and_every_turn_have_all_that_are_under_way_at_a_time() {
    let log = Rc::default();
    let wide = Effort { concurrency: 4, connections: 2, ..effort(2) };
    measure(&mut arms(&log, |_| {}), wide, &mut on());
    assert_eq!(log.borrow().join(" "), "a4 a4 b4 b4 a4 b4 b4 a4");
}

#[test]
fn nothing_is_begun_after_a_stop() {
    let log = Rc::default();
    let mut watch = Quiet { turns: 0, stop_at: 1 };
    measure(&mut arms(&log, |_| {}), effort(2), &mut watch);
    assert_eq!(log.borrow().join(" "), "a1 a1");
}

#[test]
fn one_that_breaks_is_out_and_the_other_goes_on() {
    let log = Rc::default();
    let broken = |fake: &mut Fake| fake.breaks = if fake.name == "a" { 4 } else { 99 };
    let tallies = measure(&mut arms(&log, broken), effort(5), &mut on());
    assert!(!tallies[0].is_running() && tallies[1].is_running());
    assert_eq!((tallies[0].rounds(), tallies[1].rounds()), (2, 5));
    let cell = Cell::of_matrix(Operation::Read, ByteSize::mib(1));
    let rows = tallies[0].rows(&cell, "loopback", None);
    assert_eq!(rows[0].error.as_deref(), Some("no operation of a turn succeeded: Unavailable"));
    assert_eq!(rows[0].dimensions["backend"], "fake");
}

#[test]
fn one_that_hangs_is_out_and_has_no_part_of_a_turn() {
    let hangs = |fake: &mut Fake| fake.hangs = if fake.name == "a" { 4 } else { 99 };
    let tallies = measure(&mut arms(&Rc::default(), hangs), effort(5), &mut on());
    assert!(!tallies[0].is_running() && tallies[1].is_running());
    assert_eq!((tallies[0].rounds(), tallies[1].rounds()), (1, 5));
    let cell = Cell::of_matrix(Operation::Read, ByteSize::mib(1));
    let rows = tallies[0].rows(&cell, "loopback", None);
    assert_eq!(rows[0].error.as_deref(), Some("a call had not ended"));
}

#[test]
fn other_content_after_the_rounds_takes_the_numbers_back() {
    let log = Rc::default();
    let lies = |fake: &mut Fake| fake.lies = if fake.name == "b" { 2 } else { 99 };
    let tallies = measure(&mut arms(&log, lies), effort(2), &mut on());
    assert!(tallies[0].is_running() && !tallies[1].is_running());
}

#[test]
fn a_link_that_was_late_takes_the_numbers_back() {
    let late = |fake: &mut Fake| fake.late = fake.name == "b";
    let tallies = measure(&mut arms(&Rc::default(), late), effort(2), &mut on());
    assert!(tallies[0].is_running() && !tallies[1].is_running());
    let cell = Cell::of_matrix(Operation::Read, ByteSize::mib(1));
    let rows = tallies[1].rows(&cell, "loopback", None);
    let why = "times are not those of the link: 9 ms late";
    assert_eq!(rows[0].error.as_deref(), Some(why));
    assert!(rows.iter().all(|row| !row.ok || row.unit == "1"), "counts stay, no time does");
}

#[test]
fn what_did_not_start_is_told_and_nothing_runs_when_nothing_started() {
    let mut arms: Arms = vec![("a".to_owned(), Err("the port is taken".to_owned()))];
    let tallies = measure(&mut arms, effort(2), &mut on());
    assert!(!tallies[0].is_running());
    assert_eq!(tallies[0].rounds(), 0);
}

#[test]
fn a_stop_keeps_the_turns_that_were_had() {
    let log = Rc::default();
    // Two warm-ups, then three turns.
    let mut watch = Quiet { turns: 0, stop_at: 5 };
    let tallies = measure(&mut arms(&log, |_| {}), effort(10), &mut watch);
    assert_eq!(tallies.iter().map(Tally::rounds).collect::<Vec<_>>(), [1, 2]);
    assert!(tallies.iter().all(Tally::is_running));
    let cell = Cell::of_matrix(Operation::Read, ByteSize::mib(1));
    let rows: Vec<_> = tallies.iter().flat_map(|tally| tally.rows(&cell, "x", None)).collect();
    assert_eq!(rows[0].dimensions["interrupted"], "1 of 10 rounds");
    assert!(rows.iter().all(|row| row.dimensions.contains_key("interrupted")));
    assert!(bench_core::judge::matrix::arms(&rows).is_empty(), "what is unfinished is not ranked");
}
