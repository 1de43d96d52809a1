//! Whether two executables run the same code: hashes of what the processor executes and of the
//! constants it reads, and of nothing else (debug information, build ids and symbol names may
//! differ).

use std::path::Path;

use anyhow::Context;
use object::{Object, ObjectSection};
use sha2::{Digest, Sha256};

/// Sections with constants and initial values.
const DATA: [&str; 4] = [".rodata", ".data.rel.ro", ".data", ".tdata"];

/// The hashes of one executable, in hexadecimal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct CodeHash {
    /// SHA-256 of `.text`.
    pub(crate) text: String,
    /// SHA-256 of the constants and initial values.
    pub(crate) data: String,
}

/// # Errors
/// When the file can't be read or is no ELF executable with code.
pub(crate) fn code_hash(path: &Path) -> anyhow::Result<CodeHash> {
    let bytes =
        std::fs::read(path).with_context(|| format!("failed to read {}", path.display()))?;
    hash(&bytes).with_context(|| format!("failed to find the code in {}", path.display()))
}

fn hash(bytes: &[u8]) -> anyhow::Result<CodeHash> {
    let file = object::File::parse(bytes)?;
    let section = |name: &str| file.section_by_name(name).and_then(|found| found.data().ok());
    let text = section(".text").filter(|text| !text.is_empty()).context("no .text section")?;
    let mut data = Sha256::new();
    for name in DATA {
        let content = section(name).unwrap_or_default();
        // The length keeps two sections from trading bytes unseen.
        data.update((content.len() as u64).to_le_bytes());
        data.update(content);
    }
    Ok(CodeHash { text: hex(&Sha256::digest(text)), data: hex(&data.finalize()) })
}

/// Bytes as lower-case hexadecimal.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn own() -> Vec<u8> {
        std::fs::read(std::env::current_exe().expect("path")).expect("readable")
    }

    fn flip_in(bytes: &mut [u8], section: &str) {
        let file = object::File::parse(&*bytes).expect("executable");
        let range = file.section_by_name(section).and_then(|found| found.file_range());
        let (start, size) = range.expect("in the file");
        let middle = usize::try_from(start + size / 2).expect("fits");
        bytes[middle] ^= 1;
    }

    #[test]
    fn code_and_constants_change_their_own_hash_only() {
        let before = hash(&own()).expect("executable");
        let mut code = own();
        flip_in(&mut code, ".text");
        let code = hash(&code).expect("executable");
        assert!(code.text != before.text && code.data == before.data);
        let mut constants = own();
        flip_in(&mut constants, ".rodata");
        let constants = hash(&constants).expect("executable");
        assert!(constants.text == before.text && constants.data != before.data);
    }

    #[test]
    fn what_is_in_no_hashed_section_does_not_matter() {
        let mut other = own();
        flip_in(&mut other, ".note.gnu.build-id");
        assert_eq!(hash(&other).expect("executable"), hash(&own()).expect("executable"));
    }

    #[test]
    fn a_file_that_is_no_executable_is_named() {
        let folder = tempfile::tempdir().expect("temporary folder");
        let path = folder.path().join("script");
        std::fs::write(&path, "#!/bin/sh\n").expect("write");
        let error = code_hash(&path).expect_err("a script");
        assert!(error.to_string().contains("script"), "{error}");
    }
}
