//! What a proxy says of itself.

use std::time::Duration;

use hdrhistogram::Histogram;

use crate::calibrate::LatenessMax;

/// The longest lateness that is told from longer ones.
const LATENESS_NS_MAX: u64 = 10_000_000_000;

/// What the proxy's thread counts.
#[derive(Clone, Debug)]
pub(super) struct Tally {
    pub(super) connections: u64,
    pub(super) refused: u64,
    /// Up and down.
    pub(super) bytes: [u64; 2],
    pub(super) overflows: u64,
    /// Up and down.
    pub(super) stopped: [u64; 2],
    pub(super) lateness: Histogram<u64>,
}

impl Tally {
    pub(super) fn new() -> Self {
        let lateness = Histogram::new_with_max(LATENESS_NS_MAX, 2).expect("these bounds are valid");
        Self { connections: 0, refused: 0, bytes: [0; 2], overflows: 0, stopped: [0; 2], lateness }
    }

    pub(super) fn report(&self, cpu: Duration) -> Report {
        let quantile = |quantile| Duration::from_nanos(self.lateness.value_at_quantile(quantile));
        Report {
            connections: self.connections,
            refused: self.refused,
            bytes_up: self.bytes[0],
            bytes_down: self.bytes[1],
            overflows: self.overflows,
            stopped_up: self.stopped[0],
            stopped_down: self.stopped[1],
            handed_on: self.lateness.len(),
            lateness_p50: quantile(0.5),
            lateness_p99: quantile(0.99),
            lateness_max: Duration::from_nanos(self.lateness.max()),
            cpu,
        }
    }
}

/// What a proxy did since it was started.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Report {
    /// Connections accepted.
    pub connections: u64,
    /// Connections that the server did not take; the client got a reset.
    pub refused: u64,
    /// Bytes that entered the way up.
    pub bytes_up: u64,
    /// Bytes that entered the way down.
    pub bytes_down: u64,
    /// How often the proxy's memory was full, so that it held senders up as no link would.
    pub overflows: u64,
    /// How often it saw that a sender had bytes for the way up while that was cut.
    pub stopped_up: u64,
    /// Likewise for the way down.
    pub stopped_down: u64,
    /// How many times bytes were handed on, which the lateness is over.
    pub handed_on: u64,
    /// How much later than due they were, the median. Waiting for a receiver does not count, nor
    /// does what passed before the proxy noticed that they came.
    pub lateness_p50: Duration,
    /// The 99th percentile of it, to two digits.
    pub lateness_p99: Duration,
    /// The longest.
    pub lateness_max: Duration,
    /// Processor time of the proxy's thread.
    pub cpu: Duration,
}

impl Report {
    /// Why what was measured over this link is not valid; `None` where it is, as far as each way may be
    /// so late.
    pub fn spoiled(&self, most: LatenessMax) -> Option<String> {
        if self.overflows > 0 {
            return Some(format!(
                "the proxy's memory was full {} times, so that it and not the link held senders up",
                self.overflows
            ));
        }
        most.exceeded([self.lateness_p50, self.lateness_p99])
            .map(|why| format!("the proxy was late: {why}"))
    }

    /// As dimensions of a row.
    pub fn dimensions(&self) -> Vec<(&'static str, String)> {
        vec![
            ("link_lateness_p50", format!("{:?}", self.lateness_p50)),
            ("link_lateness_p99", format!("{:?}", self.lateness_p99)),
            ("link_lateness_max", format!("{:?}", self.lateness_max)),
            ("link_overflows", self.overflows.to_string()),
            ("link_cpu", format!("{:?}", self.cpu)),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_is_spoiled_by_lateness_or_overflow_and_by_nothing_else() {
        let mut tally = Tally::new();
        for late_ns in 0..100 {
            tally.lateness.saturating_record(late_ns * 1_000);
        }
        let most = LatenessMax::of(Duration::from_millis(10));
        let spoiled = |tally: &Tally| tally.report(Duration::ZERO).spoiled(most);
        assert_eq!(spoiled(&tally), None);
        (0..5).for_each(|_| tally.lateness.saturating_record(u64::MAX));
        assert!(spoiled(&tally).expect("late").contains("at the 99th percentile"));
        tally.overflows = 3;
        assert!(spoiled(&tally).expect("full").contains("full 3 times"));
    }

    #[test]
    fn a_row_names_lateness_overflow_and_processor_time() {
        let report = Tally::new().report(Duration::from_millis(3));
        let text = format!("{:?}", report.dimensions());
        for key in ["lateness_p50", "lateness_p99", "lateness_max", "overflows", "\"3ms\""] {
            assert!(text.contains(key), "{key}: {text}");
        }
    }
}
