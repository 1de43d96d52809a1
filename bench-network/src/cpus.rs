//! Which CPUs this process may use, and a guard that keeps a thread on one of them.
//!
//! Two threads left to the scheduler are sometimes on one CPU and sometimes on two, and an echo
//! between them differs by a factor of ten: without pinning a result has two values, not one.

use std::cell::RefCell;
use std::marker::PhantomData;
use std::sync::OnceLock;

use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

use crate::error::Error;

/// The CPUs of the calling thread as they were before this crate pinned anything, ascending.
///
/// # Errors
/// What `sched_getaffinity(2)` failed with, or [`Error::NoCpu`].
pub fn available() -> Result<&'static [usize], Error> {
    // Asked once: a thread that a guard has pinned sees one CPU only.
    static CPUS: OnceLock<Vec<usize>> = OnceLock::new();
    if let Some(cpus) = CPUS.get() {
        return Ok(cpus);
    }
    let cpus = allowed()?;
    if cpus.is_empty() {
        return Err(Error::NoCpu);
    }
    Ok(CPUS.get_or_init(|| cpus))
}

/// The CPUs that the calling thread may run on now, ascending.
///
/// # Errors
/// What `sched_getaffinity(2)` failed with.
pub fn allowed() -> Result<Vec<usize>, Error> {
    let mask = sched_getaffinity(None).map_err(Error::io("read the affinity mask"))?;
    Ok((0..CpuSet::MAX_CPU).filter(|&cpu| mask.is_set(cpu)).collect())
}

/// Where the two ends of a connection run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Placement {
    /// The CPU of the measuring thread.
    pub client: usize,
    /// The CPU of the answering thread; the same one where there is no other.
    pub server: usize,
}

impl Placement {
    /// The first two of the available CPUs, or the only one for both.
    ///
    /// # Errors
    /// As [`available`].
    pub fn choose() -> Result<Self, Error> {
        Ok(Self::among(available()?))
    }

    fn among(cpus: &[usize]) -> Self {
        Self { client: cpus[0], server: *cpus.get(1).unwrap_or(&cpus[0]) }
    }

    /// As a dimension of a record: `client 0, server 1`.
    pub fn describe(self) -> String {
        let Self { client, server } = self;
        let shared = if client == server { " (no other available)" } else { "" };
        format!("client {client}, server {server}{shared}")
    }
}

/// Keeps the calling thread on one CPU. When the last guard of a thread is dropped, the thread
/// may run again where it could before the first.
#[derive(Debug)]
#[must_use = "the thread is free again as soon as this guard is dropped"]
pub struct Pinned {
    cpu: usize,
    /// The guard must be dropped on the thread that it pinned.
    _thread: PhantomData<*const ()>,
}

/// The mask to restore and the guards alive. Guards may be dropped in any order, so that no single
/// one can know what to restore.
struct Before {
    mask: CpuSet,
    guards: usize,
}

thread_local! {
    static BEFORE: RefCell<Option<Before>> = const { RefCell::new(None) };
}

impl Pinned {
    /// Pins the calling thread.
    ///
    /// # Errors
    /// What the system refused.
    pub fn to(cpu: usize) -> Result<Self, Error> {
        let mask = sched_getaffinity(None).map_err(Error::io("read the affinity mask"))?;
        let mut one = CpuSet::new();
        one.set(cpu);
        sched_setaffinity(None, &one).map_err(Error::io("pin a thread"))?;
        BEFORE.with_borrow_mut(|before| {
            before.get_or_insert(Before { mask, guards: 0 }).guards += 1;
        });
        Ok(Self { cpu, _thread: PhantomData })
    }

    /// Asserts that the calling thread is still where it was pinned.
    ///
    /// # Errors
    /// [`Error::Unpinned`] where somebody else moved it.
    pub fn assert(&self) -> Result<(), Error> {
        let found = allowed()?;
        if found == [self.cpu] {
            Ok(())
        } else {
            Err(Error::Unpinned { expected: self.cpu, found })
        }
    }
}

impl Drop for Pinned {
    fn drop(&mut self) {
        BEFORE.with_borrow_mut(|slot| {
            let Some(before) = slot else { return };
            before.guards -= 1;
            if before.guards == 0 {
                // A CPU may have gone since; the thread then stays pinned, which harms nobody.
                let _ = sched_setaffinity(None, &before.mask);
                *slot = None;
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pinned_thread_stays_pinned_until_its_last_guard_goes() {
        let before = allowed().expect("mask");
        let cpu = *available().expect("cpus").last().expect("one at least");
        let first = Pinned::to(cpu).expect("pin");
        let second = Pinned::to(cpu).expect("pin");
        drop(first);
        assert_eq!(allowed().expect("mask"), [cpu]);
        second.assert().expect("still there");
        drop(second);
        assert_eq!(allowed().expect("mask"), before);
    }

    #[test]
    fn a_thread_that_somebody_moved_is_noticed() {
        let mask = sched_getaffinity(None).expect("mask");
        let cpus = available().expect("cpus");
        if cpus.len() < 2 {
            return;
        }
        let pinned = Pinned::to(cpus[0]).expect("pin");
        sched_setaffinity(None, &mask).expect("move");
        let error = pinned.assert().expect_err("moved").to_string();
        assert!(error.contains(&format!("has to stay on CPU {}", cpus[0])), "{error}");
    }

    #[test]
    fn one_cpu_serves_both_ends_and_says_so() {
        assert_eq!(Placement::among(&[3, 5, 7]).describe(), "client 3, server 5");
        assert_eq!(Placement::among(&[4]).describe(), "client 4, server 4 (no other available)");
    }
}
