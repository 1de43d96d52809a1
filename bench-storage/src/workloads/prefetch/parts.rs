//! The parts of fetching ahead on one thread, whose instructions can be counted.

use std::marker::PhantomData;
use std::sync::Arc;
use std::time::Duration;

use bench_core::fixture::{BufferPool, Payload, class_for};
use bench_core::units::ByteSize;
use bench_core::workload::{Failure, Workload};

use super::{DEPTH, FILE_CHUNK, SEED, Streamed, pool_of, verify};
use crate::error::Error;
use crate::prefetch::exchange::{Exchange, Taken};
use crate::prefetch::planner::Planner;
use crate::prefetch::{Policy, PrefetchConfig, Prefetcher, Reader};
use crate::source::{MemorySource, Source};

const CHUNK: ByteSize = ByteSize::kib(64);

/// Reads a payload in memory as a stream that fetches nothing ahead, in chunks of 64 KiB:
/// `prefetch/in_place/1MiB`. What the stream itself costs on top of the copy.
#[derive(Debug)]
pub struct InPlace {
    payload: Payload,
    prefetcher: Prefetcher,
    answer: Streamed,
}

impl Workload for InPlace {
    const NAME: &'static str = "prefetch/in_place";
    type Parameter = ByteSize;

    fn set_up(size: &ByteSize) -> Result<Self, Failure> {
        let payload = Payload::seeded(SEED, *size);
        let config = PrefetchConfig { chunk: CHUNK, policy: Policy::Off };
        let source = Arc::new(MemorySource::new(&payload));
        let prefetcher = Prefetcher::new(source, pool_of(CHUNK, 2)?, config)?;
        verify(&prefetcher, &payload)?;
        Ok(Self { payload, prefetcher, answer: Streamed::default() })
    }

    fn bytes(&self) -> Option<ByteSize> {
        Some(self.payload.size)
    }

    fn prepare(&mut self) -> Result<(), Failure> {
        self.answer = Streamed::default();
        Ok(())
    }

    fn run(&mut self) {
        self.answer = Streamed::default();
        self.answer = Streamed::of(&self.prefetcher);
    }

    fn check(&mut self) -> Result<(), Failure> {
        self.answer.check(&self.payload)
    }

    fn dimensions(&self) -> Vec<(&'static str, String)> {
        vec![
            ("backend", self.prefetcher.source().backend()),
            ("policy", "off".to_owned()),
            ("chunk", CHUNK.to_string()),
        ]
    }
}

/// 256 random reads of a block each from 16 MiB in memory, through a handle that looks for an order
/// in them or straight from the source: `prefetch/random/4KiB`, `prefetch/random_plain/4KiB`. The
/// difference is what a handle costs those who read at random.
#[derive(Debug)]
struct Random {
    payload: Payload,
    source: Arc<dyn Source>,
    pool: BufferPool,
    reader: Reader,
    offsets: Vec<u64>,
    block: usize,
    /// Reads that came whole, and the first failure.
    whole: usize,
    failure: Option<Failure>,
}

const READS: u64 = 256;

impl Random {
    fn set_up(block: &ByteSize) -> Result<Self, Failure> {
        let payload = Payload::seeded(SEED, ByteSize::mib(16));
        let source: Arc<dyn Source> = Arc::new(MemorySource::new(&payload));
        let chunk = FILE_CHUNK.max(class_for(*block));
        let limit = ByteSize::new(chunk.bytes() * 4);
        let class = class_for(*block);
        let pool = BufferPool::builder(limit).class(class).class(chunk).build()?;
        let config = PrefetchConfig { chunk, policy: Policy::Adaptive { most: DEPTH } };
        let prefetcher = Prefetcher::new(Arc::clone(&source), pool.clone(), config)?;
        // An odd step visits every block of a power of two once, in no order.
        let blocks = payload.size.bytes() / block.bytes().max(1);
        if blocks < 2 {
            return Err(format!("blocks of {block} are too large to read at random").into());
        }
        let offsets = (0..READS).map(|n| (n * 7919 + 5) % blocks * block.bytes()).collect();
        let reader = prefetcher.reader();
        let block = block.len();
        Ok(Self { payload, source, pool, reader, offsets, block, whole: 0, failure: None })
    }

    fn read_through_handle(&mut self) {
        self.whole = 0;
        for &offset in &self.offsets {
            match self.reader.read_at(offset, self.block) {
                Ok(bytes) => self.whole += usize::from(self.is_right(offset, &bytes)),
                Err(error) => self.failure = Some(error.into()),
            }
        }
    }

    fn read_plainly(&mut self) {
        self.whole = 0;
        for &offset in &self.offsets {
            let read = self.pool.try_acquire(ByteSize::new(self.block as u64)).map_err(Error::from);
            match read {
                Ok(mut buffer) => {
                    let read = self.source.read_at(offset, self.block, &mut buffer);
                    let bytes = buffer.freeze();
                    let right = read.is_ok() && self.is_right(offset, &bytes);
                    self.whole += usize::from(right);
                }
                Err(error) => self.failure = Some(error.into()),
            }
        }
    }

    /// The whole block, by its length and first byte: more would outweigh what is measured.
    fn is_right(&self, offset: u64, bytes: &[u8]) -> bool {
        bytes.len() == self.block && bytes[0] == self.payload.byte_at(offset)
    }

    fn check(&mut self) -> Result<(), Failure> {
        if let Some(failure) = self.failure.take() {
            return Err(failure);
        }
        let whole = std::mem::take(&mut self.whole);
        if whole != self.offsets.len() {
            return Err(format!("{whole} of {} reads were right", self.offsets.len()).into());
        }
        let issued = self.reader.stats().issued;
        if issued > 0 {
            return Err(format!("{issued} chunks were fetched ahead of random reads").into());
        }
        Ok(())
    }
}

/// A public workload around [`Random`].
macro_rules! random {
    ($(#[$doc:meta])* $workload:ident, $name:literal, $read:ident) => {
        $(#[$doc])*
        #[derive(Debug)]
        pub struct $workload(Random);

        impl Workload for $workload {
            const NAME: &'static str = $name;
            type Parameter = ByteSize;

            fn set_up(block: &ByteSize) -> Result<Self, Failure> {
                Random::set_up(block).map(Self)
            }
            fn bytes(&self) -> Option<ByteSize> {
                Some(ByteSize::new(READS * self.0.block as u64))
            }
            fn prepare(&mut self) -> Result<(), Failure> {
                self.0.whole = 0;
                Ok(())
            }
            fn run(&mut self) {
                self.0.$read();
            }
            fn check(&mut self) -> Result<(), Failure> {
                self.0.check()
            }
            fn dimensions(&self) -> Vec<(&'static str, String)> {
                vec![("backend", self.0.source.backend()), ("reads", READS.to_string())]
            }
        }
    };
}

random! {
    /// Random reads through a handle: `prefetch/random/4KiB`.
    RandomReads, "prefetch/random", read_through_handle
}
random! {
    /// The same reads straight from the source: `prefetch/random_plain/4KiB`.
    PlainRandomReads, "prefetch/random_plain", read_plainly
}

/// What is done to each of some chunks, without any I/O.
pub trait ToChunks {
    /// The workload's.
    const NAME: &'static str;

    /// Does it to so many chunks, and tells for how many it came out right.
    fn run(chunks: u64) -> u64;
}

/// Something done to so many chunks as a workload.
#[derive(Debug)]
pub struct Chunks<O> {
    chunks: u64,
    right: u64,
    operation: PhantomData<O>,
}

/// The planner's decisions for this many chunks, one in eight of them late: `prefetch/plan/1000`.
pub type Plan = Chunks<Planned>;
/// This many chunks through the exchange between reader and worker, both on one thread:
/// `prefetch/exchange/1000`.
pub type Exchanges = Chunks<Exchanged>;

/// The operation of [`Plan`].
#[derive(Debug)]
pub struct Planned;
/// The operation of [`Exchanges`].
#[derive(Debug)]
pub struct Exchanged;

impl ToChunks for Planned {
    const NAME: &'static str = "prefetch/plan";

    fn run(chunks: u64) -> u64 {
        let mut planner = Planner::new(Policy::Adaptive { most: DEPTH }, chunks, false);
        let mut issued = 0;
        for chunk in 0..chunks {
            if chunk % 8 == 0 {
                planner.late();
            }
            for _ in planner.wanted() {
                planner.issued();
                issued += 1;
            }
            planner.delivered(Duration::from_micros(5_000 + chunk % 7 * 100));
            planner.worked(Duration::from_micros(2_450));
        }
        if issued == chunks { planner.next() } else { 0 }
    }
}

impl ToChunks for Exchanged {
    const NAME: &'static str = "prefetch/exchange";

    fn run(chunks: u64) -> u64 {
        let exchange: Exchange<u64, u64> = Exchange::default();
        let mut right = 0;
        for chunk in 0..chunks {
            exchange.issue(chunk, chunk);
            if let Some(empty) = exchange.start(chunk) {
                exchange.finish(chunk, empty + 1);
            }
            right += u64::from(exchange.take(chunk) == Taken::Fetched(chunk + 1));
        }
        right
    }
}

impl<O: ToChunks> Workload for Chunks<O> {
    const NAME: &'static str = O::NAME;
    type Parameter = u64;

    fn set_up(chunks: &u64) -> Result<Self, Failure> {
        Ok(Self { chunks: *chunks, right: 0, operation: PhantomData })
    }

    fn prepare(&mut self) -> Result<(), Failure> {
        self.right = 0;
        Ok(())
    }

    fn run(&mut self) {
        self.right = O::run(self.chunks);
    }

    fn check(&mut self) -> Result<(), Failure> {
        match std::mem::take(&mut self.right) {
            right if right == self.chunks => Ok(()),
            right => Err(format!("only {right} of {} chunks came out right", self.chunks).into()),
        }
    }
}
