//! Transport profiles: the HTTP/2 settings of a connection, applied to both of its ends.
//!
//! A flow-control window belongs to the end that *receives*: the server's windows govern Write, the
//! client's govern Read and Stream. A profile that reaches one end only measures something else, so
//! there is one function for each end here and the fixture calls both.
//!
//! Not modelled: the stream limit of the client. HTTP/2 lets each end limit the streams its peer
//! opens, and a gRPC server opens none, so only the server announces the limit.

use std::fmt;
use std::str::FromStr;

use bench_core::units::{ByteSize, KIB, MIB};
use tonic::transport::{Endpoint, Server};

/// The smallest frame limit that HTTP/2 allows to announce.
pub const FRAME_BYTES_MIN: u32 = 16 << 10;
/// The largest frame limit that HTTP/2 allows to announce; h2 panics above it.
pub const FRAME_BYTES_MAX: u32 = (1 << 24) - 1;
/// The largest flow-control window of HTTP/2.
pub const WINDOW_BYTES_MAX: u32 = (1 << 31) - 1;
/// Where every connection window starts. It can only grow.
pub const CONNECTION_WINDOW_BYTES_MIN: u32 = (1 << 16) - 1;

/// The settings of both ends of a connection. `None` leaves what tonic and hyper choose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TransportProfile {
    /// The name in ids: lower case, without `/`.
    pub name: &'static str,
    /// Bytes that may be under way on one stream, set by the receiving end.
    pub stream_window: Option<u32>,
    /// Bytes that may be under way on all streams together, set by the receiving end.
    pub connection_window: Option<u32>,
    /// Streams that the server allows at a time.
    pub max_concurrent_streams: Option<u32>,
    /// Largest frame payload that this end takes, in bytes.
    pub max_frame_size: Option<u32>,
    /// Grow the windows by the measured bandwidth-delay product. Excludes fixed windows.
    pub adaptive_window: bool,
    /// `TCP_NODELAY`: without it large transfers are several times slower.
    pub nodelay: bool,
}

impl TransportProfile {
    /// 4 MiB streams, 32 MiB connection, 1024 streams: what a service tuned for large blobs sets.
    /// For a region: 1 Gbit/s over up to 22 ms ([`link`](crate::link) has the arithmetic).
    pub const DEFAULT: Self = Self::windows("default", 4 * MIB, 32 * MIB, 1024);
    /// 64 KiB streams, 256 KiB connection, 100 streams: little memory for each peer. For one rack:
    /// 1 Gbit/s over up to half a millisecond, and 3 MiB/s over 20 ms.
    pub const CONSERVATIVE: Self = Self::windows("conservative", 64 * KIB, 256 * KIB, 100);
    /// 16 MiB streams, 64 MiB connection, 2048 streams: for long, fat paths: 1 Gbit/s over up to
    /// 89 ms, 10 Gbit/s over up to 8.9 ms.
    pub const AGGRESSIVE: Self = Self::windows("aggressive", 16 * MIB, 64 * MIB, 2048);
    /// The same with frames of 1 MiB, for few system calls with large messages on any link: 1 Gbit/s
    /// over up to 100 ms.
    pub const BULK: Self =
        Self { name: "bulk", max_frame_size: Some(MIB as u32), ..Self::AGGRESSIVE };
    /// 2 MiB streams with frames of 512 KiB, for two ends that share one CPU: what is under way
    /// stays in its caches, which larger windows and frames leave. Two ends on CPUs of their own
    /// are better off with [`BULK`](Self::BULK), whose windows seldom stop the sender: each update
    /// of a window wakes the other CPU. 1 Gbit/s over up to 16 ms.
    pub const LOCAL: Self = Self {
        max_frame_size: Some(512 * KIB as u32),
        ..Self::windows("local", 2 * MIB, 32 * MIB, 1024)
    };
    /// 64 KiB at first, grown up to 16 MiB as the measured bandwidth-delay product asks for it: for
    /// links that nobody knows beforehand, at the cost of a slow beginning.
    pub const ADAPTIVE: Self = Self { name: "adaptive", adaptive_window: true, ..Self::TONIC };
    /// Nothing set: the windows that tonic and hyper choose, which are not 64 KiB but 1 to 5 MiB.
    /// 1 Gbit/s over up to 5.7 ms to the server and 11 ms to the client.
    pub const TONIC: Self = Self {
        name: "tonic",
        stream_window: None,
        connection_window: None,
        max_concurrent_streams: None,
        max_frame_size: None,
        adaptive_window: false,
        nodelay: true,
    };

    /// The profiles that ids name.
    pub const ALL: [Self; 7] = [
        Self::DEFAULT,
        Self::CONSERVATIVE,
        Self::AGGRESSIVE,
        Self::TONIC,
        Self::ADAPTIVE,
        Self::BULK,
        Self::LOCAL,
    ];

    const fn windows(name: &'static str, stream: u64, connection: u64, streams: u32) -> Self {
        Self {
            name,
            stream_window: Some(stream as u32),
            connection_window: Some(connection as u32),
            max_concurrent_streams: Some(streams),
            ..Self::TONIC
        }
    }

    /// Whether HTTP/2 allows these settings.
    ///
    /// # Errors
    /// Names the first setting that it does not allow, and the bounds.
    pub fn validate(&self) -> Result<(), ProfileError> {
        let fixed = self.stream_window.is_some() || self.connection_window.is_some();
        if self.adaptive_window && fixed {
            return Err(ProfileError::AdaptiveAndFixed { profile: self.name });
        }
        let settings = [
            ("stream_window", self.stream_window, 1, WINDOW_BYTES_MAX),
            (
                "connection_window",
                self.connection_window,
                CONNECTION_WINDOW_BYTES_MIN,
                WINDOW_BYTES_MAX,
            ),
            ("max_concurrent_streams", self.max_concurrent_streams, 1, u32::MAX),
            ("max_frame_size", self.max_frame_size, FRAME_BYTES_MIN, FRAME_BYTES_MAX),
        ];
        for (setting, value, min, max) in settings {
            if let Some(value) = value.filter(|value| !(min..=max).contains(value)) {
                let profile = self.name;
                return Err(ProfileError::OutOfRange { profile, setting, value, min, max });
            }
        }
        Ok(())
    }

    /// The profile as dimensions of a row.
    pub fn dimensions(&self) -> Vec<(&'static str, String)> {
        let text = |bytes: u32| ByteSize::new(bytes.into()).to_string();
        let size = |value: Option<u32>| value.map_or("tonic's own".to_owned(), text);
        let window = |value| match self.adaptive_window {
            true => format!("{} at the opening", text(CONNECTION_WINDOW_BYTES_MIN)),
            false => size(value),
        };
        let streams = self.max_concurrent_streams;
        vec![
            ("profile", self.name.to_owned()),
            ("stream_window", window(self.stream_window)),
            ("connection_window", window(self.connection_window)),
            ("max_concurrent_streams", streams.map_or("tonic's own".to_owned(), |n| n.to_string())),
            ("max_frame_size", size(self.max_frame_size)),
            ("adaptive_window", self.adaptive_window.to_string()),
        ]
    }
}

/// A server with the profile's settings. The caller sets `nodelay` on accepted sockets itself,
/// because tonic ignores it for sockets that it did not bind.
pub(crate) fn server(profile: &TransportProfile) -> Server {
    Server::builder()
        .initial_stream_window_size(profile.stream_window)
        .initial_connection_window_size(profile.connection_window)
        .max_concurrent_streams(profile.max_concurrent_streams)
        .max_frame_size(profile.max_frame_size)
        .http2_adaptive_window(Some(profile.adaptive_window))
}

/// The endpoint with the profile's settings. The caller sets `nodelay` on its own socket.
pub(crate) fn endpoint(profile: &TransportProfile, endpoint: Endpoint) -> Endpoint {
    endpoint
        .initial_stream_window_size(profile.stream_window)
        .initial_connection_window_size(profile.connection_window)
        .max_frame_size(profile.max_frame_size)
        .http2_adaptive_window(profile.adaptive_window)
}

impl fmt::Display for TransportProfile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name)
    }
}

impl FromStr for TransportProfile {
    type Err = ProfileError;

    fn from_str(name: &str) -> Result<Self, ProfileError> {
        Self::ALL
            .into_iter()
            .find(|profile| profile.name == name)
            .ok_or_else(|| ProfileError::Unknown { name: name.to_owned() })
    }
}

/// Why there is no such profile.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProfileError {
    /// No profile of that name.
    #[error("'{name}' is not a transport profile; write one of {}", TransportProfile::ALL.map(|profile| profile.name).join(", "))]
    Unknown {
        /// What was asked for.
        name: String,
    },
    /// A setting that HTTP/2 does not allow.
    #[error("{setting} of profile '{profile}' is {value}; set it from {min} to {max}")]
    OutOfRange {
        /// The profile's name.
        profile: &'static str,
        /// The field.
        setting: &'static str,
        /// Its value.
        value: u32,
        /// The smallest value allowed.
        min: u32,
        /// The largest value allowed.
        max: u32,
    },
    /// Adaptive windows would silently replace the fixed ones.
    #[error("profile '{profile}' has fixed windows and adaptive_window; set one or the other")]
    AdaptiveAndFixed {
        /// The profile's name.
        profile: &'static str,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_profile_is_valid_and_parses_from_its_name() {
        for profile in TransportProfile::ALL {
            assert_eq!(profile.validate(), Ok(()));
            assert_eq!(profile.to_string().parse(), Ok(profile));
        }
    }

    #[test]
    fn an_adaptive_window_is_named_as_that_of_the_opening() {
        let of = |profile: TransportProfile| profile.dimensions()[1].clone();
        let opening = "65535B at the opening".to_owned();
        assert_eq!(of(TransportProfile::ADAPTIVE), ("stream_window", opening));
        assert_eq!(of(TransportProfile::DEFAULT), ("stream_window", "4MiB".to_owned()));
        assert_eq!(of(TransportProfile::TONIC), ("stream_window", "tonic's own".to_owned()));
    }

    #[test]
    fn an_unknown_name_is_told_the_known_ones() {
        let error = "fast".parse::<TransportProfile>().expect_err("unknown").to_string();
        assert_eq!(
            error,
            "'fast' is not a transport profile; \
             write one of default, conservative, aggressive, tonic, adaptive, bulk, local"
        );
    }

    #[test]
    fn settings_that_http2_does_not_allow_are_named() {
        let base = TransportProfile::DEFAULT;
        let wrong = [
            TransportProfile { stream_window: Some(0), ..base },
            TransportProfile { stream_window: Some(1 << 31), ..base },
            TransportProfile { connection_window: Some(65_534), ..base },
            TransportProfile { max_concurrent_streams: Some(0), ..base },
            TransportProfile { max_frame_size: Some(16_383), ..base },
            TransportProfile { max_frame_size: Some(16_777_216), ..base },
        ];
        let settings = wrong.map(|profile| match profile.validate() {
            Err(ProfileError::OutOfRange { setting, .. }) => setting,
            other => panic!("{other:?}"),
        });
        let expected = ["stream_window", "stream_window", "connection_window"];
        assert_eq!(settings[..3], expected);
        assert_eq!(settings[3..], ["max_concurrent_streams", "max_frame_size", "max_frame_size"]);
        let error = wrong[5].validate().expect_err("too large").to_string();
        assert!(error.ends_with("is 16777216; set it from 16384 to 16777215"), "{error}");
    }

    #[test]
    fn adaptive_windows_exclude_fixed_ones() {
        let both = TransportProfile { adaptive_window: true, ..TransportProfile::DEFAULT };
        assert_eq!(both.validate(), Err(ProfileError::AdaptiveAndFixed { profile: "default" }));
        assert_eq!(TransportProfile::ADAPTIVE.validate(), Ok(()));
    }
}
