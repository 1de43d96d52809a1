//! The commands of `cargo perf`, one file each.

pub(crate) mod compare;
pub(crate) mod doctor;
pub(crate) mod gate;
pub(crate) mod profile;
pub(crate) mod report;
pub(crate) mod run;
pub(crate) mod setup;
pub(crate) mod test;
