//! Where a server listens and where a client finds it: TCP, a Unix socket, or any address, so that
//! a link emulator can stand between the two.

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::str::FromStr;

/// What the two ends of a loopback are connected by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Wire {
    /// TCP on 127.0.0.1, a free port.
    Tcp,
    /// A Unix socket in a scratch folder of its own: no TCP, no segments, one copy less.
    Unix,
}

impl Wire {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Tcp, Self::Unix];

    /// The name in dimensions.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Tcp => "tcp",
            Self::Unix => "unix",
        }
    }
}

impl fmt::Display for Wire {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// Where a server listens.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Bind {
    /// An address and a port; port 0 takes a free one.
    Tcp(SocketAddr),
    /// A socket file, which must not be there yet and is removed when the server ends.
    Unix(PathBuf),
}

impl fmt::Display for Bind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => f.pad(&address.to_string()),
            Self::Unix(path) => f.pad(&format!("{UNIX}{}", path.display())),
        }
    }
}

/// What a client connects to. It prints as it parses: `127.0.0.1:50051`, `cache-3:50051`,
/// `unix:/run/cache.sock`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Target {
    /// An address and a port.
    Tcp(SocketAddr),
    /// A host name and a port, resolved anew for each connection.
    Host(String),
    /// A socket file.
    Unix(PathBuf),
}

const UNIX: &str = "unix:";

impl Target {
    /// The address, where it is one.
    pub fn tcp(&self) -> Option<SocketAddr> {
        match self {
            Self::Tcp(address) => Some(*address),
            Self::Host(_) | Self::Unix(_) => None,
        }
    }

    /// Where a request says that it goes. Only its form matters: nothing is resolved from it.
    pub(crate) fn authority(&self) -> String {
        match self {
            Self::Tcp(address) => address.to_string(),
            Self::Host(host) => host.clone(),
            Self::Unix(_) => "localhost".to_owned(),
        }
    }
}

impl From<SocketAddr> for Target {
    fn from(address: SocketAddr) -> Self {
        Self::Tcp(address)
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => f.pad(&address.to_string()),
            Self::Host(host) => f.pad(host),
            Self::Unix(path) => f.pad(&format!("{UNIX}{}", path.display())),
        }
    }
}

/// A text that is no target.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("'{0}' is no address of a server; write host:port, as in 127.0.0.1:50051, or unix:/path")]
pub struct ParseTargetError(String);

impl FromStr for Target {
    type Err = ParseTargetError;

    fn from_str(text: &str) -> Result<Self, ParseTargetError> {
        let refused = || ParseTargetError(text.to_owned());
        if let Some(path) = text.strip_prefix(UNIX) {
            return if path.is_empty() { Err(refused()) } else { Ok(Self::Unix(path.into())) };
        }
        if let Ok(address) = text.parse() {
            return Ok(Self::Tcp(address));
        }
        let (host, port) = text.split_once(':').ok_or_else(refused)?;
        let named = !host.is_empty()
            && host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._".contains(&byte));
        let port = port.parse::<u16>().ok().filter(|port| *port > 0);
        // One spelling only, because it becomes a dimension.
        let port = port.filter(|port| text == format!("{host}:{port}"));
        if named && port.is_some() { Ok(Self::Host(text.to_owned())) } else { Err(refused()) }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn an_address_a_host_and_a_socket_file_are_targets() {
        let parse = |text: &str| text.parse::<Target>().expect(text);
        assert_eq!(parse("127.0.0.1:50051").tcp(), "127.0.0.1:50051".parse().ok());
        assert_eq!(parse("[::1]:80").tcp(), "[::1]:80".parse().ok());
        assert_eq!(parse("cache-3.local:50051"), Target::Host("cache-3.local:50051".to_owned()));
        assert_eq!(parse("unix:/run/a b"), Target::Unix("/run/a b".into()));
    }

    #[test]
    fn what_is_no_target_is_told_how_to_write_one() {
        let bad = ["", "localhost", ":80", "host:", "host:0", "host:65536", "host:+1", "host:01"];
        let more = ["http://host:80", "a b:80", "a/b:80", "unix:", "host:80:90", "1.2.3.4"];
        for text in bad.into_iter().chain(more) {
            let error = text.parse::<Target>().expect_err(text).to_string();
            assert!(error.contains("write host:port"), "{error}");
        }
    }

    proptest! {
        #[test]
        fn a_target_prints_as_it_parses(text in ".{0,30}|[a-z.-]{1,9}:[0-9]{1,6}|unix:/[a-z ]{1,9}") {
            if let Ok(target) = text.parse::<Target>() {
                let printed = target.to_string();
                prop_assert_eq!(printed.parse::<Target>(), Ok(target.clone()));
                if target.tcp().is_none() {
                    prop_assert_eq!(printed, text);
                }
            }
        }
    }
}
