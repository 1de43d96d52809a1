//! The settings that both ends of a connection really announced, as read from the wire.
//!
//! What a profile asks for and what arrives are two things: a profile that reached one end only is
//! the commonest way to measure something else.

use bench_core::units::ByteSize;

use crate::error::Error;
use crate::operation::Operation;
use crate::profile::{CONNECTION_WINDOW_BYTES_MIN, FRAME_BYTES_MIN, TransportProfile};

/// What one end announced when the connection began. All of it is about what this end *receives*.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EndSettings {
    /// Bytes that may be under way to it on one stream.
    pub stream_window: u32,
    /// Bytes that may be under way to it on all streams together.
    pub connection_window: u32,
    /// Streams that its peer may open at a time; `None` is no limit.
    pub max_concurrent_streams: Option<u32>,
    /// The largest frame payload that it takes, in bytes.
    pub max_frame_size: u32,
}

impl EndSettings {
    /// What holds for an end that says nothing (RFC 9113, sections 6.5.2 and 6.9.2).
    pub const UNANNOUNCED: Self = Self {
        stream_window: CONNECTION_WINDOW_BYTES_MIN,
        connection_window: CONNECTION_WINDOW_BYTES_MIN,
        max_concurrent_streams: None,
        max_frame_size: FRAME_BYTES_MIN,
    };

    /// Whether this end has what the profile sets.
    fn check(&self, end: &'static str, profile: &TransportProfile) -> Result<(), Error> {
        // hyper's adaptive windows begin with what the standard has.
        let (stream, connection) = if profile.adaptive_window {
            (Some(Self::UNANNOUNCED.stream_window), Some(Self::UNANNOUNCED.connection_window))
        } else {
            (profile.stream_window, profile.connection_window)
        };
        // A client cannot limit the streams that it opens itself.
        let streams = profile.max_concurrent_streams.filter(|_| end == SERVER);
        let settings = [
            ("stream_window", stream, Some(self.stream_window)),
            ("connection_window", connection, Some(self.connection_window)),
            ("max_concurrent_streams", streams, self.max_concurrent_streams),
            ("max_frame_size", profile.max_frame_size, Some(self.max_frame_size)),
        ];
        for (setting, asked, effective) in settings {
            if let Some(asked) = asked.filter(|_| asked != effective) {
                let effective = effective.map_or("no limit".to_owned(), |value| value.to_string());
                let profile = profile.name;
                return Err(Error::Settings { end, profile, setting, asked, effective });
            }
        }
        Ok(())
    }

    fn dimensions(&self, names: [&'static str; 4]) -> [(&'static str, String); 4] {
        let size = |bytes: u32| ByteSize::new(bytes.into()).to_string();
        let streams = self.max_concurrent_streams.map_or("no limit".to_owned(), |n| n.to_string());
        let [stream, connection, concurrent, frame] = names;
        [
            (stream, size(self.stream_window)),
            (connection, size(self.connection_window)),
            (concurrent, streams),
            (frame, size(self.max_frame_size)),
        ]
    }
}

const CLIENT: &str = "client";
const SERVER: &str = "server";

/// What both ends announced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Effective {
    /// Governs Read and Stream.
    pub client: EndSettings,
    /// Governs Write.
    pub server: EndSettings,
}

impl Effective {
    /// Whether both ends have what the profile sets. What it leaves open is not looked at.
    ///
    /// # Errors
    /// [`Error::Settings`] names the first setting that differs, and the end.
    pub fn expect(&self, profile: &TransportProfile) -> Result<(), Error> {
        self.client.check(CLIENT, profile)?;
        self.server.check(SERVER, profile)
    }

    /// The same for the client's end alone, where the server is somebody else's.
    pub(crate) fn expect_client(&self, profile: &TransportProfile) -> Result<(), Error> {
        self.client.check(CLIENT, profile)
    }

    /// Bytes of one call of this operation that may be under way when it begins: what the end that
    /// receives announced for a stream, or for the connection where that is less. Adaptive windows
    /// begin with it and grow. Calls share the connection's.
    pub fn window(&self, operation: Operation) -> ByteSize {
        let end = match operation {
            Operation::Write => self.server,
            Operation::Read | Operation::Stream => self.client,
        };
        ByteSize::new(end.stream_window.min(end.connection_window).into())
    }

    /// The first setting, by its name as a dimension, in which another connection is not the same,
    /// with the values of both.
    pub(crate) fn differs_in(&self, other: &Self) -> Option<String> {
        let pairs = self.dimensions().into_iter().zip(other.dimensions());
        let differs = pairs.into_iter().find(|(own, other)| own.1 != other.1);
        differs.map(|((name, own), (_, other))| format!("{name} is {other} and was {own}"))
    }

    /// Both ends as dimensions of a row.
    pub fn dimensions(&self) -> Vec<(&'static str, String)> {
        let client = self.client.dimensions([
            "client_stream_window",
            "client_connection_window",
            "client_max_concurrent_streams",
            "client_max_frame_size",
        ]);
        let server = self.server.dimensions([
            "server_stream_window",
            "server_connection_window",
            "server_max_concurrent_streams",
            "server_max_frame_size",
        ]);
        client.into_iter().chain(server).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(profile: &TransportProfile) -> EndSettings {
        EndSettings {
            stream_window: profile.stream_window.expect("set"),
            connection_window: profile.connection_window.expect("set"),
            max_concurrent_streams: profile.max_concurrent_streams,
            max_frame_size: FRAME_BYTES_MIN,
        }
    }

    #[test]
    fn a_profile_that_reached_one_end_only_is_named_with_both_values() {
        let profile = TransportProfile::DEFAULT;
        let there = asked(&profile);
        Effective { client: there, server: there }.expect(&profile).expect("both ends");
        let not_there = EndSettings::UNANNOUNCED;
        let error = |client, server| {
            Effective { client, server }.expect(&profile).expect_err("one end").to_string()
        };
        assert_eq!(
            error(there, not_there),
            "the server announced a stream_window of 65535 where profile 'default' asks for 4194304: \
             the profile did not reach this end, and what was measured would be something else"
        );
        assert!(error(not_there, there).starts_with("the client announced a stream_window of"));
        let unlimited = EndSettings { max_concurrent_streams: None, ..there };
        assert!(error(there, unlimited).contains("max_concurrent_streams of no limit where"));
        let connection = EndSettings { connection_window: 1 << 20, ..there };
        assert!(error(there, connection).contains("connection_window of 1048576 where"));
        // Whose server it is decides whether its end is looked at.
        Effective { client: there, server: not_there }.expect_client(&profile).expect("ours");
    }

    #[test]
    fn a_call_has_the_window_of_the_end_that_receives() {
        let (client, server) = (asked(&TransportProfile::DEFAULT), EndSettings::UNANNOUNCED);
        let both = Effective { client, server };
        let windows = Operation::ALL.map(|operation| both.window(operation).bytes());
        assert_eq!(windows, [65_535, 4 << 20, 4 << 20]);
        let shared = EndSettings { connection_window: 1 << 20, ..client };
        let read = Effective { client: shared, server }.window(Operation::Read);
        assert_eq!(read, ByteSize::mib(1), "the connection's is the smaller one");
    }

    #[test]
    fn connections_that_differ_are_told_apart_by_the_first_setting() {
        let here = asked(&TransportProfile::DEFAULT);
        let both = Effective { client: here, server: here };
        assert_eq!(both.differs_in(&both), None);
        let frame = EndSettings { max_frame_size: 1 << 20, ..here };
        let other = Effective { server: frame, ..both };
        let expected = "server_max_frame_size is 1MiB and was 16KiB";
        assert_eq!(both.differs_in(&other).as_deref(), Some(expected));
    }

    #[test]
    fn adaptive_windows_that_begin_large_are_none() {
        let adaptive = TransportProfile::ADAPTIVE;
        let small = EndSettings::UNANNOUNCED;
        Effective { client: small, server: small }.expect(&adaptive).expect("adaptive");
        let fixed = EndSettings { stream_window: 1 << 20, ..small };
        assert!(Effective { client: small, server: fixed }.expect(&adaptive).is_err());
    }
}
