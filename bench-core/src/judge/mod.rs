//! Statistics, comparison, verdict: pure functions over records. Judging never touches the machine.
//!
//! - [`stats`]: median, spread, quantiles and their intervals.
//! - [`comparable`](mod@comparable): whether two environments allow a comparison, and why not.
//! - [`effect`](mod@effect): how two rows differ, and where the ratio lies.
//! - [`compare`](mod@compare): pairs of rows with their effect. No opinion.
//! - [`policy`]: how much change is too much, by metric and id.
//! - [`glob`]: the pattern by which policies and filters name ids.
//! - [`verdict`]: the opinion, and how opinions join.
//! - [`decide`]: what a policy says about a pair.

pub mod comparable;
pub mod compare;
pub mod decide;
pub mod effect;
pub mod glob;
pub mod policy;
pub mod stats;
pub mod verdict;

pub use comparable::{Comparability, comparable};
pub use compare::{Pair, compare};
pub use decide::{Direction, judge};
pub use effect::{Effect, effect};
pub use glob::{Glob, GlobError};
pub use policy::{Limit, Policy, Rule};
pub use stats::Interval;
pub use verdict::Verdict;
