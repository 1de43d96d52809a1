//! The options of the kernel's token bucket (tc-tbf(8)).

use crate::network::attribute;

const PARAMETERS: u16 = 1;
const RATE64: u16 = 4;
const BURST: u16 = 6;
/// Says that a rate needs no table of the kernel's older kind.
const ETHERNET: u8 = 1;
/// As much as the rate carries between two ticks of the slowest clock, and some packets at least.
const TICKS_PER_SECOND: u64 = 250;
const BURST_BYTES_MIN: u64 = 16_384;

/// `struct tc_tbf_qopt` and the attributes that say precisely what it cannot.
pub(super) fn options(bits_per_second: u64, queue_bytes: u32) -> Vec<u8> {
    let bytes = bits_per_second / 8;
    let low = u32::try_from(bytes).unwrap_or(u32::MAX);
    // struct tc_ratespec: cells, link layer, overhead, alignment, smallest packet, bytes a second.
    let rate = [&[0, ETHERNET, 0, 0, 0, 0, 0, 0], &low.to_ne_bytes()[..]].concat();
    let no_peak = [0; 12];
    let burst = (bytes / TICKS_PER_SECOND).max(BURST_BYTES_MIN);
    let burst = u32::try_from(burst).unwrap_or(u32::MAX);
    let tail = [queue_bytes, 0, 0].map(u32::to_ne_bytes).concat();
    let mut options = Vec::new();
    attribute(&mut options, PARAMETERS, &[&rate[..], &no_peak, &tail].concat());
    if low == u32::MAX {
        attribute(&mut options, RATE64, &bytes.to_ne_bytes());
    }
    attribute(&mut options, BURST, &burst.to_ne_bytes());
    options
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_is_in_bytes_and_a_burst_of_its_own() {
        let options = options(80_000_000, 50_000);
        let number = |at: usize| u32::from_ne_bytes(options[at..at + 4].try_into().expect("four"));
        assert_eq!(options.len(), 4 + 36 + 4 + 4);
        assert_eq!((options[5], number(12), number(28)), (ETHERNET, 10_000_000, 50_000));
        assert_eq!(number(44), 40_000);
        assert_eq!(super::options(40_000_000_000, 1).len(), 4 + 36 + 4 + 8 + 4 + 4);
    }
}
