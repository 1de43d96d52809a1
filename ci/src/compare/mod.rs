//! Two [`records`] of before; and what a live comparison of times is made of, in the order it goes:
//!
//! - [`name`]: what the user named: something to measure, or something measured before.
//! - [`program`]: bench executables in files and folders.
//! - [`side`]: both sides, built or found.
//! - [`subject`]: the ids that both have, by which rule each is judged, and what is only on one side.
//! - [`course`]: one id on its way to a verdict, and which rounds are left out.
//! - [`race`]: the rounds of all ids.
//! - [`run`]: the folder of a run and its journal; an older run goes on.
//! - [`rows`]: their raw samples as rows of two records.
//! - [`control`]: what vouches for a run.
//! - [`outcome`]: verdicts and the exit code.
//! - [`render`]: terminal, Markdown, JSON.
//! - [`export`]: what critcmp reads.
//! - [`written`]: the files that a run leaves.

mod control;
pub(crate) mod course;
pub(crate) mod export;
pub(crate) mod name;
pub(crate) mod outcome;
pub(crate) mod program;
pub(crate) mod race;
pub(crate) mod records;
pub(crate) mod render;
pub(crate) mod rows;
pub(crate) mod run;
pub(crate) mod side;
pub(crate) mod subject;
pub(crate) mod written;
