//! A real FUSE mount, in this process, whose kernel requests are counted: what caching by the kernel
//! saves a file system in user space.
//!
//! - [`SeededTree`]: what is served. [`FuseOptions`]: how, and what the kernel may remember;
//!   [`Caching`] names the kinds that are measured.
//! - [`FuseMount`]: the mount, as a guard. [`Negotiated`]: what the kernel really took, asserted, and
//!   [`Remembered`]: what it was seen not to ask for again.
//! - [`Requests`]: what it asked, by [`RequestKind`].
//! - [`FileTree`]: the mount, or where there can be none the same files on a disk, by [`Choice`]; with
//!   the system calls that reach them.
//!
//! Start with [`FileTree::start`]. Mounts lie in a
//! [`ScratchDirectory`](crate::scratch::ScratchDirectory), are read-only, and are made by `fuser`
//! without libfuse: by `mount(2)` where this process may, else by `fusermount3`. Those of killed runs
//! are unmounted by the next run that creates a scratch directory in the same place; they are told by
//! their source, their type, and the lock that nobody holds any more.

mod choice;
mod file_tree;
mod mount;
mod negotiated;
mod options;
mod probe;
mod refusal;
mod requests;
mod seeded;
mod served;

pub use self::choice::{Choice, FUSE_VARIABLE, Kind};
pub use self::file_tree::{Calls, FileTree};
pub use self::mount::{DEVICE, FuseMount, available};
pub use self::negotiated::Negotiated;
pub use self::options::{Caching, FuseOptions};
pub use self::probe::Remembered;
pub use self::requests::{RequestKind, Requests};
pub use self::seeded::SeededTree;
pub use crate::mounts::Ended;
