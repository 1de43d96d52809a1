//! What a flow-control window is worth on a link: a stream that has sent a window full waits for
//! the round trip until it may go on, so its rate is at most `window / rtt`.
//!
//! | profile | window of a stream | fills 1 Gbit/s up to | fills 10 Gbit/s up to |
//! |---|---|---|---|
//! | conservative | 64 KiB | 0.5 ms | 0.05 ms |
//! | tonic | 1 MiB to the server | 8 ms | 0.8 ms |
//! | tonic | 2 MiB to the client | 16 ms | 1.6 ms |
//! | default | 4 MiB | 33 ms | 3.3 ms |
//! | aggressive, bulk | 16 MiB | 134 ms | 13 ms |
//! | adaptive | grows to 16 MiB | 134 ms | 13 ms |
//!
//! Not modelled: TCP's own window, loss, and what other streams take of the connection's window.
//! The table is computed by the functions here (there is a test of it), the rates of real links are
//! measured.

use std::time::Duration;

use bench_core::units::{ByteSize, MIB};

use crate::operation::Operation;
use crate::profile::TransportProfile;

/// What hyper's server announces for a stream where a profile sets nothing.
pub const SERVER_WINDOW: ByteSize = ByteSize::new(MIB);
/// What hyper's client announces for a stream where a profile sets nothing.
pub const CLIENT_WINDOW: ByteSize = ByteSize::new(2 * MIB);
/// How far hyper lets an adaptive window grow.
pub const ADAPTIVE_WINDOW_MAX: ByteSize = ByteSize::new(16 * MIB);

/// The most that one stream moves through this window over this round trip, in bytes per second:
/// `window / rtt`. Without a round trip there is no bound.
pub fn rate_max(window: ByteSize, rtt: Duration) -> f64 {
    window.bytes() as f64 / rtt.as_secs_f64()
}

/// The longest round trip over which this window sustains this rate in bytes per second.
pub fn rtt_max(window: ByteSize, bytes_per_second: f64) -> Duration {
    Duration::try_from_secs_f64(window.bytes() as f64 / bytes_per_second).unwrap_or(Duration::MAX)
}

/// The smallest window that sustains this rate in bytes per second over this round trip: the
/// bandwidth-delay product.
pub fn window_for(bytes_per_second: f64, rtt: Duration) -> ByteSize {
    ByteSize::new((bytes_per_second * rtt.as_secs_f64()).ceil() as u64)
}

impl TransportProfile {
    /// The window of one stream of this operation, which the receiving end sets: the server for
    /// Write, the client for Read and Stream. Of an adaptive one, the largest that it becomes.
    pub fn window(&self, operation: Operation) -> ByteSize {
        let own = match operation {
            _ if self.adaptive_window => ADAPTIVE_WINDOW_MAX,
            Operation::Write => SERVER_WINDOW,
            Operation::Read | Operation::Stream => CLIENT_WINDOW,
        };
        self.stream_window.map_or(own, |bytes| ByteSize::new(bytes.into()))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const GIGABIT: f64 = 125e6;

    fn millis(window: ByteSize, bytes_per_second: f64) -> f64 {
        rtt_max(window, bytes_per_second).as_secs_f64() * 1e3
    }

    #[test]
    fn the_table_is_what_the_windows_are_worth() {
        let rows = [
            (TransportProfile::CONSERVATIVE, Operation::Write, 0.5, 0.05),
            (TransportProfile::TONIC, Operation::Write, 8.0, 0.8),
            (TransportProfile::TONIC, Operation::Read, 16.0, 1.6),
            (TransportProfile::DEFAULT, Operation::Read, 33.0, 3.3),
            (TransportProfile::AGGRESSIVE, Operation::Stream, 134.0, 13.0),
            (TransportProfile::BULK, Operation::Write, 134.0, 13.0),
            (TransportProfile::LOCAL, Operation::Read, 16.0, 1.6),
            (TransportProfile::ADAPTIVE, Operation::Write, 134.0, 13.0),
        ];
        for (profile, operation, one, ten) in rows {
            let window = profile.window(operation);
            let (found_one, found_ten) = (millis(window, GIGABIT), millis(window, 10.0 * GIGABIT));
            assert!((one..one * 1.05).contains(&found_one), "{profile}: {found_one} ms");
            assert!((ten..ten * 1.05).contains(&found_ten), "{profile}: {found_ten} ms");
        }
        // 64 KiB over 20 ms: what made the difference of 139 to 1 between two profiles.
        let rtt = Duration::from_millis(20);
        let rate = |profile: TransportProfile| rate_max(profile.window(Operation::Stream), rtt);
        assert_eq!(rate(TransportProfile::CONSERVATIVE) / MIB as f64, 3.125);
        assert_eq!(rate(TransportProfile::AGGRESSIVE) / rate(TransportProfile::DEFAULT), 4.0);
    }

    #[test]
    fn without_a_round_trip_or_a_rate_there_is_no_bound() {
        assert!(rate_max(SERVER_WINDOW, Duration::ZERO).is_infinite());
        assert_eq!(rtt_max(SERVER_WINDOW, 0.0), Duration::MAX);
        assert!(window_for(GIGABIT, Duration::ZERO).is_empty());
    }

    proptest! {
        #[test]
        fn the_three_say_the_same(window in 1_u64..1 << 31, micros in 1_u64..10_000_000) {
            let (window, rtt) = (ByteSize::new(window), Duration::from_micros(micros));
            let rate = rate_max(window, rtt);
            let back = window_for(rate, rtt).bytes();
            prop_assert!(back.abs_diff(window.bytes()) <= 1);
            let difference = rtt_max(window, rate).abs_diff(rtt);
            prop_assert!(difference <= Duration::from_nanos(1 + micros / 1000));
        }
    }
}
