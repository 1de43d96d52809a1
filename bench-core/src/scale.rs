//! How much to measure: every parameter of a bench has one value for each scale.

use std::fmt;
use std::str::FromStr;

/// The variable by which `cargo perf` tells a bench executable its scale.
pub const SCALE_VARIABLE: &str = "WEIGHBRIDGE_SCALE";

/// How much to measure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Scale {
    /// Once and small, so that benches run as tests and cannot rot.
    Smoke,
    /// Minutes: enough to see the shape of this machine.
    Quick,
    /// Everything, up to 256 MiB.
    Full,
}

impl Scale {
    /// All scales, smallest first.
    pub const ALL: [Self; 3] = [Self::Smoke, Self::Quick, Self::Full];

    /// The scale that the environment asks for. Where it asks for none: `Quick` under `cargo bench`,
    /// which passes `--bench`, and otherwise `Smoke`, so that benches are quick when run as tests.
    ///
    /// # Panics
    /// When the variable holds something else than a scale: measuring at another scale than the
    /// one asked for would be a lie.
    pub fn from_env() -> Self {
        match std::env::var(SCALE_VARIABLE) {
            Ok(text) => text.parse().unwrap_or_else(|error| panic!("{SCALE_VARIABLE}: {error}")),
            Err(_) if std::env::args().any(|argument| argument == "--bench") => Self::Quick,
            Err(_) => Self::Smoke,
        }
    }

    /// The value for this scale.
    pub fn pick<T>(self, smoke: T, quick: T, full: T) -> T {
        match self {
            Self::Smoke => smoke,
            Self::Quick => quick,
            Self::Full => full,
        }
    }

    /// The name as the command line takes it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Smoke => "smoke",
            Self::Quick => "quick",
            Self::Full => "full",
        }
    }
}

impl fmt::Display for Scale {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// Why a text is not a scale.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("'{0}' is not a scale; write smoke, quick or full")]
pub struct ParseScaleError(String);

impl FromStr for Scale {
    type Err = ParseScaleError;

    fn from_str(text: &str) -> Result<Self, ParseScaleError> {
        Self::ALL
            .into_iter()
            .find(|scale| scale.name() == text)
            .ok_or_else(|| ParseScaleError(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_scale_parses_from_its_name() {
        for scale in Scale::ALL {
            assert_eq!(scale.to_string().parse(), Ok(scale));
        }
        assert!("Quick".parse::<Scale>().is_err());
    }
}
