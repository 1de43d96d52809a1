//! The parts of fetching ahead on one thread, whose instructions can be counted.

use std::marker::PhantomData;
use std::sync::Arc;
use std::time::Duration;

use bench_core::fixture::{BufferPool, Payload, PooledBytes, Stream, class_for};
use bench_core::units::ByteSize;
use bench_core::workload::{Failure, Workload};

use super::{DEPTH, FILE_CHUNK, SEED, Streamed, pool_of, verify};
use crate::error::Error;
use crate::prefetch::detector::Detector;
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
    /// What came of each read, the last one whole, and the first failure.
    ends: Vec<Ends>,
    last: Option<PooledBytes>,
    failure: Option<Error>,
}

const READS: u64 = 256;

/// A block by its length and what it begins and ends with: to keep all of every block would outweigh
/// what is measured.
#[derive(Debug, PartialEq, Eq)]
struct Ends {
    length: usize,
    first: Option<u8>,
    last: Option<u8>,
}

impl Ends {
    fn of(bytes: &[u8]) -> Self {
        let (first, last) = (bytes.first().copied(), bytes.last().copied());
        Self { length: bytes.len(), first, last }
    }
}

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
        let blocks = payload.size.bytes() / block.bytes().max(1);
        let stream = Stream::seeded(SEED);
        let offsets = (0..READS).map(|n| stream.below(n, blocks) * block.bytes());
        let offsets: Vec<u64> = offsets.collect();
        // Of few blocks, some follow each other by chance.
        let mut detector = Detector::default();
        let mut again = offsets.iter().chain(&offsets);
        if blocks < 2 || again.any(|&offset| detector.in_order(offset, block.bytes())) {
            return Err(format!("blocks of {block} are too large to read at random").into());
        }
        let reader = prefetcher.reader();
        let (block, ends) = (block.len(), Vec::with_capacity(offsets.len()));
        Ok(Self { payload, source, pool, reader, offsets, block, ends, last: None, failure: None })
    }

    fn forget(&mut self) {
        self.ends.clear();
        self.last = None;
    }

    fn read_through_handle(&mut self) {
        self.forget();
        for number in 0..self.offsets.len() {
            self.last = None;
            let read = self.reader.read_at(self.offsets[number], self.block);
            self.keep(read);
        }
    }

    fn read_plainly(&mut self) {
        self.forget();
        for number in 0..self.offsets.len() {
            self.last = None;
            let read = self.read_one(self.offsets[number]);
            self.keep(read);
        }
    }

    fn read_one(&self, offset: u64) -> Result<PooledBytes, Error> {
        let mut buffer = self.pool.try_acquire(ByteSize::new(self.block as u64))?;
        let read = self.source.read_at(offset, self.block, &mut buffer);
        read.map_err(|source| Error::Chunk { number: offset / self.block as u64, offset, source })?;
        Ok(buffer.freeze())
    }

    fn keep(&mut self, read: Result<PooledBytes, Error>) {
        match read {
            Ok(bytes) => {
                self.ends.push(Ends::of(&bytes));
                self.last = Some(bytes);
            }
            Err(error) => self.failure = Some(error),
        }
    }

    fn check(&mut self) -> Result<(), Failure> {
        if let Some(failure) = self.failure.take() {
            return Err(failure.into());
        }
        let end = self.block as u64 - 1;
        let byte_at = |offset| Some(self.payload.byte_at(offset));
        let right = self.offsets.iter().zip(self.ends.drain(..)).filter(|(offset, ends)| {
            let (first, last) = (byte_at(**offset), byte_at(**offset + end));
            *ends == Ends { length: self.block, first, last }
        });
        let right = right.count();
        let (Some(offset), Some(last)) = (self.offsets.last(), self.last.take()) else {
            return Err("nothing was read".into());
        };
        if right != self.offsets.len() {
            return Err(format!("{right} of {} reads were right", self.offsets.len()).into());
        }
        self.payload.verify(*offset, &last)?;
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
                self.0.forget();
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

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn random_reads_have_no_stride_and_are_judged_by_what_they_brought() {
        let mut random = Random::set_up(&ByteSize::kib(4)).expect("a set-up");
        let size = random.payload.size.bytes();
        let way = |pair: &[u64]| (pair[1] + size - pair[0]) % size;
        let ways: BTreeSet<u64> = random.offsets.windows(2).map(way).collect();
        assert!(ways.len() > 200, "{} ways from one read to the next", ways.len());

        for read in [Random::read_through_handle, Random::read_plainly] {
            read(&mut random);
            random.check().expect("as it is");
            read(&mut random);
            random.ends[17].last = random.ends[17].last.map(|byte| byte ^ 1);
            let told = random.check().expect_err("a flipped bit").to_string();
            assert_eq!(told, "255 of 256 reads were right");
        }
    }
}
