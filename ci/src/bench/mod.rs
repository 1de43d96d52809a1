//! Bench executables, for every command that builds and runs some:
//!
//! - [`build`]: where cargo put them.
//! - [`code_hash`]: whether two of them run the same code.
//! - [`ids`]: what they measure, and what of it the user asked for.
//! - [`folders`]: where they are counted, under paths of one length.
//! - [`count`]: instructions, several ids at once, and what else is counted on the way.
//! - [`hidden`]: debug information that valgrind need not read.
//! - [`lean`]: a copy that valgrind starts sooner.
//! - [`output`]: what a count leaves behind.
//! - [`dhat`]: allocations, read from DHAT's output.
//! - [`timed`]: time, one id after the other.

pub(crate) mod build;
pub(crate) mod code_hash;
pub(crate) mod count;
pub(crate) mod dhat;
pub(crate) mod folders;
mod hidden;
pub(crate) mod ids;
pub(crate) mod lean;
mod output;
pub(crate) mod timed;

use std::time::Duration;

/// How long an executable may take to say what it measures. It measures nothing then, but may have to
/// be read from a busy disk first.
const LIST_DEADLINE: Duration = Duration::from_secs(60);
