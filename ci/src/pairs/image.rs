//! The part of an executable that a process maps, so that a fresh copy of it costs a millisecond.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::iter;
use std::ops::Range;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use anyhow::Context;
use object::{Object, ObjectSegment};
use sha2::{Digest, Sha256};

use crate::bench::code_hash::hex;

/// What the kernel reads before it knows the segments: the ELF header and the program headers.
const HEADERS: usize = 4096;

/// What of an executable is mapped. Debug information is not, and makes nine tenths of the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Image {
    length: u64,
    parts: Vec<(u64, Vec<u8>)>,
    /// SHA-256 of the whole file.
    pub(crate) hash: String,
}

impl Image {
    /// # Errors
    /// When the file can't be read.
    pub(crate) fn read(path: &Path) -> anyhow::Result<Self> {
        let bytes = fs::read(path).with_context(|| format!("failed to read {}", path.display()))?;
        let part = |range: Range<usize>| {
            let range = range.start.min(bytes.len())..range.end.min(bytes.len());
            (range.start as u64, bytes[range].to_vec())
        };
        // What is no ELF file, a script, is mapped by nobody and copied whole.
        let ranges = segments(&bytes).unwrap_or_else(|| iter::once(0..bytes.len()).collect());
        let parts = ranges.into_iter().map(part).collect();
        Ok(Self { length: bytes.len() as u64, parts, hash: hex(&Sha256::digest(&bytes)) })
    }

    /// Writes it to a new file that may be run; what is not mapped is a hole in it.
    ///
    /// # Errors
    /// When there is a file of that name, or the disk refuses.
    pub(crate) fn write(&self, path: &PathBuf) -> anyhow::Result<()> {
        let told = || format!("failed to lay out {}", path.display());
        let mut options = OpenOptions::new();
        let mut file =
            options.write(true).create_new(true).mode(0o755).open(path).with_context(told)?;
        file.set_len(self.length).with_context(told)?;
        for (offset, bytes) in &self.parts {
            file.write_all_at(bytes, *offset).with_context(told)?;
        }
        file.flush().with_context(told)
    }
}

/// Where in the file the segments lie that are loaded, and the headers.
fn segments(bytes: &[u8]) -> Option<Vec<Range<usize>>> {
    let file = object::File::parse(bytes).ok()?;
    let mut ranges: Vec<Range<usize>> = iter::once(0..HEADERS).collect();
    for segment in file.segments() {
        let (offset, size) = segment.file_range();
        let start = usize::try_from(offset).ok()?;
        ranges.push(start..start.checked_add(usize::try_from(size).ok()?)?);
    }
    Some(ranges)
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    #[test]
    fn a_copy_of_what_is_mapped_runs_like_the_whole_and_is_smaller() {
        let folder = tempfile::tempdir().expect("temporary folder");
        let own = std::env::current_exe().expect("path");
        let image = Image::read(&own).expect("readable");
        let copy = folder.path().join("copy");
        image.write(&copy).expect("written");
        let list = |program: &Path| {
            let output = Command::new(program).arg("--list").output().expect("runs");
            (output.status.code(), output.stdout)
        };
        assert_eq!(list(&copy), list(&own));
        let kept: usize = image.parts.iter().map(|(_, bytes)| bytes.len()).sum();
        assert!((kept as u64) < image.length, "{kept} of {}", image.length);
        assert!(image.write(&copy).is_err(), "a file that is there is never written into");
    }

    #[test]
    fn what_is_no_elf_file_is_copied_whole() {
        let folder = tempfile::tempdir().expect("temporary folder");
        let (script, copy) = (folder.path().join("script"), folder.path().join("copy"));
        fs::write(&script, "#!/bin/sh\necho hello\n").expect("written");
        Image::read(&script).expect("readable").write(&copy).expect("written");
        let output = Command::new(&copy).output().expect("runs");
        assert_eq!(output.stdout, b"hello\n");
    }
}
