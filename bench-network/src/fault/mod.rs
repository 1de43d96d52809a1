//! Faults that a service has to live with, each injected by a `#[must_use]` guard whose end takes the
//! fault away, and each with a [`Proof`] that it happened. A fault that cannot be shown is an error
//! ([`FaultError::NotShown`]): what was measured under it is no measurement of it.
//!
//! - [`stream`]: what happens to the bytes and the ends of TCP connections. Injected into a
//!   [`DelayProxy`](crate::proxy::DelayProxy) by its `inject`, between real sockets.
//! - [`cpu`]: threads that want the processors, shown by the scheduler's accounts.
//! - [`memory`]: pages that are taken, shown by the page tables of this process.
//! - [`disk`]: a file that is written and synced all the time, shown by the kernel's count of bytes
//!   that it has to write.
//! - [`spec`]: all of them by name, as a command line has them.
//!
//! Those of `cpu`, `memory` and `disk` are bounded, in memory that must stay free and in one file that the fault itself
//! makes and removes; none changes a setting of the system.

pub mod cpu;
pub mod disk;
pub mod error;
pub mod memory;
pub mod spec;
pub mod stream;

pub use cpu::CpuOverload;
pub use disk::DiskPressure;
pub use error::FaultError;
pub use memory::MemoryPressure;
pub use spec::FaultSpec;
pub use stream::{StreamFault, Ways};

use bench_core::units::ByteSize;

/// That a fault happened, and how much of it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use = "a proof that nobody keeps proves nothing"]
pub struct Proof {
    /// The fault as it was asked for.
    pub fault: String,
    /// How often it struck, never 0, and what is counted: connections, chunks, threads, pages.
    pub times: u64,
    /// What is counted.
    pub unit: &'static str,
    /// The effect as it was measured where it was made, in words with numbers.
    pub measured: String,
}

impl Proof {
    /// As dimensions of a row.
    pub fn dimensions(&self) -> Vec<(&'static str, String)> {
        vec![
            ("fault", self.fault.clone()),
            ("fault_struck", format!("{} {}", self.times, self.unit)),
            ("fault_measured", self.measured.clone()),
        ]
    }
}

/// A fault for which there is no sign.
pub(crate) fn not_shown(fault: impl ToString, reason: impl Into<String>) -> FaultError {
    FaultError::NotShown { fault: fault.to_string(), reason: reason.into() }
}

/// What `fault` wants of `what`, and what has to stay free of it in any case.
pub(crate) struct Demand {
    pub(crate) fault: String,
    pub(crate) what: &'static str,
    pub(crate) size: ByteSize,
    pub(crate) reserve: u64,
}

impl Demand {
    /// # Errors
    /// [`FaultError::TooMuch`] where less would stay free of what is available.
    pub(crate) fn check(self, available: u64) -> Result<(), FaultError> {
        let Self { fault, what, size, reserve } = self;
        let left = available.saturating_sub(size.bytes());
        if left >= reserve {
            return Ok(());
        }
        // In whole MiB, as people ask for it.
        let whole = |bytes: u64| ByteSize::mib(bytes >> 20);
        let most = whole(available.saturating_sub(reserve));
        let (left, reserve) = (whole(left), whole(reserve));
        Err(FaultError::TooMuch { fault, what: what.to_owned(), left, reserve, most })
    }
}

/// A number that the fault cannot have.
pub(crate) fn absurd(
    fault: impl ToString,
    what: &'static str,
    found: impl ToString,
    bounds: impl Into<String>,
) -> FaultError {
    let (fault, found) = (fault.to_string(), found.to_string());
    FaultError::Absurd { fault, what, found, bounds: bounds.into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_names_the_fault_and_its_proof() {
        let (fault, measured) = ("reset".to_owned(), "6 RST sent".to_owned());
        let proof = Proof { fault, times: 3, unit: "connections", measured };
        let dimensions = proof.dimensions();
        assert_eq!(dimensions[1], ("fault_struck", "3 connections".to_owned()));
        assert_eq!(dimensions.len(), 3);
    }

    #[test]
    fn refusals_are_one_sentence_and_tell_usage_from_the_machine() {
        let cases = [
            (absurd("slicer", "size of a slice", "0B", "at least 1B"), true),
            (FaultError::Twice("reset".to_owned()), true),
            (not_shown("reset", "no connection was there"), false),
        ];
        for (error, usage) in cases {
            let text = error.to_string();
            assert!(!text.contains(". ") && !text.ends_with('.'), "{text}");
            assert_eq!(error.is_of_usage(), usage, "{text}");
        }
    }
}
