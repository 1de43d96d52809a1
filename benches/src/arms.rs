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

/// The times of all arms, one row for each, over this many rounds besides the first.
///
/// # Errors
/// The first failure of an arm, with its name.
pub fn interleaved<P: Into<Pass>>(
    id: &str,
    rounds: usize,
    mut arms: Vec<Arm<'_, P>>,
) -> Result<Vec<Row>, Failure> {
    let mut passes = vec![Vec::<Pass>::new(); arms.len()];
    let count = arms.len();
    for round in 0..=rounds {
        for turn in 0..count {
            let number = (round + turn) % count;
            let arm = &mut arms[number];
            let pass = (arm.once)().map_err(|failure| format!("{}: {failure}", arm.name))?;
            if round > 0 {
                passes[number].push(pass.into());
            }
        }
    }
    let rows = arms.into_iter().zip(passes).map(|(arm, passes)| {
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
    use std::cell::RefCell;

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
