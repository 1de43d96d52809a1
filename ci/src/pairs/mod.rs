//! Interleaved rounds of bench executables.
//!
//! A *slice* is one short process that measures one id on one arm. A *round* of an id is a slice of
//! each arm, in random order, so close together that whatever the machine does meets all of them.
//!
//! - [`arm`]: executables laid out so that nothing but their code tells them apart.
//! - [`image`]: what of an executable is laid out.
//! - [`slice`](mod@slice): one process and its raw samples.
//! - [`round`](mod@round): one slice of each arm, the order, and what the machine did meanwhile.
//! - [`machine`]: clock jumps and stolen time.
//! - [`probe`](mod@probe): how fast the processor is between rounds.
//! - [`watch`]: which rounds are left out.
//! - [`journal`]: the file that keeps every round.

pub(crate) mod arm;
pub(crate) mod image;
pub(crate) mod journal;
pub(crate) mod machine;
pub(crate) mod probe;
pub(crate) mod round;
pub(crate) mod slice;
pub(crate) mod watch;
