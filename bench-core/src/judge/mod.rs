//! Statistics, comparison, verdict: pure functions over records. Judging never touches the machine.
//!
//! - [`stats`]: median, spread, quantiles and their intervals.
//! - [`comparable`](mod@comparable): whether two environments allow a comparison, and why not.
//! - [`effect`](mod@effect): how two rows differ, and where the ratio lies.
//! - [`compare`](mod@compare): pairs of rows with their effect. No opinion.
//! - [`fence`]: how far a count has moved before, by its own history.
//! - [`budget`]: bounds that need no baseline.
//! - [`sequential`]: pairs of times, judged round by round.
//! - [`rival`]: what others would say to the same rounds.
//! - [`modality`]: whether samples have one mode.
//! - [`changepoint`]: when a series changed.
//! - [`best`](mod@best): which of several arms is the best over a matrix; [`band`]: how far one is from another.
//! - [`bottleneck`](mod@bottleneck): what was saturated while a scenario ran.
//! - [`builds`]: the same between two builds.
//! - [`matrix`]: rows as arms, and the ranking in words.
//! - [`target`]: what an id has to reach by itself.
//! - [`policy`]: how much change is too much, by metric and id.
//! - [`time_rule`]: the same for times.
//! - [`glob`]: the pattern by which policies and filters name ids.
//! - [`verdict`]: the opinion, and how opinions join.
//! - [`decide`]: what a policy says about a pair.

pub mod band;
pub mod best;
pub mod bottleneck;
pub mod budget;
pub mod builds;
pub mod changepoint;
pub mod comparable;
pub mod compare;
pub mod decide;
pub mod effect;
pub mod fence;
pub mod glob;
pub mod matrix;
pub mod modality;
pub mod policy;
pub mod rival;
pub mod sequential;
pub mod stats;
pub mod target;
pub mod time_rule;
pub mod verdict;

pub use comparable::{Comparability, comparable};
pub use compare::{Pair, compare};
pub use decide::{Direction, judge, judge_with};
pub use effect::{Effect, effect};
pub use glob::{Glob, GlobError};
pub use policy::{Bound, BoundBy, Limit, Policy, Rule};
pub use stats::Interval;
pub use time_rule::TimeRule;
pub use verdict::Verdict;
