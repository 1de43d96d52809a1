//! Arms of one question, interleaved in one process: each round runs every arm once, each round
//! begins with another arm, and the first round is thrown away. What drifts (a disk, a neighbour)
//! drifts for all of them. For passes of milliseconds that have to be prepared and checked outside their
//! time; [`turns`](bench_core::measure::turns) is for operations of nanoseconds.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use bench_core::record::{Data, Metric, Row};
use bench_core::workload::Failure;

/// One way to do the work.
pub struct Arm<'a> {
    /// What the row calls it, in its dimension `arm`.
    pub name: String,
    /// What made the number, besides.
    pub dimensions: Vec<(&'static str, String)>,
    /// Does the work once and says how long it took; what the arm has to be brought into first is
    /// not in that time, and the answer is checked after it.
    pub once: Box<dyn FnMut() -> Result<Duration, Failure> + 'a>,
}

impl fmt::Debug for Arm<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Arm").field("name", &self.name).finish_non_exhaustive()
    }
}

/// The times of all arms, one row for each, over this many rounds besides the first.
///
/// # Errors
/// The first failure of an arm, with its name.
pub fn interleaved(id: &str, rounds: usize, mut arms: Vec<Arm<'_>>) -> Result<Vec<Row>, Failure> {
    let mut times = vec![Vec::new(); arms.len()];
    let count = arms.len();
    for round in 0..=rounds {
        for turn in 0..count {
            let number = (round + turn) % count;
            let arm = &mut arms[number];
            let time = (arm.once)().map_err(|failure| format!("{}: {failure}", arm.name))?;
            if round > 0 {
                times[number].push(time.as_nanos() as f64);
            }
        }
    }
    let rows = arms.into_iter().zip(times).map(|(arm, values)| {
        let iterations = vec![1; values.len()];
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
    fn a_failed_arm_is_named() {
        let once = Box::new(|| Err("no disk".into()));
        let arm = Arm { name: "cold".to_owned(), dimensions: Vec::new(), once };
        let error = interleaved("a/b", 1, vec![arm]).expect_err("failed").to_string();
        assert_eq!(error, "cold: no disk");
    }
}
