//! What is asked of a pool.

use std::hint::black_box;
use std::sync::{Arc, Mutex, PoisonError};

use bench_core::measure::turns::{Arm, Batch};
use rtrb::RingBuffer;

use super::Pool;

/// Operations of one batch.
const BATCH: u64 = 64;
/// Buffers on their way from one thread to the other.
const UNDER_WAY: usize = 256;

type Worker<'a> = Box<dyn Fn(usize) -> Batch<'a> + Sync + 'a>;

/// What one thread does with a pool, or two together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Work {
    /// Takes a buffer and gives it back.
    Cycle,
    /// Takes 32 buffers and gives all back.
    Hold32,
    /// The first thread takes buffers, the second gives them back.
    HandOff,
}

impl Work {
    /// This work on this pool, by so many threads at once.
    pub fn arm<'a, P: Pool>(self, pool: &'a P, threads: usize) -> Arm<'a> {
        let worker: Worker<'a> = match self {
            Self::Cycle => Box::new(move |_| Box::new(move || cycle(pool))),
            Self::Hold32 => Box::new(move |_| {
                let mut held = Vec::with_capacity(32);
                Box::new(move || hold_32(pool, &mut held))
            }),
            Self::HandOff => hand_off(pool),
        };
        Arm { name: P::NAME.to_owned(), threads, worker }
    }
}

fn cycle<P: Pool>(pool: &P) -> u64 {
    let mut operations = 0;
    for _ in 0..BATCH {
        if let Some(buffer) = pool.get() {
            // By reference, or the box would copy what it is given.
            black_box(&buffer);
            operations += 1;
        }
    }
    operations
}

fn hold_32<'a, P: Pool>(pool: &'a P, held: &mut Vec<P::Guard<'a>>) -> u64 {
    held.extend((0..32).filter_map(|_| pool.get()));
    let operations = black_box(&mut *held).len() as u64;
    held.clear();
    operations
}

/// Counted where they arrive. Neither side waits for the other: a full or an empty ring ends the
/// batch.
fn hand_off<'a, P: Pool>(pool: &'a P) -> Worker<'a> {
    let (sender, receiver) = RingBuffer::<P::Guard<'a>>::new(UNDER_WAY);
    let (sender, receiver) = (Arc::new(Mutex::new(sender)), Arc::new(Mutex::new(receiver)));
    Box::new(move |thread| {
        if thread == 0 {
            let sender = sender.clone();
            Box::new(move || {
                // Nobody else has the lock, so it is a moment once a batch.
                let mut sender = sender.lock().unwrap_or_else(PoisonError::into_inner);
                for _ in 0..BATCH {
                    if sender.is_full() {
                        std::hint::spin_loop();
                        break;
                    }
                    let Some(buffer) = pool.get() else { break };
                    let _room = sender.push(buffer);
                }
                0
            })
        } else {
            let receiver = receiver.clone();
            Box::new(move || {
                let mut receiver = receiver.lock().unwrap_or_else(PoisonError::into_inner);
                (0..BATCH).map_while(|_| receiver.pop().ok()).count() as u64
            })
        }
    })
}
