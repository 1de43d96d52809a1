//! Arms of one question, interleaved in one process: each round runs every arm once, each round
//! begins with another arm, and the first round is thrown away. What drifts (a disk, a neighbour)
//! drifts for all of them. For passes of milliseconds that have to be prepared and checked outside their
//! time; [`turns`](bench_core::measure::turns) is for operations of nanoseconds.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use bench_core::record::{Data, Metric, Row};
use bench_core::workload::Failure;

/// What an arm did in one turn: a time alone is that of one operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pass {
    /// How long it took.
    pub time: Duration,
    /// For this many operations; other people's programs decide that by themselves.
    pub operations: u64,
}

impl From<Duration> for Pass {
    fn from(time: Duration) -> Self {
        Self { time, operations: 1 }
    }
}

/// One way to do the work.
pub struct Arm<'a, P = Duration> {
    /// What the row calls it, in its dimension `arm`.
    pub name: String,
    /// What made the number, besides.
    pub dimensions: Vec<(&'static str, String)>,
    /// Does the work once and says how long it took, or how much it did in which time; what the arm has to be brought into first is
    /// not in that time, and the answer is checked after it.
    pub once: Box<dyn FnMut() -> Result<P, Failure> + 'a>,
}

impl<P> fmt::Debug for Arm<'_, P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Arm").field("name", &self.name).finish_non_exhaustive()
    }
}

/// Says, when it is asked before a turn, whether it is the first that does not come any more.
pub type Stop<'a> = &'a dyn Fn() -> bool;

/// The times of all arms, one row for each, over this many rounds besides the first.
///
/// # Errors
/// The first failure of an arm, with its name.
pub fn interleaved<P: Into<Pass>>(
    id: &str,
    rounds: usize,
    arms: Vec<Arm<'_, P>>,
) -> Result<Vec<Row>, Failure> {
    interleaved_until(id, rounds, arms, &|| false)
}

/// The same until it is stopped. Arms that had no turn that counts by then have no row.
///
/// # Errors
/// The first failure of an arm, with its name.
pub fn interleaved_until<P: Into<Pass>>(
    id: &str,
    rounds: usize,
    mut arms: Vec<Arm<'_, P>>,
    stop: Stop<'_>,
) -> Result<Vec<Row>, Failure> {
    let mut passes = vec![Vec::<Pass>::new(); arms.len()];
    let count = arms.len();
    'rounds: for round in 0..=rounds {
        for turn in 0..count {
            if stop() {
                break 'rounds;
            }
            let number = (round + turn) % count;
            let arm = &mut arms[number];
            let pass = (arm.once)().map_err(|failure| format!("{}: {failure}", arm.name))?;
            if round > 0 {
                passes[number].push(pass.into());
            }
        }
    }
    let measured = arms.into_iter().zip(passes).filter(|(_, passes)| !passes.is_empty());
    let rows = measured.map(|(arm, passes)| {
        let values = passes.iter().map(|pass| pass.time.as_nanos() as f64).collect();
        let iterations = passes.iter().map(|pass| pass.operations).collect();
        let data = Data::Samples { values, iterations };
        let mut row = Row::measured(id, Metric::WallTime, "ns", data);
        let named = [("arm", arm.name)].into_iter().chain(arm.dimensions);
        row.dimensions =
            named.map(|(name, value)| (name.to_owned(), value)).collect::<BTreeMap<_, _>>();
        row
    });
    Ok(rows.collect())
}

#[cfg(test)]
mod tests {
    use std::cell::{Cell, RefCell};

    use super::*;

    #[test]
    fn arms_take_turns_and_the_first_round_is_thrown_away() {
        let order = RefCell::new(String::new());
        let names = ['a', 'b', 'c'];
        let arms = names.iter().map(|&name| {
            let order = &order;
            let once = move || {
                order.borrow_mut().push(name);
                Ok(Duration::from_nanos(order.borrow().len() as u64))
            };
            Arm { name: name.to_string(), dimensions: Vec::new(), once: Box::new(once) }
        });
        let rows = interleaved("a/b", 2, arms.collect()).expect("three arms");
        assert_eq!(*order.borrow(), "abcbcacab");
        let values: Vec<Vec<f64>> = rows.iter().map(Row::per_operation).collect();
        assert_eq!(values, [[6.0, 8.0], [4.0, 9.0], [5.0, 7.0]]);
        assert_eq!(rows[1].dimensions["arm"], "b");
    }

    #[test]
    fn the_turn_before_which_it_is_stopped_does_not_come_and_what_was_measured_is_kept() {
        let (turns, looks) = (Cell::new(0), Cell::new(0));
        let arms = ["a", "b", "c"].map(|name| {
            let turns = &turns;
            let once = move || {
                turns.set(turns.get() + 1);
                Ok(Duration::from_nanos(1))
            };
            Arm { name: name.to_owned(), dimensions: Vec::new(), once: Box::new(once) }
        });
        let after = |all: u32| move || looks.replace(looks.get() + 1) == all;
        let rows = interleaved_until("a/b", 2, arms.into(), &after(4)).expect("no arm fails");
        assert_eq!(turns.get(), 4);
        // Three turns do not count, and the fourth was that of the second arm.
        let names: Vec<&str> = rows.iter().map(|row| row.dimensions["arm"].as_str()).collect();
        assert_eq!(names, ["b"]);
    }

    #[test]
    fn a_time_is_that_of_the_operations_that_were_done_in_it() {
        let pass = Pass { time: Duration::from_nanos(600), operations: 3 };
        let arm = Arm { name: "a".to_owned(), dimensions: Vec::new(), once: Box::new(|| Ok(pass)) };
        let rows = interleaved("a/b", 1, vec![arm]).expect("one arm");
        assert_eq!(rows[0].per_operation(), [200.0]);
    }

    #[test]
    fn a_failed_arm_is_named() {
        let once = Box::new(|| Err("no disk".into()));
        let arm: Arm<'_> = Arm { name: "cold".to_owned(), dimensions: Vec::new(), once };
        let error = interleaved("a/b", 1, vec![arm]).expect_err("failed").to_string();
        assert_eq!(error, "cold: no disk");
    }
}
