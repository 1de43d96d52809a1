//! The host apart from its processor: identity, memory, huge pages, network limits, read-ahead.

use std::collections::BTreeMap;
use std::path::Path;

use rustix::fs::{major, minor, stat};

use super::{read_text, sha256};
use crate::units::ByteSize;

const NOT_READABLE: &str = "not readable";

/// The limits that decide how much a socket can hold.
const SOCKET_LIMITS: [&str; 6] = [
    "net.core.rmem_default",
    "net.core.rmem_max",
    "net.core.wmem_default",
    "net.core.wmem_max",
    "net.ipv4.tcp_rmem",
    "net.ipv4.tcp_wmem",
];

/// The hash of the machine's id or, where there is none, of its board's. Both outlive a reboot.
pub(super) fn id() -> Option<String> {
    let machine = read_text("/etc/machine-id").filter(|id| id != "uninitialized");
    hashed_id(&machine.or_else(|| read_text("/sys/class/dmi/id/product_uuid"))?)
}

/// The machine's id is confidential (machine-id(5)), and hashed with a word of our own nobody can
/// join it with other programs' hashes.
fn hashed_id(id: &str) -> Option<String> {
    let id = id.trim().to_lowercase();
    (!id.is_empty()).then(|| sha256(format!("weighbridge host {id}").as_bytes()))
}

/// Cores this process may run on.
pub(super) fn cores() -> Option<u64> {
    match rustix::thread::sched_getaffinity(None) {
        Ok(set) => Some(u64::from(set.count())),
        Err(_) => std::thread::available_parallelism().ok().map(|cores| cores.get() as u64),
    }
}

/// `MemTotal` of `/proc/meminfo`.
pub(super) fn memory_bytes(meminfo: &str) -> Option<u64> {
    let value = meminfo.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    let kib: u64 = value.trim().strip_suffix("kB")?.trim().parse().ok()?;
    kib.checked_mul(1024)
}

/// What the firmware says about maker and product.
pub(super) fn firmware() -> Option<String> {
    let fields = ["sys_vendor", "product_name"];
    let texts: Vec<String> = fields
        .iter()
        .filter_map(|field| read_text(Path::new("/sys/class/dmi/id").join(field)))
        .collect();
    (!texts.is_empty()).then(|| texts.join(" "))
}

/// Socket limits by name, those that are readable.
pub(super) fn socket_limits() -> BTreeMap<String, String> {
    SOCKET_LIMITS
        .iter()
        .filter_map(|name| {
            let text = read_text(Path::new("/proc/sys").join(name.replace('.', "/")))?;
            Some(((*name).to_owned(), one_line(&text)))
        })
        .collect()
}

/// Words with single spaces: the kernel separates the three values of `tcp_rmem` by tabs.
fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// To what memory the kernel gives huge pages: `always`, `madvise` (what asks for them), `never`;
/// `none` where it has none.
pub fn huge_pages() -> Option<String> {
    setting_below(Path::new("/sys/kernel/mm"))
}

fn setting_below(mm: &Path) -> Option<String> {
    let folder = mm.join("transparent_hugepage");
    if mm.is_dir() && !folder.exists() {
        return Some("none".to_owned());
    }
    read_text(folder.join("enabled")).as_deref().and_then(chosen).map(str::to_owned)
}

/// The word in brackets.
fn chosen(setting: &str) -> Option<&str> {
    Some(setting.split_once('[')?.1.split_once(']')?.0)
}

/// The read-ahead, in bytes, of the device that holds `path`; `None` where the kernel names none.
/// A partition's queue is its disk's; a file system without a block device may have a backing
/// device of its own.
pub fn read_ahead_bytes(path: &Path) -> Option<u64> {
    let device = stat(path).ok()?.st_dev;
    let name = format!("{}:{}", major(device), minor(device));
    let text = [
        format!("/sys/dev/block/{name}/queue/read_ahead_kb"),
        format!("/sys/dev/block/{name}/../queue/read_ahead_kb"),
        format!("/sys/class/bdi/{name}/read_ahead_kb"),
    ]
    .iter()
    .find_map(read_text)?;
    text.parse::<u64>().ok()?.checked_mul(1024)
}

/// [`read_ahead_bytes`] as a dimension; `not readable` where it is not.
pub fn read_ahead(path: &Path) -> String {
    match read_ahead_bytes(path) {
        Some(bytes) => ByteSize::new(bytes).to_string(),
        None => NOT_READABLE.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_setting_is_the_word_in_brackets_and_none_only_where_the_kernel_has_none() {
        let mm = tempfile::tempdir().expect("a folder");
        assert_eq!(setting_below(mm.path()).as_deref(), Some("none"));
        let folder = mm.path().join("transparent_hugepage");
        fs::create_dir(&folder).expect("create");
        assert_eq!(setting_below(mm.path()), None);
        for (text, told) in [("always [madvise] never", Some("madvise")), ("always", None)] {
            fs::write(folder.join("enabled"), text).expect("write");
            assert_eq!(setting_below(mm.path()).as_deref(), told);
        }
        assert_eq!(setting_below(&mm.path().join("masked")), None);
    }

    #[test]
    fn memory_is_read_in_bytes() {
        let meminfo = "MemTotal:        8132140 kB\nMemFree:          123456 kB\n";
        assert_eq!(memory_bytes(meminfo), Some(8_132_140 * 1024));
        for bad in ["", "MemTotal: x kB", "MemTotal: 12", "MemTotal: 18446744073709551615 kB"] {
            assert_eq!(memory_bytes(bad), None, "{bad}");
        }
    }

    #[test]
    fn an_id_is_hashed_and_does_not_depend_on_how_it_was_written() {
        let id = hashed_id("ABCD\n").expect("an id");
        assert_eq!(id.len(), 64);
        assert_eq!(Some(id), hashed_id(" abcd"));
        assert_ne!(hashed_id("abcd"), Some(sha256(b"abcd")));
        assert_eq!(hashed_id("\n"), None);
    }

    #[test]
    fn values_are_separated_by_single_spaces() {
        assert_eq!(one_line("4096\t131072\t6291456\n"), "4096 131072 6291456");
    }

    #[test]
    fn a_path_that_does_not_exist_has_no_read_ahead() {
        assert_eq!(read_ahead_bytes(Path::new("no/such/path")), None);
        assert_eq!(read_ahead(Path::new("no/such/path")), NOT_READABLE);
    }
}
