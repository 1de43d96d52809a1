//! Storage fixtures and workloads, in the order the data flows:
//!
//! - [`scratch`]: a directory for the files of one run, on a disk, gone afterwards.
//! - [`mod@file`]: a file of seeded content in it.
//! - [`page_cache`]: whether the file is in memory, told by [`residency`] and made so.
//! - [`workloads`]: reading and writing it, one operation for each.
//! - [`file_system`], [`error`]: what it lies on, and what can go wrong.
//!
//! Start with [`workloads::ReadCold`].

pub mod error;
pub mod file;
pub mod file_system;
pub mod page_cache;
pub mod residency;
pub mod scratch;
pub mod workloads;

pub use error::Error;
