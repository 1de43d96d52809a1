//! Which operation is next, whether it counts, and what became of it. Pure: times are given.

use std::time::Duration;

use super::{DriveConfig, Driven, Stop, WarmUp};

/// The books of one run. Times are from its start.
pub(super) struct Ledger {
    config: DriveConfig,
    next: u64,
    measured: u64,
    /// Start of the first measured operation.
    measured_from: Option<Duration>,
    driven: Driven,
}

/// One operation that a worker has to run.
pub(super) struct Claim {
    pub(super) index: u64,
    pub(super) intended: Option<Duration>,
    measured: bool,
}

impl Ledger {
    pub(super) fn open(config: DriveConfig) -> Self {
        let driven = Driven::nothing(config);
        Self { config, next: 0, measured: 0, measured_from: None, driven }
    }

    /// The next operation, or `None` when enough were issued.
    pub(super) fn claim(&mut self, now: Duration) -> Option<Claim> {
        let index = self.next;
        let intended = self.config.schedule.intended(index);
        let start = intended.unwrap_or(now);
        let warm = match self.config.warm_up {
            WarmUp::Operations(count) => index < count,
            WarmUp::Time(time) => start < time,
        };
        if !warm {
            let from = *self.measured_from.get_or_insert(start);
            let over = match self.config.stop {
                Stop::Operations(count) => self.measured >= count,
                Stop::After(time) => start - from >= time,
            };
            if over {
                return None;
            }
            self.measured += 1;
        }
        self.next += 1;
        Some(Claim { index, intended, measured: !warm })
    }

    /// Books an operation that ran from `began` to `ended`.
    pub(super) fn book(
        &mut self,
        claim: &Claim,
        began: Duration,
        ended: Duration,
        result: Result<(), String>,
    ) {
        if !claim.measured {
            return;
        }
        let due = claim.intended.unwrap_or(began);
        let from = self.measured_from.expect("set when the first measured operation was claimed");
        let driven = &mut self.driven;
        driven.operations += 1;
        driven.elapsed = driven.elapsed.max(ended.saturating_sub(from));
        driven.lateness_max = driven.lateness_max.max(began.saturating_sub(due));
        match result {
            Ok(()) => driven.succeeded(ended.saturating_sub(due), ended.saturating_sub(began)),
            Err(kind) => driven.failed(kind),
        }
    }

    pub(super) fn close(self) -> Driven {
        self.driven
    }
}
