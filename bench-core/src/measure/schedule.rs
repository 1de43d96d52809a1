//! When operations *should* start. Pure: no clock, no sleep; [`drive`](super::drive) keeps the time.

use std::fmt;
use std::time::Duration;

const NS_PER_SECOND: f64 = 1e9;

/// The fraction bits of an interval, so that a billion operations do not drift by a nanosecond.
const FRACTION_BITS: u32 = 64;

/// When operations should start.
///
/// Without a schedule a slow server slows its clients down, and the operations that would have
/// waited are never issued: "coordinated omission" (Gil Tene, "How NOT to Measure Latency", 2013).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Schedule {
    /// An operation starts when the one before it ended: how fast it can go, not how it feels
    /// under a given load.
    Closed,
    /// Operations start at equal distances, whatever became of those before.
    ConstantRate(Interval),
}

/// A distance between two starts in nanoseconds, fixed point with 64 bits of fraction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Interval(u128);

/// Why a rate is no schedule.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum ScheduleError {
    /// Zero, negative, infinite or not a number.
    #[error("{0} operations per second is not a rate; give a finite number above zero")]
    NotARate(f64),
    /// Beyond what a clock in nanoseconds can tell apart, or a lifetime can wait for.
    #[error("{0} operations per second cannot be scheduled; give a rate from 1e-9 to 1e9")]
    OutOfRange(f64),
}

impl Schedule {
    /// `per_second` operations per second.
    ///
    /// # Errors
    /// When the rate is not a finite number above zero, or not from 1e-9 to 1e9.
    pub fn constant_rate(per_second: f64) -> Result<Self, ScheduleError> {
        if !per_second.is_finite() || per_second <= 0.0 {
            return Err(ScheduleError::NotARate(per_second));
        }
        if !(1e-9..=NS_PER_SECOND).contains(&per_second) {
            return Err(ScheduleError::OutOfRange(per_second));
        }
        Ok(Self::ConstantRate(Interval::of_rate(per_second)))
    }

    /// When operation `index` should start, from the start of the run; `None` where the end of
    /// another operation decides. Never decreases with `index`; saturates after 584 years.
    pub fn intended(&self, index: u64) -> Option<Duration> {
        match self {
            Self::Closed => None,
            Self::ConstantRate(interval) => Some(interval.times(index)),
        }
    }
}

impl Interval {
    /// `1e9 / per_second` to 2^-64 ns. A float's mantissa is an integer and its exponent a shift,
    /// so long division of integers gives every bit.
    fn of_rate(per_second: f64) -> Self {
        let bits = per_second.to_bits();
        // Rates from 1e-9 to 1e9 are normal numbers with exponents from -30 to 29.
        let mantissa = u128::from(bits & ((1 << 52) - 1) | (1 << 52));
        let shift = 52 + 1023 - (bits >> 52) as i32;
        // interval = 1e9 * 2^shift / mantissa, shift from 23 to 82; and 64 more for the fraction.
        let mut remainder = 1_000_000_000_u128;
        let mut quotient = 0_u128;
        for step in 0..=(shift + FRACTION_BITS as i32) {
            if step > 0 {
                remainder <<= 1;
            }
            quotient = (quotient << 1) | (remainder / mantissa);
            remainder %= mantissa;
        }
        Self(quotient)
    }

    /// `index` intervals, rounded down to a nanosecond: the whole and the fraction separately,
    /// since their product does not fit 128 bits.
    fn times(self, index: u64) -> Duration {
        let index = u128::from(index);
        let whole = self.0 >> FRACTION_BITS;
        let fraction = self.0 & u128::from(u64::MAX);
        let ns = whole.saturating_mul(index).saturating_add((fraction * index) >> FRACTION_BITS);
        Duration::from_nanos(u64::try_from(ns).unwrap_or(u64::MAX))
    }
}

impl fmt::Display for Schedule {
    /// `closed`, or `rate/100.00`: operations per second.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Closed => f.pad("closed"),
            Self::ConstantRate(Interval(interval)) => {
                let ns = *interval as f64 / 2_f64.powi(FRACTION_BITS as i32);
                f.pad(&format!("rate/{:.2}", NS_PER_SECOND / ns))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// `n / rate` in whole nanoseconds for a whole rate, exact.
    fn exact_ns(index: u64, per_second: u32) -> u128 {
        u128::from(index) * 1_000_000_000 / u128::from(per_second)
    }

    proptest! {
        #[test]
        fn starts_never_decrease(rate in 1e-9..1e9_f64, index: u64, step in 0..1_000_000_u64) {
            let schedule = Schedule::constant_rate(rate).expect("a rate");
            let later = index.saturating_add(step);
            prop_assert!(schedule.intended(index) <= schedule.intended(later));
        }

        #[test]
        fn operation_n_at_rate_r_starts_at_n_over_r(
            rate in 1..1_000_000_000_u32,
            index in 0..=1_000_000_000_u64,
        ) {
            let schedule = Schedule::constant_rate(f64::from(rate)).expect("a rate");
            let start = schedule.intended(index).expect("a start").as_nanos();
            let exact = exact_ns(index, rate);
            prop_assert!(start.abs_diff(exact) <= 1, "{start} instead of {exact}");
        }

        #[test]
        fn broken_rates_agree_with_floats(rate in 1e-3..1e6_f64, index in 0..1_000_u64) {
            let schedule = Schedule::constant_rate(rate).expect("a rate");
            let start = schedule.intended(index).expect("a start").as_secs_f64();
            let exact = index as f64 / rate;
            prop_assert!((start - exact).abs() <= 1e-9 + exact * 1e-12, "{start} for {exact}");
        }
    }

    #[test]
    fn a_billion_operations_do_not_drift() {
        for rate in [1, 3, 7, 1_000, 999_999, 999_999_937] {
            let schedule = Schedule::constant_rate(f64::from(rate)).expect("a rate");
            let start = schedule.intended(1_000_000_000).expect("a start").as_nanos();
            assert!(start.abs_diff(exact_ns(1_000_000_000, rate)) <= 1, "{rate}/s: {start}");
        }
    }

    #[test]
    fn what_is_no_rate_is_refused() {
        for rate in [0.0, -0.0, -1.0, f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
            assert!(
                matches!(Schedule::constant_rate(rate), Err(ScheduleError::NotARate(_))),
                "{rate}"
            );
        }
        for rate in [1e-10, 2e9, f64::MIN_POSITIVE, 5e-324, f64::MAX] {
            assert_eq!(Schedule::constant_rate(rate), Err(ScheduleError::OutOfRange(rate)));
        }
    }

    #[test]
    fn the_ends_of_the_range_saturate_instead_of_wrapping() {
        let slowest = Schedule::constant_rate(1e-9).expect("a rate");
        assert_eq!(slowest.intended(u64::MAX), Some(Duration::from_nanos(u64::MAX)));
        // The float next to 1e-9 is a little above it.
        assert_eq!(slowest.intended(1).map(|start| start.as_secs()), Some(999_999_999));
        let fastest = Schedule::constant_rate(1e9).expect("a rate");
        assert_eq!(fastest.intended(1), Some(Duration::from_nanos(1)));
    }

    #[test]
    fn a_schedule_prints_its_kind_and_rate() {
        let rate = Schedule::constant_rate(100.0).expect("a rate");
        assert_eq!([rate, Schedule::Closed].map(|s| s.to_string()), ["rate/100.00", "closed"]);
        assert_eq!(Schedule::Closed.intended(5), None);
    }
}
