//! TCP under load: connections in a second, bulk, in turns with wrk and iperf3.
//!
//! - [`flags`]: the command line, and the way from there.
//! - [`run`]: the arms of each part, and their rows.
//! - [`peers`]: wrk and iperf3: how they are run, and what they say.
//! - [`table`]: the rows for people.

pub mod flags;
pub mod peers;
pub mod run;
pub mod table;

pub use flags::main;
