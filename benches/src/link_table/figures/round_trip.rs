//! Round trips of one byte over links that delay and nothing else.

use std::time::Duration;

use bench_core::record::Data;
use bench_core::workload::Failure;
use bench_network::calibrate::{Ends, round_trip, tolerance};
use bench_network::emulated::{Carrier, EmulatedLink};
use bench_network::link::LinkProfile;
use hdrhistogram::Histogram;

use super::super::measure::by_ends;
use super::{Figure, Line, ms, percent, row, spoiled};

/// Round trips in milliseconds, and how many of each: a hundred at least, so that there is a 99th
/// percentile.
const POINTS: [(u64, u32); 6] = [(1, 500), (10, 150), (50, 100), (70, 100), (120, 100), (180, 100)];
/// From here on the long ones have a bound, too.
const TAIL_FROM: Duration = Duration::from_millis(50);
const TAIL: f64 = 1.02;

/// Whether the median is within max(0.5 %, 0.25 ms), and the 99th percentile at most 2 % too long
/// where the round trip is 50 ms or more.
fn holds(asked: Duration, p50: Duration, p99: Duration) -> bool {
    let tail = asked < TAIL_FROM || p99.as_secs_f64() <= asked.as_secs_f64() * TAIL;
    p50.abs_diff(asked) <= tolerance(asked) && tail
}

/// # Errors
/// What the system refused.
pub fn figure<C: Carrier>(seed: u64) -> Result<Figure, Failure> {
    let (mut lines, mut rows) = (Vec::new(), Vec::new());
    for (asked_ms, count) in POINTS {
        let asked = Duration::from_millis(asked_ms);
        let profile = LinkProfile::round_trip(asked);
        let link = EmulatedLink::<C>::start(&profile, seed)?;
        let times = link.echoes(count)?;
        let mut histogram = Histogram::<u64>::new(3)?;
        for time in &times {
            histogram.record(u64::try_from(time.as_nanos())?)?;
        }
        let found = round_trip::look(&profile, times);
        let (p50, p99) = (found.round_trip_p50, found.round_trip_p99);
        let off = |time: Duration| percent(time.as_secs_f64() / asked.as_secs_f64() - 1.0);
        let invalid = spoiled(&link)?;
        let bound = ms(tolerance(asked));
        let must = if asked < TAIL_FROM { "" } else { ", p99 +2 %" };
        let line = Line {
            what: format!("{asked_ms} ms, {count} echoes"),
            asked: ms(asked),
            measured: format!("p50 {} ({}), p99 {} ({})", ms(p50), off(p50), ms(p99), off(p99)),
            must: format!("p50 within {bound}{must}"),
            holds: Some(holds(asked, p50, p99)),
            invalid: false,
        };
        lines.push(line.unless(invalid.as_deref()));
        let data = Data::from_histogram(&histogram);
        let id = format!("round_trip/{asked_ms}ms");
        let row = row(&id, "latency", "ns", data, &link, invalid.as_deref())?;
        rows.push(by_ends(row, Ends::of(&profile)));
    }
    Ok(Figure { title: "round trip", lines, rows })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn medians_and_tails_have_bounds_of_their_own() {
        let us = Duration::from_micros;
        assert!(holds(us(1_000), us(1_250), us(9_000)), "a quarter of a millisecond, and no tail");
        assert!(!holds(us(1_000), us(1_251), us(1_251)));
        assert!(holds(us(100_000), us(100_500), us(102_000)), "half a percent, and two");
        assert!(!holds(us(100_000), us(100_501), us(100_501)));
        assert!(!holds(us(100_000), us(100_100), us(102_001)));
        assert!(!holds(us(100_000), us(99_499), us(100_000)), "too quick is wrong, too");
    }
}
