//! Which object is read next, by Zipf's law: the n-th most popular of them `n^-s` times as often as the
//! first. The same seed gives the same sequence to every arm.

use bench_core::fixture::Stream;

/// A sequence of reads without end.
#[derive(Clone, Debug)]
pub struct Popular {
    stream: Stream,
    /// The share of the reads that go to this object or one before it.
    shares: Vec<f64>,
}

impl Popular {
    /// Reads of this many objects, of which the first is the most popular; `exponent` 0 reads all
    /// alike.
    pub fn new(seed: u64, objects: u64, exponent: f64) -> Self {
        let mut sum = 0.0;
        let sums = (1..=objects).map(|rank| {
            sum += (rank as f64).powf(-exponent);
            sum
        });
        let sums: Vec<f64> = sums.collect();
        Self { stream: Stream::seeded(seed), shares: sums.iter().map(|part| part / sum).collect() }
    }

    /// The object of this read.
    pub fn object(&self, read: u64) -> u64 {
        let draw = self.stream.unit(read);
        let rank = self.shares.partition_point(|share| *share <= draw);
        rank.min(self.shares.len().saturating_sub(1)) as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const READS: u64 = 100_000;

    /// How often each of four objects is read.
    fn shares(exponent: f64) -> [f64; 4] {
        let popular = Popular::new(1, 4, exponent);
        let mut counts = [0.0; 4];
        (0..READS).for_each(|read| counts[popular.object(read) as usize] += 1.0);
        counts.map(|count| count / READS as f64)
    }

    #[test]
    fn reads_are_spread_as_the_law_says() {
        // With an exponent of 1 as 1 : 1/2 : 1/3 : 1/4, whose sum is 25/12; three standard errors of
        // a share of 100000 are below 0.005.
        let law = [12.0 / 25.0, 6.0 / 25.0, 4.0 / 25.0, 3.0 / 25.0];
        for (found, expected) in shares(1.0).iter().zip(law) {
            assert!((found - expected).abs() < 0.005, "{found} {expected}");
        }
        assert!(shares(0.0).iter().all(|share| (share - 0.25).abs() < 0.005));
    }

    #[test]
    fn a_sequence_depends_on_the_seed_alone() {
        let first = |seed| -> Vec<u64> {
            (0..100).map(|read| Popular::new(seed, 1000, 0.9).object(read)).collect()
        };
        assert_eq!(first(1), first(1));
        assert_ne!(first(1), first(2));
    }
}
