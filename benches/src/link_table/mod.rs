//! A link as it was asked for, as it is used, and as it is.
//!
//! - [`profile`]: the link by name, by trace or by numbers.
//! - [`measure`]: what is probed, and the rows.
//! - [`table`]: the rows for people.
//! - [`figures`]: what our emulators have to reach, beside the kernel's own and beside theory.
//! - [`rattan`]: how exact they are beside another emulator.
//! - [`flags`]: the command line, and the way from there.

pub mod figures;
pub mod flags;
pub mod measure;
pub mod profile;
pub mod rattan;
pub mod table;

pub use flags::main;
