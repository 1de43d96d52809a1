//! A replicated register over regions whose links change while it is used.
//!
//! - [`plan`]: the regions and the script where nobody says otherwise, and what is done in them.
//! - [`measure`]: one way to agree, from links to what happened; its rows.
//! - [`table`]: that for people.
//! - [`flags`]: the command line, and the way from there.

pub mod flags;
pub mod measure;
pub mod plan;
pub mod table;

pub use flags::main;
