//! Storage fixtures and workloads, in the order the data flows:
//!
//! - [`scratch`]: a directory for the files of one run, on a disk, gone afterwards.
//! - [`mod@file`]: a file of seeded content in it.
//! - [`page_cache`]: whether the file is in memory, told by [`residency`] and made so.
//! - [`cache_state`]: the same as types, with the proof that the state was reached.
//! - [`source`]: bytes by offset: a file by every way the kernel offers, memory, a slow or a faulty
//!   one.
//! - [`prefetch`]: chunks of a source before they are asked for, in order or as a reader jumps.
//! - [`files`]: workloads by block, depth, order, engine and state; many files; concurrent ones.
//! - [`fuse`]: a real FUSE mount of a seeded tree whose kernel requests are counted; mounts that killed
//!   runs left are removed with their scratch directory.
//! - [`tiers`]: objects read through memory and disk from a far store, or without them.
//! - [`workloads`]: reading and writing it, one operation for each.
//! - [`clock`], [`file_system`], [`error`]: what time passes, what a file lies on, and what can go
//!   wrong.
//!
//! Start with [`workloads::ReadCold`].

pub mod cache_state;
pub mod clock;
pub mod error;
pub mod file;
pub mod file_system;
// Tokio does not build under the model checker.
#[cfg(not(loom))]
pub mod files;
#[cfg(not(loom))]
pub mod fuse;
#[cfg_attr(loom, allow(dead_code, unreachable_pub, reason = "the model checker mounts nothing"))]
mod mounts;
pub mod page_cache;
pub mod prefetch;
pub mod residency;
pub mod scratch;
pub mod source;
#[cfg(not(loom))]
pub mod tiers;
pub mod workloads;

pub use error::Error;
