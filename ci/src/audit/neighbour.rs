//! A busy neighbour: one loop on every core that computes and walks memory, and never pauses.
//!
//! The loops are threads of this very process, so that none can outlive it, however it ends. What
//! they do not imitate: a neighbour that fills the disk or the network.

use std::hint::black_box;
use std::num::NonZero;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

/// Larger than the second-level cache of any core.
const WALKED: usize = 4 << 20;

/// The loops, until dropped.
#[derive(Debug)]
#[must_use = "dropping it ends the loops"]
pub(crate) struct Neighbours {
    end: Arc<AtomicBool>,
    loops: Vec<JoinHandle<()>>,
}

impl Neighbours {
    /// One on every core that this process may use.
    pub(crate) fn on_every_core() -> Self {
        let end = Arc::new(AtomicBool::new(false));
        let cores = std::thread::available_parallelism().map_or(1, NonZero::get);
        let one = |_| {
            let end = Arc::clone(&end);
            std::thread::spawn(move || disturb(&end))
        };
        Self { loops: (0..cores).map(one).collect(), end }
    }
}

impl Drop for Neighbours {
    fn drop(&mut self) {
        self.end.store(true, Ordering::Relaxed);
        for one in self.loops.drain(..) {
            let _ended = one.join();
        }
    }
}

fn disturb(end: &AtomicBool) {
    let mut memory = vec![1_u64; WALKED / size_of::<u64>()];
    while !end.load(Ordering::Relaxed) {
        for word in black_box(&mut memory) {
            *word = word.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_loops_are_there_and_end_with_their_guard() {
        let neighbours = Neighbours::on_every_core();
        assert!(!neighbours.loops.is_empty());
        assert!(neighbours.loops.iter().all(|one| !one.is_finished()));
        let end = Arc::clone(&neighbours.end);
        drop(neighbours);
        // Each loop held a clone.
        assert_eq!(Arc::strong_count(&end), 1);
    }
}
