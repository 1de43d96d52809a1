//! What fetching ahead costs, and what it gains: its parts on one thread, whose instructions can be
//! counted, and streams over real threads, whose time can be measured.

mod parts;
mod random;
mod streams;

use bench_core::fixture::{BufferPool, Payload, PooledBuf};
use bench_core::units::ByteSize;
use bench_core::workload::Failure;

use crate::error::Error;
use crate::prefetch::Prefetcher;

pub use self::parts::{Exchanges, InPlace, Plan};
pub use self::random::{PlainRandomReads, READS, Random, RandomReads};
pub use self::streams::{ColdCell, ColdSource, ColdStream, DelayedCell, DelayedStream, PolicyName};

const SEED: u64 = 42;
/// What is read of a file at once.
const FILE_CHUNK: ByteSize = ByteSize::mib(1);
/// The most chunks ahead.
const DEPTH: u32 = 4;

fn pool_of(chunk: ByteSize, buffers: u64) -> Result<BufferPool, Error> {
    let pool = BufferPool::builder(ByteSize::new(chunk.bytes() * buffers)).class(chunk).build();
    pool.map_err(|error| Error::InvalidPrefetch(error.to_string()))
}

/// What a stream brought: how much, and its last chunk.
#[derive(Debug, Default)]
struct Streamed {
    bytes: u64,
    last: Option<PooledBuf>,
    failure: Option<Error>,
}

impl Streamed {
    fn of(prefetcher: &Prefetcher) -> Self {
        let mut this = Self::default();
        for chunk in prefetcher.stream(..) {
            match chunk {
                Ok(chunk) => {
                    this.bytes += chunk.len() as u64;
                    this.last = Some(chunk);
                }
                Err(error) => this.failure = Some(error),
            }
        }
        this
    }

    /// Whether all came, and the last bytes are the right ones.
    fn check(&mut self, payload: &Payload) -> Result<(), Failure> {
        let Self { bytes, last, failure } = std::mem::take(self);
        if let Some(error) = failure {
            return Err(error.into());
        }
        let expected = payload.size.bytes();
        let Some(last) = last.filter(|_| bytes == expected) else {
            return Err(format!("{bytes} of {expected} bytes came").into());
        };
        Ok(payload.verify(expected - last.len() as u64, &last)?)
    }
}

/// Every chunk compared, outside the clock.
fn verify(prefetcher: &Prefetcher, payload: &Payload) -> Result<(), Failure> {
    let mut offset = 0;
    for chunk in prefetcher.stream(..) {
        let chunk = chunk?;
        payload.verify(offset, &chunk)?;
        offset += chunk.len() as u64;
    }
    if offset == payload.size.bytes() { Ok(()) } else { Err("the stream ended early".into()) }
}

#[cfg(test)]
mod tests {
    use bench_core::workload::{conforms, id};

    use super::*;

    #[test]
    fn every_workload_conforms() {
        conforms::<InPlace>(&ByteSize::kib(200)).expect("in place");
        conforms::<RandomReads>(&ByteSize::kib(4)).expect("random");
        conforms::<PlainRandomReads>(&ByteSize::kib(4)).expect("plain");
        conforms::<Plan>(&100).expect("plan");
        conforms::<Exchanges>(&100).expect("exchange");
        conforms::<DelayedStream>(&"adaptive4/1ms/6".parse().expect("a cell")).expect("delayed");
        for text in ["buffered/adaptive4/3MiB", "direct/fixed2/3MiB", "buffered/off/3MiB"] {
            let cell: ColdCell = text.parse().expect(text);
            assert_eq!(id::<ColdStream>(&cell), format!("prefetch/cold/{text}"));
            match conforms::<ColdStream>(&cell) {
                Ok(()) => {}
                Err(failure) => {
                    let error = failure.downcast_ref();
                    let lacks = matches!(
                        error,
                        Some(Error::NoDirect { .. } | Error::StayedResident { .. })
                    );
                    assert!(lacks, "{text}: {failure}");
                }
            }
        }
    }

    #[test]
    fn what_is_no_cell_is_refused() {
        for text in ["buffered/adaptive/1MiB", "tape/off/1MiB", "buffered/fixed0/1MiB", "off"] {
            text.parse::<ColdCell>().expect_err(text);
        }
        for text in ["off/5/3", "off/5ms/0", "adaptive65/5ms/3"] {
            text.parse::<DelayedCell>().expect_err(text);
        }
        let refused = <RandomReads as bench_core::workload::Workload>::set_up(&ByteSize::mib(16));
        assert!(refused.expect_err("one block").to_string().contains("too large"));
        let refused = <RandomReads as bench_core::workload::Workload>::set_up(&ByteSize::new(0));
        assert!(refused.expect_err("no block").to_string().contains("of 0 bytes"));
    }
}
