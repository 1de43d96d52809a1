//! Why regions cannot be connected as they were described.

use std::time::Duration;

use crate::link::LinkError;

/// A matrix, a name or a line that makes no sense.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum TopologyError {
    /// Fewer than two regions have no link.
    #[error("a topology of {found} regions has no link; name two at least")]
    TooFew {
        /// How many there are.
        found: usize,
    },
    /// A name that no id can hold.
    #[error("'{name}' is no name of a region; use lower-case letters, digits and _")]
    Name {
        /// The name.
        name: String,
    },
    /// Two regions of one name.
    #[error("the region '{name}' is named twice; each has one name of its own")]
    Twice {
        /// The name.
        name: String,
    },
    /// A name that no region has.
    #[error("no region is called '{name}'; there are {all}")]
    UnknownRegion {
        /// What was written.
        name: String,
        /// Every name.
        all: String,
    },
    /// A matrix that is not square, or not of as many rows as there are regions.
    #[error("the matrix of {regions} regions has to have {regions} rows of {regions}; {found}")]
    Shape {
        /// How many there are.
        regions: usize,
        /// What is wrong.
        found: String,
    },
    /// A region that takes time to reach itself.
    #[error("the matrix says that '{region}' is {found:?} from itself; its diagonal has to be 0")]
    Diagonal {
        /// The region.
        region: String,
        /// What the matrix says.
        found: Duration,
    },
    /// Two round trips where there can be only one.
    #[error(
        "the round trip between '{a}' and '{b}' is {there:?} in one half of the matrix and {back:?} \
         in the other; where the ways differ, give the delays one way"
    )]
    Asymmetric {
        /// A region.
        a: String,
        /// Another.
        b: String,
        /// As the row of `a` says.
        there: Duration,
        /// As the row of `b` says.
        back: Duration,
    },
    /// Two regions without a link.
    #[error("nothing is said of the link between '{a}' and '{b}'; write `rtt {a} {b} 50ms`")]
    Missing {
        /// A region.
        a: String,
        /// Another.
        b: String,
    },
    /// A delay one way without the other.
    #[error(
        "the delay from '{from}' to '{to}' is given and that of the way back is not; write both, or \
         `rtt {from} {to} 50ms`"
    )]
    OneWay {
        /// From where.
        from: String,
        /// Where to.
        to: String,
    },
    /// A link cannot be what was asked for.
    #[error(transparent)]
    Link(#[from] LinkError),
    /// A line that says nothing known.
    #[error("line {line} of {file}: {reason}")]
    Line {
        /// Which file.
        file: String,
        /// Counted from 1.
        line: usize,
        /// What is wrong and what to write.
        reason: String,
    },
}
