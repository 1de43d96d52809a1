//! Numbers as people read them: three significant digits, so that tables and axes stay narrow,
//! where `bench_core::units` prints times for log lines with a fixed three decimals.

use bench_core::units::ByteSize;

/// A count with its thousands apart: `1,216,767`.
pub(crate) fn count(value: u64) -> String {
    let digits = value.to_string();
    let mut text = String::with_capacity(digits.len() * 4 / 3);
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Three significant digits, and no power of ten before a million.
pub(crate) fn short(value: f64) -> String {
    match value.abs() {
        0.0 => "0".to_owned(),
        x if !(1e-4..1e6).contains(&x) => format!("{value:.2e}"),
        x if x >= 99.95 => count_signed(value),
        x if x >= 9.995 => format!("{value:.1}"),
        x if x >= 0.9995 => format!("{value:.2}"),
        x if x >= 0.09995 => format!("{value:.3}"),
        x if x >= 0.009995 => format!("{value:.4}"),
        _ => format!("{value:.5}"),
    }
}

/// A time in nanoseconds with three significant digits, for axes and dense tables.
pub(crate) fn time(ns: f64) -> String {
    let (unit, factor) = match ns.abs() {
        x if x >= 0.9995e9 => ("s", 1e9),
        x if x >= 0.9995e6 => ("ms", 1e6),
        x if x >= 0.9995e3 => ("µs", 1e3),
        _ => ("ns", 1.0),
    };
    format!("{} {unit}", short(ns / factor))
}

/// What values of this size are divided by to be read with ease, and the unit that they then have;
/// one for all ticks of an axis.
pub(crate) fn scale(highest: f64, unit: &str) -> (f64, &str) {
    let steps: &[(f64, &'static str)] = match unit {
        "ns" => &[(1e9, "s"), (1e6, "ms"), (1e3, "µs"), (1.0, "ns")],
        "bytes" => &[(1073741824.0, "GiB"), (1048576.0, "MiB"), (1024.0, "KiB"), (1.0, "B")],
        "instructions" | "1" | "" => &[(1e9, "G"), (1e6, "M"), (1e3, "k"), (1.0, "")],
        other => return (1.0, other),
    };
    steps.iter().copied().find(|(factor, _)| highest >= *factor).unwrap_or(steps[steps.len() - 1])
}

/// A rate in bytes per second with three significant digits, in binary units.
pub(crate) fn rate(bytes_per_second: f64) -> String {
    let units = [("TiB/s", 40), ("GiB/s", 30), ("MiB/s", 20), ("KiB/s", 10), ("B/s", 0)];
    let units = units.map(|(unit, power)| (unit, 2_f64.powi(power)));
    let unit = units.into_iter().find(|(_, factor)| bytes_per_second >= *factor);
    let (unit, factor) = unit.unwrap_or(("B/s", 1.0));
    format!("{} {unit}", short(bytes_per_second / factor))
}

/// A printed number without the zeros that only show its precision: `10.0 ms` is `10 ms`.
pub(crate) fn round(printed: &str) -> String {
    let (number, unit) = printed.split_once(' ').map_or((printed, None), |(n, u)| (n, Some(u)));
    let fraction = number.contains('.') && !number.contains('e');
    let number = if fraction { number.trim_end_matches('0').trim_end_matches('.') } else { number };
    unit.map_or_else(|| number.to_owned(), |unit| format!("{number} {unit}"))
}

/// A value in the unit of its row.
pub(crate) fn with_unit(value: f64, unit: &str) -> String {
    match unit {
        "ns" => time(value),
        "bytes" if value >= 0.0 && value.fract() == 0.0 => bytes(value as u64),
        "bytes/s" | "bytes_per_second" => rate(value),
        // The metric beside it says what was counted.
        "1" | "" | "instructions" => plain(value),
        unit => format!("{} {unit}", plain(value)),
    }
}

/// A size: exact where it is round, otherwise rounded and in binary units.
pub(crate) fn bytes(value: u64) -> String {
    let exact = ByteSize::new(value).to_string();
    let digits = exact.chars().filter(char::is_ascii_digit).count();
    if digits < 5 { exact } else { rate(value as f64).trim_end_matches("/s").to_owned() }
}

/// A change as people say it: `+3.1 %`, `2.04 times`.
pub(crate) fn change(ratio: f64) -> String {
    if ratio >= 2.0 {
        return format!("{} times", short(ratio));
    }
    let percent = (ratio - 1.0) * 100.0;
    if percent.abs() < 0.005 { "0 %".to_owned() } else { format!("{percent:+.2} %") }
}

fn plain(value: f64) -> String {
    if value >= 0.0 && value.fract() == 0.0 && value < 1e15 {
        count(value as u64)
    } else {
        short(value)
    }
}

fn count_signed(value: f64) -> String {
    let sign = if value < 0.0 { "-" } else { "" };
    format!("{sign}{}", count(value.abs().round() as u64))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_have_their_thousands_apart() {
        assert_eq!([0, 999, 1000, 1_216_767].map(count), ["0", "999", "1,000", "1,216,767"]);
    }

    #[test]
    fn three_digits_matter() {
        let values = [0.0, 0.012345, 0.5, 1.0, 9.994, 12.34, 99.96, 1234.4, -5.678, 2.5e7];
        let told =
            ["0", "0.0123", "0.500", "1.00", "9.99", "12.3", "100", "1,234", "-5.68", "2.50e7"];
        assert_eq!(values.map(short), told);
    }

    #[test]
    fn units_follow_the_value() {
        assert_eq!(time(1_234.0), "1.23 µs");
        assert_eq!(time(999.9), "1.00 µs");
        assert_eq!(rate(1.5 * 1024.0 * 1024.0), "1.50 MiB/s");
        assert_eq!(bytes(4096), "4KiB");
        assert_eq!(bytes(10_000_001), "9.54 MiB");
        assert_eq!(rate(3.0 * 2_f64.powi(40)), "3.00 TiB/s");
        let printed = ["10.0 ms", "0.500", "100 ns", "1.00e6", "1.50 GiB/s", "p99.9"];
        let rounded = ["10 ms", "0.5", "100 ns", "1.00e6", "1.5 GiB/s", "p99.9"];
        assert_eq!(printed.map(round), rounded);
        assert_eq!(with_unit(12.0, "1"), "12");
        assert_eq!(with_unit(12.5, "requests"), "12.5 requests");
    }

    #[test]
    fn an_axis_has_one_unit() {
        assert_eq!(scale(112e3, "ns"), (1e3, "µs"));
        assert_eq!(scale(0.2, "ns"), (1.0, "ns"));
        assert_eq!(scale(2e6, "instructions"), (1e6, "M"));
        assert_eq!(scale(3.0, "requests"), (1.0, "requests"));
    }

    #[test]
    fn a_change_says_which_way() {
        assert_eq!(
            [1.0, 0.95, 1.031, 2.04].map(change),
            ["0 %", "-5.00 %", "+3.10 %", "2.04 times"]
        );
    }
}
