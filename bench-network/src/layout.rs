//! Who runs where: the first part of every parameter in this room.

use std::fmt;
use std::str::FromStr;

use bench_core::units::{ByteSize, ParseSizeError};

/// Where the two ends of a connection run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Layout {
    /// Blocking sockets, one thread for each end, each pinned to a CPU: what a clock measures.
    Pinned,
    /// Both ends in one tokio `current_thread` runtime: what instructions are counted of, because
    /// no other thread's progress decides how often this one has to wait.
    OneThread,
}

impl Layout {
    /// Both layouts.
    pub const ALL: [Self; 2] = [Self::Pinned, Self::OneThread];

    /// The name as ids carry it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pinned => "pinned",
            Self::OneThread => "one_thread",
        }
    }
}

impl fmt::Display for Layout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Layout {
    type Err = ParseCellError;

    fn from_str(text: &str) -> Result<Self, ParseCellError> {
        let known = Self::ALL.into_iter().find(|layout| layout.name() == text);
        known.ok_or_else(|| ParseCellError::Layout(text.to_owned()))
    }
}

/// One cell of the table of echoes: layout and message size, as in `pinned/64B`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Cell {
    /// Where the two ends run.
    pub layout: Layout,
    /// Bytes of one message, each way.
    pub size: ByteSize,
}

impl fmt::Display for Cell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&format!("{}/{}", self.layout, self.size))
    }
}

/// One cell of the table of requests: layout, request and response, as in `request/pinned/64B/16KiB`.
/// It begins with its name because that of a counted workload has two parts, and this one's id has more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Exchange {
    /// Where the two ends run.
    pub layout: Layout,
    /// Bytes to the server.
    pub request: ByteSize,
    /// Bytes from it.
    pub response: ByteSize,
}

impl fmt::Display for Exchange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&format!("request/{}/{}/{}", self.layout, self.request, self.response))
    }
}

/// Why a text is no layout or no cell.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParseCellError {
    /// The layout is not known.
    #[error("'{0}' is not a layout; write pinned or one_thread")]
    Layout(String),
    /// The size does not parse.
    #[error(transparent)]
    Size(#[from] ParseSizeError),
    /// It is not two parts in their one spelling.
    #[error("'{0}' is not a layout and a size; write both as in pinned/64B")]
    Spelling(String),
    /// It is not three parts in their one spelling.
    #[error("'{0}' is no layout with two sizes; write all as in request/pinned/64B/16KiB")]
    Exchange(String),
}

impl FromStr for Exchange {
    type Err = ParseCellError;

    fn from_str(text: &str) -> Result<Self, ParseCellError> {
        let spelling = || ParseCellError::Exchange(text.to_owned());
        let cell = text.strip_prefix("request/").ok_or_else(spelling)?;
        let (cell, response) = cell.rsplit_once('/').ok_or_else(spelling)?;
        let (layout, request) = cell.split_once('/').ok_or_else(spelling)?;
        let (layout, request) = (layout.parse()?, request.parse()?);
        let exchange = Self { layout, request, response: response.parse()? };
        if exchange.to_string() == text { Ok(exchange) } else { Err(spelling()) }
    }
}

impl FromStr for Cell {
    type Err = ParseCellError;

    fn from_str(text: &str) -> Result<Self, ParseCellError> {
        let spelling = || ParseCellError::Spelling(text.to_owned());
        let (layout, size) = text.split_once('/').ok_or_else(spelling)?;
        let cell = Self { layout: layout.parse()?, size: size.parse()? };
        // Ids are compared as text, so a second spelling would be a second id.
        if cell.to_string() == text { Ok(cell) } else { Err(spelling()) }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn what_is_printed_parses_to_the_same_cell(bytes: u64, pinned: bool) {
            let layout = if pinned { Layout::Pinned } else { Layout::OneThread };
            let cell = Cell { layout, size: ByteSize::new(bytes) };
            prop_assert_eq!(cell.to_string().parse(), Ok(cell));
        }

        #[test]
        fn an_exchange_that_is_printed_parses_to_the_same(request: u64, response: u64) {
            let (request, response) = (ByteSize::new(request), ByteSize::new(response));
            let exchange = Exchange { layout: Layout::Pinned, request, response };
            prop_assert_eq!(exchange.to_string().parse(), Ok(exchange));
        }

        #[test]
        fn no_other_spelling_is_a_cell(text in ".*|pinned/[0-9]{1,5} ?([KMG]i)?[Bb]?") {
            if let Ok(cell) = text.parse::<Cell>() {
                prop_assert_eq!(cell.to_string(), text);
            }
        }
    }

    #[test]
    fn cells_read_as_in_ids() {
        let cell = Cell { layout: Layout::Pinned, size: ByteSize::new(64) };
        assert_eq!(cell.to_string(), "pinned/64B");
        for (bad, said) in [
            ("pinned", "write both"),
            ("pinned/1024B", "write both"),
            ("pinned/1024KiB", "write both"),
            ("loose/1B", "'loose'"),
            ("pinned/x", "'x'"),
        ] {
            let error = bad.parse::<Cell>().expect_err(bad).to_string();
            assert!(error.contains(said), "{error}");
        }
        for bad in ["pinned", "pinned/1B", "pinned/1B/1024B", "loose/1B/1B", "pinned/1B/1B/1B"] {
            bad.parse::<Exchange>().expect_err(bad);
            format!("request/{bad}").parse::<Exchange>().expect_err(bad);
        }
    }
}
