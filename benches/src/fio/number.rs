//! Numbers as fio's users write them: `4k`, `1m`, `30s`, `2h`.
//!
//! A size with a suffix counts in powers of 1024. `KiB` means 1000 bytes to fio and 1024 to everyone
//! else, so that nobody here guesses: it is refused.

use std::time::Duration;

use bench_core::units::ByteSize;

/// A size: a whole number and nothing, `b`, or `k`, `m`, `g`, `t` with or without a `b`.
///
/// # Errors
/// What is wrong and what to write, in one sentence.
pub fn size(text: &str) -> Result<ByteSize, String> {
    let (number, unit) = split(text);
    let wrong = || format!("'{text}' is no size; write a whole number and k, m or g, as in 64k");
    let shift = match unit.to_ascii_lowercase().as_str() {
        "" | "b" => 0,
        "k" | "kb" => 10,
        "m" | "mb" => 20,
        "g" | "gb" => 30,
        "t" | "tb" => 40,
        "ki" | "kib" | "mi" | "mib" | "gi" | "gib" => {
            return Err(format!(
                "'{text}' is 1000 times less or more to fio than to others; write {number}{}, which \
                 counts in 1024",
                unit[..1].to_ascii_lowercase()
            ));
        }
        _ => return Err(wrong()),
    };
    let number: u64 = number.parse().map_err(|_| wrong())?;
    number.checked_mul(1 << shift).map(ByteSize::new).ok_or_else(|| format!("'{text}' is too much"))
}

/// The size as fio's users write it, exactly.
pub fn print_size(size: ByteSize) -> String {
    let bytes = size.bytes();
    let units = [("t", 40), ("g", 30), ("m", 20), ("k", 10), ("", 0)];
    let fits = |(_, shift): &(&str, u32)| bytes != 0 && bytes.is_multiple_of(1 << shift);
    let (unit, shift) = units.into_iter().find(fits).unwrap_or(("", 0));
    format!("{}{unit}", bytes >> shift)
}

/// A time: a whole number and nothing or `s` for seconds, `us`, `ms`, `m`, `h`, `d`.
///
/// # Errors
/// As [`size`].
pub fn time(text: &str) -> Result<Duration, String> {
    let (number, unit) = split(text);
    let wrong =
        || format!("'{text}' is no time; write a whole number and ms, s, m or h, as in 30s");
    let micros: u64 = match unit.to_ascii_lowercase().as_str() {
        "us" => 1,
        "ms" => 1000,
        "" | "s" => 1_000_000,
        "m" => 60_000_000,
        "h" => 3_600_000_000,
        "d" => 86_400_000_000,
        _ => return Err(wrong()),
    };
    let number: u64 = number.parse().map_err(|_| wrong())?;
    number
        .checked_mul(micros)
        .map(Duration::from_micros)
        .ok_or_else(|| format!("'{text}' is too long"))
}

/// A whole number of at least `least` and at most `most`.
///
/// # Errors
/// As [`size`].
pub fn count(text: &str, least: u32, most: u32) -> Result<u32, String> {
    let number = text.parse().ok().filter(|number| (least..=most).contains(number));
    number.ok_or_else(|| format!("'{text}' is no whole number from {least} to {most}"))
}

/// 0 or 1.
///
/// # Errors
/// As [`size`].
pub fn switch(text: &str) -> Result<bool, String> {
    match text {
        "1" => Ok(true),
        "0" => Ok(false),
        _ => Err(format!("'{text}' is neither 0 nor 1")),
    }
}

fn split(text: &str) -> (&str, &str) {
    text.split_at(text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn suffixes_count_as_fios_do() {
        for (text, bytes) in
            [("512", 512), ("4k", 4096), ("4KB", 4096), ("1m", 1 << 20), ("2G", 2 << 30)]
        {
            assert_eq!(size(text), Ok(ByteSize::new(bytes)), "{text}");
        }
        let refused = |text: &str| size(text).expect_err(text);
        assert!(refused("4KiB").ends_with("write 4k, which counts in 1024"));
        for text in ["", "k", "-1", "4x", "1.5k", "50%", "4k,8k", "4k-8k", "é"] {
            assert!(refused(text).contains("is no size"), "{text}");
        }
        assert!(refused("99999999999999999999").contains("is no size"));
        assert!(refused("99999999999t").contains("is too much"));
        for (text, ms) in [("30", 30_000), ("30s", 30_000), ("250ms", 250), ("2m", 120_000)] {
            assert_eq!(time(text), Ok(Duration::from_millis(ms)), "{text}");
        }
        assert!(time("1 s").is_err() && time("9999999999999999999d").is_err());
        assert!(switch("yes").is_err() && count("0", 1, 9).is_err() && count("10", 1, 9).is_err());
    }

    proptest! {
        #[test]
        fn sizes_parse_what_they_print(bytes in any::<u64>(), shift in 0..50_u32) {
            let printed = ByteSize::new(bytes >> shift << shift);
            prop_assert_eq!(size(&print_size(printed)), Ok(printed));
        }

        #[test]
        fn no_text_makes_a_number_panic(text in ".*|[0-9]{0,25}[a-zA-Z]{0,3}") {
            let _ = (size(&text), time(&text), count(&text, 1, 9));
        }
    }
}
