//! Streams and readers over real threads: every byte right and in order, every chunk read once,
//! nothing more than the pool allows, faults delivered where they struck.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use bench_core::fixture::{BufferPool, Payload, PooledBuf};
use bench_core::units::ByteSize;
use bench_storage::Error;
use bench_storage::clock::MonotonicClock;
use bench_storage::prefetch::{Policy, PrefetchConfig, Prefetcher};
use bench_storage::source::{DelayConfig, Delayed, Fault, Faulty, MemorySource, Source};
use proptest::prelude::*;

const CHUNK: ByteSize = ByteSize::kib(4);
const ADAPTIVE: Policy = Policy::Adaptive { most: 4 };

/// Ten chunks and a bit.
const PAYLOAD: Payload = Payload::seeded(9, ByteSize::new(10 * 4096 + 100));

/// A source that remembers what was read from it.
#[derive(Debug)]
struct Counting<S> {
    source: S,
    reads: Mutex<BTreeMap<u64, u32>>,
}

impl<S: Source> Counting<S> {
    fn new(source: S) -> Arc<Self> {
        Arc::new(Self { source, reads: Mutex::default() })
    }

    /// How often each offset was read from.
    fn reads(&self) -> BTreeMap<u64, u32> {
        self.reads.lock().expect("lock").clone()
    }
}

impl<S: Source> Source for Counting<S> {
    fn size(&self) -> ByteSize {
        self.source.size()
    }
    fn read_at(&self, offset: u64, length: usize, into: &mut PooledBuf) -> io::Result<usize> {
        *self.reads.lock().expect("lock").entry(offset).or_default() += 1;
        self.source.read_at(offset, length, into)
    }
    fn reads_ahead(&self) -> bool {
        self.source.reads_ahead()
    }
    fn backend(&self) -> String {
        self.source.backend()
    }
}

fn pool_of(chunks: u64) -> BufferPool {
    let limit = ByteSize::new(chunks * CHUNK.bytes());
    BufferPool::builder(limit).class(CHUNK).build().expect("a pool")
}

fn prefetcher(source: Arc<dyn Source>, pool: &BufferPool, policy: Policy) -> Prefetcher {
    let config = PrefetchConfig { chunk: CHUNK, policy };
    Prefetcher::new(source, pool.clone(), config).expect("a prefetcher")
}

fn memory() -> MemorySource {
    MemorySource::new(&PAYLOAD)
}

/// The offset behind the last chunk that came, and the error that ended the stream.
fn drain(prefetcher: &Prefetcher) -> (u64, Option<Error>) {
    let mut offset = 0;
    for chunk in prefetcher.stream(..) {
        match chunk {
            Ok(chunk) => {
                PAYLOAD.verify(offset, &chunk).expect("content");
                offset += chunk.len() as u64;
            }
            Err(error) => return (offset, Some(error)),
        }
    }
    (offset, None)
}

fn drain_all(prefetcher: &Prefetcher) {
    let (delivered, error) = drain(prefetcher);
    assert!(error.is_none(), "{error:?}");
    assert_eq!(delivered, PAYLOAD.size.bytes());
}

#[test]
fn a_stream_delivers_every_byte_in_order_and_reads_every_chunk_once() {
    for policy in [Policy::Off, Policy::Fixed(1), Policy::Fixed(3), Policy::Fixed(64), ADAPTIVE] {
        let pool = pool_of(100);
        let source = Counting::new(memory());
        let prefetcher = prefetcher(source.clone(), &pool, policy);
        let mut stream = prefetcher.stream(..);
        let mut offset = 0;
        for chunk in &mut stream {
            let chunk = chunk.expect("a chunk");
            PAYLOAD.verify(offset, &chunk).expect("content");
            offset += chunk.len() as u64;
        }
        assert_eq!(offset, PAYLOAD.size.bytes());
        assert_eq!(source.reads(), (0..11).map(|n| (n * 4096, 1)).collect(), "{policy:?}");
        let stats = stream.stats();
        assert_eq!(
            (stats.wasted, stats.duplicate, stats.cancelled, stats.bytes),
            (0, 0, 0, offset)
        );
        assert_eq!(stats.useful + stats.stolen + stats.in_place, 11, "{policy:?}: {stats:?}");
        assert_eq!(stats.issued, stats.useful + stats.stolen, "{policy:?}: {stats:?}");
        assert!(stats.depth_most <= policy.most());
        drop(stream);
        drop(prefetcher);
        assert_eq!(pool.stats().in_use_bytes, ByteSize::new(0));
    }
}

#[test]
fn a_range_is_streamed_and_cut_off_at_the_end() {
    let prefetcher = prefetcher(Arc::new(memory()), &pool_of(8), ADAPTIVE);
    for (range, expected) in
        [(100..5000, 4900), (40_000..99_999, 1060), (99_999..100_000, 0), (7..7, 0)]
    {
        let mut offset = range.start;
        for chunk in prefetcher.stream(range.clone()) {
            let chunk = chunk.expect("a chunk");
            PAYLOAD.verify(offset, &chunk).expect("content");
            offset += chunk.len() as u64;
        }
        assert_eq!(offset - range.start, expected, "{range:?}");
    }
}

#[test]
fn an_error_comes_in_its_turn_at_the_chunk_that_it_struck() {
    for policy in [Policy::Off, Policy::Fixed(4), ADAPTIVE] {
        for bad in [0, 1, 5, 10] {
            let fault = Fault::Error { offset: bad * 4096 + 50 };
            let pool = pool_of(8);
            let prefetcher = prefetcher(Arc::new(Faulty::new(memory(), &[fault])), &pool, policy);
            let (delivered, error) = drain(&prefetcher);
            assert_eq!(delivered, bad * 4096);
            let error = error.expect("the bad chunk").to_string();
            let expected = format!("failed to read chunk {bad} at offset {}: ", bad * 4096);
            assert!(error.starts_with(&expected), "{error}");
            drop(prefetcher);
            assert_eq!(pool.stats().in_use_bytes, ByteSize::new(0), "{policy:?}");
        }
    }
}

#[test]
fn a_stream_ends_with_its_error() {
    let faulty = Faulty::new(memory(), &[Fault::Error { offset: 4096 }]);
    let prefetcher = prefetcher(Arc::new(faulty), &pool_of(8), Policy::Fixed(4));
    let mut stream = prefetcher.stream(..);
    assert!(stream.next().expect("chunk 0").is_ok());
    assert!(stream.next().expect("chunk 1").is_err());
    assert!(stream.next().is_none() && stream.next().is_none());
    // The three behind the bad one were fetched, or under way, or queued.
    let stats = stream.stats();
    assert!(stats.wasted + stats.cancelled <= 4, "{stats:?}");
}

#[test]
fn a_file_truncated_under_the_reader_is_an_error_and_not_an_end() {
    let truncated = || Faulty::new(memory(), &[Fault::Truncated { offset: 2 * 4096 + 7 }]);
    let pool = pool_of(8);
    let (delivered, error) = drain(&prefetcher(Arc::new(truncated()), &pool, ADAPTIVE));
    assert_eq!(delivered, 2 * 4096);
    let expected =
        "chunk 2 ends at offset 8199, 4089 bytes early: the file was truncated while it was read";
    assert_eq!(error.expect("truncated").to_string(), expected);
    let prefetcher = prefetcher(Arc::new(truncated()), &pool, ADAPTIVE);
    let mut reader = prefetcher.reader();
    assert_eq!(reader.read_at(8000, 199).expect("before the end").len(), 199);
    assert!(matches!(reader.read_at(8199, 1), Err(Error::Truncated { missing: 1 | 4089, .. })));
}

#[test]
fn a_source_that_panics_ends_the_stream_and_hangs_nobody() {
    let faulty = Faulty::new(memory(), &[Fault::Panic { offset: 5 * 4096 }]);
    let pool = pool_of(8);
    // Depth 4 and a source faster than its reader: a worker meets the bug, or the reader itself.
    let outcome =
        std::panic::catch_unwind(|| drain(&prefetcher(Arc::new(faulty), &pool, Policy::Fixed(4))));
    match outcome {
        Ok((delivered, error)) => {
            assert_eq!(delivered, 5 * 4096);
            assert!(error.expect("an error").to_string().contains("the source panicked"));
        }
        Err(panic) => assert_eq!(panic.downcast_ref(), Some(&"a bug in the source")),
    }
    assert_eq!(pool.stats().in_use_bytes, ByteSize::new(0));
}

#[test]
fn short_reads_make_whole_chunks() {
    let faulty = Faulty::new(memory(), &[Fault::Short { most: 1000 }]);
    drain_all(&prefetcher(Arc::new(faulty), &pool_of(8), ADAPTIVE));
}

#[test]
fn a_stream_takes_no_more_than_the_pool_has() {
    for chunks in 1..6 {
        let pool = pool_of(chunks);
        drain_all(&prefetcher(Arc::new(memory()), &pool, Policy::Fixed(64)));
        assert!(pool.stats().high_water_bytes.bytes() <= chunks * 4096);
        assert_eq!(pool.stats().in_use_bytes, ByteSize::new(0));
    }
}

#[test]
fn chunks_fetched_for_one_reader_make_room_for_what_another_waits_for() {
    let pool = pool_of(4);
    let prefetcher = prefetcher(Arc::new(memory()), &pool, Policy::Fixed(3));
    let mut idle = prefetcher.stream(..);
    let held = idle.next().expect("a chunk").expect("read");
    // The other three buffers are, or will be, full of what the idle stream may need later.
    let mut reader = prefetcher.reader();
    for offset in [9 * 4096, 3 * 4096, 7 * 4096] {
        let bytes = reader.read_at(offset, 4096).expect("memory is given up for it");
        PAYLOAD.verify(offset, &bytes).expect("content");
    }
    drop(held);
    // What was given up is read when it is asked for.
    let mut offset = 4096;
    for chunk in idle.map(|chunk| chunk.expect("a chunk")) {
        PAYLOAD.verify(offset, &chunk).expect("content");
        offset += chunk.len() as u64;
    }
    assert_eq!(offset, PAYLOAD.size.bytes());
}

#[test]
fn memory_that_workers_fill_for_another_reader_is_waited_for() {
    let delay = DelayConfig::latency(Duration::from_millis(50));
    let source = Delayed::new(memory(), delay, Arc::new(MonotonicClock::start()));
    let source = Counting::new(source);
    let prefetcher = prefetcher(source.clone(), &pool_of(3), Policy::Fixed(3));
    thread::scope(|scope| {
        scope.spawn(|| drain_all(&prefetcher));
        // All memory is under way for the stream; not one chunk of it can be given up.
        while source.reads().len() < 3 {
            thread::yield_now();
        }
        let mut reader = prefetcher.reader();
        for offset in [9 * 4096, 3 * 4096, 7 * 4096] {
            let bytes = reader.read_at(offset, 4096).expect("the memory of a chunk that is done");
            PAYLOAD.verify(offset, &bytes).expect("content");
        }
    });
}

#[test]
fn chunks_fetched_from_one_source_make_room_for_reads_of_another() {
    let pool = pool_of(4);
    let first = prefetcher(Arc::new(memory()), &pool, Policy::Fixed(3));
    let second = first.for_source(Arc::new(memory())).expect("on the same pool");
    let mut idle = first.stream(..);
    let held = idle.next().expect("a chunk").expect("read");
    assert_eq!(pool.stats().in_use_bytes, ByteSize::new(4 * 4096));
    drain_all(&second);
    drop((idle, held));
    drop((first, second));
    assert_eq!(pool.stats().in_use_bytes, ByteSize::new(0));
}

#[test]
fn one_buffer_for_each_reader_is_enough() {
    let first = prefetcher(Arc::new(memory()), &pool_of(4), Policy::Fixed(3));
    let second = first.for_source(Arc::new(memory())).expect("on the same pool");
    thread::scope(|scope| {
        for prefetcher in [&first, &first, &second, &second] {
            scope.spawn(|| {
                for _ in 0..100 {
                    drain_all(prefetcher);
                }
            });
        }
    });
}

#[test]
fn a_pool_that_others_hold_is_an_error_for_who_waits() {
    let pool = pool_of(1);
    let prefetcher = prefetcher(Arc::new(memory()), &pool, ADAPTIVE);
    let held = pool.try_acquire(CHUNK).expect("the only one");
    let error = prefetcher.stream(..).next().expect("a chunk").expect_err("no memory");
    assert!(error.to_string().starts_with("failed to get a buffer to read into: "), "{error}");
    drop(held);
    assert!(prefetcher.stream(..).next().expect("a chunk").is_ok());
}

#[test]
fn two_readers_of_one_file_do_not_disturb_each_other() {
    let source = Counting::new(memory());
    let prefetcher = prefetcher(source.clone(), &pool_of(64), Policy::Fixed(2));
    let (mut one, mut other) = (prefetcher.reader(), prefetcher.reader());
    // Turn and turn about, the one from the start, the other far behind it.
    for n in 0..10 {
        for (reader, offset) in [(&mut one, n * 2048), (&mut other, 20_480 + n * 2048)] {
            let bytes = reader.read_at(offset, 2048).expect("read");
            PAYLOAD.verify(offset, &bytes).expect("content");
        }
    }
    for stats in [one.stats(), other.stats()] {
        assert_eq!((stats.wasted, stats.duplicate, stats.cancelled), (0, 0, 0), "{stats:?}");
        assert!(stats.useful + stats.stolen >= 3, "read in order, fetched ahead: {stats:?}");
    }
}

#[test]
fn random_reads_are_read_exactly_and_nothing_is_fetched_ahead() {
    let source = Counting::new(memory());
    let prefetcher = prefetcher(source.clone(), &pool_of(8), ADAPTIVE);
    let mut reader = prefetcher.reader();
    let mut place = 0;
    for _ in 0..200 {
        place = (place + 17_389) % 40_000;
        PAYLOAD.verify(place, &reader.read_at(place, 13).expect("read")).expect("content");
    }
    let stats = reader.stats();
    assert_eq!((stats.issued, stats.in_place, stats.bytes), (0, 200, 2600));
    assert_eq!(source.reads().values().sum::<u32>(), 200);
}

#[test]
fn a_jump_gives_up_at_most_one_window() {
    let prefetcher = prefetcher(Arc::new(memory()), &pool_of(64), Policy::Fixed(3));
    let mut reader = prefetcher.reader();
    for (jump, start) in [0, 16_384, 4096, 30_000].into_iter().enumerate() {
        for n in 0..4 {
            let bytes = reader.read_at(start + n * 1000, 1000).expect("read");
            PAYLOAD.verify(start + n * 1000, &bytes).expect("content");
        }
        let stats = reader.stats();
        assert!(stats.wasted + stats.cancelled <= 3 * (jump as u64 + 1), "{stats:?}");
        assert!(stats.wasted_at_once <= 3);
    }
}

#[test]
fn a_prefetcher_that_cannot_work_is_refused_in_one_sentence() {
    let new = |chunk, policy, pool: &BufferPool| {
        let config = PrefetchConfig { chunk, policy };
        Prefetcher::new(Arc::new(memory()), pool.clone(), config).expect_err("refused").to_string()
    };
    let pool = pool_of(4);
    assert!(new(ByteSize::new(0), ADAPTIVE, &pool).starts_with("cannot fetch in chunks of 0B: "));
    for depth in [0, 65] {
        let expected =
            format!("cannot fetch {depth} chunks ahead: choose 1 to 64, or the policy Off");
        assert_eq!(new(CHUNK, Policy::Fixed(depth), &pool), expected);
    }
    let error = new(ByteSize::mib(1), ADAPTIVE, &pool);
    assert!(error.contains("no buffer of 1MiB: the pool's largest is 4KiB"), "{error}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// Runs of reads in order, jumps, repeats and skips: always the right bytes, never more memory
    /// than the pool has, nothing left behind.
    #[test]
    fn any_reads_bring_the_right_bytes(
        policy in prop_oneof![
            Just(Policy::Off), (1_u32..6).prop_map(Policy::Fixed),
            (1_u32..6).prop_map(|most| Policy::Adaptive { most })
        ],
        buffers in 3_u64..9,
        runs in prop::collection::vec((0_u64..41_200, 1_usize..4096, 1_u64..8), 1..12),
    ) {
        let pool = pool_of(buffers);
        let prefetcher = prefetcher(Arc::new(memory()), &pool, policy);
        let mut reader = prefetcher.reader();
        for (start, length, count) in runs {
            for n in 0..count {
                let offset = start + n * length as u64;
                let bytes = reader.read_at(offset, length).expect("read");
                let left = PAYLOAD.size.bytes().saturating_sub(offset);
                prop_assert_eq!(bytes.len() as u64, left.min(length as u64));
                if !bytes.is_empty() {
                    prop_assert_eq!(PAYLOAD.verify(offset, &bytes), Ok(()));
                }
            }
            prop_assert!(reader.outstanding() as u32 <= 2 * policy.most());
        }
        let stats = reader.stats();
        prop_assert!(stats.wasted_at_once <= u64::from(policy.most()));
        prop_assert!(pool.stats().high_water_bytes.bytes() <= buffers * 4096);
        drop((reader, prefetcher));
        prop_assert_eq!(pool.stats().in_use_bytes, ByteSize::new(0));
    }
}
