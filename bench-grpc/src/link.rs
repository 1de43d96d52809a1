//! What a flow-control window is worth on a link: a stream that has sent a window full waits for
//! the round trip until it may go on, so its rate is at most `window / rtt`. It is less where the
//! receiver keeps a part of the window to itself: h2 announces what was taken in batches of a third
//! ([`per_round_trip`]).
//!
//! | profile | window of a stream | per round trip | fills 1 Gbit/s up to | fills 10 Gbit/s up to |
//! |---|---|---|---|---|
//! | conservative | 64 KiB | 64 KiB | 0.5 ms | 0.05 ms |
//! | tonic | 1 MiB to the server | 704 KiB | 5.7 ms | 0.57 ms |
//! | tonic | 2 MiB to the client | 1376 KiB | 11 ms | 1.1 ms |
//! | local | 2 MiB | 2 MiB | 16 ms | 1.6 ms |
//! | default | 4 MiB | 2752 KiB | 22 ms | 2.2 ms |
//! | aggressive | 16 MiB | 10944 KiB | 89 ms | 8.9 ms |
//! | bulk | 16 MiB | 12 MiB | 100 ms | 10 ms |
//! | adaptive | grows to 16 MiB | 10944 KiB | 89 ms | 8.9 ms |
//!
//! Not modelled: TCP's own window, loss, and what other streams take of the connection's window.
//! The table is computed by the functions here (there is a test of it), the rates of real links are
//! measured.

use std::time::Duration;

use bench_core::units::{ByteSize, MIB};

use crate::operation::Operation;
use crate::profile::{FRAME_BYTES_MIN, TransportProfile};

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

/// What goes out per round trip through this window, in full frames of this size, to an h2 receiver
/// that announces as soon as its rule lets it: `⌊window / b⌋ × b` with batches of `b = window / 3`,
/// rounded up to whole frames.
///
/// h2 0.4 announces what was taken of it, `u`, once that is half of what is left of the window
/// (`unclaimed_capacity` in its `proto/streams/flow_control.rs`): `u ≥ (window − u) / 2` is
/// `u ≥ window / 3`. What is left over when no batch is full stays with the receiver in every
/// round trip. One that is slow to announce gathers more, and may have less left over: the rate lies
/// between two thirds of [`rate_max`] and all of it.
///
/// # Panics
/// When a frame has no bytes.
pub fn per_round_trip(window: ByteSize, frame: ByteSize) -> ByteSize {
    let frames = window.bytes().div_ceil(frame.bytes());
    let batch = frames.div_ceil(3).max(1);
    ByteSize::new((frames / batch * batch * frame.bytes()).min(window.bytes()))
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

    /// What of this window goes out per round trip, by [`per_round_trip`].
    pub fn per_round_trip(&self, operation: Operation) -> ByteSize {
        let frame = self.max_frame_size.unwrap_or(FRAME_BYTES_MIN);
        per_round_trip(self.window(operation), ByteSize::new(frame.into()))
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
            (TransportProfile::CONSERVATIVE, Operation::Write, 64, 0.5, 0.05),
            (TransportProfile::TONIC, Operation::Write, 704, 5.7, 0.57),
            (TransportProfile::TONIC, Operation::Read, 1376, 11.0, 1.1),
            (TransportProfile::LOCAL, Operation::Read, 2048, 16.0, 1.6),
            (TransportProfile::DEFAULT, Operation::Read, 2752, 22.0, 2.2),
            (TransportProfile::AGGRESSIVE, Operation::Stream, 10_944, 89.0, 8.9),
            (TransportProfile::BULK, Operation::Write, 12_288, 100.0, 10.0),
            (TransportProfile::ADAPTIVE, Operation::Write, 10_944, 89.0, 8.9),
        ];
        for (profile, operation, kib, one, ten) in rows {
            let window = profile.per_round_trip(operation);
            assert_eq!(window, ByteSize::kib(kib), "{profile}");
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
    fn an_h2_receiver_keeps_a_part_of_the_window() {
        // 1024 frames in batches of 342: two of them, 684 frames, in 20 ms, and not 800 MiB/s.
        let (window, frame) = (ByteSize::mib(16), ByteSize::kib(16));
        let sent = per_round_trip(window, frame);
        assert_eq!(sent, ByteSize::kib(684 * 16));
        let rtt = Duration::from_millis(20);
        let mib_per_second = [sent, window].map(|sent| rate_max(sent, rtt) / MIB as f64);
        assert_eq!(mib_per_second, [534.375, 800.0]);
        // Three frames and all but a byte of a fourth: two batches of two.
        assert_eq!(per_round_trip(ByteSize::new(65_535), frame), ByteSize::new(65_535));
        assert_eq!(per_round_trip(ByteSize::kib(8), frame), ByteSize::kib(8), "less than a frame");
        assert!(per_round_trip(ByteSize::new(0), frame).is_empty());
    }

    #[test]
    fn without_a_round_trip_or_a_rate_there_is_no_bound() {
        assert!(rate_max(SERVER_WINDOW, Duration::ZERO).is_infinite());
        assert_eq!(rtt_max(SERVER_WINDOW, 0.0), Duration::MAX);
        assert!(window_for(GIGABIT, Duration::ZERO).is_empty());
    }

    proptest! {
        #[test]
        fn a_receiver_that_announces_at_once_lets_as_much_go_out(
            frames in 1_u64..4096,
            frame in 1_u64..64,
        ) {
            let (frame, window) = (frame << 10, (frame * frames) << 10);
            let (mut announced, mut unclaimed) = (window, 0);
            // The first window whole, and then what came back of the one before.
            for _ in 0..4 {
                for _ in 0..std::mem::take(&mut announced) / frame {
                    unclaimed += frame;
                    if unclaimed >= (window - unclaimed) / 2 {
                        announced += std::mem::take(&mut unclaimed);
                    }
                }
            }
            let sent = per_round_trip(ByteSize::new(window), ByteSize::new(frame));
            prop_assert_eq!(announced, sent.bytes());
            prop_assert!(3 * sent.bytes() >= 2 * window && sent.bytes() <= window);
        }

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
