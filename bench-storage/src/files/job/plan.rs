//! Which operation a lane does next.
//!
//! Random blocks are drawn as in [`steps`](crate::files::steps): uniformly and with repeats, what fio calls
//! `norandommap`. Where reads and writes are mixed, each operation is a read with the same
//! probability, whatever came before; in order, reads and writes each go through the file by
//! themselves, as fio's do.

use bench_core::fixture::Stream;

use super::{JobCell, Kind};
use crate::files::cell::Pattern;

/// One operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Operation {
    /// What it does.
    pub kind: Kind,
    /// Where it begins; 0 for a sync.
    pub offset: u64,
    /// How many bytes; 0 for a sync.
    pub length: usize,
}

/// The operations of a lane, one after the other.
#[derive(Clone, Debug)]
pub struct Plan {
    pattern: Pattern,
    read_percent: u64,
    block: u64,
    blocks: u64,
    sync_every: u32,
    seed: u64,
    kinds: Stream,
    /// `None` never ends.
    left: Option<u64>,
    number: u64,
    /// Where reads and writes are, in blocks.
    at: [u64; 2],
    unsynced: u32,
}

impl Plan {
    /// Lanes of one seed do the same.
    pub fn new(cell: &JobCell, seed: u64) -> Self {
        let block = cell.block.bytes();
        let blocks = cell.size.bytes() / block;
        Self {
            pattern: cell.pattern,
            read_percent: u64::from(cell.read_percent),
            block,
            blocks,
            sync_every: cell.sync_every,
            seed,
            kinds: Stream::seeded(seed).purpose(1),
            left: cell.passes.map(|passes| blocks * u64::from(passes)),
            number: 0,
            at: [0, 0],
            unsynced: 0,
        }
    }

    fn kind(&self) -> Kind {
        let read = match self.read_percent {
            100 => true,
            0 => false,
            percent => self.kinds.word(self.number) % 100 < percent,
        };
        if read { Kind::Read } else { Kind::Write }
    }
}

impl Iterator for Plan {
    type Item = Operation;

    #[inline]
    fn next(&mut self) -> Option<Operation> {
        if self.sync_every > 0 && self.unsynced == self.sync_every {
            self.unsynced = 0;
            return Some(Operation { kind: Kind::Sync, offset: 0, length: 0 });
        }
        if let Some(left) = &mut self.left {
            *left = left.checked_sub(1)?;
        }
        let kind = self.kind();
        let block = match self.pattern {
            Pattern::Random => Stream::seeded(self.seed).below(self.number, self.blocks),
            Pattern::Sequential => {
                let at = &mut self.at[usize::from(kind == Kind::Write)];
                let block = *at;
                *at = if block + 1 == self.blocks { 0 } else { block + 1 };
                block
            }
        };
        self.number += 1;
        self.unsynced += u32::from(kind == Kind::Write && self.sync_every > 0);
        let length = usize::try_from(self.block).expect("a block fits the address space");
        Some(Operation { kind, offset: block * self.block, length })
    }
}

#[cfg(test)]
mod tests {
    use bench_core::units::ByteSize;

    use super::*;
    use crate::files::cell::Engine;

    fn cell(pattern: Pattern, read_percent: u8) -> JobCell {
        JobCell {
            engine: Engine::Psync,
            direct: false,
            pattern,
            read_percent,
            block: ByteSize::kib(4),
            depth: 1,
            // The last block would not be whole, and is never touched.
            size: ByteSize::new(100 * 4096 + 100),
            passes: Some(2),
            sync_every: 0,
            sync_data: false,
            sync_at_end: false,
        }
    }

    #[test]
    fn a_sequence_goes_round_as_often_as_there_are_passes() {
        let blocks: Vec<u64> =
            Plan::new(&cell(Pattern::Sequential, 100), 1).map(|step| step.offset / 4096).collect();
        assert!(blocks.iter().copied().eq((0..100).chain(0..100)));
    }

    #[test]
    fn random_blocks_lie_in_the_file_and_lanes_differ() {
        let draw =
            |seed| -> Vec<Operation> { Plan::new(&cell(Pattern::Random, 0), seed).collect() };
        let drawn = draw(1);
        assert_eq!(drawn.len(), 200);
        assert!(drawn.iter().all(|step| {
            step.offset % 4096 == 0 && step.offset < 100 * 4096 && step.kind == Kind::Write
        }));
        assert_eq!(drawn, draw(1));
        assert_ne!(drawn, draw(2));
    }

    #[test]
    fn a_mix_has_its_share_of_reads_and_each_kind_its_own_order() {
        let job = JobCell { passes: Some(100), ..cell(Pattern::Sequential, 70) };
        let all: Vec<Operation> = Plan::new(&job, 3).collect();
        let reads = all.iter().filter(|step| step.kind == Kind::Read);
        // 10,000 draws of p = 0.7: six standard deviations are 275.
        assert!(reads.clone().count().abs_diff(7000) < 275, "{}", reads.clone().count());
        assert!(reads.enumerate().all(|(n, step)| step.offset / 4096 == n as u64 % 100));
        let writes = all.iter().filter(|step| step.kind == Kind::Write);
        assert!(writes.enumerate().all(|(n, step)| step.offset / 4096 == n as u64 % 100));
    }

    #[test]
    fn a_sync_follows_every_so_many_writes() {
        let job = JobCell { passes: Some(1), sync_every: 8, ..cell(Pattern::Sequential, 0) };
        let kinds: Vec<Kind> = Plan::new(&job, 1).map(|step| step.kind).collect();
        assert_eq!(kinds.len(), 100 + 12);
        assert!(kinds.iter().skip(8).step_by(9).all(|kind| *kind == Kind::Sync));
    }

    #[test]
    fn without_passes_it_goes_on() {
        let job = JobCell { passes: None, ..cell(Pattern::Random, 100) };
        assert_eq!(Plan::new(&job, 1).take(100_000).count(), 100_000);
    }
}
