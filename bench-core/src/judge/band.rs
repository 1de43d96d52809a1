//! In words, how far a throughput lies from that of an older build; and, in numbers, how far it is
//! from that of another arm that was measured in turns with it.
//!
//! A band needs the whole interval of the ratio: an estimate beside a bound says nothing where the
//! interval reaches over it.

use serde::Deserialize;

use super::stats::{Interval, mean_of_means_interval};

const CONFIDENCE: f64 = 0.95;

/// How far a ratio of throughputs may be from 1, as fractions: 0.1 is 10 %.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
#[serde(try_from = "Written")]
pub struct Bands {
    /// Within `1 ± stable` nothing changed; above it is an improvement, below a warning.
    pub stable: f64,
    /// Below `1 - critical` it is more than a warning.
    pub critical: f64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    stable: f64,
    critical: f64,
}

/// Where a ratio of throughputs lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Change {
    /// The interval lies above `1 + stable`.
    Improvement,
    /// The interval lies within `1 ± stable`.
    Stable,
    /// The interval reaches over a bound, or there is none.
    Undecided,
    /// The interval lies below `1 - stable`.
    Warning,
    /// The interval lies below `1 - critical`.
    Critical,
}

impl Change {
    /// The one word for it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Improvement => "improvement",
            Self::Stable => "stable",
            Self::Undecided => "undecided",
            Self::Warning => "warning",
            Self::Critical => "critical",
        }
    }
}

impl Bands {
    /// The band of a throughput that is `ratio` times that of the baseline.
    pub fn of(self, ratio: Option<Interval>) -> Change {
        let Some(Interval { low, high, .. }) = ratio else { return Change::Undecided };
        if high < 1.0 - self.critical {
            Change::Critical
        } else if high < 1.0 - self.stable {
            Change::Warning
        } else if low > 1.0 + self.stable {
            Change::Improvement
        } else if low >= 1.0 - self.stable && high <= 1.0 + self.stable {
            Change::Stable
        } else {
            Change::Undecided
        }
    }
}

/// How many times as fast as `base` was `own`, over rounds in turns: the geometric mean of the
/// rounds' ratios with its interval at 95 %. `None` where the two have fewer than two rounds in
/// common.
///
/// # Panics
/// When a time is not finite or not above zero.
pub fn speed_up(base: &[f64], own: &[f64]) -> Option<(f64, Interval)> {
    let ratios = super::best::log_ratios(base, own);
    if ratios.len() < 2 {
        return None;
    }
    let groups = [ratios];
    let log = mean_of_means_interval(&groups, CONFIDENCE)?;
    let ratio = super::stats::mean_of_means(&groups).exp();
    Some((ratio, Interval { low: log.low.exp(), high: log.high.exp(), ..log }))
}

impl TryFrom<Written> for Bands {
    type Error = String;

    fn try_from(written: Written) -> Result<Self, String> {
        let Written { stable, critical } = written;
        if 0.0 < stable && stable < critical && critical < 1.0 {
            return Ok(Self { stable, critical });
        }
        Err(format!(
            "stable = {stable} and critical = {critical}: write fractions with 0 < stable < \
             critical < 1"
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BANDS: Bands = Bands { stable: 0.1, critical: 0.2 };

    fn of(low: f64, high: f64) -> Change {
        BANDS.of(Some(Interval { low, high, confidence: 0.95 }))
    }

    #[test]
    fn the_whole_interval_must_lie_in_the_band() {
        assert_eq!(of(0.90, 1.10), Change::Stable);
        assert_eq!(of(1.11, 1.30), Change::Improvement);
        assert_eq!(of(0.70, 0.89), Change::Warning);
        assert_eq!(of(0.70, 0.79), Change::Critical);
        for (low, high) in [(0.85, 0.95), (0.5, 1.5), (1.05, 1.2), (0.7, 0.91)] {
            assert_eq!(of(low, high), Change::Undecided, "{low} {high}");
        }
        assert_eq!(BANDS.of(None), Change::Undecided);
        assert_eq!(Change::Critical.max(Change::Stable), Change::Critical);
    }

    #[test]
    fn a_ratio_of_rounds_by_hand() {
        let (ratio, interval) = speed_up(&[4.0, 8.0, 2.0], &[2.0, 4.0, 1.0]).expect("three rounds");
        assert!((ratio - 2.0).abs() < 1e-12, "{ratio}");
        assert!((interval.low - 2.0).abs() < 1e-9 && (interval.high - 2.0).abs() < 1e-9);
        assert_eq!(speed_up(&[4.0], &[2.0, 3.0]), None);
    }

    #[test]
    fn bands_in_the_wrong_order_are_refused() {
        let parse = |text: &str| serde_json::from_str::<Bands>(text);
        assert_eq!(parse(r#"{"stable": 0.1, "critical": 0.2}"#).expect("sound"), BANDS);
        for bad in [(0.2, 0.1), (0.0, 0.2), (0.1, 1.0), (0.1, 0.1)] {
            let text = format!(r#"{{"stable": {}, "critical": {}}}"#, bad.0, bad.1);
            assert!(parse(&text).expect_err("order").to_string().contains("critical"), "{bad:?}");
        }
    }
}
