//! What the pool costs in memory: never more than its cap, and no page fault once it is warm. Alone in
//! its process, because the kernel counts by process.

#![cfg(not(loom))]

use std::fs;
use std::thread;

use bench_core::fixture::{BufferPool, PooledBuf};
use bench_core::units::{ByteSize, KIB};
use bytes::BufMut;

const LIMIT: ByteSize = ByteSize::mib(64);

/// Anonymous memory of this process that is in RAM.
fn resident() -> u64 {
    let status = fs::read_to_string("/proc/self/status").expect("a Linux system");
    let line = status.lines().find(|line| line.starts_with("RssAnon")).expect("Linux 4.5 or later");
    line.split_whitespace().nth(1).and_then(|kib| kib.parse::<u64>().ok()).expect("KiB") * KIB
}

/// Acquires as much as there is in this class, writes all of it, and drops it.
fn fill(pool: &BufferPool, class: ByteSize) {
    let mut held: Vec<PooledBuf> = Vec::new();
    while let Ok(mut buffer) = pool.try_acquire(class) {
        buffer.put_bytes(1, class.len());
        held.push(buffer);
    }
}

#[test]
fn the_process_grows_by_the_cap_and_a_warm_pool_faults_no_more() {
    let classes = [ByteSize::kib(4), ByteSize::kib(64), ByteSize::mib(1), ByteSize::mib(4)];
    let pool = BufferPool::with_limit(LIMIT).expect("valid");
    let before = resident();
    let mut most = 0;
    // Each class takes the whole cap from the one before, on one thread and on two.
    for class in classes.into_iter().chain(classes.into_iter().rev()) {
        fill(&pool, class);
        most = most.max(resident());
        thread::scope(|scope| {
            (0..2).for_each(|_| drop(scope.spawn(|| fill(&pool, class))));
        });
        most = most.max(resident());
    }
    let grown = most.saturating_sub(before);
    let allowed = LIMIT.bytes() + LIMIT.bytes() / 20;
    assert!(grown <= allowed, "{} above a cap of {LIMIT}", ByteSize::new(grown - allowed));
    assert!(grown >= LIMIT.bytes() / 2, "the memory was not used: the test sees nothing");

    let class = ByteSize::mib(1);
    fill(&pool, class);
    let warm = pool.stats().minor_faults.expect("/proc tells");
    for _ in 0..20 {
        let mut buffer = pool.try_acquire(class).expect("idle");
        buffer.put_bytes(2, class.len());
        drop(buffer.freeze());
    }
    let faults = pool.stats().minor_faults.expect("/proc tells") - warm;
    // A fresh buffer of 1 MiB takes 256 of them; reading /proc a few.
    assert!(faults < 20 * 256 / 10, "{faults} page faults in 20 uses of a warm buffer");

    pool.trim();
    let left = resident().saturating_sub(before);
    assert!(left < LIMIT.bytes() / 10, "{} are left after a trim", ByteSize::new(left));
}
