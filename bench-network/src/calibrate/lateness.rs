//! How late an emulator may hand packets on, so that times over its link are those of the link.

use std::time::Duration;

use super::round_trip::tolerance;

/// Of the round trip: what the 99th percentile may be off by.
const TAIL: u32 = 50;

/// The most that is tolerated of each way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LatenessMax {
    /// At the median.
    pub p50: Duration,
    /// At the 99th percentile.
    pub p99: Duration,
}

impl LatenessMax {
    /// Where no time is measured: only losses count that nobody asked for.
    pub const ANY: Self = Self { p50: Duration::MAX, p99: Duration::MAX };

    /// For times over a link with this round trip. The medians of both ways add up, so that each may be
    /// half of what a round trip [may be off by](tolerance); their tails seldom meet, so that each may be
    /// 2 % of it, or as much as its median where that is more.
    pub fn of(round_trip: Duration) -> Self {
        let tolerance = tolerance(round_trip);
        Self { p50: tolerance / 2, p99: tolerance.max(round_trip / TAIL) }
    }

    /// What is wrong with a way that was so late at the median and at the 99th percentile.
    pub(crate) fn exceeded(self, [p50, p99]: [Duration; 2]) -> Option<String> {
        let (late, what, most) = match (p50 > self.p50, p99 > self.p99) {
            (true, _) => (p50, "median", self.p50),
            (false, true) => (p99, "99th percentile", self.p99),
            (false, false) => return None,
        };
        Some(format!("{late:?} at the {what}, and {most:?} is tolerated"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const US: Duration = Duration::from_micros(1);

    #[test]
    fn half_a_tolerance_at_the_median_and_two_per_cent_at_the_tail() {
        let most = |ms| LatenessMax::of(Duration::from_millis(ms));
        assert_eq!(most(10), LatenessMax { p50: 125 * US, p99: 250 * US });
        assert_eq!(most(50), LatenessMax { p50: 125 * US, p99: 1_000 * US });
        assert_eq!(most(180), LatenessMax { p50: 450 * US, p99: 3_600 * US });
    }

    #[test]
    fn either_is_told_with_both_numbers() {
        let most = LatenessMax::of(Duration::from_millis(50));
        assert_eq!(most.exceeded([125 * US, 1_000 * US]), None);
        let tail = most.exceeded([125 * US, 1_010 * US]).expect("more than 2 %");
        assert_eq!(tail, "1.01ms at the 99th percentile, and 1ms is tolerated");
        let middle = most.exceeded([126 * US, 1_010 * US]).expect("more than half of 0.25 ms");
        assert_eq!(middle, "126µs at the median, and 125µs is tolerated");
        assert_eq!(LatenessMax::ANY.exceeded([Duration::MAX; 2]), None);
    }
}
