//! The pool under every interleaving of two threads. Only in a build for the model checker:
//! `RUSTFLAGS="--cfg loom" cargo test -p bench-core --no-default-features --test pool_loom --release`

#![cfg(loom)]

use bench_core::fixture::{BufferPool, PooledBuf};
use bench_core::units::ByteSize;
use bytes::BufMut;
use loom::sync::Arc;
use loom::sync::atomic::{AtomicUsize, Ordering};
use loom::thread;

const CLASS: ByteSize = ByteSize::kib(4);

fn pool_of(buffers: u64) -> BufferPool {
    let limit = ByteSize::new(buffers * CLASS.bytes());
    BufferPool::builder(limit).class(CLASS).build().expect("a valid pool")
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
    loom::model(|| {
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
    loom::model(|| {
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
    loom::model(|| {
        let pool = pool_of(2);
        race(&pool, |pool, _| {
            let mut buffer = pool.try_acquire(CLASS).expect("one for each");
            write_and_read(&mut buffer);
        });
        check_nothing_lost(&pool, 2);
    });
}

#[test]
fn a_trim_beside_a_return_frees_only_what_is_idle() {
    loom::model(|| {
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
