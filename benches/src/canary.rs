//! A known number of instructions more in every operation that is counted, so that a gate can be seen
//! to find them everywhere. Only with the feature `canary-each`.

use std::sync::atomic::{AtomicU64, Ordering};

use bench_core::counting::EXTRA_TURNS_VARIABLE;

static TURNS: AtomicU64 = AtomicU64::new(0);

/// Reads how many turns are wanted, outside of what is counted; none without the variable.
///
/// # Panics
/// When the variable is no number.
pub fn prepare() {
    let Ok(text) = std::env::var(EXTRA_TURNS_VARIABLE) else { return };
    let turns = text
        .parse()
        .unwrap_or_else(|_| panic!("{EXTRA_TURNS_VARIABLE} is '{text}'; write a number of turns"));
    TURNS.store(turns, Ordering::Relaxed);
}

/// Takes the turns, and one that is there without the variable too: so a turn more costs what every
/// turn costs, the first included.
#[inline(never)]
pub fn work() {
    let mut left = TURNS.load(Ordering::Relaxed) + 1;
    while left > 0 {
        left = std::hint::black_box(left) - 1;
    }
}
