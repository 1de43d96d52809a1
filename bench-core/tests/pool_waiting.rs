//! Waiting for a buffer: in which order, how it ends, and that nothing is lost on the way.

#![cfg(not(loom))]

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::thread;
use std::time::Duration;

use bench_core::fixture::{Acquire, AcquireError, BufferPool, PooledBuf, Priority};
use bench_core::units::ByteSize;
use proptest::prelude::*;

const CLASS: ByteSize = ByteSize::kib(4);
const LARGE: ByteSize = ByteSize::kib(16);
/// Far longer than any test takes.
const LONG: Duration = Duration::from_secs(60);
/// What has not ended by then never will.
const HANGS: Duration = Duration::from_secs(20);

fn pool_of(buffers: u64) -> BufferPool {
    let limit = ByteSize::new(buffers * CLASS.bytes());
    BufferPool::builder(limit).class(CLASS).class(LARGE).build().expect("a valid pool")
}

fn poll(acquire: &mut Pin<Box<Acquire<'_>>>) -> Poll<Result<PooledBuf, AcquireError>> {
    acquire.as_mut().poll(&mut Context::from_waker(Waker::noop()))
}

/// A future that waits.
fn waiting(pool: &BufferPool, size: ByteSize, priority: Priority) -> Pin<Box<Acquire<'_>>> {
    let mut acquire = Box::pin(pool.acquire(size, priority));
    assert!(poll(&mut acquire).is_pending());
    acquire
}

fn served(acquire: &mut Pin<Box<Acquire<'_>>>) -> PooledBuf {
    match poll(acquire) {
        Poll::Ready(outcome) => outcome.expect("it was served"),
        Poll::Pending => panic!("it still waits"),
    }
}

#[test]
fn who_need_not_wait_does_not() {
    let pool = pool_of(1);
    let buffer = served(&mut Box::pin(pool.acquire(CLASS, Priority::Prefetch)));
    assert_eq!((buffer.capacity(), pool.stats().waits.count()), (CLASS.len(), 0));
}

#[test]
fn demand_comes_before_writes_and_these_before_prefetch() {
    use Priority::{Demand, Prefetch, Write};
    let pool = pool_of(1);
    let mut held = pool.try_acquire(CLASS).expect("room");
    let arrivals = [Prefetch, Write, Demand, Prefetch, Demand, Write];
    let mut all: Vec<_> =
        arrivals.iter().map(|&priority| Some(waiting(&pool, CLASS, priority))).collect();
    assert!(pool.is_contended());
    let mut order = Vec::new();
    for _ in 0..all.len() {
        drop(held);
        let ready =
            all.iter_mut().enumerate().find_map(|(at, waiter)| match poll(waiter.as_mut()?) {
                Poll::Ready(outcome) => Some((at, outcome.expect("served"))),
                Poll::Pending => None,
            });
        let (at, buffer) = ready.expect("somebody is served by each return");
        all[at] = None;
        order.push(at);
        held = buffer;
    }
    assert_eq!(order, [2, 4, 1, 5, 0, 3]);
    drop(held);
    let stats = pool.stats();
    assert_eq!((stats.waits.count(), stats.waiting, pool.is_contended()), (6, 0, false));
    assert_eq!(stats.in_use_bytes, ByteSize::new(0));
}

#[test]
fn the_first_is_not_overtaken_by_one_who_wants_less() {
    let pool = pool_of(4);
    let mut held: Vec<_> = (0..4).map(|_| pool.try_acquire(CLASS).expect("room")).collect();
    let mut large = waiting(&pool, LARGE, Priority::Demand);
    let mut small = waiting(&pool, CLASS, Priority::Demand);
    for _ in 0..3 {
        held.pop();
        assert!(poll(&mut large).is_pending() && poll(&mut small).is_pending());
        pool.try_acquire(CLASS).expect_err("a newcomer does not overtake either");
    }
    held.pop();
    let buffer = served(&mut large);
    assert!(poll(&mut small).is_pending());
    drop(buffer);
    drop(served(&mut small));
}

#[test]
fn when_the_first_gives_up_those_behind_are_served() {
    let pool = pool_of(4);
    let mut held: Vec<_> = (0..4).map(|_| pool.try_acquire(CLASS).expect("room")).collect();
    let large = waiting(&pool, LARGE, Priority::Demand);
    let mut small = waiting(&pool, CLASS, Priority::Demand);
    held.pop();
    assert!(poll(&mut small).is_pending());
    drop(large);
    drop(served(&mut small));
}

#[test]
fn a_waiter_that_was_served_and_dropped_passes_the_buffer_on() {
    let pool = pool_of(1);
    let held = pool.try_acquire(CLASS).expect("room");
    let first = waiting(&pool, CLASS, Priority::Demand);
    let mut second = waiting(&pool, CLASS, Priority::Demand);
    drop(held);
    // It is the first's, who has not picked it up.
    assert!(poll(&mut second).is_pending());
    drop(first);
    drop(served(&mut second));
    assert_eq!(pool.stats().in_use_bytes, ByteSize::new(0));
}

#[test]
fn a_try_for_prefetch_yields_to_everybody_and_one_for_demand_to_demand_only() {
    let pool = pool_of(4);
    let held: Vec<_> = (0..3).map(|_| pool.try_acquire(CLASS).expect("room")).collect();
    let write = waiting(&pool, LARGE, Priority::Write);
    pool.try_acquire_for(CLASS, Priority::Prefetch).expect_err("a write waits");
    pool.try_acquire_for(CLASS, Priority::Write).expect_err("a write waits");
    drop(pool.try_acquire(CLASS).expect("demand overtakes"));
    drop((write, held));
}

#[test]
fn a_waker_is_called_when_the_buffer_is_there_and_the_last_one_counts() {
    let pool = pool_of(1);
    let held = pool.try_acquire(CLASS).expect("room");
    let mut acquire = Box::pin(pool.acquire(CLASS, Priority::Demand));
    let counts = [0; 2].map(|_| Arc::new(Count(AtomicUsize::new(0))));
    for count in &counts {
        let waker = Waker::from(count.clone());
        assert!(acquire.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
    }
    drop(held);
    assert_eq!(counts.map(|count| count.0.load(Ordering::SeqCst)), [0, 1]);
    drop(served(&mut acquire));
}

/// Counts how often it is woken.
struct Count(AtomicUsize);

impl Wake for Count {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

/// Comes back into the pool when it is woken and dropped: with the pool's lock held meanwhile it
/// would wait for ever.
struct Reenters(BufferPool);

impl Drop for Reenters {
    fn drop(&mut self) {
        let _seen = self.0.stats();
    }
}

impl Wake for Reenters {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        let _seen = self.0.stats();
    }
}

#[test]
fn a_waker_may_use_the_pool_when_it_is_woken_or_dropped() {
    let pool = pool_of(1);
    let (done, ends) = std::sync::mpsc::channel();
    // On another thread, so that the test fails and does not hang.
    thread::spawn(move || {
        let waker = || Waker::from(Arc::new(Reenters(pool.clone())));
        let held = pool.try_acquire(CLASS).expect("room");
        let mut first = Box::pin(pool.acquire(CLASS, Priority::Demand));
        // The second takes the place of the first, which is dropped.
        for _ in 0..2 {
            assert!(first.as_mut().poll(&mut Context::from_waker(&waker())).is_pending());
        }
        let mut second = Box::pin(pool.acquire(CLASS, Priority::Demand));
        assert!(second.as_mut().poll(&mut Context::from_waker(&waker())).is_pending());
        drop(second);
        drop(held);
        drop(served(&mut first));
        assert_eq!(pool.stats().in_use_bytes, ByteSize::new(0));
        done.send(()).expect("the test waits");
    });
    ends.recv_timeout(HANGS).expect("the pool calls a waker below its own lock");
}

#[test]
fn a_waker_that_panics_disturbs_neither_the_return_nor_the_others() {
    struct Panics;
    impl Wake for Panics {
        fn wake(self: Arc<Self>) {
            panic!("woken");
        }
    }
    let pool = pool_of(4);
    let large = pool.try_acquire(LARGE).expect("room");
    let count = Arc::new(Count(AtomicUsize::new(0)));
    let wakers = [Waker::from(Arc::new(Panics)), Waker::from(count.clone())];
    let mut waiting: Vec<_> =
        wakers.iter().map(|_| Box::pin(pool.acquire(CLASS, Priority::Demand))).collect();
    for (acquire, waker) in waiting.iter_mut().zip(&wakers) {
        assert!(acquire.as_mut().poll(&mut Context::from_waker(waker)).is_pending());
    }
    drop(large);
    assert_eq!(count.0.load(Ordering::SeqCst), 1, "the second was not woken");
    waiting.iter_mut().for_each(|acquire| drop(served(acquire)));
    assert_eq!(pool.stats().in_use_bytes, ByteSize::new(0));
}

#[test]
fn who_forgets_a_place_in_the_queue_leaks_a_buffer_and_holds_nobody_up() {
    let pool = pool_of(2);
    let held = [(); 2].map(|()| pool.try_acquire(CLASS).expect("room"));
    std::mem::forget(waiting(&pool, CLASS, Priority::Demand));
    let mut behind = waiting(&pool, CLASS, Priority::Demand);
    drop(held);
    drop(served(&mut behind));
    assert_eq!(pool.stats().in_use_bytes, CLASS, "what was for the forgotten one is out for ever");
    drop(pool.try_acquire(CLASS).expect("the other goes round"));
}

#[test]
fn a_close_ends_every_wait_and_what_is_out_stays_good() {
    let pool = pool_of(1);
    let mut held = pool.try_acquire(CLASS).expect("room");
    let mut acquire = waiting(&pool, CLASS, Priority::Write);
    let blocked = thread::spawn({
        let pool = pool.clone();
        move || pool.acquire_timeout(CLASS, Priority::Demand, LONG)
    });
    while pool.stats().waiting < 2 {
        thread::yield_now();
    }
    pool.close();
    let closed = AcquireError::Closed { asked: CLASS };
    assert_eq!(blocked.join().expect("no panic").expect_err("closed"), closed);
    match poll(&mut acquire) {
        Poll::Ready(outcome) => assert_eq!(outcome.expect_err("closed"), closed),
        Poll::Pending => panic!("it still waits"),
    }
    assert_eq!(pool.try_acquire(CLASS).expect_err("closed"), closed);
    assert_eq!(closed.to_string(), "no buffer of 4KiB: the pool is closed");
    held.resize_zeroed(CLASS.len());
    drop(held);
    assert_eq!(pool.stats().idle_bytes, ByteSize::new(0));
}

#[test]
fn a_timeout_says_how_long_it_was_and_leaves_no_place_in_the_queue() {
    let pool = pool_of(1);
    let held = pool.try_acquire(CLASS).expect("room");
    for timeout in [Duration::ZERO, Duration::from_millis(5)] {
        let error = pool.acquire_timeout(CLASS, Priority::Demand, timeout).expect_err("all out");
        let AcquireError::TimedOut { asked, waited } = error else { panic!("{error}") };
        assert_eq!(asked, CLASS);
        assert!(waited >= timeout);
    }
    let text = AcquireError::TimedOut { asked: CLASS, waited: Duration::from_millis(5) };
    assert_eq!(
        text.to_string(),
        "no buffer of 4KiB in 5ms: nobody returned one; wait longer or raise the limit"
    );
    assert_eq!((pool.stats().waiting, pool.stats().refusals), (0, 2));
    drop(held);
    drop(pool.acquire_timeout(CLASS, Priority::Demand, Duration::ZERO).expect("it is back"));
}

#[test]
fn a_thread_that_waits_gets_what_another_returns() {
    let pool = pool_of(1);
    let held = pool.try_acquire(CLASS).expect("room");
    let waits = thread::spawn({
        let pool = pool.clone();
        move || pool.acquire_timeout(CLASS, Priority::Demand, LONG).map(drop)
    });
    while pool.stats().waiting == 0 {
        thread::yield_now();
    }
    drop(held);
    waits.join().expect("no panic").expect("served");
    let stats = pool.stats();
    assert_eq!((stats.waits.count(), stats.cross_thread_returns), (1, 0));
    assert!(stats.waits.at_most(1.0).is_some_and(|wait| wait < LONG));
}

#[test]
fn what_lies_idle_in_the_magazine_of_another_thread_is_not_waited_for() {
    let pool = pool_of(1);
    thread::scope(|scope| {
        let (filled, fills) = std::sync::mpsc::channel();
        let (done, ends) = std::sync::mpsc::channel::<()>();
        scope.spawn({
            let pool = &pool;
            move || {
                drop(pool.try_acquire(CLASS).expect("room"));
                filled.send(()).expect("the test goes on");
                let _closed = ends.recv();
                drop(pool.try_acquire(CLASS).expect("the magazine works again"));
            }
        });
        fills.recv().expect("it was filled");
        assert_eq!(pool.stats().idle_bytes, CLASS);
        drop(served(&mut Box::pin(pool.acquire(CLASS, Priority::Prefetch))));
        drop(pool.try_acquire(CLASS).expect("here it is idle now"));
        drop(done);
    });
    assert_eq!(pool.stats().misses, 1);
}

proptest! {
    /// Any number of waiters that come, are served and give up, in any order: nobody is forgotten.
    #[test]
    fn whoever_stays_is_served(steps in prop::collection::vec(0..6_u8, 1..60)) {
        let pool = pool_of(2);
        let mut held = vec![
            pool.try_acquire(CLASS).expect("room"),
            pool.try_acquire(CLASS).expect("room"),
        ];
        let mut queue: Vec<(Priority, usize, Pin<Box<Acquire<'_>>>)> = Vec::new();
        for (number, step) in steps.into_iter().enumerate() {
            match step {
                0..3 => {
                    let priority = [Priority::Demand, Priority::Write, Priority::Prefetch];
                    let priority = priority[step as usize];
                    let mut acquire = Box::pin(pool.acquire(CLASS, priority));
                    match poll(&mut acquire) {
                        Poll::Ready(outcome) => held.push(outcome.expect("room")),
                        Poll::Pending => queue.push((priority, number, acquire)),
                    }
                }
                3 => drop((!queue.is_empty()).then(|| queue.remove(number % queue.len()))),
                _ => drop(held.pop()),
            }
            queue.sort_by_key(|(priority, number, _)| (*priority, *number));
            while held.len() < 2 && !queue.is_empty() {
                held.push(served(&mut queue.remove(0).2));
            }
            prop_assert_eq!(pool.stats().waiting, queue.len() as u64);
            let in_use = held.len() as u64 * CLASS.bytes();
            prop_assert_eq!(pool.stats().in_use_bytes.bytes(), in_use);
        }
    }
}
