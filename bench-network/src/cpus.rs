//! Which CPUs this process may use, and a guard that keeps a thread on one of them.
//!
//! Two threads left to the scheduler are sometimes on one CPU and sometimes on two, and an echo
//! between them differs by a factor of ten: without pinning a result has two values, not one.

use std::cell::RefCell;
use std::fs;
use std::io;
use std::marker::PhantomData;
use std::sync::{OnceLock, mpsc};
use std::thread::{self, JoinHandle};

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
    /// What the two have in common.
    pub cores: Cores,
}

/// Whether two CPUs are hardware threads of one core. Such threads share its caches and its
/// execution units: an echo between them is another number than one between two cores.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cores {
    /// Two cores.
    Two,
    /// One core.
    Same,
    /// The kernel does not say.
    Unknown,
}

impl Placement {
    /// The first of the available CPUs and the first on another core. Where there is none, the
    /// second hardware thread of the same core; where there is none either, one CPU for both.
    ///
    /// # Errors
    /// As [`available`].
    pub fn choose() -> Result<Self, Error> {
        let cpus = available()?;
        let path = format!("/sys/devices/system/cpu/cpu{}/topology/thread_siblings_list", cpus[0]);
        let siblings = fs::read_to_string(path).ok().and_then(|list| parse_list(&list));
        Ok(Self::among(cpus, siblings.as_deref()))
    }

    /// `siblings` are the hardware threads of the core of the first CPU, itself included.
    fn among(cpus: &[usize], siblings: Option<&[usize]>) -> Self {
        let (client, second) = (cpus[0], *cpus.get(1).unwrap_or(&cpus[0]));
        let Some(siblings) = siblings else {
            return Self { client, server: second, cores: Cores::Unknown };
        };
        let elsewhere = cpus[1..].iter().copied().find(|cpu| !siblings.contains(cpu));
        let cores = if elsewhere.is_some() { Cores::Two } else { Cores::Same };
        Self { client, server: elsewhere.unwrap_or(second), cores }
    }

    /// As a dimension of a record: `client 0, server 1`.
    pub fn describe(self) -> String {
        let Self { client, server, cores } = self;
        let shared = match cores {
            _ if client == server => " (no other available)",
            Cores::Two => "",
            Cores::Same => " (same core)",
            Cores::Unknown => " (cores unknown)",
        };
        format!("client {client}, server {server}{shared}")
    }
}

/// CPUs as the kernel lists them: `0-3,8` is 0, 1, 2, 3 and 8. `None` where it is no such list.
fn parse_list(text: &str) -> Option<Vec<usize>> {
    let mut cpus = Vec::new();
    for part in text.trim().split(',') {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let (first, last): (usize, usize) = (first.parse().ok()?, last.parse().ok()?);
        if first > last || last >= CpuSet::MAX_CPU {
            return None;
        }
        cpus.extend(first..=last);
    }
    Some(cpus)
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

/// Starts a thread that does `work` on one CPU, and returns when it is there.
///
/// # Errors
/// What the system refused; then `work` has not begun, and is dropped.
pub(crate) fn spawn_pinned(
    name: &str,
    cpu: usize,
    work: impl FnOnce() + Send + 'static,
) -> Result<JoinHandle<()>, Error> {
    let (tell, told) = mpsc::channel();
    let run = move || match Pinned::to(cpu) {
        Ok(_pinned) => {
            if tell.send(Ok(())).is_ok() {
                work();
            }
        }
        Err(error) => drop(tell.send(Err(error))),
    };
    let builder = thread::Builder::new().name(name.to_owned());
    let thread = builder.spawn(run).map_err(Error::io("start a thread"))?;
    match told.recv() {
        Ok(started) => started.map(|()| thread),
        Err(_) => Err(Error::io("start a thread")(io::Error::other("it panicked"))),
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
    use proptest::prelude::*;

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
    fn the_other_end_gets_a_core_of_its_own_where_there_is_one() {
        let describe = |cpus: &[usize], list: &str| {
            Placement::among(cpus, parse_list(list).as_deref()).describe()
        };
        // Hardware threads are numbered side by side on some machines, core by core on others.
        assert_eq!(describe(&[0, 1, 2, 3], "0-1\n"), "client 0, server 2");
        assert_eq!(describe(&[0, 1, 2, 3], "0,2\n"), "client 0, server 1");
        assert_eq!(describe(&[3, 5, 7], "3\n"), "client 3, server 5");
        assert_eq!(describe(&[2, 6], "2,6\n"), "client 2, server 6 (same core)");
        assert_eq!(describe(&[2, 6], "gone"), "client 2, server 6 (cores unknown)");
        for list in ["4\n", "4-5\n", "gone"] {
            assert_eq!(describe(&[4], list), "client 4, server 4 (no other available)");
        }
    }

    proptest! {
        #[test]
        fn a_list_as_the_kernel_prints_it_is_parsed(
            ranges in proptest::collection::vec((0..900_usize, 0..100_usize), 1..8)
        ) {
            let text = |&(first, more): &(usize, usize)| match more {
                0 => first.to_string(),
                more => format!("{first}-{}", first + more),
            };
            let list = ranges.iter().map(text).collect::<Vec<_>>().join(",");
            let cpus: Vec<usize> =
                ranges.into_iter().flat_map(|(first, more)| first..=first + more).collect();
            prop_assert_eq!(parse_list(&format!("{list}\n")), Some(cpus));
        }

        #[test]
        fn no_text_makes_the_parser_panic(text in ".*|[0-9,-]{0,12}") {
            parse_list(&text);
        }
    }

    #[test]
    fn what_is_no_list_is_refused() {
        for bad in ["", "x", "1,", "3-1", "0-99999999999", "0-1-2"] {
            assert_eq!(parse_list(bad), None, "{bad}");
        }
    }
}
