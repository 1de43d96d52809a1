//! What a lane writes: one block of seeded bytes whose head says which run and lane wrote it, and
//! where. It costs sixteen bytes a write, and tells a write that did not happen, or went elsewhere,
//! from one that did.

use bench_core::fixture::Payload;
use bench_core::units::ByteSize;

/// Bytes of the mark: offset, run, lane.
const MARK: usize = 16;

/// Who writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Author {
    /// The run, so that what an earlier one wrote does not pass for this one's.
    pub run: u32,
    /// The lane of the run.
    pub lane: u32,
}

/// Why a block is not what a lane wrote there, in one sentence.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the block at offset {offset} is not what was written there: {what}")]
pub struct WrongBlock {
    offset: u64,
    what: String,
}

impl Author {
    /// Fills a block that this lane is going to write.
    pub fn fill(self, block: &mut [u8]) {
        self.payload(block.len()).fill(0, block);
    }

    /// Marks it for this place.
    #[inline]
    pub fn mark(self, block: &mut [u8], offset: u64) {
        block[..8].copy_from_slice(&offset.to_le_bytes());
        block[8..12].copy_from_slice(&self.run.to_le_bytes());
        block[12..MARK].copy_from_slice(&self.lane.to_le_bytes());
    }

    /// Whether the block is one that a lane of this run wrote at this place; several may write there.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn verify(self, block: &[u8], offset: u64) -> Result<(), WrongBlock> {
        let wrong = |what: String| Err(WrongBlock { offset, what });
        let word =
            |at: usize| u32::from_le_bytes(block[at..at + 4].try_into().expect("four bytes"));
        let place = u64::from_le_bytes(block[..8].try_into().expect("eight bytes"));
        if word(8) != self.run {
            return wrong("it does not carry the mark of this run".to_owned());
        }
        if place != offset {
            return wrong(format!("its mark is of offset {place}"));
        }
        let author = Self { lane: word(12), ..self };
        let rest = author.payload(block.len()).verify(MARK as u64, &block[MARK..]);
        rest.or_else(|mismatch| wrong(mismatch.to_string()))
    }

    fn payload(self, length: usize) -> Payload {
        Payload::seeded(u64::from(self.lane), ByteSize::new(length as u64))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_of_another_run_place_or_content_is_told() {
        let author = Author { run: 7, lane: 1 };
        let mut block = vec![0; 512];
        author.fill(&mut block);
        author.mark(&mut block, 4096);
        author.verify(&block, 4096).expect("as written");
        Author { run: 7, lane: 0 }.verify(&block, 4096).expect("by another lane of the run");
        let told = |result: Result<(), WrongBlock>| result.expect_err("wrong").to_string();
        assert!(told(author.verify(&block, 0)).contains("its mark is of offset 4096"));
        let other = Author { run: 8, lane: 1 };
        assert!(told(other.verify(&block, 4096)).contains("does not carry the mark of this run"));
        block[500] ^= 1;
        assert!(told(author.verify(&block, 4096)).contains("offset 500"), "the byte is named");
    }
}
