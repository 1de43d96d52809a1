//! TCP under load: connections in a second, bulk, in turns with wrk and iperf3.
//!
//! - [`flags`]: the command line, and the way from there.
//! - [`run`]: the arms of each part, and their rows.
//! - [`peers`]: wrk and iperf3: how they are run, and what they say.
//! - [`reuse`]: requests over a pool of connections.
//! - [`time_outs`]: how long a silent peer is waited for.
//! - [`table`]: the rows for people.

pub mod flags;
pub mod peers;
pub mod reuse;
pub mod run;
pub mod table;
pub mod time_outs;

pub use flags::main;
