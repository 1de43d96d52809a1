//! Which blocks are touched in which order.
//!
//! Random offsets are whole multiples of the block, each of them as likely as any other at every
//! step, whatever came before: a random word by the number of the step, brought into the range
//! ([`Stream::below`]), whose bias is below one in 2^40 for any file here. Blocks repeat, and some
//! are never touched; fio, which touches each block once, calls this `norandommap`.

use bench_core::fixture::Stream;
use bench_core::units::ByteSize;

use super::cell::Pattern;

/// One read or write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step {
    /// Where it begins.
    pub offset: u64,
    /// How many bytes.
    pub length: usize,
}

/// The steps of one pass over a file: as many bytes as it has, rounded down to whole blocks where
/// they are random.
pub fn steps(pattern: Pattern, size: ByteSize, block: ByteSize, seed: u64) -> Vec<Step> {
    let (size, block) = (size.bytes(), block.bytes());
    let at = |offset: u64| {
        let length = ByteSize::new(block.min(size - offset)).len();
        Step { offset, length }
    };
    match pattern {
        Pattern::Sequential => (0..size.div_ceil(block)).map(|n| at(n * block)).collect(),
        Pattern::Random => {
            let (blocks, stream) = (size / block, Stream::seeded(seed));
            (0..blocks).map(|n| at(stream.below(n, blocks) * block)).collect()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BLOCK: ByteSize = ByteSize::kib(4);
    const CELLS: usize = 256;

    /// Pearson's statistic of these cells against all being equally likely.
    fn chi_square(cells: impl IntoIterator<Item = usize>) -> f64 {
        let mut counts = [0_u32; CELLS];
        let mut total = 0;
        for cell in cells {
            counts[cell] += 1;
            total += 1;
        }
        let expected = f64::from(total) / CELLS as f64;
        counts.iter().map(|&count| (f64::from(count) - expected).powi(2) / expected).sum()
    }

    /// Between the 0.05 % and the 99.95 % point of chi-square with 255 degrees of freedom (by the
    /// approximation of Wilson and Hilferty): more even than chance is no chance either.
    fn plausible(statistic: f64) -> bool {
        (186.0..336.0).contains(&statistic)
    }

    fn blocks_of(steps: &[Step]) -> Vec<usize> {
        steps.iter().map(|step| (step.offset / BLOCK.bytes()) as usize).collect()
    }

    /// Which cell each block is in, and which cell the way from one block to the next is in.
    fn statistics(blocks: &[usize], all: usize) -> (f64, f64) {
        let place = chi_square(blocks.iter().map(|block| block * CELLS / all));
        let way =
            chi_square(blocks.windows(2).map(|pair| (pair[1] + all - pair[0]) % all * CELLS / all));
        (place, way)
    }

    #[test]
    fn random_offsets_are_aligned_uniform_and_independent() {
        let all = 100_000;
        let size = ByteSize::new(all as u64 * BLOCK.bytes());
        for seed in [42, 1, 2, 3] {
            let steps = steps(Pattern::Random, size, BLOCK, seed);
            assert_eq!(steps.len(), all);
            assert!(steps.iter().all(|step| {
                step.offset % BLOCK.bytes() == 0
                    && step.offset + BLOCK.bytes() <= size.bytes()
                    && step.length == BLOCK.len()
            }));
            let (place, way) = statistics(&blocks_of(&steps), all);
            assert!(plausible(place), "seed {seed}: places {place}");
            assert!(plausible(way), "seed {seed}: ways {way}");
        }
    }

    #[test]
    fn steps_of_thirteen_and_a_sequence_are_not_taken_for_random() {
        let all = 100_000;
        for stride in [1, 13, 7919] {
            let blocks: Vec<usize> = (0..all).map(|n| n * stride % all).collect();
            let (place, way) = statistics(&blocks, all);
            assert!(!plausible(place) || !plausible(way), "stride {stride}: {place}, {way}");
            assert!(!plausible(way));
        }
    }

    #[test]
    fn the_same_seed_gives_the_same_steps() {
        let draw = |seed| steps(Pattern::Random, ByteSize::mib(1), BLOCK, seed);
        assert_eq!(draw(5), draw(5));
        assert_ne!(draw(5), draw(6));
    }

    #[test]
    fn a_sequence_covers_the_file_and_its_last_block_may_be_short() {
        let steps = steps(Pattern::Sequential, ByteSize::new(10_000), BLOCK, 0);
        let expected = [(0, 4096), (4096, 4096), (8192, 1808)];
        assert_eq!(steps, expected.map(|(offset, length)| Step { offset, length }));
    }
}
