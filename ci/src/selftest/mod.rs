//! Whether the gate still finds what it is there to find, in the order a self-test goes:
//!
//! - [`canary`]: changes of known size, and the verdict and exit code that each must get.
//! - [`aviary`]: a copy of the working tree in which they are injected.
//! - [`judgement`]: from what the gate answered to what that says of it.
//! - [`render`]: terminal and JSON.

pub(crate) mod aviary;
pub(crate) mod canary;
pub(crate) mod judgement;
pub(crate) mod render;
