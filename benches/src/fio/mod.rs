//! The storage scenario in fio's words: jobs as fio has them, by our own engines.
//!
//! - [`options`]: a job; [`number`]: sizes and times in it; [`flags`]: jobs by flags; [`mod@file`]: by a
//!   job file.
//! - [`site`]: the files that jobs work on, in a known state; [`run`]: jobs that run together.
//! - [`meter`]: what a thread did, [`running`] by its clock; [`usage`]: what it used.
//! - [`rows`]: reports as our record; [`json`]: as fio's JSON; [`summary`]: for people.
//! - [`buffers`]: pooled buffers against fresh ones; `peer`, with the feature `peers`: against fio
//!   (`theirs`).
//! - [`session`]: from flags to files; [`scenarios`]: single cells for `cargo perf run`.

pub mod buffers;
pub mod file;
pub mod flags;
pub mod json;
pub mod meter;
pub mod number;
pub mod options;
#[cfg(feature = "peers")]
pub mod peer;
pub mod rows;
pub mod run;
pub mod running;
pub mod scenarios;
pub mod session;
pub mod site;
pub mod summary;
#[cfg(feature = "peers")]
pub mod theirs;
pub mod usage;

pub use scenarios::main;
