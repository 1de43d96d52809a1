//! Harnesses, schedules and the environment. Measuring never sees a threshold.
//!
//! - [`environment`]: where and with what a run measures.
//! - [`recorder`]: how a bench executable hands its rows to the front door.
//! - `schedule`: when operations should start; `drive`: starts them then and keeps their latencies;
//!   `scenario`: the `main` around them.
//! - `turns`: arms of a comparison in turns, on pinned threads.
//! - `usage`: what this process uses meanwhile. `selection`: which ids a command line asks for.
//! - `watch`: what a scenario uses while it runs, ten times a second.
//! - `wall`: a workload under criterion; `profiler`: its flamegraph.
//!
//! The first two are always there, since the front door reads records without a harness; the rest
//! comes with the feature `measure`.

#[cfg(feature = "measure")]
pub mod drive;
pub mod environment;
#[cfg(feature = "measure")]
pub mod profiler;
pub mod recorder;
#[cfg(feature = "measure")]
pub mod scenario;
#[cfg(feature = "measure")]
pub mod schedule;
#[cfg(feature = "measure")]
pub mod selection;
#[cfg(feature = "measure")]
pub mod turns;
#[cfg(feature = "measure")]
pub mod usage;
#[cfg(feature = "measure")]
pub mod wall;
#[cfg(feature = "measure")]
pub mod watch;
