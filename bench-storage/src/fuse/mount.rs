//! A tree mounted for as long as a guard lives.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::thread;
use std::time::Duration;

use bench_core::units::ByteSize;
use fuser::{BackgroundSession, Config, MountOption, Session};

use super::negotiated::Negotiated;
use super::options::FuseOptions;
use super::probe::Probe;
use super::refusal::{not_mounted, not_negotiated, says_no_fuse};
use super::requests::{Counters, RequestKind, Requests};
use super::seeded::SeededTree;
use super::served::Served;
use crate::error::Error;
use crate::mounts::{self, Ended};
use crate::scratch::ScratchDirectory;

/// The device of all FUSE servers.
pub const DEVICE: &str = "/dev/fuse";

/// The kernel's own offer of read-ahead, on every version so far.
const READ_AHEAD_DEFAULT: ByteSize = ByteSize::kib(128);
/// Read-ahead begins with a few pages and doubles. When it has reached its most, less than twice that
/// has been read.
const PROBE_WINDOWS: u64 = 4;
/// How often and for how long to look whether something of the kernel's has ended: ten seconds in all.
const LOOKS: u32 = 10_000;
const LOOK: Duration = Duration::from_millis(1);

/// A tree that this process serves through the kernel. Dropping it unmounts and removes the folder,
/// also while a panic unwinds; whoever still has a file of it open gets errors from then on. A process
/// that is killed cannot: see [`ScratchDirectory`].
///
/// What it does not model: a back end that takes time (content lies in memory), directories in
/// directories, writes, and a server of more than one thread.
#[derive(Debug)]
#[must_use = "the file system is unmounted as soon as this guard is dropped"]
pub struct FuseMount {
    path: PathBuf,
    counters: Arc<Counters>,
    negotiated: Negotiated,
    ended: Arc<AtomicBool>,
    session: Option<BackgroundSession>,
}

/// Whether this process may open the device, at its usual place or another.
///
/// # Errors
/// [`Error::NoFuse`] with what opening it said, where that is for want of a device or a right.
pub fn available(device: &Path) -> Result<(), Error> {
    let opened = File::options().read(true).write(true).open(device);
    opened.map(drop).map_err(|error| match says_no_fuse(&error) {
        true => Error::NoFuse { reason: format!("failed to open {}: {error}", device.display()) },
        false => Error::io("open", device)(error),
    })
}

impl FuseMount {
    /// Mounts the tree on a new folder `name` of the scratch directory, read-only, and serves it on
    /// one thread. What was asked for has been found to stand when this returns.
    ///
    /// Drop it before the scratch directory.
    ///
    /// # Errors
    /// [`Error::NoFuse`] where the machine cannot; [`Error::MountPointBusy`] where something is at that
    /// place; [`Error::InvalidFuse`] for options or a tree that cannot be; [`Error::NotNegotiated`]
    /// and [`Error::NotRemembered`] where the kernel does otherwise than asked; what else it failed
    /// with.
    pub fn start(
        scratch: &ScratchDirectory,
        name: &str,
        tree: SeededTree,
        options: FuseOptions,
    ) -> Result<Self, Error> {
        tree.check()?;
        options.check()?;
        Self::start_as(scratch, name, tree, options, options)
    }

    /// Asserts `options` of a mount that is served by `obeyed`: where they differ, that is noticed.
    fn start_as(
        scratch: &ScratchDirectory,
        name: &str,
        tree: SeededTree,
        options: FuseOptions,
        obeyed: FuseOptions,
    ) -> Result<Self, Error> {
        available(Path::new(DEVICE))?;
        // The kernel's table of mounts knows whole paths only.
        let place = scratch.path().canonicalize().map_err(Error::io("find", scratch.path()))?;
        let folder = Folder::create(place.join(name))?;
        let counters = Arc::new(Counters::default());
        let (greeting, ended) = (Arc::new(OnceLock::new()), Arc::new(AtomicBool::new(false)));
        let probe = options.read_ahead.unwrap_or(READ_AHEAD_DEFAULT).bytes() * PROBE_WINDOWS;
        let probe = ByteSize::new(probe);
        let served = Served {
            tree,
            options: obeyed,
            probe,
            content: Served::content(&tree, probe),
            counters: Arc::clone(&counters),
            greeting: Arc::clone(&greeting),
            ended: Arc::clone(&ended),
        };
        let begun = Session::new(served, &folder.0, &config(&options));
        let (session, offer) = match (begun, greeting.get()) {
            (_, Some(Err(refused))) => return Err(not_negotiated(refused)),
            (Err(error), _) => return Err(not_mounted(&folder.0, error)),
            (Ok(session), offer) => {
                let offer = offer.and_then(|offer| offer.ok());
                (session, offer.expect("a session begins with the kernel's offer"))
            }
        };
        let session = session.spawn().map_err(Error::Threads)?;
        let path = folder.keep();
        // From here on the guard unmounts, whatever goes wrong.
        let negotiated = Negotiated::of(offer);
        let mut this = Self { path, counters, negotiated, ended, session: Some(session) };
        let probe = Probe { mount: &this.path, counters: &this.counters, size: probe };
        this.negotiated = Negotiated::settle(&options, offer, &probe)?;
        this.settled()?;
        Ok(this)
    }

    /// The folder in which the files are.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What the kernel does with this mount.
    pub const fn negotiated(&self) -> &Negotiated {
        &self.negotiated
    }

    /// The most that one read request has asked for until now.
    pub fn largest_read(&self) -> ByteSize {
        self.counters.largest_read()
    }

    /// All requests until now. Those for which no caller waits may still come: see
    /// [`settled`](Self::settled).
    pub fn requests(&self) -> Requests {
        self.counters.now()
    }

    /// All requests until now, once the kernel has released every file that was closed. Call it while
    /// none is open.
    ///
    /// # Errors
    /// [`Error::NotReleased`] when it has not after ten seconds.
    pub fn settled(&self) -> Result<Requests, Error> {
        self.settled_within(LOOKS)
    }

    fn settled_within(&self, looks: u32) -> Result<Requests, Error> {
        let open = |requests: &Requests| {
            requests.of(RequestKind::Open).saturating_sub(requests.of(RequestKind::Release))
        };
        let mut requests = self.requests();
        wait_until(looks, || {
            requests = self.requests();
            open(&requests) == 0
        });
        match open(&requests) {
            0 => Ok(requests),
            open => Err(Error::NotReleased { open }),
        }
    }

    /// Unmounts and removes the folder, as dropping does, and says how it went.
    ///
    /// # Errors
    /// When it cannot be unmounted, or the folder not removed.
    pub fn unmount(mut self) -> Result<Ended, Error> {
        self.end()
    }

    fn end(&mut self) -> Result<Ended, Error> {
        let Some(session) = self.session.take() else { return Ok(Ended::Already) };
        let ended = mounts::end(&self.path).map_err(Error::io("unmount", &self.path))?;
        if ended == Ended::ByHelper {
            // It cannot unmount by force. Whoever has a file open is to notice all the same.
            self.ended.store(true, Ordering::Release);
        }
        // After a helper, or where another mount namespace has a copy, the server goes on until the
        // last file is closed; that may be by the caller, so it is not waited for without end.
        if ended != Ended::ByHelper && wait_until(LOOKS, || session.guard.is_finished()) {
            let _ = session.join();
        }
        fs::remove_dir(&self.path).map_err(Error::io("remove", &self.path))?;
        Ok(ended)
    }
}

impl Drop for FuseMount {
    fn drop(&mut self) {
        // What stays is removed by the next run in this place.
        let _ = self.end();
    }
}

/// A mount point of our own that is removed again where nothing came of it.
struct Folder(PathBuf);

impl Folder {
    fn create(path: PathBuf) -> Result<Self, Error> {
        match fs::create_dir(&path) {
            Ok(()) => Ok(Self(path)),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                let mounted = mounts::at(&path).ok().flatten().is_some();
                let found = if mounted { "something is mounted there" } else { "it exists" };
                Err(Error::MountPointBusy { path, found })
            }
            Err(error) => Err(Error::io("create", &path)(error)),
        }
    }

    fn keep(mut self) -> PathBuf {
        std::mem::take(&mut self.0)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if !self.0.as_os_str().is_empty() {
            let _ = fs::remove_dir(&self.0);
        }
    }
}

fn config(options: &FuseOptions) -> Config {
    let mut config = Config::default();
    config.mount_options =
        vec![MountOption::RO, MountOption::NoAtime, MountOption::FSName(mounts::SOURCE.to_owned())];
    let most = options.max_read.map(|most| format!("max_read={}", most.bytes()));
    config.mount_options.extend(most.map(MountOption::CUSTOM));
    config.n_threads = Some(1);
    config
}

/// Looks this many times, a millisecond apart, until it is so; whether it is.
fn wait_until(looks: u32, mut is_so: impl FnMut() -> bool) -> bool {
    for _ in 0..looks {
        if is_so() {
            return true;
        }
        thread::sleep(LOOK);
    }
    is_so()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[expect(clippy::print_stderr, reason = "a test that checks nothing has to say so")]
    fn a_file_that_is_open_is_not_settled() {
        let scratch = ScratchDirectory::create().expect("scratch");
        let tree = SeededTree { files: 1, size: ByteSize::kib(4), seed: 1 };
        let mount = match FuseMount::start(&scratch, "mount", tree, FuseOptions::UNCACHED) {
            Ok(mount) => mount,
            Err(error @ Error::NoFuse { .. }) => return eprintln!("skipped: {error}"),
            Err(error) => panic!("{error}"),
        };
        let open = File::open(mount.path().join(SeededTree::name(0))).expect("open");
        let error = mount.settled_within(3).expect_err("it is open").to_string();
        assert!(error.starts_with("the kernel did not release 1 files"), "{error}");
        drop(open);
        mount.settled().expect("it was closed");
    }

    /// What a start fails with whose server obeys other options; nothing where none can be mounted.
    fn refused(asked: FuseOptions, obeyed: FuseOptions) -> Option<String> {
        let scratch = ScratchDirectory::create().expect("scratch");
        let tree = SeededTree { files: 1, size: ByteSize::kib(4), seed: 1 };
        match FuseMount::start_as(&scratch, "mount", tree, asked, obeyed) {
            Ok(_) => panic!("it passed for {asked:?}"),
            Err(Error::NoFuse { .. }) => None,
            Err(error) => {
                assert_eq!(fs::read_dir(scratch.path()).expect("list").count(), 0, "{error}");
                Some(error.to_string())
            }
        }
    }

    #[test]
    fn a_cache_that_is_not_as_asked_for_is_noticed() {
        let none = FuseOptions::UNCACHED;
        let hour = Duration::from_secs(3600);
        for (setting, cached) in [
            ("entry TTL", FuseOptions { entry_ttl: hour, ..none }),
            ("negative TTL", FuseOptions { negative_ttl: hour, ..none }),
            ("KEEP_CACHE", FuseOptions { keep_cache: true, ..none }),
        ] {
            // Asked for and not there, and there without having been asked for.
            for (asked, obeyed, did) in [(cached, none, "asked"), (none, cached, "did not ask")] {
                let Some(said) = refused(asked, obeyed) else { return };
                assert!(said.starts_with(&format!("with the {setting} of ")), "{said}");
                assert!(said.contains(&format!("the kernel {did} a second time")), "{said}");
            }
        }
        // Attributes come with each name that is asked for.
        let names = FuseOptions { entry_ttl: hour, ..none };
        let both = FuseOptions { attr_ttl: hour, ..names };
        for (asked, obeyed) in [(names, both), (both, names)] {
            let Some(said) = refused(asked, obeyed) else { return };
            assert!(said.starts_with("with the attribute TTL of "), "{said}");
        }
    }

    #[test]
    fn what_the_server_cannot_ask_for_is_no_want_of_fuse() {
        let none = FuseOptions::UNCACHED;
        let Some(said) = refused(none, FuseOptions { max_background: Some(0), ..none }) else {
            return;
        };
        assert!(said.starts_with("the kernel took 1 as the max background of"), "{said}");
    }
}
