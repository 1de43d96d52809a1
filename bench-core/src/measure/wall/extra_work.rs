//! Time of known size, added to what a wall bench measures: a share of the operations' own time,
//! spent in a loop before the clock is stopped. Other ways to slow an operation down (a larger
//! input, a second pass) change what it does to caches and allocator, and cost what nobody knows.

use std::hint::spin_loop;
use std::sync::LazyLock;
use std::time::{Duration, Instant};

/// The variable that holds the share: 0.010 is 1 %. Without it nothing is added.
const VARIABLE: &str = "WEIGHBRIDGE_EXTRA_WORK";

/// Spins until operations that took `elapsed` since `start` have taken their share longer, and
/// says how long that was in all.
pub(super) fn after(start: Instant, elapsed: Duration) -> Duration {
    static SHARE: LazyLock<f64> = LazyLock::new(share);
    spin(start, elapsed.mul_f64(1.0 + *SHARE))
}

fn spin(start: Instant, until: Duration) -> Duration {
    loop {
        let passed = start.elapsed();
        if passed >= until {
            return passed;
        }
        spin_loop();
    }
}

fn share() -> f64 {
    let Ok(text) = std::env::var(VARIABLE) else { return 0.0 };
    let share = text.parse().ok().filter(|share: &f64| share.is_finite() && *share >= 0.0);
    share.unwrap_or_else(|| panic!("{VARIABLE}={text}: write a share of 0 or more, as in 0.010"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_added_is_never_less_than_asked() {
        let start = Instant::now();
        let until = start.elapsed() + Duration::from_millis(2);
        assert!(spin(start, until) >= until);
        assert!(start.elapsed() >= until);
    }
}
