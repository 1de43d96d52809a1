//! Rings of real files, and kernels that answer late, in pretence.

use std::env;
use std::os::unix::process::ExitStatusExt;
use std::process::Command;

use bench_core::fixture::{BufferPool, Payload};
use bench_core::units::ByteSize;
use rustix::io::Errno;

use super::*;

const BLOCK: ByteSize = ByteSize::kib(4);

#[test]
fn operations_at_once_come_back_with_their_own_buffers() {
    let Ok(mut ring) = Ring::new(4) else { return };
    let file = Arc::new(tempfile::tempfile().expect("create"));
    let pool = BufferPool::with_limit(ByteSize::kib(64)).expect("a pool");
    let payload = Payload::seeded(3, ByteSize::kib(16));
    for n in 0..4 {
        let mut buffer = pool.try_acquire(BLOCK).expect("room");
        buffer.resize_zeroed(BLOCK.len());
        payload.fill(n * BLOCK.bytes(), buffer.filled_mut());
        ring.write(n, &file, n * BLOCK.bytes(), buffer.freeze());
    }
    assert!(!ring.has_room());
    while let Some(done) = ring.complete().expect("wait") {
        assert_eq!(done.result.expect("written"), BLOCK.len());
    }
    ring.sync_data(9, &file);
    assert_eq!(ring.complete().expect("wait").map(|done| done.tag), Some(9));
    for n in 0..4 {
        let buffer = pool.try_acquire(BLOCK).expect("room");
        ring.read(n, &file, n * BLOCK.bytes(), BLOCK.len(), buffer);
    }
    let mut seen = 0;
    while let Some(done) = ring.complete().expect("wait") {
        let buffer = done.buffer.expect("of a read");
        payload.verify(done.tag * BLOCK.bytes(), &buffer).expect("content");
        assert_eq!(buffer.len(), BLOCK.len());
        seen += 1;
    }
    assert_eq!(seen, 4);
}

#[test]
fn a_failed_operation_gives_its_buffer_back_unchanged() {
    let Ok(mut ring) = Ring::new(1) else { return };
    let directory = Arc::new(File::open("/").expect("open"));
    let pool = BufferPool::with_limit(BLOCK).expect("a pool");
    ring.read(5, &directory, 0, BLOCK.len(), pool.try_acquire(BLOCK).expect("room"));
    let done = ring.complete().expect("wait").expect("one is under way");
    let (buffer, error) = (done.buffer.expect("of a read"), done.result.expect_err("EISDIR"));
    assert_eq!((buffer.len(), error.raw_os_error()), (0, Some(21)));
}

#[test]
fn a_kernel_short_of_memory_is_asked_again_by_a_ring_that_is_dropped() {
    let Ok(mut ring) = Ring::new(2) else { return };
    let pool = BufferPool::with_limit(BLOCK).expect("a pool");
    let file = Arc::new(tempfile::tempfile().expect("create"));
    ring.read(0, &file, 0, BLOCK.len(), pool.try_acquire(BLOCK).expect("room"));
    ring.refusals = vec![Errno::BUSY, Errno::AGAIN, Errno::INTR];
    drop(ring);
    assert_eq!(pool.stats().in_use_bytes, ByteSize::new(0));
}

#[test]
fn what_a_failure_left_under_way_does_not_disturb_who_is_alone_next() {
    let Ok(mut ring) = Ring::new(2) else { return };
    let file = Arc::new(tempfile::tempfile().expect("create"));
    // The body fails, and then the wait for what it left.
    ring.refusals = vec![Errno::IO];
    let error = ring.alone(|ring| {
        ring.sync_data(1, &file);
        Err::<(), _>(Error::NeverWrites)
    });
    assert!(matches!(error, Err(Error::NeverWrites)), "the first failure is the one to tell");
    assert_eq!(ring.in_flight(), 1);
    let tags = ring.alone(|ring| {
        ring.sync_data(2, &file);
        Ok(ring.complete().map_err(Error::Ring)?.map(|done| done.tag))
    });
    assert_eq!((tags.expect("alone"), ring.in_flight()), (Some(2), 0));
}

#[test]
fn a_ring_dropped_under_way_gives_its_buffers_home() {
    let Ok(mut ring) = Ring::new(2) else { return };
    let pool = BufferPool::with_limit(BLOCK).expect("a pool");
    let file = Arc::new(tempfile::tempfile().expect("create"));
    ring.read(0, &file, 0, BLOCK.len(), pool.try_acquire(BLOCK).expect("room"));
    ring.submit().expect("submit");
    drop(ring);
    assert_eq!(pool.stats().in_use_bytes, ByteSize::new(0));
}

/// A ring, a file of one block and a buffer for it.
fn to_read() -> Option<(Ring, File, PooledBuf)> {
    use std::os::unix::fs::FileExt;
    let ring = Ring::new(1).ok()?;
    let file = tempfile::tempfile().expect("create");
    file.write_all_at(&vec![7; BLOCK.len()], 0).expect("write");
    let pool = BufferPool::with_limit(BLOCK).expect("a pool");
    Some((ring, file, pool.try_acquire(BLOCK).expect("room")))
}

#[test]
fn a_read_into_borrowed_memory_outlasts_a_kernel_short_of_memory() {
    let Some((mut ring, file, mut buffer)) = to_read() else { return };
    ring.refusals = vec![Errno::BUSY, Errno::AGAIN, Errno::INTR];
    let read = ring.read_into(&file, 0, BLOCK.len(), &mut buffer).expect("in the end");
    assert_eq!((read, buffer[BLOCK.len() - 1]), (BLOCK.len(), 7));
    assert!(ring.refusals.is_empty(), "it was asked again after each");
}

/// Tells the test below that it is the process that ends.
const ABORTS: &str = "WEIGHBRIDGE_TEST_RING_ABORTS";

#[test]
fn a_kernel_that_never_has_memory_ends_the_process_and_not_the_wait() {
    if env::var_os(ABORTS).is_some() {
        let (mut ring, file, mut buffer) = to_read().expect("its parent has one");
        // More than anybody has patience for.
        ring.refusals = vec![Errno::AGAIN; 100_000];
        let _never = ring.read_into(&file, 0, BLOCK.len(), &mut buffer);
        return;
    }
    if to_read().is_none() {
        return;
    }
    let name =
        "source::ring::tests::a_kernel_that_never_has_memory_ends_the_process_and_not_the_wait";
    let mut child = Command::new(env::current_exe().expect("this test"));
    let told = child.args(["--exact", name]).env(ABORTS, "1").output().expect("started");
    assert_eq!(told.status.signal(), Some(libc::SIGABRT), "{told:?}");
}
