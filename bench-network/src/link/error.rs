//! Why a link cannot be what was asked for.

/// A profile whose numbers make no sense, a name that nobody has, a trace that is none.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum LinkError {
    /// No profile has this name.
    #[error(
        "no link is called '{name}'; did you mean {nearest}? All: {all}, and rtt_50ms for a round \
         trip of 50 ms and nothing else"
    )]
    Unknown {
        /// What was asked for.
        name: String,
        /// The name that differs least.
        nearest: String,
        /// Every name.
        all: String,
    },
    /// A number is outside of what links do.
    #[error("the {what} of link '{link}' {way} is {found}; it has to be {bounds}")]
    Absurd {
        /// The profile.
        link: String,
        /// "up" or "down".
        way: &'static str,
        /// Which number.
        what: &'static str,
        /// What it is.
        found: String,
        /// What it may be.
        bounds: String,
    },
    /// A time that is none.
    #[error("'{text}' is no time: {reason}; write it as in 50ms, at most {max:?}")]
    Delay {
        /// What was written.
        text: String,
        /// What is wrong with it.
        reason: &'static str,
        /// The largest that is taken.
        max: std::time::Duration,
    },
    /// A line of a trace that is no delivery time.
    #[error(
        "line {line} of the trace {file} is '{text}', {reason}; each line is a whole number of \
         milliseconds at which a packet of 1504 bytes may leave, none smaller than the one before"
    )]
    TraceLine {
        /// Which trace.
        file: String,
        /// Counted from 1.
        line: usize,
        /// What stands there, cut to what a sentence can hold.
        text: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// A trace in which nothing is ever delivered, or all of it at once.
    #[error("the trace {file} {reason}")]
    Trace {
        /// Which trace.
        file: String,
        /// What is wrong with it and what to do.
        reason: &'static str,
    },
}
