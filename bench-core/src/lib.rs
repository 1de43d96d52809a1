//! What every room of Weighbridge shares, in the order the data flows:
//!
//! - [`units`]: sizes and rates, with the one parser and the one printer.
//! - [`scale`]: how much to measure, from a smoke test to a full run.
//! - [`fixture`]: things to bench with: size ladder, payload, buffer pool. They measure no time.
//! - [`workload`]: one operation on fixtures and the check of its answer.
//! - [`workloads`]: the operations on core fixtures that every run measures.
//! - [`measure`]: harnesses, schedules, the environment. They never see a threshold.
//! - [`counting`]: what every instruction count is taken under.
//! - [`record`]: one run as one JSON object, the only thing on disk.
//! - [`judge`]: statistics, comparison, verdict. Pure: no clock, no file, no machine.
//!
//! Start with [`workload::Workload`]: implement it once and both harnesses measure it under one id.

pub mod counting;
pub mod fixture;
pub mod judge;
pub mod measure;
pub mod record;
pub mod scale;
pub mod units;
pub mod workload;
pub mod workloads;
