//! What a mount is seen to do before anything is measured: how much one request asks for, and what the
//! kernel remembers.
//!
//! Neither stands anywhere to be read. A time-out that was not taken, or content that was not kept,
//! would leave rows that claim a cache which nobody had. So each is tried on a file that is there for
//! this alone, and the requests are counted.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;
use std::time::Duration;

use bench_core::units::ByteSize;
use rustix::fs::stat;
use rustix::io::Errno;

use super::options::FuseOptions;
use super::requests::{Counters, RequestKind, Requests};
use crate::error::Error;

/// The file that is looked at and read.
pub(super) const FILE: &str = "probe";
/// A name that no file has.
const MISSING: &str = "no-probe";
/// A shorter time-out may have passed between two calls; it is not asserted.
const TTL_LEAST: Duration = Duration::from_secs(1);
/// Passes of which one has to find remembered what is to be: the kernel may drop it whenever it needs
/// the memory.
const PASSES_KEPT: u32 = 20;
/// Passes that all have to ask for what is not to be remembered.
const PASSES_ASKED: u32 = 3;

/// What the kernel was seen not to ask for again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Remembered {
    /// Which file has a name.
    pub names: bool,
    /// Size, times and permissions.
    pub attributes: bool,
    /// That no file has a name.
    pub absences: bool,
    /// Content, at least some of it, from one open to the next.
    pub content: bool,
}

impl Remembered {
    /// Whether this is what was asked for.
    ///
    /// # Errors
    /// [`Error::NotRemembered`] with the first option that is not obeyed.
    pub(super) fn expect(&self, options: &FuseOptions) -> Result<(), Error> {
        let FuseOptions { entry_ttl, attr_ttl, negative_ttl, keep_cache, .. } = *options;
        let ttl = |ttl: Duration| {
            let wanted = ttl.is_zero() || ttl >= TTL_LEAST;
            (format!("{} s", ttl.as_secs_f64()), wanted.then_some(!ttl.is_zero()))
        };
        for (setting, (asked, wanted), seen) in [
            ("entry TTL", ttl(entry_ttl), self.names),
            ("attribute TTL", ttl(attr_ttl), self.attributes),
            ("negative TTL", ttl(negative_ttl), self.absences),
            ("KEEP_CACHE", (keep_cache.to_string(), Some(keep_cache)), self.content),
        ] {
            if wanted.is_some_and(|wanted| wanted != seen) {
                let did = if seen { "did not ask" } else { "asked" };
                return Err(Error::NotRemembered { setting, asked, did });
            }
        }
        Ok(())
    }

    /// For rows: `names, attributes`.
    pub(super) fn words(&self) -> String {
        let Self { names, attributes, absences, content } = *self;
        let all = [
            ("names", names),
            ("attributes", attributes),
            ("absences", absences),
            ("content", content),
        ];
        let seen: Vec<&str> =
            all.into_iter().filter_map(|(what, seen)| seen.then_some(what)).collect();
        if seen.is_empty() { "nothing".to_owned() } else { seen.join(", ") }
    }
}

/// A mount to try things on.
#[derive(Debug)]
pub(super) struct Probe<'a> {
    pub(super) mount: &'a Path,
    pub(super) counters: &'a Counters,
    /// Of the file.
    pub(super) size: ByteSize,
}

impl Probe<'_> {
    /// How much the largest request of all asked for, once the whole file was read.
    ///
    /// # Errors
    /// What reading it failed with.
    pub(super) fn largest_read(&self) -> Result<ByteSize, Error> {
        self.read()?;
        Ok(self.counters.largest_read())
    }

    /// What need not be asked for again. Comes after [`largest_read`](Self::largest_read).
    ///
    /// # Errors
    /// What a call failed with.
    pub(super) fn remembered(&self, options: &FuseOptions) -> Result<Remembered, Error> {
        let FuseOptions { entry_ttl, attr_ttl, negative_ttl, keep_cache, .. } = *options;
        let largest = self.counters.largest_read().bytes();
        let lookup = |asked: &Requests| asked.of(RequestKind::Lookup) > 0;
        let getattr = |asked: &Requests| asked.of(RequestKind::GetAttr) > 0;
        let all = |asked: &Requests| asked.of(RequestKind::Read) * largest >= self.size.bytes();
        Ok(Remembered {
            names: self.spared(!entry_ttl.is_zero(), lookup, || self.look())?,
            attributes: self.spared(!attr_ttl.is_zero(), getattr, || self.look())?,
            absences: self.spared(!negative_ttl.is_zero(), lookup, || self.look_for_none())?,
            content: self.spared(keep_cache, all, || self.read())?,
        })
    }

    /// Whether one of some passes did not ask.
    fn spared(
        &self,
        wanted: bool,
        asks: impl Fn(&Requests) -> bool,
        pass: impl Fn() -> Result<(), Error>,
    ) -> Result<bool, Error> {
        for _ in 0..if wanted { PASSES_KEPT } else { PASSES_ASKED } {
            let before = self.counters.now();
            pass()?;
            if !asks(&(self.counters.now() - before)) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn look(&self) -> Result<(), Error> {
        let path = self.mount.join(FILE);
        stat(&path).map(drop).map_err(|errno| Error::io("look at", &path)(errno.into()))
    }

    fn look_for_none(&self) -> Result<(), Error> {
        let path = self.mount.join(MISSING);
        match stat(&path) {
            Err(Errno::NOENT) => Ok(()),
            Err(errno) => Err(Error::io("look for", &path)(errno.into())),
            Ok(_) => Err(Error::io("miss", &path)(io::ErrorKind::AlreadyExists.into())),
        }
    }

    /// Reads the whole file page by page, so that only the kernel's read-ahead makes requests large;
    /// for a large call it may ask for more than it reads ahead.
    fn read(&self) -> Result<(), Error> {
        let path = self.mount.join(FILE);
        let read = || -> io::Result<()> {
            let (mut file, mut page) = (File::open(&path)?, [0; 4096]);
            while file.read(&mut page)? > 0 {}
            Ok(())
        };
        read().map_err(Error::io("read", &path))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOTHING: Remembered =
        Remembered { names: false, attributes: false, absences: false, content: false };
    const ALL: Remembered =
        Remembered { names: true, attributes: true, absences: true, content: true };

    #[test]
    fn each_option_that_is_not_obeyed_is_named() {
        let none = FuseOptions::UNCACHED;
        let ttl = Duration::from_secs(60);
        NOTHING.expect(&none).expect("as asked");
        ALL.expect(&FuseOptions { keep_cache: true, ..none.with_ttl(ttl) }).expect("as asked");
        let cases = [
            ("entry TTL", Remembered { names: true, ..NOTHING }),
            ("attribute TTL", Remembered { attributes: true, ..NOTHING }),
            ("negative TTL", Remembered { absences: true, ..NOTHING }),
            ("KEEP_CACHE", Remembered { content: true, ..NOTHING }),
        ];
        for (setting, seen) in cases {
            let said = seen.expect(&none).expect_err(setting).to_string();
            assert!(said.starts_with(&format!("with the {setting} of ")), "{said}");
            assert!(said.contains("the kernel did not ask a second time"), "{said}");
        }
        let said = NOTHING.expect(&none.with_ttl(ttl)).expect_err("kept").to_string();
        assert!(said.starts_with("with the entry TTL of 60 s the kernel asked a second"), "{said}");
    }

    #[test]
    fn a_time_out_that_may_have_passed_is_not_asserted() {
        let short = FuseOptions::UNCACHED.with_ttl(Duration::from_millis(3));
        NOTHING.expect(&short).expect("too short to tell");
        let seen = Remembered { names: true, absences: true, ..NOTHING };
        seen.expect(&short).expect("too short to tell");
        assert_eq!((seen.words(), NOTHING.words()), ("names, absences".into(), "nothing".into()));
    }
}
