//! Why a fault cannot be had, or was not.

use bench_core::units::ByteSize;

/// A fault that makes no sense, that this machine cannot have, or that did not happen.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FaultError {
    /// A number is outside of what the fault can be.
    #[error("the {what} of the fault '{fault}' is {found}; it has to be {bounds}")]
    Absurd {
        /// The fault.
        fault: String,
        /// Which number.
        what: &'static str,
        /// What it is.
        found: String,
        /// What it may be.
        bounds: String,
    },
    /// No fault has this name.
    #[error("no fault is called '{name}'; write one of {all}")]
    Unknown {
        /// What was asked for.
        name: String,
        /// Every name.
        all: String,
    },
    /// The numbers of a fault are not written as they have to be.
    #[error("'{text}' is no fault; write it as in {spelling}")]
    Spelling {
        /// What was written.
        text: String,
        /// An example.
        spelling: &'static str,
    },
    /// Two faults of one kind on one way of one proxy would each spoil the other's proof.
    #[error("a fault like '{0}' is injected there already; end that one before you inject another")]
    Twice(String),
    /// More than this machine has to give.
    #[error(
        "the fault '{fault}' would leave {left} of {what} where {reserve} must stay free; ask for \
         at most {most}"
    )]
    TooMuch {
        /// The fault.
        fault: String,
        /// As in "memory".
        what: String,
        /// What would be left.
        left: ByteSize,
        /// What has to be.
        reserve: ByteSize,
        /// What could be asked for.
        most: ByteSize,
    },
    /// It was asked for and there is no sign that it happened: what was measured meanwhile is not
    /// what happens under it.
    #[error("the fault '{fault}' was not shown to happen: {reason}")]
    NotShown {
        /// The fault.
        fault: String,
        /// What is missing, and what to do.
        reason: String,
    },
}

impl FaultError {
    /// Whether no machine could have it: the command line is wrong, and not this machine.
    pub fn is_of_usage(&self) -> bool {
        !matches!(self, Self::TooMuch { .. } | Self::NotShown { .. })
    }
}
