//! A copy of an executable without its debug information, because valgrind reads all of that before
//! the first instruction and no count needs it: in a bench of some milliseconds a quarter of the
//! time. What is loaded, and where, is the same to the byte.

use std::fs::{self, File};
use std::io;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::path::Path;

use object::Endianness;
use object::elf::{FileHeader64, SHF_ALLOC};
use object::read::elf::{FileHeader, SectionHeader};

/// How a section of debug information is called.
const PREFIX: &[u8] = b".debug_";

/// Where the debug information lies in a file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Ballast {
    /// The contents of its sections, in the order of the file.
    contents: Vec<Range<u64>>,
    /// The field of each section's header that says its name.
    names: Vec<Range<u64>>,
}

/// Copies `from` to `to`: holes where its debug information lies, of sections that have no name any
/// more, all else as it was. Says no, and copies nothing, where there is none to leave out.
///
/// # Errors
/// When the disk refuses.
pub(crate) fn copy(from: &Path, to: &Path) -> io::Result<bool> {
    let bytes = fs::read(from)?;
    let Some(ballast) = ballast(&bytes).filter(|found| !found.contents.is_empty()) else {
        return Ok(false);
    };
    let copy = File::create(to)?;
    copy.set_len(bytes.len() as u64)?;
    let mut at = 0;
    for hole in ballast.contents.iter().chain([&(bytes.len() as u64..bytes.len() as u64)]) {
        if at < hole.start {
            copy.write_all_at(&bytes[at as usize..hole.start as usize], at)?;
        }
        at = at.max(hole.end);
    }
    for name in ballast.names {
        // The first of all names is the empty one.
        copy.write_all_at(&[0; 4], name.start)?;
    }
    copy.set_permissions(fs::metadata(from)?.permissions())?;
    Ok(true)
}

/// `None` for what is no executable of 64 bits.
fn ballast(bytes: &[u8]) -> Option<Ballast> {
    let header = FileHeader64::<Endianness>::parse(bytes).ok()?;
    let endian = header.endian().ok()?;
    let sections = header.sections(endian, bytes).ok()?;
    let (first, size) = (header.e_shoff(endian), u64::from(header.e_shentsize(endian)));
    let mut found = Ballast::default();
    for (index, section) in sections.enumerate() {
        let name = sections.section_name(endian, section).ok()?;
        let loaded = section.sh_flags(endian).0 & SHF_ALLOC.0 != 0;
        if loaded || !name.starts_with(PREFIX) {
            continue;
        }
        let (offset, length) = section.file_range(endian)?;
        found.contents.push(offset..offset.checked_add(length)?);
        let name = first + index.0 as u64 * size;
        found.names.push(name..name + 4);
    }
    found.contents.sort_by_key(|range| range.start);
    let inside = |range: &Range<u64>| range.end <= bytes.len() as u64;
    found.contents.iter().chain(&found.names).all(inside).then_some(found)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{MetadataExt, PermissionsExt};

    use object::{Object, ObjectSection};

    use super::*;

    /// So much debug information: some blocks of a disk.
    const DEBUG: usize = 1 << 20;

    /// The least that is an executable of 64 bits: sections with a name, flags and content each.
    fn executable() -> Vec<u8> {
        let names = b"\0.text\0.debug_line\0.symtab\0.shstrtab\0";
        let debug = vec![7; DEBUG];
        let alloc = SHF_ALLOC.0;
        let sections: [(u32, u64, &[u8]); 5] = [
            (0, 0, b""),
            (1, alloc, b"the code"),
            (7, 0, &debug),
            (19, 0, b"the names"),
            (27, 0, names),
        ];
        let mut file = b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0".to_vec();
        let mut table = Vec::new();
        let content: u64 = sections.iter().map(|(_, _, content)| content.len() as u64).sum();
        // An executable for x86-64, version 1, without an entry or segments.
        file.extend([2, 0, 62, 0, 1, 0, 0, 0].iter().chain(&[0; 16]));
        file.extend((64 + content).to_le_bytes());
        file.extend([0, 0, 0, 0, 64, 0, 56, 0, 0, 0, 64, 0, 5, 0, 4, 0]);
        for (name, flags, content) in sections {
            table.extend(name.to_le_bytes().into_iter().chain([1, 0, 0, 0]));
            for number in [flags, flags * 4096, file.len() as u64, content.len() as u64, 0, 1, 0] {
                table.extend(number.to_le_bytes());
            }
            file.extend(content);
        }
        file.extend(table);
        file
    }

    fn content(bytes: &[u8], name: &str) -> Option<Vec<u8>> {
        let file = object::File::parse(bytes).expect("an executable");
        file.section_by_name(name).map(|section| section.data().expect("content").to_vec())
    }

    #[test]
    fn debug_information_is_gone_and_all_else_is_where_it_was() {
        let folder = tempfile::tempdir().expect("folder");
        let (from, to) = (folder.path().join("from"), folder.path().join("to"));
        let before = executable();
        assert_eq!(content(&before, ".debug_line"), Some(vec![7; DEBUG]));
        fs::write(&from, &before).expect("written");
        fs::set_permissions(&from, fs::Permissions::from_mode(0o755)).expect("executable");
        assert!(copy(&from, &to).expect("copied"));
        let after = fs::read(&to).expect("read");
        assert_eq!(content(&after, ".debug_line"), None);
        for name in [".text", ".symtab"] {
            assert!(content(&before, name).is_some());
            assert_eq!(content(&after, name), content(&before, name), "{name}");
        }
        assert_eq!(before.len(), after.len());
        assert_eq!(before[..72], after[..72], "what is loaded");
        let data = fs::metadata(&to).expect("there");
        assert_eq!(data.permissions().mode() & 0o777, 0o755);
        assert!(data.blocks() * 512 < DEBUG as u64, "{} blocks", data.blocks());
    }

    #[test]
    fn where_there_is_nothing_to_leave_out_nothing_is_copied() {
        let folder = tempfile::tempdir().expect("folder");
        let path = |name: &str| folder.path().join(name);
        fs::write(path("from"), executable()).expect("written");
        assert!(copy(&path("from"), &path("lean")).expect("copied"));
        // A file that ends too early says where sections are that it does not have.
        let cut = executable();
        fs::write(path("cut"), &cut[..cut.len() - 100]).expect("written");
        fs::write(path("script"), "#!/bin/sh\n").expect("written");
        for name in ["lean", "cut", "script"] {
            assert!(!copy(&path(name), &path("none")).expect("looked at"), "{name}");
        }
        assert!(!path("none").exists());
        assert!(copy(&path("gone"), &path("none")).is_err());
    }
}
