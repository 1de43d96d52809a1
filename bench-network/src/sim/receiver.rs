//! The receiving half of a host: what has arrived, and what it tells the sender of it.

use super::SEGMENT_BYTES;

/// As Linux: the first segments of a connection are acknowledged at once.
const QUICK_SEGMENTS: u32 = 16;
/// As many blocks as fit the header beside time stamps (RFC 2018).
pub(super) const BLOCKS: usize = 3;

/// Ranges of the stream that arrived out of order, the last one first.
pub(super) type Blocks = [Option<(u64, u64)>; BLOCKS];

/// What arrived.
#[derive(Clone, Debug, Default)]
pub(super) struct Receiver {
    /// Everything before this.
    next: u64,
    /// And these ranges, that which grew last first; they neither touch nor overlap.
    beyond: Vec<(u64, u64)>,
    segments: u32,
    /// Bytes that no acknowledgement told of yet.
    untold_bytes: u64,
}

/// When to acknowledge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Acknowledge {
    Now,
    Later,
}

impl Receiver {
    /// A segment of `bytes` that begins at `from`.
    pub(super) fn receive(&mut self, from: u64, bytes: u32) -> Acknowledge {
        let to = from + u64::from(bytes);
        self.segments += 1;
        let in_order = from <= self.next && to > self.next;
        let fills_a_gap = in_order && !self.beyond.is_empty();
        if in_order {
            self.untold_bytes += to - self.next;
            self.next = to;
            self.take_up();
        } else if from > self.next {
            self.keep(from, to);
        }
        let quick = self.segments <= QUICK_SEGMENTS;
        let enough = self.untold_bytes >= 2 * u64::from(SEGMENT_BYTES);
        if quick || enough || fills_a_gap || !in_order {
            Acknowledge::Now
        } else {
            Acknowledge::Later
        }
    }

    /// All before this has arrived.
    pub(super) fn next(&self) -> u64 {
        self.next
    }

    /// What an acknowledgement says; it is on its way then.
    pub(super) fn tell(&mut self) -> (u64, Blocks) {
        self.untold_bytes = 0;
        let mut blocks = [None; BLOCKS];
        for (block, &range) in blocks.iter_mut().zip(&self.beyond) {
            *block = Some(range);
        }
        (self.next, blocks)
    }

    /// Puts a range before all others, together with those it touches.
    fn keep(&mut self, mut from: u64, mut to: u64) {
        self.beyond.retain(|&(start, end)| {
            let apart = end < from || to < start;
            if !apart {
                (from, to) = (from.min(start), to.max(end));
            }
            apart
        });
        self.beyond.insert(0, (from, to));
    }

    /// Takes up ranges that are no longer beyond a gap.
    fn take_up(&mut self) {
        while let Some(place) = self.beyond.iter().position(|&(start, _)| start <= self.next) {
            let (_, end) = self.beyond.remove(place);
            self.untold_bytes += end.saturating_sub(self.next);
            self.next = self.next.max(end);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn every_second_segment_is_acknowledged_and_the_first_sixteen_at_once() {
        let mut receiver = Receiver::default();
        let mut receive = |number: u64| {
            let when = receiver.receive(number * u64::from(SEGMENT_BYTES), SEGMENT_BYTES);
            if when == Acknowledge::Now {
                receiver.tell();
            }
            when
        };
        assert!((0..16).all(|number| receive(number) == Acknowledge::Now));
        let later: Vec<bool> =
            (16..20).map(|number| receive(number) == Acknowledge::Later).collect();
        assert_eq!(later, [true, false, true, false]);
        assert_eq!(receive(3), Acknowledge::Now, "a duplicate");
        assert_eq!(receive(22), Acknowledge::Now, "beyond a gap");
        assert_eq!(receive(20), Acknowledge::Now, "fills a part of the gap");
    }

    #[test]
    fn what_is_beyond_a_gap_is_told_with_the_last_first() {
        let mut receiver = Receiver::default();
        for from in [10, 30, 50, 70, 20] {
            receiver.receive(from, 10);
        }
        let (next, blocks) = receiver.tell();
        assert_eq!((next, blocks), (0, [Some((10, 40)), Some((70, 80)), Some((50, 60))]));
        receiver.receive(0, 10);
        assert_eq!((receiver.next(), receiver.untold_bytes), (40, 40));
    }

    proptest! {
        #[test]
        fn in_whatever_order_segments_come_and_how_often_the_stream_is_whole(
            order in proptest::collection::vec(0..20_u64, 0..80)
        ) {
            let mut receiver = Receiver::default();
            for &number in order.iter().chain(&(0..20).collect::<Vec<_>>()) {
                receiver.receive(number * 7, 7);
                let mut ranges = receiver.beyond.clone();
                ranges.sort_unstable();
                prop_assert!(ranges.windows(2).all(|pair| pair[0].1 < pair[1].0));
                prop_assert!(ranges.iter().all(|&(start, _)| start > receiver.next));
            }
            prop_assert_eq!(receiver.next(), 140);
            prop_assert!(receiver.beyond.is_empty());
        }
    }
}
