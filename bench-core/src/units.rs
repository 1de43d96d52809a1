//! Sizes and rates: the one parser and the one printer of the whole workspace.
//!
//! Binary units only (`KiB` = 1024 bytes). `KB` and `MB` are refused, because half of their
//! writers mean 1000 and the other half 1024.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Bytes in a kibibyte.
pub const KIB: u64 = 1 << 10;
/// Bytes in a mebibyte.
pub const MIB: u64 = 1 << 20;
/// Bytes in a gibibyte.
pub const GIB: u64 = 1 << 30;

const UNITS: [(&str, u64); 4] = [("GiB", GIB), ("MiB", MIB), ("KiB", KIB), ("B", 1)];

/// A number of bytes. Prints exactly (`64KiB`, `1500B`) and parses what it prints.
///
/// ```
/// use bench_core::units::ByteSize;
/// let size: ByteSize = "64KiB".parse()?;
/// assert_eq!(size, ByteSize::kib(64));
/// assert_eq!(size.to_string(), "64KiB");
/// # Ok::<(), bench_core::units::ParseSizeError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ByteSize(u64);

impl ByteSize {
    /// `bytes` bytes.
    #[inline]
    pub const fn new(bytes: u64) -> Self {
        Self(bytes)
    }

    /// `count` KiB.
    ///
    /// # Panics
    /// When the size does not fit 64 bits.
    pub const fn kib(count: u64) -> Self {
        Self(count.checked_mul(KIB).expect("size fits 64 bits"))
    }

    /// `count` MiB.
    ///
    /// # Panics
    /// When the size does not fit 64 bits.
    pub const fn mib(count: u64) -> Self {
        Self(count.checked_mul(MIB).expect("size fits 64 bits"))
    }

    /// The size in bytes.
    #[inline]
    pub const fn bytes(self) -> u64 {
        self.0
    }

    /// The size as a length of memory on this machine.
    ///
    /// # Panics
    /// When the size does not fit the machine's address space.
    pub fn len(self) -> usize {
        usize::try_from(self.0).expect("size fits the address space")
    }

    /// Whether the size is zero.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }
}

impl fmt::Display for ByteSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (unit, factor) = UNITS
            .into_iter()
            .find(|(_, factor)| self.0 != 0 && self.0.is_multiple_of(*factor))
            .unwrap_or(("B", 1));
        f.pad(&format!("{}{unit}", self.0 / factor))
    }
}

/// Why a text is not a size.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "'{text}' is not a size: {reason}; write a whole number and B, KiB, MiB or GiB, as in 64KiB"
)]
pub struct ParseSizeError {
    text: String,
    reason: &'static str,
}

impl FromStr for ByteSize {
    type Err = ParseSizeError;

    fn from_str(text: &str) -> Result<Self, ParseSizeError> {
        let error = |reason| ParseSizeError { text: text.to_owned(), reason };
        let trimmed = text.trim();
        let digits = trimmed.len() - trimmed.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        let (number, unit) = trimmed.split_at(digits);
        if number.is_empty() {
            return Err(error("it does not start with a digit"));
        }
        let number: u64 = number.parse().map_err(|_| error("the number does not fit 64 bits"))?;
        let unit = unit.trim_start();
        let factor = UNITS
            .into_iter()
            .find(|(name, _)| name.eq_ignore_ascii_case(unit))
            .map(|(_, factor)| factor)
            .or(unit.is_empty().then_some(1))
            .ok_or_else(|| error("the unit is not known"))?;
        number.checked_mul(factor).map(Self).ok_or_else(|| error("it does not fit 64 bits"))
    }
}

impl TryFrom<String> for ByteSize {
    type Error = ParseSizeError;

    fn try_from(text: String) -> Result<Self, ParseSizeError> {
        text.parse()
    }
}

impl From<ByteSize> for String {
    fn from(size: ByteSize) -> Self {
        size.to_string()
    }
}

/// A rate in bytes per second as people read it.
pub fn print_rate(bytes_per_second: f64) -> String {
    let (unit, factor) = UNITS
        .into_iter()
        .find(|(_, factor)| bytes_per_second >= *factor as f64)
        .unwrap_or(("B", 1));
    format!("{:.2} {unit}/s", bytes_per_second / factor as f64)
}

/// A time in nanoseconds as people read it: three or more significant digits, unit last.
///
/// ```
/// assert_eq!(bench_core::units::print_ns(1_234_567.0), "1.235 ms");
/// ```
pub fn print_ns(ns: f64) -> String {
    let (unit, factor) = match ns.abs() {
        x if x >= 1e9 => ("s", 1e9),
        x if x >= 1e6 => ("ms", 1e6),
        x if x >= 1e3 => ("µs", 1e3),
        _ => ("ns", 1.0),
    };
    format!("{:.3} {unit}", ns / factor)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn what_is_printed_parses_to_the_same_size(bytes: u64) {
            let size = ByteSize::new(bytes);
            prop_assert_eq!(size.to_string().parse(), Ok(size));
        }

        #[test]
        fn no_text_makes_the_parser_panic(text in ".*") {
            let _: Result<ByteSize, _> = text.parse();
        }
    }

    #[test]
    fn sizes_print_in_the_largest_unit_that_divides_them() {
        let printed =
            [0, 1, 1023, 1024, 1536, 4 * MIB, GIB + 1].map(|b| ByteSize::new(b).to_string());
        assert_eq!(printed, ["0B", "1B", "1023B", "1KiB", "1536B", "4MiB", "1073741825B"]);
    }

    #[test]
    fn spaces_and_case_are_forgiven_but_nothing_else() {
        assert_eq!(" 64 kib ".parse(), Ok(ByteSize::kib(64)));
        assert_eq!("512".parse(), Ok(ByteSize::new(512)));
        for bad in
            ["", "KiB", "1.5KiB", "-1B", "4MB", "64K", "18446744073709551616", "17179869184GiB"]
        {
            let error = bad.parse::<ByteSize>().expect_err(bad).to_string();
            assert!(error.contains(&format!("'{bad}'")), "{error}");
        }
    }

    #[test]
    fn rates_and_times_carry_their_unit() {
        assert_eq!(print_rate(512.0), "512.00 B/s");
        assert_eq!(print_rate(1.5 * GIB as f64), "1.50 GiB/s");
        assert_eq!(print_ns(12.0), "12.000 ns");
        assert_eq!(print_ns(2.5e9), "2.500 s");
    }
}
