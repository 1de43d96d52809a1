//! Rows out of the files that other tools write.

pub(crate) mod critcmp;
pub(crate) mod criterion;
