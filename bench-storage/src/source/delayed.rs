//! A source behind a wait: a disk far away, an object store.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bench_core::fixture::{PooledBuf, Stream};
use bench_core::units::ByteSize;

use super::Source;
use crate::clock::Clock;

/// How long reads take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DelayConfig {
    /// Every read waits this long before its first byte; reads wait side by side.
    pub latency: Duration,
    /// Up to this much is added to the latency, uniformly, by seed and offset: the same read waits
    /// the same time in every run.
    pub jitter: Duration,
    /// All reads share a pipe that passes this many bytes a second, one read after the other;
    /// `None` for a pipe without limit.
    pub bytes_per_second: Option<u64>,
    /// What the jitter is drawn by.
    pub seed: u64,
}

impl DelayConfig {
    /// A wait and nothing else.
    pub const fn latency(latency: Duration) -> Self {
        Self { latency, jitter: Duration::ZERO, bytes_per_second: None, seed: 0 }
    }

    /// The wait of a read from this offset before its bytes enter the pipe.
    pub fn wait(&self, offset: u64) -> Duration {
        let share = Stream::seeded(self.seed).unit(offset);
        self.latency + self.jitter.mul_f64(share)
    }

    fn transfer(&self, bytes: usize) -> Duration {
        match self.bytes_per_second {
            Some(rate) if rate > 0 => Duration::from_secs_f64(bytes as f64 / rate as f64),
            _ => Duration::ZERO,
        }
    }
}

/// The wait of everything that shares one way there and back.
#[derive(Debug)]
pub(crate) struct Delay {
    config: DelayConfig,
    clock: Arc<dyn Clock>,
    /// When the pipe has passed all that entered it.
    free_at: Mutex<Duration>,
}

impl Delay {
    pub(crate) fn new(config: DelayConfig, clock: Arc<dyn Clock>) -> Self {
        Self { config, clock, free_at: Mutex::default() }
    }

    /// Waits until the first byte is here, and says when that was.
    pub(crate) fn first_byte(&self, offset: u64) -> Duration {
        let first_byte = self.clock.now() + self.config.wait(offset);
        self.clock.sleep_until(first_byte);
        first_byte
    }

    /// Waits until bytes that enter the pipe at `moment` are through it.
    pub(crate) fn last_byte(&self, moment: Duration, bytes: usize) {
        if self.config.bytes_per_second.is_some() {
            self.clock.sleep_until(self.through_pipe(moment, bytes));
        }
    }

    /// When bytes that enter the pipe at `moment` are through it.
    fn through_pipe(&self, moment: Duration, bytes: usize) -> Duration {
        let mut free_at = self.free_at.lock().unwrap_or_else(PoisonError::into_inner);
        *free_at = moment.max(*free_at) + self.config.transfer(bytes);
        *free_at
    }
}

/// Another source, later: a read first waits its latency, then reads, then waits until its bytes
/// would be through the pipe. A clock that only sleeping moves makes the wait virtual.
///
/// Unlike a network it has no packets, no loss and no slow start, and its reads enter the pipe in
/// the order in which their latency is over. What the source below takes comes on top.
#[derive(Debug)]
pub struct Delayed<S> {
    source: S,
    delay: Delay,
}

impl<S: Source> Delayed<S> {
    /// Delays the reads of `source` on this clock.
    pub fn new(source: S, config: DelayConfig, clock: Arc<dyn Clock>) -> Self {
        Self { source, delay: Delay::new(config, clock) }
    }
}

impl<S: Source> Source for Delayed<S> {
    fn size(&self) -> ByteSize {
        self.source.size()
    }

    fn read_at(&self, offset: u64, length: usize, into: &mut PooledBuf) -> io::Result<usize> {
        let first_byte = self.delay.first_byte(offset);
        let read = self.source.read_at(offset, length, into)?;
        self.delay.last_byte(first_byte, read);
        Ok(read)
    }

    fn alignment(&self) -> usize {
        self.source.alignment()
    }

    fn backend(&self) -> String {
        format!("delayed {}", self.source.backend())
    }
}

#[cfg(test)]
mod tests {
    use bench_core::fixture::{BufferPool, Payload};

    use super::*;
    use crate::clock::VirtualClock;
    use crate::source::MemorySource;

    const MS: Duration = Duration::from_millis(1);

    /// The virtual time that reads of 1 MB from these offsets take one after the other.
    fn time(config: DelayConfig, offsets: &[u64]) -> Duration {
        let payload = Payload::seeded(1, ByteSize::new(4_000_000));
        let clock = Arc::new(VirtualClock::default());
        let source = Delayed::new(MemorySource::new(&payload), config, clock.clone());
        let pool = BufferPool::with_limit(ByteSize::mib(4)).expect("a pool");
        for &offset in offsets {
            let mut buffer = pool.try_acquire(ByteSize::new(1_000_000)).expect("room");
            let read = source.read_at(offset, 1_000_000, &mut buffer).expect("read");
            payload.verify(offset, &buffer).expect("content");
            assert_eq!(read, 1_000_000);
        }
        clock.now()
    }

    #[test]
    fn latency_and_bandwidth_add_up_exactly() {
        let latency = DelayConfig::latency(5 * MS);
        assert_eq!(time(latency, &[0, 1_000_000, 7]), 15 * MS);
        // 1 MB at 100 MB/s is 10 ms, after a latency of 5 ms each.
        let slow = DelayConfig { bytes_per_second: Some(100_000_000), ..latency };
        assert_eq!(time(slow, &[0, 1_000_000]), 30 * MS);
    }

    #[test]
    fn jitter_depends_on_seed_and_offset_alone_and_stays_below_its_bound() {
        let config = |seed| DelayConfig { jitter: 4 * MS, seed, ..DelayConfig::latency(MS) };
        let waits: Vec<Duration> = (0..1000).map(|offset| config(7).wait(offset)).collect();
        assert_eq!(waits, (0..1000).map(|offset| config(7).wait(offset)).collect::<Vec<_>>());
        assert_ne!(waits[0], config(8).wait(0));
        assert!(waits.iter().all(|wait| (MS..5 * MS).contains(wait)));
        // The mean of 1000 uniform waits in 1..5 ms is 3 ms; 5 standard errors are 0.18 ms.
        let mean = waits.iter().sum::<Duration>() / 1000;
        assert!(mean.abs_diff(3 * MS) < MS * 18 / 100, "{mean:?}");
    }

    #[test]
    fn reads_at_once_share_the_pipe() {
        let config = DelayConfig { bytes_per_second: Some(1_000_000), ..DelayConfig::latency(MS) };
        let delay = Delay::new(config, Arc::new(VirtualClock::default()));
        // Both enter at 1 ms; the second has to wait until the first one's 4 ms are over.
        assert_eq!(delay.through_pipe(MS, 4000), 5 * MS);
        assert_eq!(delay.through_pipe(MS, 4000), 9 * MS);
        assert_eq!(delay.through_pipe(20 * MS, 1000), 21 * MS);
    }
}
