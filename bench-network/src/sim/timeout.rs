//! When a sender stops waiting: the retransmission time-out, by RFC 6298 with Linux's bounds.

/// Before there is a round trip to go by.
const INITIAL_NS: u64 = 1_000_000_000;
/// What Linux adds to the smoothed round trip at least, and all there is at most.
const SLACK_NS_MIN: u64 = 200_000_000;
const MAX_NS: u64 = 120_000_000_000;

/// Round trips, smoothed, in integers as the kernel does.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Timeout {
    /// Smoothed, and the mean deviation; `None` before the first sample.
    smoothed: Option<(u64, u64)>,
    lowest_ns: Option<u64>,
    doublings: u32,
}

impl Timeout {
    pub(super) fn sample(&mut self, round_trip_ns: u64) {
        self.lowest_ns = Some(self.lowest_ns.map_or(round_trip_ns, |low| low.min(round_trip_ns)));
        self.smoothed = Some(match self.smoothed {
            None => (round_trip_ns, round_trip_ns / 2),
            Some((mean, deviation)) => {
                ((mean * 7 + round_trip_ns) / 8, (deviation * 3 + mean.abs_diff(round_trip_ns)) / 4)
            }
        });
    }

    /// How long to wait for the next acknowledgement.
    pub(super) fn wait_ns(&self) -> u64 {
        let once = self
            .smoothed
            .map_or(INITIAL_NS, |(mean, deviation)| mean + (4 * deviation).max(SLACK_NS_MIN));
        (once << self.doublings.min(32)).min(MAX_NS)
    }

    pub(super) fn double(&mut self) {
        self.doublings += 1;
    }

    /// Something was acknowledged.
    pub(super) fn undouble(&mut self) {
        self.doublings = 0;
    }

    /// How often in a row nothing came.
    pub(super) fn doublings(&self) -> u32 {
        self.doublings
    }

    pub(super) fn smoothed_ns(&self) -> u64 {
        self.smoothed.map_or(0, |(mean, _)| mean)
    }

    pub(super) fn lowest_ns(&self) -> u64 {
        self.lowest_ns.unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: u64 = 1_000_000;

    #[test]
    fn the_wait_follows_the_round_trip_and_doubles() {
        let mut timeout = Timeout::default();
        assert_eq!(timeout.wait_ns(), 1_000 * MS);
        timeout.sample(20 * MS);
        assert_eq!(timeout.wait_ns(), 220 * MS, "four deviations of 10 ms are less than 200 ms");
        timeout.sample(820 * MS);
        // Mean 120, deviation (30 + 800) / 4 = 207.5.
        assert_eq!((timeout.smoothed_ns(), timeout.lowest_ns()), (120 * MS, 20 * MS));
        assert_eq!(timeout.wait_ns(), 950 * MS);
        timeout.double();
        assert_eq!((timeout.wait_ns(), timeout.doublings()), (1_900 * MS, 1));
        (0..90).for_each(|_| timeout.double());
        assert_eq!(timeout.wait_ns(), 120_000 * MS);
        timeout.undouble();
        assert_eq!(timeout.wait_ns(), 950 * MS);
    }
}
