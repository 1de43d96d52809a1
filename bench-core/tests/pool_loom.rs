//! The pool under every interleaving of two threads. Only in a build for the model checker:
//! `RUSTFLAGS="--cfg loom" cargo test -p bench-core --no-default-features --test pool_loom --release`

#![cfg(loom)]

use std::future::Future;

use bench_core::fixture::{BufferPool, PooledBuf, PooledBytes, Priority};
use bench_core::units::ByteSize;
use bytes::BufMut;
use loom::sync::Arc;
use loom::sync::atomic::{AtomicUsize, Ordering};
use loom::thread;

const CLASS: ByteSize = ByteSize::kib(4);

/// With magazines of one buffer, so that few steps fill and exchange them.
fn pool_of(buffers: u64) -> BufferPool {
    let limit = ByteSize::new(buffers * CLASS.bytes());
    BufferPool::builder(limit).class(CLASS).magazine(CLASS).build().expect("a valid pool")
}

/// Every interleaving in which no thread is interrupted more than three times: all of them are too
/// many, and the known bugs of concurrent code need two (Musuvathi and Qadeer, PLDI 2007).
fn model(body: impl Fn() + Send + Sync + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(3);
    builder.check(body);
}

/// Runs `body` on this thread and on another, both with the pool and a count of the holders.
fn race(pool: &BufferPool, body: fn(&BufferPool, &AtomicUsize)) {
    let holders = Arc::new(AtomicUsize::new(0));
    let other = thread::spawn({
        let (pool, holders) = (pool.clone(), holders.clone());
        move || body(&pool, &holders)
    });
    body(pool, &holders);
    other.join().expect("no panic on the other thread");
}

/// Acquires, says that it holds, and returns; or is refused.
fn hold_one(pool: &BufferPool, holders: &AtomicUsize) {
    if let Ok(mut buffer) = pool.try_acquire(CLASS) {
        let before = holders.fetch_add(1, Ordering::SeqCst);
        assert_eq!(before, 0, "two hold the only buffer");
        write_and_read(&mut buffer);
        holders.fetch_sub(1, Ordering::SeqCst);
    }
}

fn write_and_read(buffer: &mut PooledBuf) {
    assert!(buffer.is_empty());
    buffer.put_slice(b"mine");
    assert_eq!(&buffer[..], b"mine");
}

fn check_nothing_lost(pool: &BufferPool, buffers: u64) {
    let stats = pool.stats();
    assert_eq!(stats.in_use_bytes, ByteSize::new(0));
    assert_eq!(stats.returned, stats.hits() + stats.misses);
    assert_eq!(stats.idle_bytes.bytes(), stats.misses * CLASS.bytes());
    assert!(stats.high_water_bytes.bytes() <= buffers * CLASS.bytes());
    drop(pool.try_acquire(CLASS).expect("an idle buffer"));
    assert_eq!(pool.stats().misses, stats.misses, "the idle buffer was lost");
}

#[test]
fn two_threads_never_share_the_only_buffer() {
    model(|| {
        let pool = pool_of(1);
        race(&pool, |pool, holders| {
            hold_one(pool, holders);
            hold_one(pool, holders);
        });
        check_nothing_lost(&pool, 1);
    });
}

#[test]
fn frozen_bytes_count_until_they_are_dropped() {
    model(|| {
        let pool = pool_of(1);
        race(&pool, |pool, holders| {
            if let Ok(buffer) = pool.try_acquire(CLASS) {
                let bytes = buffer.into_bytes();
                assert_eq!(holders.fetch_add(1, Ordering::SeqCst), 0);
                holders.fetch_sub(1, Ordering::SeqCst);
                drop(bytes);
            }
        });
        check_nothing_lost(&pool, 1);
    });
}

#[test]
fn two_buffers_are_enough_for_two_threads() {
    model(|| {
        let pool = pool_of(2);
        race(&pool, |pool, _| {
            let mut buffer = pool.try_acquire(CLASS).expect("one for each");
            write_and_read(&mut buffer);
        });
        check_nothing_lost(&pool, 2);
    });
}

#[test]
fn a_buffer_that_is_idle_all_the_time_is_found() {
    model(|| {
        let pool = pool_of(2);
        let held = pool.try_acquire(CLASS).expect("room");
        drop(pool.try_acquire(CLASS).expect("room"));
        let other = thread::spawn({
            let pool = pool.clone();
            move || write_and_read(&mut pool.try_acquire(CLASS).expect("one is idle"))
        });
        // At every moment one of the two is idle or on its way there, if nobody else has it.
        drop(held);
        write_and_read(&mut pool.try_acquire(CLASS).expect("one for each"));
        other.join().expect("no panic on the other thread");
        check_nothing_lost(&pool, 2);
    });
}

#[test]
fn a_trim_beside_a_return_frees_only_what_is_idle() {
    model(|| {
        let pool = pool_of(1);
        let mut buffer = pool.try_acquire(CLASS).expect("room");
        let trimmer = thread::spawn({
            let pool = pool.clone();
            move || pool.trim().bytes()
        });
        write_and_read(&mut buffer);
        drop(buffer);
        let trimmed = trimmer.join().expect("no panic on the other thread");
        assert_eq!(pool.stats().idle_bytes.bytes() + trimmed, CLASS.bytes());
        assert_eq!(pool.stats().in_use_bytes, ByteSize::new(0));
    });
}

#[test]
fn whole_magazines_go_from_one_thread_to_the_other() {
    model(|| {
        let pool = pool_of(4);
        let hold = |count: usize| -> Vec<PooledBuf> {
            (0..count).map(|_| pool.try_acquire(CLASS).expect("room")).collect()
        };
        let away = hold(3);
        // Three that come back on a thread with room for two: one magazine goes to the depot, the
        // others with the thread's end. Meanwhile this thread looks for one.
        let other = thread::spawn(move || drop(away));
        write_and_read(&mut hold(1)[0]);
        other.join().expect("no panic on the other thread");
        check_nothing_lost(&pool, 4);
        let all = hold(4);
        assert!(pool.stats().misses <= 4, "an idle buffer was not found");
        drop(all);
    });
}

#[test]
fn who_waits_is_served_by_a_return_and_by_a_magazine() {
    model(|| {
        let pool = pool_of(1);
        let other = thread::spawn({
            let pool = pool.clone();
            move || {
                if let Ok(mut buffer) = pool.try_acquire(CLASS) {
                    write_and_read(&mut buffer);
                }
            }
        });
        let acquire = pool.acquire(CLASS, Priority::Demand);
        write_and_read(&mut loom::future::block_on(acquire).expect("nobody closes"));
        other.join().expect("no panic on the other thread");
        check_nothing_lost(&pool, 1);
    });
}

#[test]
fn who_gives_up_waiting_takes_no_buffer_along() {
    model(|| {
        let pool = pool_of(1);
        let held = pool.try_acquire(CLASS).expect("room");
        let other = thread::spawn({
            let pool = pool.clone();
            move || {
                let mut acquire = Box::pin(pool.acquire(CLASS, Priority::Prefetch));
                let mut context = std::task::Context::from_waker(std::task::Waker::noop());
                drop(acquire.as_mut().poll(&mut context));
            }
        });
        drop(held);
        other.join().expect("no panic on the other thread");
        assert_eq!((pool.stats().in_use_bytes.bytes(), pool.stats().waiting), (0, 0));
        drop(pool.try_acquire(CLASS).expect("it is idle"));
    });
}

#[test]
fn of_two_shares_one_reclaims_or_the_last_sends_the_buffer_home() {
    model(|| {
        let pool = pool_of(1);
        let mut buffer = pool.try_acquire(CLASS).expect("room");
        write_and_read(&mut buffer);
        let shares = buffer.freeze();
        let other = shares.slice(1..3);
        let reclaim = |bytes: PooledBytes| match bytes.try_reclaim() {
            Ok(mut buffer) => {
                buffer.clear();
                write_and_read(&mut buffer);
            }
            Err(bytes) => assert!(b"mine".windows(bytes.len()).any(|part| part == &bytes[..])),
        };
        let thread = thread::spawn(move || reclaim(other));
        reclaim(shares);
        thread.join().expect("no panic on the other thread");
        check_nothing_lost(&pool, 1);
    });
}

#[test]
fn the_last_handle_goes_beside_the_last_buffer_and_a_filled_magazine() {
    model(|| {
        let pool = pool_of(2);
        let mut buffer = pool.try_acquire(CLASS).expect("room");
        drop(pool.try_acquire(CLASS).expect("room"));
        let other = thread::spawn(move || {
            write_and_read(&mut buffer);
            drop(buffer);
        });
        drop(pool);
        other.join().expect("no panic on the other thread");
    });
}
