//! Random reads through a handle that looks for an order in them, and without one.

use std::sync::Arc;

use bench_core::fixture::{BufferPool, Payload, PooledBytes, Stream, class_for};
use bench_core::units::ByteSize;
use bench_core::workload::{Failure, Workload};

use super::{DEPTH, FILE_CHUNK, SEED};
use crate::error::Error;
use crate::prefetch::detector::Detector;
use crate::prefetch::{Policy, PrefetchConfig, Prefetcher, Reader};
use crate::source::{MemorySource, Source};

/// 256 random reads of a block each, through a handle that looks for an order in them or straight
/// from the source. The difference is what a handle costs those who read at random.
#[derive(Debug)]
pub struct Random {
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

/// How many there are in a pass.
pub const READS: u64 = 256;

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

/// The offsets of a pass.
fn draw(pass: u64, blocks: u64, block: ByteSize) -> Vec<u64> {
    let stream = Stream::seeded(SEED);
    let numbers = pass * READS..(pass + 1) * READS;
    numbers.map(|n| stream.below(n, blocks) * block.bytes()).collect()
}

impl Random {
    fn set_up(block: &ByteSize) -> Result<Self, Failure> {
        let payload = Payload::seeded(SEED, ByteSize::mib(16));
        let chunk = FILE_CHUNK.max(class_for(*block));
        let config = PrefetchConfig { chunk, policy: Policy::Adaptive { most: DEPTH } };
        Self::over(Arc::new(MemorySource::new(&payload)), payload, *block, config)
    }

    /// Reads of a source with this content, through a handle that would fetch ahead so.
    ///
    /// # Errors
    /// Where the content has so few blocks that some of the reads follow each other, a block is of 0
    /// bytes, or no thread can be started to fetch ahead.
    pub fn over(
        source: Arc<dyn Source>,
        payload: Payload,
        block: ByteSize,
        config: PrefetchConfig,
    ) -> Result<Self, Failure> {
        if block.bytes() == 0 {
            return Err("nothing can be read in blocks of 0 bytes".into());
        }
        let limit = ByteSize::new(config.chunk.bytes() * 4);
        let pool =
            BufferPool::builder(limit).class(class_for(block)).class(config.chunk).build()?;
        let prefetcher = Prefetcher::new(Arc::clone(&source), pool.clone(), config)?;
        let blocks = payload.size.bytes() / block.bytes();
        let offsets = draw(0, blocks, block);
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

    /// Lets the next pass have the offsets of this number; the first is that of 0.
    pub fn set_pass(&mut self, number: u64) {
        let block = ByteSize::new(self.block as u64);
        self.offsets = draw(number, self.payload.size.bytes() / block.bytes(), block);
    }

    /// Makes room for what comes of the next pass.
    fn forget(&mut self) {
        self.ends.clear();
        self.last = None;
    }

    /// All reads, through the handle.
    pub fn read_through_handle(&mut self) {
        self.forget();
        for number in 0..self.offsets.len() {
            self.last = None;
            let read = self.reader.read_at(self.offsets[number], self.block);
            self.keep(read);
        }
    }

    /// All reads, straight from the source.
    pub fn read_plainly(&mut self) {
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

    /// Whether the pass brought what it was to bring, and nothing was fetched ahead for it.
    ///
    /// # Errors
    /// What a read failed with, how many of the reads were right, or how many chunks were fetched
    /// for nothing.
    pub fn check(&mut self) -> Result<(), Failure> {
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
    /// Random reads of memory through a handle: `prefetch/random/4KiB`.
    RandomReads, "prefetch/random", read_through_handle
}
random! {
    /// The same reads straight from the source: `prefetch/random_plain/4KiB`.
    PlainRandomReads, "prefetch/random_plain", read_plainly
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
