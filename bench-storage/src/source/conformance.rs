//! What every source does, as one suite: the sources of this crate pass it, wrappers included, and
//! so should one of your own.

use std::thread;

use bench_core::fixture::{BufferPool, Payload, PooledBuf, Stream, class_for};
use bench_core::units::ByteSize;
use bench_core::workload::Failure;

use super::{Source, read_full};

/// Reads at once while the suite reads concurrently.
const READERS: u64 = 4;
/// Ranges drawn at random.
const DRAWN: u64 = 64;

/// Whether a source that holds this payload keeps its word: its size, any range aligned or not, the
/// end and beyond it, appending behind what a buffer holds, and readers at the same time.
///
/// # Errors
/// What it did otherwise, in one sentence.
///
/// # Panics
/// When the payload is smaller than 64 KiB, which has no range worth trying.
pub fn conforms(source: &dyn Source, payload: &Payload) -> Result<(), Failure> {
    let size = payload.size.bytes();
    assert!(size >= 64 << 10, "the suite needs a payload of at least 64KiB");
    if source.size() != payload.size {
        return Err(format!("its size is {}, not {}", source.size(), payload.size).into());
    }
    let alignment = source.alignment();
    if !alignment.is_power_of_two() || alignment > bench_core::fixture::ALIGNMENT {
        return Err(format!("an alignment of {alignment} is none").into());
    }
    if source.backend().is_empty() {
        return Err("its backend has no name".into());
    }
    for (offset, length) in ranges(size) {
        check(source, payload, offset, length)?;
    }
    end(source, size)?;
    append(source, payload)?;
    at_once(source, payload)
}

/// Borders of pages and of the source, and ranges anywhere.
fn ranges(size: u64) -> Vec<(u64, u64)> {
    let mut ranges = vec![
        (0, 1),
        (0, 4096),
        (0, size.min(1 << 20)),
        (1, 4096),
        (4095, 2),
        (4096, 4096),
        (8192, 1),
        (511, 8193),
        (size - 1, 1),
        (size - 1, 4096),
        (size - 5000, 5000),
        (size - size % 4096, 4096),
    ];
    for n in 0..DRAWN {
        let offset = draw(2 * n) % size;
        ranges.push((offset, 1 + draw(2 * n + 1) % 20_000));
    }
    ranges
}

/// The same numbers for every source.
fn draw(n: u64) -> u64 {
    Stream::seeded(1).word(n)
}

/// Reads the range, which may reach beyond the end, and compares what came.
fn check(source: &dyn Source, payload: &Payload, offset: u64, length: u64) -> Result<(), Failure> {
    let mut buffer = buffer(length)?;
    let wanted = ByteSize::new(length).len();
    let read = read_full(source, offset, wanted, &mut buffer)?;
    let expected = ByteSize::new(length.min(payload.size.bytes() - offset)).len();
    if read != expected || buffer.len() != expected {
        let found = buffer.len();
        return Err(format!(
            "{length} bytes from {offset}: {expected} were due, it said {read} and brought {found}"
        )
        .into());
    }
    Ok(payload.verify(offset, &buffer)?)
}

fn end(source: &dyn Source, size: u64) -> Result<(), Failure> {
    for (offset, length) in [(size, 1), (size, 4096), (size + 1, 100), (size + 8192, 4096), (0, 0)]
    {
        let mut buffer = buffer(4096)?;
        let read = source.read_at(offset, length, &mut buffer)?;
        if read != 0 || !buffer.is_empty() {
            return Err(format!("{length} bytes from {offset} of {size}: it said {read}").into());
        }
    }
    Ok(())
}

/// What a buffer holds stays, and what is read comes behind it, aligned or not.
fn append(source: &dyn Source, payload: &Payload) -> Result<(), Failure> {
    for held in [1, 100, 4096] {
        let mut buffer = buffer(16 << 10)?;
        buffer.resize_zeroed(held);
        buffer.filled_mut().fill(0xA5);
        let read = read_full(source, 4096, 5000, &mut buffer)?;
        if read != 5000 || buffer.len() != held + 5000 {
            return Err(format!("behind {held} bytes it brought {read} of 5000").into());
        }
        if buffer[..held].iter().any(|&byte| byte != 0xA5) {
            return Err(format!("it wrote over the {held} bytes that the buffer held").into());
        }
        payload.verify(4096, &buffer[held..])?;
    }
    Ok(())
}

fn at_once(source: &dyn Source, payload: &Payload) -> Result<(), Failure> {
    let size = payload.size.bytes();
    thread::scope(|scope| {
        let reader = |n: u64| {
            move || {
                (0..DRAWN).try_for_each(|k| {
                    check(source, payload, draw(n * DRAWN + k) % size, 1 + draw(k) % 10_000)
                })
            }
        };
        let readers: Vec<_> = (0..READERS).map(|n| scope.spawn(reader(n))).collect();
        readers
            .into_iter()
            .try_for_each(|one| one.join().map_err(|_| Failure::from("a reader panicked"))?)
    })
}

/// A buffer with room for whole pages around `length` bytes.
fn buffer(length: u64) -> Result<PooledBuf, Failure> {
    let class = class_for(ByteSize::new(length + 4096));
    Ok(BufferPool::builder(class).class(class).build()?.try_acquire(class)?)
}
