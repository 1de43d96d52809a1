//! What does not repeat, and why, in the order an audit goes:
//!
//! - [`condition`]: what is different from one repetition to the next, and nothing else is.
//! - [`neighbour`]: loops that keep every core busy, and surely end.
//! - [`observe`]: counts each bench under every condition.
//! - [`series`]: the counts of one id, and under which conditions they moved.
//! - [`evidence`]: what two profiles hold, and where they part.
//! - [`cause`]: from conditions and functions to the likely reason.
//! - [`outcome`]: who may gate, and the exit code.
//! - [`sensitivity`]: whether changes of known size are found in every id.
//! - [`render`]: terminal, Markdown, JSON.

pub(crate) mod cause;
pub(crate) mod condition;
pub(crate) mod evidence;
pub(crate) mod neighbour;
pub(crate) mod observe;
pub(crate) mod outcome;
pub(crate) mod render;
pub(crate) mod sensitivity;
pub(crate) mod series;
