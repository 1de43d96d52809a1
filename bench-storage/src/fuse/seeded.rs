//! The tree that is served: one directory of files whose every byte follows from a seed.

use std::ffi::OsStr;
use std::ops::Range;

use bench_core::fixture::{Mismatch, Payload};
use bench_core::units::ByteSize;

use crate::error::Error;

const FILES_MOST: u32 = 100_000;
/// All content together lies in memory.
const CONTENT_MOST: ByteSize = ByteSize::mib(1024);
/// By how much the content of a file begins after that of the one before it: all share one payload,
/// so that thousands of files take little more memory than one.
const STEP: ByteSize = ByteSize::kib(4);

/// A directory of equally large files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SeededTree {
    /// How many.
    pub files: u32,
    /// Of each.
    pub size: ByteSize,
    /// Of their content.
    pub seed: u64,
}

impl SeededTree {
    /// Whether it can be served.
    ///
    /// # Errors
    /// [`Error::InvalidFuse`] for no or too many files, [`Error::Empty`] for empty ones.
    pub(super) fn check(&self) -> Result<(), Error> {
        if self.size.is_empty() {
            return Err(Error::Empty);
        }
        if !(1..=FILES_MOST).contains(&self.files) || self.payload().size > CONTENT_MOST {
            return Err(Error::InvalidFuse(format!(
                "a tree of {} files of {} cannot be served; take 1 to {FILES_MOST} files of less \
                 than {CONTENT_MOST}",
                self.files, self.size
            )));
        }
        Ok(())
    }

    /// The name of a file.
    pub fn name(number: u32) -> String {
        format!("file-{number:06}")
    }

    /// A name that no file has.
    pub fn missing(number: u32) -> String {
        format!("none-{number:06}")
    }

    /// The file of this name.
    pub(super) fn number(&self, name: &OsStr) -> Option<u32> {
        let name = name.to_str()?;
        let number = name.strip_prefix("file-")?.parse().ok().filter(|n| *n < self.files)?;
        (Self::name(number) == name).then_some(number)
    }

    /// What all content is cut from.
    pub fn payload(&self) -> Payload {
        let behind = u64::from(self.files.saturating_sub(1)) * STEP.bytes();
        Payload::seeded(self.seed, ByteSize::new(self.size.bytes().saturating_add(behind)))
    }

    /// Where the content of this file begins in the payload.
    pub(super) const fn start(number: u32) -> u64 {
        number as u64 * STEP.bytes()
    }

    /// Which bytes of the payload are this file's.
    pub fn range(&self, number: u32) -> Range<usize> {
        let start = Self::start(number) as usize;
        start..start + self.size.len()
    }

    /// Whether these are all bytes of this file.
    ///
    /// # Errors
    /// The wrong length, else the first wrong byte, by its place in the payload.
    pub fn verify(&self, number: u32, bytes: &[u8]) -> Result<(), Mismatch> {
        let (offset, expected) = (Self::start(number), self.size.bytes());
        let found = bytes.len() as u64;
        if found != expected {
            return Err(Mismatch::Length { offset, expected, found });
        }
        self.payload().verify(offset, bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TREE: SeededTree = SeededTree { files: 3, size: ByteSize::kib(5), seed: 1 };

    #[test]
    fn names_lead_to_files_and_absent_names_to_none() {
        for number in 0..3 {
            assert_eq!(TREE.number(OsStr::new(&SeededTree::name(number))), Some(number));
            assert_eq!(TREE.number(OsStr::new(&SeededTree::missing(number))), None);
        }
        for name in ["file-000003", "file-0", "file-+00001", "file-", ".", "FILE-000001"] {
            assert_eq!(TREE.number(OsStr::new(name)), None, "{name}");
        }
    }

    #[test]
    fn content_differs_from_file_to_file_and_a_wrong_one_is_found() {
        let content = TREE.payload().to_bytes();
        let of = |number: u32| &content[TREE.range(number)];
        for number in 0..3 {
            TREE.verify(number, of(number)).expect("its own");
            TREE.verify(number, of((number + 1) % 3)).expect_err("another's");
            TREE.verify(number, &of(number)[1..]).expect_err("short");
        }
    }

    #[test]
    fn trees_that_cannot_be_served_are_refused() {
        TREE.check().expect("can be served");
        let refused = |tree: SeededTree| tree.check().expect_err("refused").to_string();
        assert!(refused(SeededTree { files: 0, ..TREE }).contains("1 to 100000 files"));
        assert!(refused(SeededTree { size: ByteSize::mib(1025), ..TREE }).contains("less than"));
        assert!(refused(SeededTree { size: ByteSize::new(0), ..TREE }).contains("0 bytes"));
    }
}
