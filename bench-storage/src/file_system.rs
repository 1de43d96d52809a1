//! The type of the file system that a file lies on, by name.

use std::fs::File;
use std::io;

/// Magic numbers from the kernel's `magic.h` and the file systems' own headers.
const NAMES: [(u64, &str); 14] = [
    (0xEF53, "ext4"),
    (0x5846_5342, "xfs"),
    (0x9123_683E, "btrfs"),
    (0xF2F5_2010, "f2fs"),
    (0xCA45_1A4E, "bcachefs"),
    (0x2FC1_2FC1, "zfs"),
    (0x0102_1994, TMPFS),
    (0x8584_58F6, RAMFS),
    (0x794C_7630, "overlayfs"),
    (0x6573_5546, "fuse"),
    (0x6969, "nfs"),
    (0xFF53_4D42, "cifs"),
    (0x0102_1997, "9p"),
    (0x7371_7368, "squashfs"),
];

const TMPFS: &str = "tmpfs";
const RAMFS: &str = "ramfs";

/// The name of the file system's type, as `ext4` (which ext2 and ext3 share), or its magic number
/// in hexadecimal where the name is not known. Takes any open file or directory.
///
/// # Errors
/// What `fstatfs(2)` failed with.
pub fn file_system(file: &File) -> io::Result<String> {
    // Wrapped to 32 bits: magic numbers are that wide, the field is signed on some targets.
    let magic = rustix::fs::fstatfs(file)?.f_type as u64 & 0xFFFF_FFFF;
    let known = NAMES.into_iter().find(|(number, _)| *number == magic);
    Ok(known.map_or_else(|| format!("{magic:#x}"), |(_, name)| name.to_owned()))
}

/// Whether the file system keeps its files in memory alone, where no page can be evicted.
pub fn lives_in_memory(file_system: &str) -> bool {
    [TMPFS, RAMFS].contains(&file_system)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shared_memory_is_a_file_system_in_memory() {
        let Ok(directory) = File::open("/dev/shm") else { return };
        let name = file_system(&directory).expect("fstatfs");
        assert_eq!(name, TMPFS);
        assert!(lives_in_memory(&name));
    }

    #[test]
    fn an_unknown_file_system_is_named_by_its_number() {
        let name = file_system(&File::open("/proc").expect("open")).expect("fstatfs");
        assert_eq!(name, "0x9fa0");
        assert!(!lives_in_memory(&name));
    }
}
