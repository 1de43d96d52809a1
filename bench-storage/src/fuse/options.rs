//! How a mount is asked to be served.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use bench_core::units::ByteSize;

use crate::error::Error;

/// Less than a page the kernel does not take.
const READ_LEAST: ByteSize = ByteSize::kib(4);
/// The most pages of a request, of 4 KiB, unless `fs.fuse.max_pages_limit` is raised.
const READ_MOST: ByteSize = ByteSize::mib(1);

/// What the server lets the kernel remember, and how it lets itself be read.
///
/// `None` asks for nothing: the kernel's own value stands, and is recorded. What is asked for is
/// asserted; see [`Negotiated`](super::Negotiated).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FuseOptions {
    /// For how long the kernel may take a name for the file that it found, without asking.
    pub entry_ttl: Duration,
    /// The same of size, times and permissions.
    pub attr_ttl: Duration,
    /// For how long a name that was not there may be taken not to be there.
    pub negative_ttl: Duration,
    /// Whether content stays in the page cache from one open to the next: for what never changes.
    pub keep_cache: bool,
    /// The most that one request asks for: a whole number of pages of 4 KiB, at most 1 MiB.
    pub max_read: Option<ByteSize>,
    /// How far the kernel reads ahead; the same bounds. More than the kernel offers (128 KiB) takes
    /// root.
    pub read_ahead: Option<ByteSize>,
    /// The most requests that nobody waits for (read-ahead, release) at a time.
    pub max_background: Option<u16>,
}

impl FuseOptions {
    /// Nothing is remembered; nothing else is asked for.
    pub const UNCACHED: Self = Self {
        entry_ttl: Duration::ZERO,
        attr_ttl: Duration::ZERO,
        negative_ttl: Duration::ZERO,
        keep_cache: false,
        max_read: None,
        read_ahead: None,
        max_background: None,
    };

    /// Names, attributes and absences are remembered for this long.
    #[must_use]
    pub const fn with_ttl(self, ttl: Duration) -> Self {
        Self { entry_ttl: ttl, attr_ttl: ttl, negative_ttl: ttl, ..self }
    }

    /// Whether this can be asked for at all.
    ///
    /// # Errors
    /// [`Error::InvalidFuse`] with the option.
    pub(super) fn check(&self) -> Result<(), Error> {
        for (name, size) in [("max read", self.max_read), ("read-ahead", self.read_ahead)] {
            let whole = |size: ByteSize| size.bytes().is_multiple_of(READ_LEAST.bytes());
            let fine = |size| (READ_LEAST..=READ_MOST).contains(&size) && whole(size);
            if let Some(wrong) = size.filter(|size| !fine(*size)) {
                return Err(Error::InvalidFuse(format!(
                    "a {name} of {wrong} cannot be mounted with; ask for a multiple of \
                     {READ_LEAST} up to {READ_MOST}"
                )));
            }
        }
        match self.max_background {
            Some(0) => Err(Error::InvalidFuse(
                "a FUSE mount without a background request cannot release a file; ask for a max \
                 background of at least 1"
                    .to_owned(),
            )),
            _ => Ok(()),
        }
    }

    /// What rows record of what was asked for.
    pub(super) fn dimensions(&self) -> Vec<(&'static str, String)> {
        let seconds = |ttl: Duration| format!("{} s", ttl.as_secs_f64());
        vec![
            ("entry_ttl", seconds(self.entry_ttl)),
            ("attr_ttl", seconds(self.attr_ttl)),
            ("negative_ttl", seconds(self.negative_ttl)),
            ("keep_cache", self.keep_cache.to_string()),
        ]
    }
}

/// The kinds of caching that are measured, as they stand in ids.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Caching {
    /// Nothing is remembered.
    Ttl0,
    /// Names, attributes and absences are, for five seconds.
    Ttl5s,
    /// The same for sixty seconds, and content for as long as memory lasts.
    KeepCache60s,
}

impl Caching {
    /// All of them, the one that others are compared with first.
    pub const ALL: [Self; 3] = [Self::Ttl0, Self::Ttl5s, Self::KeepCache60s];

    /// As ids call it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ttl0 => "ttl_0",
            Self::Ttl5s => "ttl_5s",
            Self::KeepCache60s => "keep_cache_60s",
        }
    }

    /// What is asked for.
    pub const fn options(self) -> FuseOptions {
        const BASE: FuseOptions = FuseOptions { max_background: Some(16), ..FuseOptions::UNCACHED };
        match self {
            Self::Ttl0 => BASE,
            Self::Ttl5s => BASE.with_ttl(Duration::from_secs(5)),
            Self::KeepCache60s => {
                FuseOptions { keep_cache: true, ..BASE.with_ttl(Duration::from_secs(60)) }
            }
        }
    }
}

impl fmt::Display for Caching {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Caching {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let known = Self::ALL.into_iter().find(|caching| caching.name() == text);
        known.ok_or_else(|| {
            let names = Self::ALL.map(Self::name).join(", ");
            Error::InvalidFuse(format!("'{text}' is no caching; write one of: {names}"))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn caching_parses_what_it_prints() {
        for caching in Caching::ALL {
            assert_eq!(caching.to_string().parse::<Caching>().expect("known"), caching);
            caching.options().check().expect("can be asked for");
        }
        let error = "ttl_1".parse::<Caching>().expect_err("unknown").to_string();
        assert_eq!(error, "'ttl_1' is no caching; write one of: ttl_0, ttl_5s, keep_cache_60s");
    }

    #[test]
    fn what_no_kernel_takes_is_refused_with_the_option() {
        let base = FuseOptions::UNCACHED;
        for size in [ByteSize::new(0), ByteSize::new(5000), ByteSize::mib(2)] {
            for (name, options) in [
                ("max read", FuseOptions { max_read: Some(size), ..base }),
                ("read-ahead", FuseOptions { read_ahead: Some(size), ..base }),
            ] {
                let error = options.check().expect_err("refused").to_string();
                assert!(error.starts_with(&format!("a {name} of {size} cannot")), "{error}");
            }
        }
        let none = FuseOptions { max_background: Some(0), ..base };
        assert!(none.check().expect_err("refused").to_string().contains("at least 1"));
    }
}
