//! Capacities that change, in the format of Mahimahi's link shells: each line of a text file is a
//! time in whole milliseconds at which one packet of 1504 bytes may leave; several lines of one
//! time are several packets. The trace begins anew when it ends; its last line is its length.

use std::fs;
use std::path::Path;
use std::time::Duration;

use super::LinkError;

/// What may leave at one opportunity: 1500 bytes of IP and Mahimahi's 4 of TUN header.
pub const OPPORTUNITY_BYTES: u64 = 1504;
const NS_PER_MS: u64 = 1_000_000;
/// A day; a number beyond it is garbage or another unit.
const MS_MAX: u64 = 86_400_000;
/// How much of a bad line an error shows.
const SHOWN_CHARS: usize = 40;

/// When packets may leave. An opportunity that nobody waits for is lost.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeliveryTrace {
    /// Ascending, in milliseconds; one at least, and the last is not 0.
    at_ms: Vec<u32>,
}

impl DeliveryTrace {
    /// Reads a trace from a file.
    ///
    /// # Errors
    /// That the file cannot be read as text, or what [`parse`](Self::parse) says.
    pub fn read(path: &Path) -> Result<Self, crate::Error> {
        let text = fs::read_to_string(path)
            .map_err(|source| crate::Error::Trace { path: path.to_owned(), source })?;
        Ok(Self::parse(&path.display().to_string(), &text)?)
    }

    /// Parses a trace; `file` is what errors call it. Empty lines are garbage too, but for one at
    /// the end.
    ///
    /// # Errors
    /// The first line that is no time, with its number; that there is none; that the last is 0,
    /// so that everything would leave at once.
    pub fn parse(file: &str, text: &str) -> Result<Self, LinkError> {
        let mut at_ms: Vec<u32> = Vec::new();
        for (index, text) in text.lines().enumerate() {
            let before = at_ms.last().copied().unwrap_or(0);
            let at = parse_line(text, before).map_err(|reason| LinkError::TraceLine {
                file: file.to_owned(),
                line: index + 1,
                text: text.chars().take(SHOWN_CHARS).collect(),
                reason,
            })?;
            at_ms.push(at);
        }
        let trace = |reason| LinkError::Trace { file: file.to_owned(), reason };
        match at_ms.last() {
            None => Err(trace("is empty, so that nothing would ever leave; write a time a line")),
            Some(0) => Err(trace(
                "ends at 0 ms, so that everything would leave at once; its last line is its length",
            )),
            Some(_) => Ok(Self { at_ms }),
        }
    }

    /// The mean over the whole trace.
    pub fn bits_per_second(&self) -> u64 {
        let bits = u128::from(OPPORTUNITY_BYTES) * 8 * self.at_ms.len() as u128;
        (bits * 1000 / u128::from(self.period_ms())) as u64
    }

    /// How many there are until it begins anew.
    pub(super) fn opportunities(&self) -> u64 {
        self.at_ms.len() as u64
    }

    /// The longest time without an opportunity.
    pub fn longest_gap(&self) -> Duration {
        let gaps = self.at_ms.windows(2).map(|pair| pair[1] - pair[0]);
        // From the end of one repetition to the first opportunity of the next.
        let gap_ms = gaps.chain([self.at_ms[0]]).max().unwrap_or(0);
        Duration::from_millis(u64::from(gap_ms))
    }

    /// When opportunity `n` is, counted from the start and through all repetitions, in ns.
    pub(super) fn opportunity_ns(&self, n: u64) -> u64 {
        let count = self.at_ms.len() as u64;
        let at = u64::from(self.at_ms[(n % count) as usize]);
        ((n / count) * self.period_ms() + at) * NS_PER_MS
    }

    /// How many opportunities there were before this time; the same as the number of the first
    /// that is not before it.
    pub(super) fn opportunities_before(&self, at_ns: u64) -> u64 {
        let period_ns = self.period_ms() * NS_PER_MS;
        let (periods, inside) = (at_ns / period_ns, at_ns % period_ns);
        let passed = self.at_ms.partition_point(|&at| u64::from(at) * NS_PER_MS < inside);
        // The last opportunity of a period is at the very time where the next begins.
        let last_of_the_period_before = if inside == 0 && periods > 0 {
            self.at_ms.len() - self.at_ms.partition_point(|&at| u64::from(at) < self.period_ms())
        } else {
            0
        };
        periods * self.at_ms.len() as u64 + passed as u64 - last_of_the_period_before as u64
    }

    fn period_ms(&self) -> u64 {
        u64::from(self.at_ms[self.at_ms.len() - 1])
    }
}

fn parse_line(text: &str, before: u32) -> Result<u32, &'static str> {
    // `parse` alone would take a sign.
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if !digits {
        return Err("which is no whole number");
    }
    match text.parse::<u32>() {
        Ok(at) if u64::from(at) > MS_MAX => Err("which is more than a day"),
        Ok(at) if at < before => Err("which is before the line above it"),
        Ok(at) => Ok(at),
        Err(_) => Err("which is more than a day"),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_trace_has_its_mean_rate_and_begins_anew() {
        // Three packets in 12 ms: 3 * 1504 * 8 / 12 ms.
        let trace = DeliveryTrace::parse("t", "0\n5\n12\n").expect("sound");
        assert_eq!(trace.bits_per_second(), 3_008_000);
        let at: Vec<u64> = (0..5).map(|n| trace.opportunity_ns(n) / NS_PER_MS).collect();
        assert_eq!(at, [0, 5, 12, 12, 17]);
        assert_eq!(trace.longest_gap(), Duration::from_millis(7));
    }

    #[test]
    fn garbage_is_named_by_its_line() {
        for (text, line, said) in [
            ("1\n2\nx\n4", 3, "'x', which is no whole number"),
            ("1\n\n2", 2, "'', which is no whole number"),
            ("-1", 1, "'-1', which is no whole number"),
            ("+1", 1, "'+1', which is no whole number"),
            ("1\n1.5", 2, "'1.5', which is no whole number"),
            ("7\n6", 2, "'6', which is before the line above it"),
            ("86400001", 1, "'86400001', which is more than a day"),
            ("99999999999999", 1, "which is more than a day"),
        ] {
            let error = DeliveryTrace::parse("cell.up", text).expect_err(text).to_string();
            assert!(error.contains(&format!("line {line} of the trace cell.up is ")), "{error}");
            assert!(error.contains(said), "{error}");
        }
        for (text, said) in [("", "is empty"), ("0\n0\n", "ends at 0 ms")] {
            let error = DeliveryTrace::parse("t", text).expect_err(text).to_string();
            assert!(error.contains(said), "{error}");
        }
    }

    #[test]
    fn a_file_that_is_not_there_is_named() {
        let error = DeliveryTrace::read(Path::new("/nowhere/cell.up")).expect_err("no file");
        assert!(error.to_string().contains("/nowhere/cell.up"), "{error}");
    }

    proptest! {
        #[test]
        fn no_text_makes_the_parser_panic(text in ".*|([0-9]{0,9}\n){0,9}") {
            let _ = DeliveryTrace::parse("t", &text);
        }

        #[test]
        fn counting_and_looking_up_agree(
            mut at in proptest::collection::vec(0..40_u32, 1..12),
            n in 0..60_u64,
            ns in 0..200_000_000_u64,
        ) {
            at.sort_unstable();
            let last = at.len() - 1;
            at[last] += 1;
            let text: String = at.iter().map(|at| format!("{at}\n")).collect();
            let trace = DeliveryTrace::parse("t", &text).expect("sound");
            let first = trace.opportunities_before(ns);
            prop_assert!(trace.opportunity_ns(first) >= ns);
            prop_assert!(first == 0 || trace.opportunity_ns(first - 1) < ns);
            prop_assert!(trace.opportunity_ns(n) <= trace.opportunity_ns(n + 1));
        }
    }
}
