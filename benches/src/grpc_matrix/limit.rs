//! How long a call may take before it is given up: long enough for the slowest that is sound, and
//! not much longer, so that a server that hangs does not hold up the matrix.

use std::time::Duration;

use bench_core::units::{ByteSize, MIB};
use bench_grpc::link::rate_max;

/// What a call takes beside its bytes, on a machine that is busy.
const BASE: Duration = Duration::from_secs(30);

/// How many times what its bytes take.
const FACTOR: f64 = 4.0;

/// What a machine moves in a second at the least, all calls together.
const SLOWEST: f64 = 32.0 * MIB as f64;

/// The round trip to a server elsewhere, which nobody names: one to another continent is 100 ms and
/// more, and the factor leaves room for it.
pub(super) const ELSEWHERE: Duration = Duration::from_millis(50);

/// `30 s + 4 × calls × size ÷ rate`, where the rate is what the window allows over the round trip
/// (`window ÷ rtt`), or what the link carries, or what the machine does, where that is less. So many
/// calls share it.
pub(super) fn time_limit(
    size: ByteSize,
    window: ByteSize,
    (rtt, carried): (Duration, f64),
    calls: usize,
) -> Duration {
    // Without a round trip there is no bound but the machine's.
    let rate = rate_max(window, rtt).min(carried).min(SLOWEST);
    BASE + Duration::from_secs_f64(FACTOR * calls as f64 * size.bytes() as f64 / rate)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_small_window_and_a_long_way_take_longer() {
        let size = ByteSize::mib(256);
        let limit = |window, ms, calls| {
            time_limit(size, window, (Duration::from_millis(ms), f64::INFINITY), calls).as_secs()
        };
        // 256 MiB at 32 MiB/s are 8 s, four times that and the base.
        assert_eq!(limit(ByteSize::mib(4), 0, 1), 62);
        assert_eq!(limit(ByteSize::mib(4), 0, 4), 158);
        // 4096 windows of 64 KiB, each a round trip of 20 ms or 1 s.
        assert_eq!(limit(ByteSize::kib(64), 20, 1), 30 + 4 * 4096 / 50);
        assert_eq!(limit(ByteSize::kib(64), 1000, 1), 30 + 4 * 4096);
        let short = (ELSEWHERE, f64::INFINITY);
        assert_eq!(time_limit(ByteSize::new(1), ByteSize::mib(1), short, 1).as_secs(), 30);
        // 1 MiB at 64 KiB/s are 16 s.
        let thin = (ELSEWHERE, 65_536.0);
        assert_eq!(time_limit(ByteSize::mib(1), ByteSize::mib(4), thin, 1).as_secs(), 30 + 64);
    }
}
