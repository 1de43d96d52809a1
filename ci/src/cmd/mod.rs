//! The commands of `cargo perf`, one file each.

pub(crate) mod audit;
pub(crate) mod bless;
pub(crate) mod compare;
pub(crate) mod doctor;
pub(crate) mod explain;
pub(crate) mod gate;
pub(crate) mod grpc_server;
pub(crate) mod history;
pub(crate) mod profile;
pub(crate) mod publish;
pub(crate) mod report;
pub(crate) mod run;
pub(crate) mod selftest;
pub(crate) mod setup;
pub(crate) mod soak;
pub(crate) mod test;
