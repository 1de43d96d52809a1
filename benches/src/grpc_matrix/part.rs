//! A part of the content, as a cache is asked for it.

use std::fmt;
use std::ops::Range;
use std::str::FromStr;

use bench_core::units::ByteSize;

/// Bytes of the content from an offset on, at least one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Part {
    /// The first byte.
    pub offset: ByteSize,
    /// How many.
    pub length: ByteSize,
}

impl Part {
    /// Its bytes.
    pub fn range(self) -> Range<u64> {
        self.offset.bytes()..self.offset.bytes() + self.length.bytes()
    }
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}+{}", self.offset, self.length)
    }
}

impl FromStr for Part {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (offset, length) = text.split_once('+').ok_or("write OFFSET+LENGTH, as 1MiB+64KiB")?;
        let size = |text: &str| text.parse::<ByteSize>().map_err(|error| error.to_string());
        let (offset, length) = (size(offset)?, size(length)?);
        if length.is_empty() {
            return Err("a part of no bytes moves nothing".to_owned());
        }
        let end = offset.bytes().checked_add(length.bytes());
        end.map(|_| Self { offset, length }).ok_or_else(|| "it ends beyond 16 EiB".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_is_an_offset_and_a_length() {
        let part: Part = "1MiB+64KiB".parse().expect("a part");
        assert_eq!((part.range(), part.to_string()), (1 << 20..17 << 16, "1MiB+64KiB".to_owned()));
        for (text, complaint) in [
            ("1MiB", "write OFFSET+LENGTH"),
            ("1MiB+", "is not a size"),
            ("-1+5", "is not a size"),
            ("1MiB+0", "moves nothing"),
            ("18446744073709551615+1", "beyond"),
        ] {
            let error = text.parse::<Part>().expect_err(text);
            assert!(error.contains(complaint), "{text}: {error}");
        }
    }
}
