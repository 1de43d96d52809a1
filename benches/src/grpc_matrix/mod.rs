//! The end-to-end throughput matrix: profiles × operations × sizes over gRPC, every cell measured by
//! all profiles in turns.
//!
//! - [`plan`]: cells, profiles, rounds; [`part`] of the content.
//! - [`arm`]: what takes turns; [`grpc`]: a profile as an arm, [`caller`] its client; [`raw`]: a socket
//!   as one.
//! - [`setup`]: what all arms have in common; [`end`]: where calls go, [`link`] what lies between;
//!   `limit`: how long one may take.
//! - [`round`]: one cell, turn by turn, and [`watch`] who may end it; [`tally`]: what an arm did, and
//!   its rows.
//! - [`table`]: the rows for people.
//! - `peers`, with the feature of that name: other implementations as arms.
//! - [`flags`]: the command line; [`run`]: from there to rows; [`scenarios`]: single cells for
//!   `cargo perf run`.

pub mod arm;
pub mod caller;
pub mod end;
pub mod flags;
pub mod grpc;
mod limit;
pub mod link;
pub mod part;
#[cfg(feature = "peers")]
pub mod peers;
pub mod plan;
pub mod raw;
pub mod round;
pub mod run;
pub mod scenarios;
pub mod setup;
pub mod table;
pub mod tally;
pub mod watch;

pub use scenarios::main;
