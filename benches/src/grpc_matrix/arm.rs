//! What takes turns in a cell: one way to move the bytes, be it a profile, a path or a raw socket.

use std::time::Duration;

use bench_core::measure::drive::Stop;
use bench_core::measure::recorder::Dimensions;
use bench_core::measure::usage::Usage;
use bench_core::workload::Failure;
use hdrhistogram::Histogram;

use super::tally;
use super::watch::Watch;

/// What one arm did in one turn.
#[derive(Clone, Debug)]
pub struct Turn {
    /// Operations that ended, well or not.
    pub operations: u64,
    /// From the start of the first to the end of the last.
    pub elapsed: Duration,
    /// Nanoseconds of each operation that succeeded.
    pub latency: Histogram<u64>,
    /// Nanoseconds until the first byte was there, where the arm can tell.
    pub first_byte: Histogram<u64>,
    /// Failed operations by kind.
    pub errors: Vec<(String, u64)>,
    /// What both ends used meanwhile, as far as they are in sight; the server's part apart. `None`
    /// where nobody looked.
    pub usage: Option<Usage>,
}

impl Turn {
    /// A turn in which nothing happened yet.
    pub fn empty() -> Self {
        Self {
            operations: 0,
            elapsed: Duration::ZERO,
            latency: tally::histogram(),
            first_byte: tally::histogram(),
            errors: Vec::new(),
            usage: None,
        }
    }

    /// Counts an operation that failed in this way.
    pub fn failed(&mut self, kind: String) {
        match self.errors.iter_mut().find(|(known, _)| *known == kind) {
            Some((_, count)) => *count += 1,
            None => self.errors.push((kind, 1)),
        }
    }
}

/// The dimension that says whose processor time, faults and memory the rows are.
pub const COVERS: &str = "usage_of";

/// Both ends are threads of this process.
pub const BOTH: &str = "both ends";
/// The other end is a process of ours: time is of both, faults and memory are told of each.
pub const EACH: &str = "both ends, faults and memory of each";
/// The other end is out of sight.
pub const CLIENT: &str = "client";

/// One way to move the bytes of a cell. A turn is short, and turns of several arms alternate.
pub trait Arm {
    /// The name by which it is ranked.
    fn name(&self) -> &str;

    /// Moves the payload again and again until this stop; whatever fails is counted in the turn.
    ///
    /// # Errors
    /// That the turn has no end of its own: a call hung, and so would the next ones, or whoever
    /// watches wants to stop.
    fn turn(&mut self, stop: Stop, watch: &dyn Watch) -> Result<Turn, String>;

    /// Moves it once, outside any clock, and looks at every byte.
    ///
    /// # Errors
    /// What was wrong with the call or its content, or that whoever watches wants to stop.
    fn verify(&mut self, watch: &dyn Watch) -> Result<(), Failure>;

    /// Why the numbers are not those of the link that was asked for; `None` where they are, there is no
    /// link, or nobody judges it.
    ///
    /// # Errors
    /// That the link cannot tell.
    fn spoiled(&self) -> Result<Option<String>, Failure> {
        Ok(None)
    }

    /// What made the number.
    fn dimensions(&self) -> Dimensions;
}

/// An arm, or why there is none.
pub type Started = Result<Box<dyn Arm>, String>;

/// Arms by name, in the order of their turns.
pub type Arms = Vec<(String, Started)>;
