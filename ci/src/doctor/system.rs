//! Memory, disk, devices, network and C library.

use std::io;
use std::path::Path;

use bench_core::units::{GIB, KIB};

use super::{Finding, Status};
use crate::render::number;

/// The full ladder ends at 256 MiB, and its buffers exist several times.
const MEMORY_MIN: u64 = 2 * GIB;
/// Files of the full ladder, two builds, records.
const DISK_MIN: u64 = 5 * GIB;
/// By which counts of copies are kept from depending on the CPU.
const TUNABLE: &str = "glibc.cpu.x86_rep_movsb_threshold";

/// The mounted file system under a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Mount {
    /// `major:minor`.
    pub(crate) device: String,
    /// Its type, as in `ext4`.
    pub(crate) kind: String,
}

/// What became of the trial of netem.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Netem {
    Works,
    NoTool,
    NoNamespace,
    Refused(String),
}

pub(crate) fn memory(meminfo: &str) -> Finding {
    let line = meminfo.lines().find_map(|line| line.strip_prefix("MemAvailable:"));
    let kib = line.and_then(|rest| rest.trim().trim_end_matches("kB").trim().parse::<u64>().ok());
    let Some(bytes) = kib.map(|kib| kib * KIB) else {
        return Finding::new(
            "memory",
            Status::Unknown,
            "not readable",
            "large payloads may not fit",
        );
    };
    let found = format!("{} free", gib(bytes));
    if bytes < MEMORY_MIN {
        let why = "the ladders end below 256 MiB, and the page cache evicts on its own";
        return Finding::new("memory", Status::Limited, found, why);
    }
    Finding::new("memory", Status::Ok, found, "the largest payloads fit")
}

pub(crate) fn disk(free: Option<u64>) -> Finding {
    match free {
        None => Finding::new("disk", Status::Unknown, "not readable", "a run may fill it"),
        Some(bytes) if bytes < DISK_MIN => Finding::new(
            "disk",
            Status::Limited,
            format!("{} free", gib(bytes)),
            "a full run with two builds may not fit; free 5 GiB under the target folder",
        ),
        Some(bytes) => Finding::new(
            "disk",
            Status::Ok,
            format!("{} free", gib(bytes)),
            "builds, files and records fit",
        ),
    }
}

fn gib(bytes: u64) -> String {
    number::rate(bytes as f64).trim_end_matches("/s").to_owned()
}

/// The mount that the path lies on, by `/proc/self/mountinfo`.
pub(crate) fn mount_of(mountinfo: &str, path: &Path) -> Option<Mount> {
    let mounts = mountinfo.lines().filter_map(|line| {
        let (place, kind) = line.split_once(" - ")?;
        let fields: Vec<&str> = place.split(' ').collect();
        let point = fields.get(4)?.replace("\\040", " ");
        let mount = Mount {
            device: (*fields.get(2)?).to_owned(),
            kind: kind.split(' ').next()?.to_owned(),
        };
        path.starts_with(&point).then_some((point.len(), mount))
    });
    // Of two at one place the later covers the earlier.
    mounts.max_by_key(|(depth, _)| *depth).map(|(_, mount)| mount)
}

/// Whether pages of a file there can be dropped, so that a read meets the disk.
pub(crate) fn cold(kind: Option<&str>) -> Finding {
    let what = "cold reads";
    match kind {
        None => Finding::new(what, Status::Unknown, "no mount found", "'cold' may not be cold"),
        Some(kind @ ("tmpfs" | "ramfs")) => Finding::new(
            what,
            Status::Missing,
            format!("target is on {kind}"),
            "its pages are the files and can't be dropped; set CARGO_TARGET_DIR to a disk",
        ),
        Some(kind @ ("overlay" | "zfs" | "nfs" | "nfs4" | "9p" | "virtiofs" | "fuse")) => {
            Finding::new(
                what,
                Status::Limited,
                format!("target is on {kind}"),
                "a cache below it keeps what this machine drops: cold reads are a lower bound",
            )
        }
        Some(kind) => Finding::new(
            what,
            Status::Ok,
            format!("target is on {kind}"),
            "pages can be dropped, so that a cold read meets the device",
        ),
    }
}

pub(crate) fn read_ahead(kib: Option<&str>) -> Finding {
    match kib.and_then(|text| text.trim().parse::<u64>().ok()) {
        Some(kib) => Finding::new(
            "read-ahead",
            Status::Ok,
            format!("{kib} KiB"),
            "recorded; sequential cold reads depend on it",
        ),
        None => Finding::new(
            "read-ahead",
            Status::Unknown,
            "not shown here",
            "sequential cold reads of two machines may differ for it",
        ),
    }
}

/// Whether the kernel is told to take pages away that were not used for a while; `None` where it can't
/// be asked.
pub(crate) fn reclaim(on: Option<bool>) -> Finding {
    let what = "warm reads";
    match on {
        Some(true) => Finding::new(
            what,
            Status::Limited,
            "DAMON pages out what is cold",
            "a page that was read once may be gone at the next read: a few warm reads meet the disk",
        ),
        Some(false) => Finding::new(
            what,
            Status::Ok,
            "DAMON pages nothing out",
            "what was read once stays in memory while there is room",
        ),
        None => Finding::new(
            what,
            Status::Unknown,
            "whether DAMON pages out what is cold is not shown here",
            "a warm read may meet the disk",
        ),
    }
}

/// A device that has to open for something to be measured.
pub(crate) fn device(name: &'static str, opened: io::Result<()>, purpose: &str) -> Finding {
    let Err(error) = opened else {
        return Finding::new(name, Status::Ok, "opens", format!("benchmarks can {purpose}"));
    };
    let found = match error.kind() {
        io::ErrorKind::NotFound => "not there".to_owned(),
        io::ErrorKind::PermissionDenied => "there, but not for this user".to_owned(),
        _ => error.to_string(),
    };
    Finding::new(name, Status::Missing, found, format!("benchmarks can't {purpose}"))
}

pub(crate) fn netem(trial: &Netem) -> Finding {
    let fallback = "links are emulated in user space";
    match trial {
        Netem::Works => Finding::new(
            "netem",
            Status::Ok,
            "works in a namespace of its own",
            "the kernel can delay and drop packets",
        ),
        Netem::NoTool => Finding::new("netem", Status::Missing, "no tc (iproute2)", fallback),
        Netem::NoNamespace => Finding::new(
            "netem",
            Status::Missing,
            "no network namespace for this user",
            format!("the host's own is left alone; {fallback}"),
        ),
        Netem::Refused(why) => {
            Finding::new("netem", Status::Missing, format!("refused: {why}"), fallback)
        }
    }
}

pub(crate) fn congestion(current: Option<&str>, available: Option<&str>) -> Finding {
    let what = "TCP congestion control";
    let Some(current) = current.map(str::trim) else {
        return Finding::new(what, Status::Unknown, "not readable", "two records may differ in it");
    };
    let others: Vec<&str> = available.unwrap_or_default().split_whitespace().collect();
    let found = format!("{current} (available: {})", others.join(", "));
    if others.contains(&"cubic") && others.contains(&"bbr") {
        Finding::new(what, Status::Ok, found, "both cubic and bbr can be compared")
    } else {
        let why = "cubic and bbr can't be compared; modprobe tcp_bbr may add one";
        Finding::new(what, Status::Limited, found, why)
    }
}

/// `list` is what the C library's loader says with `--list-tunables`.
pub(crate) fn tunables(list: Option<&str>) -> Finding {
    let what = "glibc tunables";
    match list {
        Some(list) if list.contains(TUNABLE) => Finding::new(
            what,
            Status::Ok,
            "this glibc lets the choice of memcpy be pinned",
            "instruction counts of copies do not depend on the CPU model",
        ),
        Some(_) => Finding::new(
            what,
            Status::Limited,
            format!("this glibc has no {TUNABLE}"),
            "instruction counts of copies depend on the CPU model; compare on one machine only",
        ),
        None => Finding::new(
            what,
            Status::Unknown,
            "the C library does not list them",
            "instruction counts of copies may depend on the CPU model",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MOUNTS: &str = "\
22 1 254:0 / / rw,relatime - ext4 /dev/vda rw
30 22 0:25 / /dev/shm rw - tmpfs tmpfs rw
31 22 8:1 / /my\\040disk rw shared:1 - xfs /dev/sda1 rw
";

    #[test]
    fn the_deepest_mount_holds_the_path() {
        let kind = |path: &str| mount_of(MOUNTS, Path::new(path)).map(|mount| mount.kind);
        assert_eq!(kind("/home/x/target").as_deref(), Some("ext4"));
        assert_eq!(kind("/dev/shm/target").as_deref(), Some("tmpfs"));
        assert_eq!(kind("/my disk/target").as_deref(), Some("xfs"));
        assert_eq!(mount_of("broken", Path::new("/")), None);
        let mount = mount_of(MOUNTS, Path::new("/")).expect("mounted");
        assert_eq!(mount.device, "254:0");
    }

    #[test]
    fn memory_that_cannot_drop_its_pages_is_never_cold() {
        assert_eq!(cold(Some("tmpfs")).status, Status::Missing);
        assert_eq!(cold(Some("overlay")).status, Status::Limited);
        assert_eq!(cold(Some("ext4")).status, Status::Ok);
        assert_eq!(cold(None).status, Status::Unknown);
    }

    #[test]
    fn what_is_short_is_limited() {
        assert_eq!(memory("MemTotal: 1 kB\nMemAvailable:    8388608 kB\n").found, "8.00 GiB free");
        assert_eq!(memory("MemAvailable: 1024 kB\n").status, Status::Limited);
        assert_eq!(memory("").status, Status::Unknown);
        assert_eq!(disk(Some(GIB)).status, Status::Limited);
        assert_eq!(disk(Some(64 * GIB)).status, Status::Ok);
    }

    #[test]
    fn devices_and_netem_say_why_not() {
        let refused = |kind: io::ErrorKind| device("/dev/fuse", Err(kind.into()), "mount").found;
        assert_eq!(refused(io::ErrorKind::NotFound), "not there");
        assert_eq!(refused(io::ErrorKind::PermissionDenied), "there, but not for this user");
        assert_eq!(device("/dev/fuse", Ok(()), "mount").status, Status::Ok);
        for trial in [Netem::NoTool, Netem::NoNamespace, Netem::Refused("x".into())] {
            assert_eq!(netem(&trial).status, Status::Missing);
        }
    }

    #[test]
    fn pages_that_the_kernel_takes_away_limit_warm_reads() {
        assert_eq!(reclaim(Some(true)).status, Status::Limited);
        assert_eq!(reclaim(Some(false)).status, Status::Ok);
        assert_eq!(reclaim(None).status, Status::Unknown);
    }

    #[test]
    fn both_congestion_controls_are_wanted() {
        assert_eq!(congestion(Some("bbr\n"), Some("reno bbr cubic\n")).status, Status::Ok);
        assert_eq!(congestion(Some("cubic\n"), Some("reno cubic\n")).status, Status::Limited);
        assert_eq!(congestion(None, None).status, Status::Unknown);
        assert_eq!(read_ahead(Some("128\n")).found, "128 KiB");
        let list = "glibc.cpu.x86_rep_movsb_threshold: 0x800 (min: 0x1, max: 0xffff)";
        assert_eq!(tunables(Some(list)).status, Status::Ok);
        assert_eq!(tunables(Some("glibc.malloc.check: 0")).status, Status::Limited);
        assert_eq!(tunables(None).status, Status::Unknown);
    }
}
