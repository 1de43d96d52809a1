//! What the kernel really does with a mount, read from the kernel and not from what was asked.
//!
//! A FUSE server asks in its answer to `INIT`, and the kernel takes what it likes: it never reads
//! further ahead than it offered, for one, whatever the answer says. So each value is read where the
//! kernel keeps it; how much one request asks for, and what is remembered, is seen by trying.

use std::fs;
use std::io::{self, Read as _};
use std::path::Path;

use bench_core::units::ByteSize;
use rustix::fs::{Mode, OFlags, major, minor, openat, stat};
use rustix::mount::{FsMountFlags, FsOpenFlags, MountAttrFlags, fsconfig_create, fsmount, fsopen};

use super::options::FuseOptions;
use super::probe::{Probe, Remembered};
use super::served::Offer;
use crate::error::Error;
use crate::mounts;

/// What stands, for the life of the mount. `None` is "not readable here".
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Negotiated {
    /// Version of the kernel's FUSE protocol, as `7.45`.
    pub abi: String,
    /// How far the kernel offered to read ahead.
    pub read_ahead_offered: ByteSize,
    /// How far it does.
    pub read_ahead: Option<ByteSize>,
    /// The most that one request may ask for; zero where the mount sets no bound.
    pub max_read: Option<ByteSize>,
    /// The most requests at a time that nobody waits for.
    pub max_background: Option<u64>,
    /// The most that one request did ask for, while a file was read page by page from end to end. A
    /// call that reads more than the read-ahead may make larger ones, up to 128 KiB.
    pub largest_read: ByteSize,
    /// What was not asked for again.
    pub remembered: Remembered,
}

impl Negotiated {
    /// Before anything has been looked at.
    pub(super) fn of(offer: Offer) -> Self {
        Self {
            abi: format!("{}.{}", offer.abi.0, offer.abi.1),
            read_ahead_offered: offer.read_ahead,
            read_ahead: None,
            max_read: None,
            max_background: None,
            largest_read: ByteSize::new(0),
            remembered: Remembered::default(),
        }
    }

    /// Raises the read-ahead where the kernel offered less than is asked for, then reads back what
    /// stands and tries the rest.
    ///
    /// # Errors
    /// When the mount cannot be looked at or read; [`Error::NotNegotiated`] and
    /// [`Error::NotRemembered`] where the kernel does otherwise than asked.
    pub(super) fn settle(
        options: &FuseOptions,
        offer: Offer,
        probe: &Probe<'_>,
    ) -> Result<Self, Error> {
        let mount = probe.mount;
        let device = stat(mount).map_err(|e| Error::io("look at", mount)(e.into()))?.st_dev;
        let (major, minor) = (major(device), minor(device));
        let backing = format!("/sys/class/bdi/{major}:{minor}/read_ahead_kb");
        if let Some(asked) = options.read_ahead.filter(|asked| *asked > offer.read_ahead) {
            // Of this mount alone. Where it fails, what is read back differs.
            let _ = fs::write(&backing, (asked.bytes() >> 10).to_string());
        }
        let mut this = Self {
            read_ahead: number(fs::read_to_string(&backing)).map(ByteSize::kib),
            max_read: max_read(mount),
            max_background: number(of_connection(minor, "max_background")),
            largest_read: probe.largest_read()?,
            ..Self::of(offer)
        };
        this.expect(options)?;
        this.remembered = probe.remembered(options)?;
        this.remembered.expect(options)?;
        Ok(this)
    }

    /// Whether what stands is what was asked for, as far as it can be read. The read size always can.
    fn expect(&self, options: &FuseOptions) -> Result<(), Error> {
        let size = |setting, asked: Option<ByteSize>, taken: Option<ByteSize>| {
            same(setting, asked, taken.or(asked))
        };
        size("read-ahead", options.read_ahead, self.read_ahead)?;
        size("max read", options.max_read, self.max_read)?;
        let background = options.max_background.map(u64::from);
        same("max background", background, self.max_background.or(background))?;
        let ahead = options.read_ahead.or(self.read_ahead).unwrap_or(self.read_ahead_offered);
        let asked = options.max_read.map_or(ahead, |most| most.min(ahead));
        let any = options.read_ahead.or(options.max_read);
        same("size of a read request", any.map(|_| asked), Some(self.largest_read))
    }

    /// What rows record.
    pub(super) fn dimensions(&self) -> Vec<(&'static str, String)> {
        let unreadable = || "not readable".to_owned();
        let size = |size: Option<ByteSize>| size.map_or_else(unreadable, |size| size.to_string());
        let max_read = match self.max_read {
            Some(most) if most.is_empty() => "no bound".to_owned(),
            most => size(most),
        };
        vec![
            ("fuse_abi", self.abi.clone()),
            ("read_ahead_offered", self.read_ahead_offered.to_string()),
            ("read_ahead", size(self.read_ahead)),
            ("max_read", max_read),
            ("max_background", self.max_background.map_or_else(unreadable, |n| n.to_string())),
            ("read_request", self.largest_read.to_string()),
            ("remembered", self.remembered.words()),
        ]
    }
}

/// That `taken` is what was asked for, where anything was.
fn same<T: PartialEq + ToString>(
    setting: &'static str,
    asked: Option<T>,
    taken: Option<T>,
) -> Result<(), Error> {
    match (asked, taken) {
        (Some(asked), Some(taken)) if asked != taken => {
            let (asked, taken) = (asked.to_string(), taken.to_string());
            Err(Error::NotNegotiated { setting, asked, taken })
        }
        _ => Ok(()),
    }
}

fn number(text: io::Result<String>) -> Option<u64> {
    text.ok()?.trim().parse().ok()
}

/// The kernel lists the option only where it was given.
fn max_read(mount: &Path) -> Option<ByteSize> {
    let options = mounts::at(mount).ok()??.options;
    let given = options.iter().find_map(|option| option.strip_prefix("max_read="));
    match given {
        Some(bytes) => bytes.parse().ok().map(ByteSize::new),
        None => Some(ByteSize::new(0)),
    }
}

/// A value that the kernel keeps of a connection. Where its file system for these is mounted nowhere,
/// it is mounted for a moment where nobody else sees it, which takes root.
fn of_connection(connection: u32, name: &str) -> io::Result<String> {
    if let Ok(text) = fs::read_to_string(format!("/sys/fs/fuse/connections/{connection}/{name}")) {
        return Ok(text);
    }
    let context = fsopen("fusectl", FsOpenFlags::FSOPEN_CLOEXEC)?;
    fsconfig_create(&context)?;
    let root = fsmount(&context, FsMountFlags::FSMOUNT_CLOEXEC, MountAttrFlags::empty())?;
    let flags = OFlags::RDONLY | OFlags::CLOEXEC;
    let file = openat(&root, format!("{connection}/{name}"), flags, Mode::empty())?;
    let mut text = String::new();
    fs::File::from(file).read_to_string(&mut text)?;
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    const STANDS: Negotiated = Negotiated {
        abi: String::new(),
        read_ahead_offered: ByteSize::kib(128),
        read_ahead: Some(ByteSize::kib(128)),
        max_read: Some(ByteSize::new(0)),
        max_background: Some(16),
        largest_read: ByteSize::kib(128),
        remembered: Remembered { names: false, attributes: false, absences: false, content: false },
    };

    fn refused(stands: &Negotiated, options: FuseOptions) -> String {
        stands.expect(&options).expect_err("differs").to_string()
    }

    #[test]
    fn what_differs_from_what_was_asked_is_named() {
        let none = FuseOptions::UNCACHED;
        STANDS.expect(&none).expect("nothing was asked for");
        let ahead = FuseOptions { read_ahead: Some(ByteSize::mib(1)), ..none };
        let said = refused(&STANDS, ahead);
        assert!(said.starts_with("the kernel took 128KiB as the read-ahead of"), "{said}");
        assert!(said.contains("where 1MiB was asked for"), "{said}");
        let read = FuseOptions { max_read: Some(ByteSize::kib(64)), ..none };
        assert!(refused(&STANDS, read).contains("0B as the max read"));
        let background = FuseOptions { max_background: Some(5), ..none };
        assert!(refused(&STANDS, background).contains("16 as the max background"));
    }

    #[test]
    fn a_read_size_is_asserted_also_where_the_setting_cannot_be_read() {
        let blind = Negotiated { read_ahead: None, max_read: None, max_background: None, ..STANDS };
        let none = FuseOptions::UNCACHED;
        let ahead = FuseOptions { read_ahead: Some(ByteSize::mib(1)), ..none };
        assert!(refused(&blind, ahead).contains("128KiB as the size of a read request"));
        let read = FuseOptions { max_read: Some(ByteSize::kib(64)), ..none };
        assert!(refused(&blind, read).contains("where 64KiB was asked for"));
        blind.expect(&FuseOptions { max_background: Some(5), ..none }).expect("cannot be read");
    }
}
