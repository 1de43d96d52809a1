//! Pages that are taken.
//!
//! Memory is asked of the system, every page of it is written once, and it stays until the guard is
//! dropped. What shows it are the page tables of this process (`/proc/self/pagemap`): how many of the
//! pages lie in memory or were swapped out. So much stays free that the system needs to kill nobody.
//! Where a control group (version 2), or one that it is in, is tighter than the machine, that is what counts.
//!
//! The pages are not touched again: under pressure from others the kernel may swap them out, which is
//! counted as taken, too.

use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::path::Path;

use bench_core::fixture::page_size;
use bench_core::units::ByteSize;

use super::{Demand, FaultError, Proof, absurd, not_shown};
use crate::error::Error;

/// What stays free: a tenth of all and at least this.
const RESERVE_MIN: u64 = 256 << 20;
/// Less is no pressure, and might come from memory that this process has already.
const SIZE_MIN: ByteSize = ByteSize::mib(1);
/// A page's bits in the map: in memory, swapped out.
const TAKEN: u64 = 0b11 << 62;

/// So much memory, taken. Dropping it gives it back.
#[derive(Debug)]
#[must_use = "the memory is given back as soon as this guard is dropped"]
pub struct MemoryPressure {
    taken: Vec<u8>,
    /// What the machine had to give before.
    available: u64,
}

impl MemoryPressure {
    /// Takes so much memory.
    ///
    /// # Errors
    /// Less than 1 MiB; [`FaultError::TooMuch`] where less than a tenth of the memory, or 256 MiB, would
    /// stay free; what the system refused.
    pub fn start(size: ByteSize) -> Result<Self, Error> {
        let mut this = Self::reserve(size)?;
        // A byte a page, other than it is, makes the page ours.
        this.taken.iter_mut().step_by(page_size()).for_each(|byte| *byte = 1);
        Ok(this)
    }

    /// Address space without pages.
    fn reserve(size: ByteSize) -> Result<Self, Error> {
        if size < SIZE_MIN {
            return Err(
                absurd("memory_pressure", "size", size, format!("at least {SIZE_MIN}")).into()
            );
        }
        let (total, available) = memory()?;
        check(size, total, available)?;
        Ok(Self { taken: vec![0; size.len()], available })
    }

    /// That the memory is taken now.
    ///
    /// # Errors
    /// [`FaultError::NotShown`] with what is.
    pub fn proof(&self) -> Result<Proof, Error> {
        let pages = pages(&self.taken).map_err(Error::io("read the page map"))?;
        let size = ByteSize::new(self.taken.len() as u64);
        let taken = pages.iter().filter(|&&page| page & TAKEN != 0).count();
        if taken < pages.len() {
            let reason = format!("{taken} of its {} pages are taken", pages.len());
            return Err(not_shown(name(size), reason).into());
        }
        let now = memory().map_or(self.available, |(_, available)| available);
        let [before, now] = [self.available, now].map(|bytes| bytes >> 20);
        Ok(Proof {
            fault: name(size),
            times: taken as u64,
            unit: "pages",
            measured: format!("{before} MiB were available before and {now} MiB are now"),
        })
    }

    /// Gives it back; that it was taken.
    ///
    /// # Errors
    /// As [`proof`](Self::proof).
    pub fn end(self) -> Result<Proof, Error> {
        self.proof()
    }
}

fn name(size: ByteSize) -> String {
    format!("memory_pressure {size}")
}

fn check(size: ByteSize, total: u64, available: u64) -> Result<(), FaultError> {
    let (fault, reserve) = (name(size), (total / 10).max(RESERVE_MIN));
    Demand { fault, what: "the memory", size, reserve }.check(available)
}

/// Where control groups (version 2) are.
const GROUPS: &str = "/sys/fs/cgroup";

/// All memory and what is available of it: of the machine, or of the control groups where these have
/// less.
fn memory() -> Result<(u64, u64), Error> {
    let text = fs::read_to_string("/proc/meminfo").map_err(Error::io("read /proc/meminfo"))?;
    let field = |name: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(name))?;
        Some(line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()? << 10)
    };
    let unknown = || Error::io("find MemAvailable in /proc/meminfo")(std::io::ErrorKind::NotFound);
    let machine = field("MemTotal:").zip(field("MemAvailable:")).ok_or_else(unknown)?;
    let groups = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    let own = groups.lines().find_map(|line| line.strip_prefix("0::"));
    let group = own.and_then(|own| group_memory(Path::new(GROUPS), own.trim()));
    Ok(group.map_or(machine, |group| (machine.0.min(group.0), machine.1.min(group.1))))
}

/// The least limit of a control group and of all that it is in, and the least that one of them has left;
/// `None` where none has a limit.
fn group_memory(groups: &Path, own: &str) -> Option<(u64, u64)> {
    let own = groups.join(own.trim_start_matches('/'));
    let bounded = own.ancestors().take_while(|folder| folder.starts_with(groups));
    let bounded = bounded.filter_map(|folder| {
        let number = |file: &str| -> Option<u64> {
            fs::read_to_string(folder.join(file)).ok()?.trim().parse().ok()
        };
        // One without a limit says "max".
        let limit = number("memory.max")?;
        Some((limit, limit.saturating_sub(number("memory.current")?)))
    });
    bounded.reduce(|a, b| (a.0.min(b.0), a.1.min(b.1)))
}

/// The entries of the page map for the whole pages of this memory.
fn pages(memory: &[u8]) -> std::io::Result<Vec<u64>> {
    let page = page_size();
    let first = memory.as_ptr().addr().div_ceil(page);
    let end = (memory.as_ptr().addr() + memory.len()) / page;
    let mut entries = vec![0; end.saturating_sub(first) * 8];
    File::open("/proc/self/pagemap")?.read_exact_at(&mut entries, first as u64 * 8)?;
    let (words, _) = entries.as_chunks();
    Ok(words.iter().map(|word| u64::from_ne_bytes(*word)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_taken_and_shown_page_by_page() {
        let size = ByteSize::mib(32);
        let pressure = MemoryPressure::start(size).expect("so much is free");
        let proof = pressure.end().expect("shown");
        // The first and the last page may not be whole.
        let pages = size.bytes() / page_size() as u64;
        assert!(proof.times + 1 >= pages && proof.times <= pages, "{proof:?}");
        assert_eq!(proof.fault, "memory_pressure 32MiB");
    }

    #[test]
    fn memory_that_nobody_wrote_to_is_not_shown() {
        let pressure = MemoryPressure::reserve(ByteSize::mib(32)).expect("so much is free");
        let error = pressure.end().expect_err("no page is there").to_string();
        assert!(
            error.contains("was not shown to happen: ") && error.contains("pages are"),
            "{error}"
        );
    }

    #[test]
    fn the_tightest_of_all_control_groups_counts() {
        let root = tempfile::tempdir().expect("a folder");
        let group = |path: &str, limit: &str, used: &str| {
            let folder = root.path().join(path);
            fs::create_dir_all(&folder).expect("a folder");
            fs::write(folder.join("memory.max"), limit).expect("written");
            fs::write(folder.join("memory.current"), used).expect("written");
        };
        group("pod/box", "max\n", "70\n");
        assert_eq!(group_memory(root.path(), "/pod/box"), None, "none has a limit");
        group("pod", "1000\n", "900\n");
        assert_eq!(group_memory(root.path(), "/pod/box"), Some((1000, 100)), "that it is in");
        group("pod/box", "400\n", "70\n");
        assert_eq!(group_memory(root.path(), "/pod/box"), Some((400, 100)), "the least of each");
        assert_eq!(group_memory(root.path(), "/"), None, "what is below does not count");
    }

    #[test]
    fn what_would_leave_too_little_or_is_no_pressure_is_refused() {
        let error = MemoryPressure::start(ByteSize::kib(4)).expect_err("too little").to_string();
        assert!(error.contains("at least 1MiB"), "{error}");
        let error = MemoryPressure::start(ByteSize::mib(1 << 30)).expect_err("a PiB").to_string();
        assert!(error.contains("would leave 0B of the memory"), "{error}");
        let error = check(ByteSize::mib(620), 4 << 30, 1 << 30).expect_err("a tenth stays");
        let text = error.to_string();
        assert!(text.contains("leave 404MiB") && text.contains("at most 614MiB"), "{text}");
        assert_eq!(check(ByteSize::mib(614), 4 << 30, 1 << 30), Ok(()));
        assert!(check(ByteSize::mib(10), 1 << 30, 260 << 20).is_err(), "256 MiB stay in any case");
    }
}
