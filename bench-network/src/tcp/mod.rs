//! What a TCP service does all day, over loopback with the kernel's own TCP.
//!
//! - [`info`]: what the kernel says of a connection, and what kept a transfer from being faster.
//! - [`bulk`]: one direction, as fast as it goes, with the congestion control pinned.
//! - [`rate`]: connections made, used once and closed, plain and under TLS.
//! - [`ports`]: the ports they come from, and what is said when there are none left.
//! - [`reuse`]: connections that a pool keeps to be used again.
//! - [`silent`]: peers that never answer, and limits to waiting for them.
//! - [`tls`]: a certificate for one run, and both ends that know it.
//! - [`request`]: a request of one size and a response of another.

pub mod bulk;
pub mod info;
mod kernel;
pub mod ports;
pub mod rate;
pub mod request;
pub mod reuse;
pub mod silent;
pub mod tls;

/// Says that a test checks nothing on this machine, and why.
#[cfg(test)]
#[expect(clippy::print_stderr, reason = "a test that checks nothing has to say so")]
fn skipped(reason: &impl std::fmt::Display) {
    eprintln!("skipped: {reason}");
}
