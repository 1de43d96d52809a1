//! Reads at any offset, of which those in order are fetched ahead.

use bench_core::fixture::{PooledBuf, PooledBytes};
use bench_core::units::ByteSize;
use bytes::BufMut;

use super::crew::Extent;
use super::detector::Detector;
use super::stats::PrefetchStats;
use super::window::Window;
use crate::error::Error;

/// A handle that reads a source at any offset. As long as reads are in order they are served from
/// chunks fetched ahead, without a copy where they lie in one chunk; a jump gives those up, and
/// from then on exactly what is asked for is read, until two reads in a row are in order again.
///
/// Each handle judges its own reads: any number of them may read one source.
#[derive(Debug)]
pub struct Reader {
    window: Window,
    detector: Detector,
    /// The chunk that the last read was served from.
    at_hand: Option<(u64, PooledBytes)>,
}

impl Reader {
    pub(super) fn new(window: Window) -> Self {
        Self { window, detector: Detector::default(), at_hand: None }
    }

    /// What was done for this reader so far.
    pub fn stats(&self) -> PrefetchStats {
        self.window.stats()
    }

    /// Chunks that were fetched, or are under way, and were not delivered.
    pub fn outstanding(&self) -> usize {
        self.window.outstanding()
    }

    /// The bytes from `offset` on, as many as were asked for or fewer at the end of the source; at
    /// the end or beyond it none.
    ///
    /// # Errors
    /// What reading failed with; [`Error::Truncated`] when the source got shorter since it was
    /// opened; [`Error::Buffer`] when the pool cannot hold what was asked for. The next read starts
    /// afresh.
    pub fn read_at(&mut self, offset: u64, length: usize) -> Result<PooledBytes, Error> {
        let chunks = self.window.chunks();
        let end = offset.saturating_add(length as u64).min(chunks.end);
        if offset >= end {
            return Ok(self.window.demand(0)?.freeze());
        }
        let length = ByteSize::new(end - offset).len();
        let in_order = self.detector.in_order(offset, length as u64);
        let (first, last) = (chunks.of(offset), chunks.of(end - 1));
        if let Some(bytes) = self.slice_at_hand(first, last, offset, length) {
            return Ok(bytes);
        }
        let ahead = self.window.planner().window();
        let goes_on = in_order && self.window.planner().depth() > 0;
        if !goes_on && !ahead.contains(&first) {
            self.at_hand = None;
            if !ahead.is_empty() {
                self.window.seek(last + 1);
            }
            let extent = Extent { number: first, offset, length };
            let read = match in_order {
                true => self.window.read_in_order(extent),
                false => self.window.read_at_random(extent),
            };
            return read.map(PooledBuf::freeze);
        }
        self.gather(first, last, offset, length).inspect_err(|_| {
            self.at_hand = None;
            self.window.seek(first);
        })
    }

    /// A slice of the chunk at hand, where all of the read lies in it.
    fn slice_at_hand(
        &self,
        first: u64,
        last: u64,
        offset: u64,
        length: usize,
    ) -> Option<PooledBytes> {
        let (number, bytes) = self.at_hand.as_ref()?;
        if (first, last) != (*number, *number) {
            return None;
        }
        let start = offset - self.window.chunks().extent(first).offset;
        let start = usize::try_from(start).expect("less than a chunk");
        (start + length <= bytes.len()).then(|| bytes.slice(start..start + length))
    }

    fn gather(
        &mut self,
        first: u64,
        last: u64,
        offset: u64,
        length: usize,
    ) -> Result<PooledBytes, Error> {
        if first == last {
            self.bring(first)?;
            return Ok(self.slice_at_hand(first, last, offset, length).expect("a whole chunk"));
        }
        let mut whole = self.window.demand(length)?;
        for number in first..=last {
            self.bring(number)?;
            let from = offset.max(self.window.chunks().extent(number).offset);
            let extent = self.window.chunks().extent(number);
            let to = (offset + length as u64).min(extent.offset + extent.length as u64);
            let part = ByteSize::new(to - from).len();
            let bytes = self.slice_at_hand(number, number, from, part).expect("a whole chunk");
            whole.put_slice(&bytes);
        }
        Ok(whole.freeze())
    }

    /// Takes this chunk to hand.
    fn bring(&mut self, number: u64) -> Result<(), Error> {
        if self.at_hand.as_ref().is_some_and(|(at_hand, _)| *at_hand == number) {
            return Ok(());
        }
        // Its memory may be needed for the next one.
        self.at_hand = None;
        self.window.go_to(number);
        self.at_hand = Some((number, self.window.take_next()?.freeze()));
        Ok(())
    }
}
