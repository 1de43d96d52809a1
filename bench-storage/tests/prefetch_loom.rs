//! The exchange between a reader and its workers under every interleaving. Only in a build for the
//! model checker:
//! `RUSTFLAGS="--cfg loom" cargo test -p bench-storage --test prefetch_loom --release`

#![cfg(loom)]

use bench_storage::prefetch::exchange::{Exchange, Taken, Yielded};
use loom::sync::Arc;
use loom::thread::{self, JoinHandle};

type Numbers = Exchange<u64, u64>;

/// What a worker brings for a chunk.
const fn content(chunk: u64) -> u64 {
    100 + chunk
}

/// A worker that is told of these chunks, one after the other, and how many it fetched.
fn worker(exchange: &Arc<Numbers>, chunks: &'static [u64]) -> JoinHandle<usize> {
    let exchange = Arc::clone(exchange);
    thread::spawn(move || {
        let fetch = |chunk: &&u64| match exchange.start(**chunk) {
            Some(empty) => {
                assert_eq!(empty, **chunk, "the buffer of another chunk");
                exchange.finish(**chunk, content(**chunk));
                true
            }
            None => false,
        };
        chunks.iter().filter(fetch).count()
    })
}

/// Takes a chunk that must be there, from the worker or back from the queue.
fn take(exchange: &Numbers, chunk: u64) -> bool {
    match exchange.take(chunk) {
        Taken::Fetched(found) => {
            assert_eq!(found, content(chunk));
            true
        }
        Taken::Stolen(empty) => {
            assert_eq!(empty, chunk);
            false
        }
        Taken::Missing => panic!("chunk {chunk} is lost"),
    }
}

#[test]
fn every_chunk_comes_once_from_the_worker_or_back_from_the_queue() {
    loom::model(|| {
        let exchange = Arc::new(Numbers::default());
        assert!(exchange.issue(0, 0) && exchange.issue(1, 1));
        let worker = worker(&exchange, &[0, 1]);
        let fetched = [0, 1].into_iter().filter(|&chunk| take(&exchange, chunk)).count();
        assert_eq!(worker.join().expect("no panic"), fetched, "a chunk was read twice");
        assert_eq!(exchange.outstanding(), 0);
        assert_eq!(exchange.tally(), Default::default());
    });
}

#[test]
fn two_workers_never_fetch_one_chunk() {
    loom::model(|| {
        let exchange = Arc::new(Numbers::default());
        exchange.issue(0, 0);
        let workers = [worker(&exchange, &[0]), worker(&exchange, &[0])];
        let taken = usize::from(take(&exchange, 0));
        let fetched: usize = workers.map(|one| one.join().expect("no panic")).iter().sum();
        assert_eq!(fetched, taken);
    });
}

#[test]
fn a_cancelled_chunk_is_wasted_or_cancelled_and_leaves_nothing() {
    loom::model(|| {
        let exchange = Arc::new(Numbers::default());
        exchange.issue(0, 0);
        let worker = worker(&exchange, &[0]);
        let wasted = exchange.cancel_but(0..0).len();
        assert_eq!(worker.join().expect("no panic"), wasted);
        let tally = exchange.tally();
        assert_eq!((tally.wasted, tally.cancelled), (wasted as u64, 1 - wasted as u64));
        assert_eq!(exchange.outstanding(), 0);
    });
}

#[test]
fn a_chunk_wanted_again_is_not_fetched_twice_at_a_time() {
    loom::model(|| {
        let exchange = Arc::new(Numbers::default());
        exchange.issue(0, 0);
        let first = worker(&exchange, &[0]);
        exchange.cancel_but(0..0);
        // A worker is told again only where the first one is not at it any more.
        let second = exchange.issue(0, 0).then(|| worker(&exchange, &[0]));
        take(&exchange, 0);
        first.join().expect("no panic");
        if let Some(second) = second {
            second.join().expect("no panic");
        }
        assert_eq!(exchange.outstanding(), 0);
    });
}

#[test]
fn memory_given_up_for_another_reader_is_noticed_by_the_owner() {
    loom::model(|| {
        let exchange = Arc::new(Numbers::default());
        exchange.issue(0, 0);
        let worker = worker(&exchange, &[0]);
        let other = {
            let exchange = Arc::clone(&exchange);
            thread::spawn(move || exchange.yield_farthest() == Yielded::Chunk)
        };
        let missing = exchange.take(0) == Taken::Missing;
        let yielded = other.join().expect("no panic");
        assert_eq!(missing, yielded, "given up and delivered, or neither");
        worker.join().expect("no panic");
        assert_eq!(exchange.outstanding(), 0);
    });
}

/// Gives up one chunk, and waits for a worker as long as they are at all of them. `false`: there is
/// none.
fn free_one(exchange: &Numbers) -> bool {
    loop {
        match exchange.yield_farthest() {
            Yielded::AtWork { finished } => exchange.wait_past(finished),
            other => return other == Yielded::Chunk,
        }
    }
}

#[test]
fn memory_is_not_overlooked_because_a_worker_is_done_between_two_looks() {
    loom::model(|| {
        let exchange = Arc::new(Numbers::default());
        exchange.issue(0, 0);
        let worker = worker(&exchange, &[0]);
        assert!(free_one(&exchange), "there was a chunk to give up");
        assert!(!free_one(&exchange), "and no other");
        worker.join().expect("no panic");
    });
}

#[test]
fn the_first_worker_that_is_done_is_enough() {
    loom::model(|| {
        let exchange = Arc::new(Numbers::default());
        exchange.issue(0, 0);
        exchange.issue(1, 1);
        // At its chunk until this thread has had the memory of the other.
        exchange.start(1).expect("nobody else is at it");
        let first = worker(&exchange, &[0]);
        assert!(free_one(&exchange));
        exchange.finish(1, content(1));
        first.join().expect("no panic");
        assert!(take(&exchange, 1));
    });
}
