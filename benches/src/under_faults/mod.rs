//! A service under one fault after another: before it, under it, and after it is gone.
//!
//! - [`client`]: requests over connections that are used again, and made anew when they break.
//! - [`run`]: the three phases of a fault, its proof, and their rows.
//! - [`table`]: the rows for people.
//! - [`flags`]: the command line, and the way from there.

pub mod client;
pub mod flags;
pub mod run;
pub mod table;

pub use flags::main;
