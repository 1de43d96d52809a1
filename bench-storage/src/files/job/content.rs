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

/// Who writes to a file while lanes of a run read it, and what it held before.
#[derive(Clone, Debug, Default)]
pub struct Writers {
    /// All that write; nobody where there is none.
    pub authors: Vec<Author>,
    /// What the file held when the run began; `None` where nobody knows.
    pub before: Option<Payload>,
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

    /// As it writes the block there.
    fn written(self, offset: u64, block: &mut [u8]) {
        self.fill(block);
        self.mark(block, offset);
    }

    fn payload(self, length: usize) -> Payload {
        Payload::seeded(u64::from(self.lane), ByteSize::new(length as u64))
    }
}

impl Writers {
    /// Whether a block that was read at this place is one that stood there at some time: what the file
    /// held before, what it holds now (`found`), what a writer puts there, or, byte by byte, a mix
    /// of these, because a read that meets a write may come back with parts of both.
    ///
    /// # Errors
    /// The first byte that is from nowhere. Not where nobody knows what was there before and it has
    /// been written over since.
    pub fn check(&self, read: &[u8], found: &[u8], offset: u64) -> Result<(), WrongBlock> {
        if read == found {
            return Ok(());
        }
        let mut wrong: Vec<usize> = (0..read.len()).collect();
        let mut possible = |block: &[u8]| wrong.retain(|&at| read[at] != block[at]);
        possible(found);
        let mut block = vec![0; read.len()];
        if let Some(before) = &self.before {
            before.fill(offset, &mut block);
            possible(&block);
        }
        let mut rewritten = false;
        for author in &self.authors {
            author.written(offset, &mut block);
            possible(&block);
            rewritten |= found == block;
        }
        match wrong.first() {
            Some(at) if self.before.is_some() || !rewritten => Err(WrongBlock {
                offset,
                what: format!(
                    "byte {at} of what was read neither stood there nor was written there"
                ),
            }),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_read_beside_writers_is_old_or_new_or_a_mix_and_nothing_else() {
        let authors: Vec<Author> = (0..3).map(|lane| Author { run: 7, lane }).collect();
        let before = Payload::seeded(42, ByteSize::kib(64));
        let of_before = |offset| {
            let mut block = vec![0; 4096];
            before.fill(offset, &mut block);
            block
        };
        let of_author = |lane: usize, offset| {
            let mut block = vec![0; 4096];
            authors[lane].written(offset, &mut block);
            block
        };
        let writers = Writers { authors: authors.clone(), before: Some(before) };
        let (old, new, found) = (of_before(8192), of_author(1, 8192), of_author(2, 8192));
        let torn = [&new[..1000], &old[1000..3000], &found[3000..]].concat();
        for good in [&old, &new, &found, &torn] {
            writers.check(good, &found, 8192).expect("it stood there");
        }
        let mut flipped = old.clone();
        flipped[4095] ^= 1;
        for (wrong, what) in [
            (of_before(4096), "read elsewhere"),
            (of_author(1, 4096), "written elsewhere"),
            (vec![0; 4096], "never read"),
            (flipped, "one bit"),
        ] {
            let told = writers.check(&wrong, &found, 8192).expect_err(what).to_string();
            assert!(
                told.starts_with("the block at offset 8192 ") && told.contains("byte "),
                "{told}"
            );
        }
        let unknown = Writers { before: None, ..writers };
        unknown.check(&of_before(4096), &found, 8192).expect("nobody can tell any more");
        unknown.check(&of_before(4096), &old, 8192).expect_err("it was not written over");
    }

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
