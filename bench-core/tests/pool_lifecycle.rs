//! What becomes of a pooled buffer: dropped, frozen, carried to another thread, held in a panic,
//! outliving its pool.

use std::panic::{self, AssertUnwindSafe};
use std::thread;

use bench_core::fixture::{ALIGNMENT, AcquireError, BufferPool, DirectIo};
use bench_core::units::ByteSize;
use bytes::BufMut;

const CLASS: ByteSize = ByteSize::kib(4);

fn pool_of(buffers: u64) -> BufferPool {
    let limit = ByteSize::new(buffers * CLASS.bytes());
    BufferPool::builder(limit).class(CLASS).build().expect("a valid pool")
}

#[test]
fn a_dropped_buffer_is_the_next_one() {
    let pool = pool_of(2);
    let first = pool.try_acquire(CLASS).expect("room");
    let address = first.as_ptr();
    drop(first);
    let again = pool.try_acquire(ByteSize::new(1)).expect("room");
    assert_eq!(again.as_ptr(), address);
    assert_eq!(address.addr() % ALIGNMENT, 0);
    let stats = pool.stats();
    assert_eq!((stats.hits(), stats.misses, stats.returned), (1, 1, 1));
}

#[test]
fn what_one_user_wrote_the_next_cannot_read() {
    let pool = pool_of(1);
    let mut buffer = pool.try_acquire(CLASS).expect("room");
    buffer.put_bytes(0xFF, CLASS.len());
    drop(buffer);

    let mut buffer = pool.try_acquire(CLASS).expect("room");
    assert!(buffer.is_empty());
    buffer.resize_zeroed(100);
    assert_eq!(buffer[..], [0; 100]);
    buffer.truncate(10);
    buffer.resize_zeroed(CLASS.len());
    assert!(buffer.iter().all(|&byte| byte == 0));
}

#[test]
fn a_full_pool_refuses_and_serves_again() {
    let pool = pool_of(1);
    let held = pool.try_acquire(CLASS).expect("room");
    let error = pool.try_acquire(ByteSize::new(1)).expect_err("one buffer only");
    assert_eq!(
        error,
        AcquireError::Exhausted { asked: ByteSize::new(1), in_use: CLASS, limit: CLASS }
    );
    drop(held);
    drop(pool.try_acquire(CLASS).expect("it came back"));
    assert_eq!(pool.stats().refusals, 1);
}

#[test]
fn a_request_above_the_largest_class_is_an_error() {
    let pool = pool_of(1);
    for asked in [ByteSize::new(CLASS.bytes() + 1), ByteSize::new(u64::MAX)] {
        let error = pool.try_acquire(asked).expect_err("no such class");
        assert_eq!(error, AcquireError::TooLarge { asked, largest: CLASS });
    }
    let text = pool.try_acquire(ByteSize::mib(1)).expect_err("no such class").to_string();
    assert!(text.starts_with("no buffer of 1MiB: the pool's largest is 4KiB"), "{text}");
}

#[test]
fn a_panic_gives_the_buffer_back() {
    let pool = pool_of(1);
    let outcome = panic::catch_unwind(AssertUnwindSafe(|| {
        let _held = pool.try_acquire(CLASS).expect("room");
        panic!("while holding it");
    }));
    assert!(outcome.is_err());
    drop(pool.try_acquire(CLASS).expect("it came back"));
}

#[test]
fn a_buffer_may_be_dropped_on_another_thread() {
    let pool = pool_of(1);
    let mut buffer = pool.try_acquire(CLASS).expect("room");
    buffer.put_slice(b"carried");
    let read = thread::spawn(move || buffer.to_vec()).join().expect("the thread ends");
    assert_eq!(read, b"carried");
    assert_eq!((pool.stats().in_use_bytes, pool.stats().idle_bytes), (ByteSize::new(0), CLASS));
}

#[test]
fn buffers_outlive_the_last_handle() {
    let pool = pool_of(2);
    let mut buffer = pool.try_acquire(CLASS).expect("room");
    buffer.put_slice(b"still here");
    let bytes = pool.try_acquire(CLASS).expect("room").into_bytes();
    let other_handle = pool.clone();
    drop(pool);
    assert_eq!(other_handle.stats().in_use_bytes, ByteSize::kib(8));
    drop(other_handle);
    assert_eq!(&buffer[..], b"still here");
    drop(buffer);
    drop(bytes);
}

#[test]
fn frozen_bytes_are_the_same_memory_until_the_last_slice() {
    let pool = pool_of(1);
    let mut buffer = pool.try_acquire(CLASS).expect("room");
    buffer.put_slice(b"0123456789");
    let address = buffer.as_ptr();
    let bytes = buffer.into_bytes();
    assert_eq!((bytes.as_ptr(), &bytes[..]), (address, &b"0123456789"[..]));

    let slice = bytes.slice(3..5);
    drop(bytes);
    pool.try_acquire(CLASS).expect_err("a slice still holds it, and it counts");
    assert_eq!(&slice[..], b"34");
    drop(slice);
    assert_eq!(pool.try_acquire(CLASS).expect("it came back").as_ptr(), address);
}

#[test]
fn a_failed_read_leaves_the_buffer_as_it_was() {
    let pool = pool_of(1);
    let mut buffer = pool.try_acquire(CLASS).expect("room");
    buffer.put_slice(b"kept ");
    buffer.fill_with(|_| Err(())).expect_err("broken");
    assert_eq!(&buffer[..], b"kept ");

    let read: Result<usize, ()> =
        buffer.fill_with(|spare| Ok(spare[..3].write_copy_of_slice(b"...")));
    assert_eq!((read, &buffer[..]), (Ok(3), &b"kept ..."[..]));
}

#[test]
#[should_panic(expected = "not at the start of the memory to read into")]
fn bytes_read_elsewhere_are_refused() {
    let pool = pool_of(1);
    let mut buffer = pool.try_acquire(CLASS).expect("room");
    let _: Result<usize, ()> = buffer.fill_with(|spare| Ok(spare[1..3].write_copy_of_slice(b"no")));
}

#[test]
#[should_panic(expected = "4097 bytes exceed a capacity of 4096")]
fn growing_beyond_the_capacity_is_a_bug() {
    let pool = pool_of(1);
    pool.try_acquire(CLASS).expect("room").resize_zeroed(4097);
}

#[test]
fn frozen_bytes_are_cloned_sliced_and_reclaimed_by_the_last() {
    let pool = pool_of(1);
    let mut buffer = pool.try_acquire(CLASS).expect("room");
    buffer.put_slice(b"0123456789");
    let address = buffer.as_ptr();
    let bytes = buffer.freeze();
    let (head, middle) = (bytes.slice(..=2), bytes.slice(2..).slice(1..3));
    assert_eq!((&bytes[..], &head[..], &middle[..]), (&b"0123456789"[..], &b"012"[..], &b"34"[..]));
    let bytes = bytes.try_reclaim().expect_err("two others share it");
    drop((bytes, head));
    assert_eq!(pool.stats().in_use_bytes, CLASS);
    // All of it is there again, though the last had a slice.
    let mut buffer = middle.try_reclaim().expect("the last");
    assert_eq!((buffer.as_ptr(), &buffer[..]), (address, &b"0123456789"[..]));
    buffer.filled_mut()[0] = b'X';
    let bytes = buffer.freeze().into_bytes();
    assert_eq!((bytes.as_ptr(), bytes[0]), (address, b'X'));
    drop(bytes);
    assert_eq!(pool.stats().idle_bytes, CLASS);
}

#[test]
#[should_panic(expected = "no slice 5..11 of 10 bytes")]
fn a_slice_beyond_the_frozen_bytes_is_a_bug() {
    let pool = pool_of(1);
    let mut buffer = pool.try_acquire(CLASS).expect("room");
    buffer.put_slice(b"0123456789");
    drop(buffer.freeze().slice(5..11));
}

#[test]
fn a_panic_while_filling_leaves_nothing_to_read_and_loses_nothing() {
    let pool = pool_of(1);
    let mut buffer = pool.try_acquire(CLASS).expect("room");
    let outcome = panic::catch_unwind(AssertUnwindSafe(|| {
        let _: Result<usize, ()> = buffer.fill_with(|spare| {
            spare[..5].write_copy_of_slice(b"half ");
            panic!("in the middle")
        });
    }));
    assert!(outcome.is_err() && buffer.is_empty());
    drop(buffer);
    drop(pool.try_acquire(CLASS).expect("it came back"));
}

#[cfg(not(miri))]
#[test]
fn a_buffer_is_read_from_a_file_and_aligned_for_it() {
    let file = tempfile::tempfile().expect("a file");
    rustix::io::pwrite(&file, &[7; 10_000], 0).expect("room on the disk");
    let mut builder = BufferPool::builder(ByteSize::mib(1));
    if let Some(direct) = DirectIo::of(&file).expect("statx works") {
        builder = builder.direct_io(direct);
    }
    let pool = builder.build().expect("valid");
    let mut buffer = pool.try_acquire(ByteSize::kib(64)).expect("room");
    assert_eq!(buffer.as_ptr().addr() % buffer.capacity(), 0);
    assert_eq!(buffer.read_at(&file, 9_000, 500).expect("readable"), 500);
    assert_eq!(buffer.read_full_at(&file, 9_500, 10_000).expect("readable"), 500);
    assert_eq!(buffer.read_full_at(&file, 10_000, 10).expect("readable"), 0);
    assert_eq!((buffer.len(), buffer.iter().all(|&byte| byte == 7)), (1000, true));
    let pipe = std::io::pipe().expect("a pipe").0;
    buffer.read_at(&pipe, 0, 10).expect_err("a pipe has no positions");
    assert_eq!(buffer.len(), 1000);
}
