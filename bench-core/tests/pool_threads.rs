//! The pool between threads: magazines that others empty, threads that end, handles that go first.

#![cfg(not(loom))]

use std::cell::RefCell;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Barrier, mpsc};
use std::thread;
use std::time::Duration;

use bench_core::fixture::{BufferPool, PooledBuf, Priority};
use bench_core::units::ByteSize;
use bytes::BufMut;

const CLASS: ByteSize = ByteSize::kib(4);

fn pool_of(buffers: u64) -> BufferPool {
    let limit = ByteSize::new(buffers * CLASS.bytes());
    BufferPool::builder(limit).class(CLASS).build().expect("a valid pool")
}

/// Buffers that went through the hands of this thread and lie in its magazines now.
fn leave_idle(pool: &BufferPool, count: usize) {
    let held: Vec<PooledBuf> = (0..count).map(|_| pool.try_acquire(CLASS).expect("room")).collect();
    drop(held);
}

#[test]
fn a_buffer_that_comes_back_goes_out_again_without_the_lock() {
    let pool = pool_of(4);
    leave_idle(&pool, 2);
    leave_idle(&pool, 2);
    let stats = pool.stats();
    assert_eq!((stats.misses, stats.hits_shared, stats.hits_local), (2, 0, 2));
    assert_eq!(stats.returned, 4);
}

#[test]
fn a_buffer_that_is_idle_all_the_time_is_had_at_every_try() {
    let pool = pool_of(2);
    thread::scope(|scope| {
        for _ in 0..2 {
            // Each has one at most, so there is always another.
            scope.spawn(|| {
                for _ in 0..100_000 {
                    drop(pool.try_acquire(CLASS).expect("the other thread has one at most"));
                }
            });
        }
    });
    assert_eq!(pool.stats().in_use_bytes, ByteSize::new(0));
}

#[test]
fn a_pool_without_magazines_serves_from_the_shared_ones() {
    let limit = ByteSize::kib(8);
    let none = ByteSize::new(0);
    let pool = BufferPool::builder(limit).class(CLASS).magazine(none).build().expect("valid");
    leave_idle(&pool, 2);
    leave_idle(&pool, 2);
    let stats = pool.stats();
    assert_eq!((stats.misses, stats.hits_shared, stats.hits_local), (2, 2, 0));
}

#[test]
fn more_pools_than_slots_work_all_the_same() {
    let pools: Vec<BufferPool> = (0..40).map(|_| pool_of(1)).collect();
    for _ in 0..2 {
        pools.iter().for_each(|pool| leave_idle(pool, 1));
    }
    assert!(pools.iter().all(|pool| pool.stats().hits() == 1 && pool.stats().misses == 1));
    drop(pools);
    // Their slots are free again, and what threads kept of them is of no consequence.
    let pool = pool_of(1);
    leave_idle(&pool, 1);
    leave_idle(&pool, 1);
    assert_eq!(pool.stats().hits_local, 1);
}

#[test]
fn what_a_thread_leaves_behind_is_for_others() {
    let pool = pool_of(2);
    thread::spawn({
        let pool = pool.clone();
        move || leave_idle(&pool, 2)
    })
    .join()
    .expect("no panic");
    let before = pool.stats();
    assert_eq!((before.idle_bytes, before.returned), (ByteSize::kib(8), 2));
    leave_idle(&pool, 2);
    assert_eq!(pool.stats().misses, 2);
}

#[test]
fn a_living_threads_magazines_are_emptied_for_others_and_for_trim() {
    let pool = pool_of(2);
    let (work, works) = mpsc::channel::<()>();
    let (done, ends) = mpsc::channel();
    let other = thread::spawn({
        let pool = pool.clone();
        move || {
            for () in works {
                leave_idle(&pool, 2);
                done.send(()).expect("the test goes on");
            }
        }
    });
    for round in 1..=3 {
        work.send(()).expect("it works");
        ends.recv().expect("it worked");
        // Both are in the other's magazine, and the cap is reached.
        leave_idle(&pool, 2);
        assert_eq!(pool.stats().misses, 2 * round);
        work.send(()).expect("it works");
        ends.recv().expect("it worked");
        assert_eq!(pool.trim(), ByteSize::kib(8));
        assert_eq!(pool.stats().idle_bytes, ByteSize::new(0));
    }
    drop(work);
    other.join().expect("no panic");
}

#[test]
fn returns_on_another_thread_are_counted_frozen_ones_too() {
    let pool = pool_of(2);
    let buffer = pool.try_acquire(CLASS).expect("room");
    let frozen = pool.try_acquire(CLASS).expect("room").freeze();
    thread::spawn(move || drop((buffer, frozen))).join().expect("no panic");
    assert_eq!(pool.stats().cross_thread_returns, 2);
    leave_idle(&pool, 2);
    assert_eq!(pool.stats().cross_thread_returns, 2);
}

#[test]
fn a_buffer_may_be_dropped_while_its_thread_ends() {
    thread_local! {
        static LATE: RefCell<Vec<PooledBuf>> = const { RefCell::new(Vec::new()) };
    }
    let pool = pool_of(2);
    // One variable is destroyed before the magazines, one after, whatever the order is.
    for first in [true, false] {
        thread::spawn({
            let pool = pool.clone();
            move || {
                if first {
                    LATE.with_borrow_mut(Vec::clear);
                }
                let buffer = pool.try_acquire(CLASS).expect("room");
                LATE.with_borrow_mut(|late| late.push(buffer));
            }
        })
        .join()
        .expect("no panic");
    }
    assert_eq!(pool.stats().in_use_bytes, ByteSize::new(0));
    leave_idle(&pool, 2);
}

#[test]
fn the_last_handle_may_go_while_buffers_are_out_on_other_threads() {
    for _ in 0..50 {
        let pool = pool_of(8);
        let (go, start) = (Barrier::new(3), pool.clone());
        leave_idle(&pool, 4);
        thread::scope(|scope| {
            for _ in 0..2 {
                let mut buffer = pool.try_acquire(CLASS).expect("room");
                let frozen = pool.try_acquire(CLASS).expect("room").freeze();
                let go = &go;
                scope.spawn(move || {
                    go.wait();
                    buffer.put_slice(b"still good");
                    assert_eq!(&buffer[..], b"still good");
                    drop((frozen, buffer));
                });
            }
            go.wait();
            drop(pool);
            drop(start);
        });
    }
}

#[test]
fn under_load_the_cap_holds_and_everybody_is_served() {
    const THREADS: u64 = 4;
    let pool = pool_of(3);
    let (out, most) = (AtomicU64::new(0), AtomicU64::new(0));
    thread::scope(|scope| {
        for thread in 0..THREADS {
            let (pool, out, most) = (&pool, &out, &most);
            scope.spawn(move || {
                for round in 0..500_u64 {
                    let priority = [Priority::Demand, Priority::Write, Priority::Prefetch];
                    let priority = priority[(round % 3) as usize];
                    let timeout = Duration::from_secs(60);
                    let mut buffer =
                        pool.acquire_timeout(CLASS, priority, timeout).expect("served in time");
                    most.fetch_max(out.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                    let mark = (round * THREADS + thread) as u8;
                    buffer.put_bytes(mark, CLASS.len());
                    if round % 2 == 0 {
                        thread::yield_now();
                    }
                    assert!(buffer.iter().all(|&byte| byte == mark));
                    out.fetch_sub(1, Ordering::SeqCst);
                }
            });
        }
    });
    assert!(most.into_inner() <= 3);
    let stats = pool.stats();
    assert_eq!((stats.in_use_bytes, stats.waiting), (ByteSize::new(0), 0));
    assert_eq!(stats.hits() + stats.misses, THREADS * 500);
    assert_eq!(stats.returned, THREADS * 500);
    assert!(stats.high_water_bytes <= ByteSize::kib(12));
}
