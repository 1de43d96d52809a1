//! Whether one reader reads in order. Each handle has its own: two readers of one file, each in
//! order, are two sequences and not one random one.

/// Reads in order before anything is fetched ahead.
const HITS: u32 = 2;

/// What the last reads of one handle looked like.
#[derive(Clone, Copy, Debug, Default)]
pub struct Detector {
    /// Where a read in order would begin.
    end: u64,
    hits: u32,
}

impl Detector {
    /// Takes the next read in, and says whether the handle reads in order: this read and the one
    /// before it each began where the last one ended. The first read of a handle begins in order at
    /// 0 and nowhere else.
    pub fn in_order(&mut self, offset: u64, length: u64) -> bool {
        self.hits = if offset == self.end { self.hits.saturating_add(1) } else { 0 };
        self.end = offset.saturating_add(length);
        self.hits >= HITS
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_hits_make_an_order_and_a_jump_ends_it() {
        let mut detector = Detector::default();
        let reads = [
            (0, 10, false),
            (10, 10, true),
            (20, 5, true),
            (26, 5, false), // A gap of one byte.
            (31, 5, false),
            (36, 5, true),
            (0, 5, false),
            (5, 5, false),
            (10, 5, true),
            (10, 5, false), // The same again.
        ];
        for (offset, length, expected) in reads {
            assert_eq!(detector.in_order(offset, length), expected, "{length} from {offset}");
        }
    }

    #[test]
    fn steps_of_thirteen_bytes_are_no_order() {
        let mut detector = Detector::default();
        let random = (1..1000).map(|n| detector.in_order(n * 13, 4096)).filter(|&order| order);
        assert_eq!(random.count(), 0);
    }

    #[test]
    fn each_handle_is_judged_by_its_own_reads() {
        let (mut one, mut other) = (Detector::default(), Detector::default());
        for n in 0..100 {
            let in_order = one.in_order(n * 100, 100);
            let also = other.in_order(1_000_000 - n * 100, 100);
            assert_eq!((in_order, also), (n >= 1, false));
        }
    }
}
