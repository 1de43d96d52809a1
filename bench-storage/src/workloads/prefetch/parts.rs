//! The parts of fetching ahead on one thread, whose instructions can be counted.

use std::marker::PhantomData;
use std::sync::Arc;
use std::time::Duration;

use bench_core::fixture::Payload;
use bench_core::units::ByteSize;
use bench_core::workload::{Failure, Workload};

use super::{DEPTH, SEED, Streamed, pool_of, verify};
use crate::prefetch::exchange::{Exchange, Taken};
use crate::prefetch::planner::Planner;
use crate::prefetch::{Policy, PrefetchConfig, Prefetcher};
use crate::source::MemorySource;

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
