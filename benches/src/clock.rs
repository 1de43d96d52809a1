//! A clock that stands while what was read is looked at.

use std::time::{Duration, Instant};

use bench_core::fixture::Payload;
use bench_core::workload::Failure;

/// How much of each end of a buffer is compared with what it was read from.
const END: usize = 4096;

/// Measures reads of this content, and stands while what they brought is compared with it.
#[derive(Debug)]
pub(crate) struct Clock {
    payload: Payload,
    started: Instant,
    spent: Duration,
}

impl Clock {
    /// A clock that runs.
    pub(crate) fn start(payload: Payload) -> Self {
        Self { payload, started: Instant::now(), spent: Duration::ZERO }
    }

    /// Whether both ends of the buffer are those of the content from this offset on.
    ///
    /// # Errors
    /// Where they are not.
    pub(crate) fn look(&mut self, offset: u64, buffer: &[u8]) -> Result<(), Failure> {
        self.spent += self.started.elapsed();
        let end = END.min(buffer.len());
        let last = buffer.len() - end;
        self.payload.verify(offset, &buffer[..end])?;
        self.payload.verify(offset + last as u64, &buffer[last..])?;
        self.started = Instant::now();
        Ok(())
    }

    /// What it measured.
    pub(crate) fn stop(self) -> Duration {
        self.spent + self.started.elapsed()
    }
}

#[cfg(test)]
mod tests {
    use bench_core::units::ByteSize;

    use super::*;

    #[test]
    fn a_wrong_byte_at_either_end_of_any_buffer_is_caught() {
        let payload = Payload::seeded(42, ByteSize::kib(64));
        let content = payload.to_bytes();
        let mut clock = Clock::start(payload);
        clock.look(32 << 10, &content[32 << 10..]).expect("as it is");
        clock.look(100, &content[100..101]).expect("shorter than an end");
        for at in [0, END - 1, (32 << 10) - END, (32 << 10) - 1] {
            let mut buffer = content[32 << 10..].to_vec();
            buffer[at] ^= 1;
            clock.look(32 << 10, &buffer).expect_err("a flipped bit");
        }
        clock.look(0, &content[32 << 10..]).expect_err("another place");
    }
}
