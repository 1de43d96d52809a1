//! How the instructions of two trees are counted and compared, in the order the gate goes:
//!
//! - [`git`]: the commit behind a ref, the working tree as a tree.
//! - [`objects`]: what snapshots leave behind, bounded.
//! - [`stage`]: the one folder from which both are built.
//! - [`fingerprints`]: what cargo remembers from a time that has not come yet.
//! - [`warm`]: dependencies that were compiled already.
//! - [`cache`]: executables, kept by what they were made of.
//! - [`settings`]: what reaches a build from outside of its tree.
//! - [`sides`]: both sides, laid out so that only their code differs.
//! - [`tree`]: the working tree counted, by whatever it is judged.
//! - [`baseline`], [`ratchet`]: text baselines, and what they become when a tree is blessed.
//! - [`past`]: how far each count has moved before.
//! - [`budgets`]: bounds that need no base.
//! - [`standing`]: what is judged and what is announced, and which exit code that is.
//! - [`outcome`]: verdicts and the exit code.
//! - [`callgrind`], [`explain`]: which functions a difference came from.
//! - [`render`], [`document`]: terminal, Markdown, JSON, and what a report shows.

pub(crate) mod baseline;
pub(crate) mod budgets;
pub(crate) mod cache;
pub(crate) mod callgrind;
pub(crate) mod document;
pub(crate) mod explain;
pub(crate) mod fingerprints;
pub(crate) mod git;
pub(crate) mod objects;
pub(crate) mod outcome;
pub(crate) mod past;
pub(crate) mod ratchet;
pub(crate) mod render;
pub(crate) mod settings;
pub(crate) mod sides;
pub(crate) mod stage;
pub(crate) mod standing;
pub(crate) mod tree;
pub(crate) mod warm;
