//! What the kernel asks a FUSE server under each way of caching, in turns.
//!
//! - [`rounds`]: the arms, a round of which looks at every file, at a name that no file has, at the file
//!   again, and reads it.
//! - [`table`]: the rows for people, and what caching saves.
//! - [`flags`]: the command line, and the way from there.

pub mod flags;
pub mod rounds;
pub mod table;

pub use flags::main;
