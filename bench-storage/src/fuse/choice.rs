//! Which backend a user wants for a tree of files, and which there is.

use std::env;
use std::fmt;
use std::str::FromStr;

use crate::error::Error;

/// The variable that names the backend, as a [`Choice`].
pub const FUSE_VARIABLE: &str = "WEIGHBRIDGE_FUSE";

/// By what the files of a tree are reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A real FUSE mount; the kernel's requests are counted.
    Fuse,
    /// Files of the same names and content on a disk. No option of a mount has a meaning, and the
    /// system calls that a caller makes are all there is to count.
    PlainFiles,
}

impl Kind {
    /// As rows and the command line call it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Fuse => "fuse",
            Self::PlainFiles => "plain_files",
        }
    }
}

/// Which backend a user wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Choice {
    /// FUSE, or plain files where it cannot be had; rows say why.
    Auto,
    /// This one, or an error.
    Exact(Kind),
}

impl Choice {
    /// What [`FUSE_VARIABLE`] says, `auto` where it says nothing.
    ///
    /// # Errors
    /// [`Error::UnknownBackend`] where it says something else.
    pub fn from_env() -> Result<Self, Error> {
        match env::var_os(FUSE_VARIABLE).filter(|text| !text.is_empty()) {
            Some(text) => text.to_string_lossy().parse(),
            None => Ok(Self::Auto),
        }
    }
}

impl fmt::Display for Choice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Auto => f.pad("auto"),
            Self::Exact(kind) => f.pad(&format!("exact:{}", kind.name())),
        }
    }
}

impl FromStr for Choice {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let all = [Self::Auto, Self::Exact(Kind::Fuse), Self::Exact(Kind::PlainFiles)];
        let known = all.into_iter().find(|choice| choice.to_string() == text);
        known.ok_or_else(|| Error::UnknownBackend(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn choices_parse_what_they_print_and_nothing_else() {
        for choice in [Choice::Auto, Choice::Exact(Kind::Fuse), Choice::Exact(Kind::PlainFiles)] {
            assert_eq!(choice.to_string().parse::<Choice>().expect("known"), choice);
        }
        let error = "exact:nfs".parse::<Choice>().expect_err("unknown").to_string();
        assert!(error.contains("'exact:nfs'") && error.contains("exact:plain_files"), "{error}");
    }
}
