//! Connections made, used once and closed, as many as go: [`server`] and [`client`], and both as a
//! workload.
//!
//! Of the ports that could run out nothing is used up: the server resets each connection, which frees
//! its port at once at both ends. Connecting from more addresses of 127.0.0.0/8 would only put the end
//! off. What happens where there are none left is said by [`LocalPorts`].

pub mod client;
pub mod server;

use std::fmt;
use std::str::FromStr;

use bench_core::workload::{Failure, Workload};

use self::client::{Client, ClientConfig};
use self::server::Server;
use crate::error::Error;
use crate::tcp::ports::LocalPorts;
use crate::tcp::tls;

/// What one operation of the workload makes: several times what is under way at once.
pub const OPERATION: u64 = 256;
/// Connections that are counted as none, in which tickets are got.
const WARM_UP: u64 = 16;

/// Whether connections are encrypted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Security {
    /// They are not.
    Plain,
    /// TLS 1.3, a full handshake for each.
    Tls,
    /// TLS 1.3, each resumed with a ticket of an earlier one.
    TlsResumed,
}

impl Security {
    /// All three.
    pub const ALL: [Self; 3] = [Self::Plain, Self::Tls, Self::TlsResumed];

    /// The name as ids carry it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Plain => "plain",
            Self::Tls => "tls",
            Self::TlsResumed => "tls_resumed",
        }
    }

    /// Whether this machine can have it.
    ///
    /// # Errors
    /// [`Error::Unavailable`] with the reason.
    pub fn available(self) -> Result<(), Error> {
        match self {
            Self::Plain => Ok(()),
            Self::Tls | Self::TlsResumed => tls::available(),
        }
    }

    /// Connections under way at once: as many as a listener's queue bears with room to spare, and
    /// under TLS as many as there are tickets for (rustls keeps eight).
    pub const fn window(self) -> usize {
        match self {
            Self::Plain => 64,
            Self::Tls | Self::TlsResumed => 4,
        }
    }
}

impl fmt::Display for Security {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// Why a text is no [`Security`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("'{0}' is no way to connect; write plain, tls or tls_resumed")]
pub struct ParseSecurityError(String);

impl FromStr for Security {
    type Err = ParseSecurityError;

    fn from_str(text: &str) -> Result<Self, ParseSecurityError> {
        let known = Self::ALL.into_iter().find(|security| security.name() == text);
        known.ok_or_else(|| ParseSecurityError(text.to_owned()))
    }
}

/// Makes [`OPERATION`] connections, each with a request and a response; `network/tcp/connections/tls`.
#[derive(Debug)]
pub struct Connections {
    server: Server,
    client: Client,
    security: Security,
    /// How many there were when the operation was prepared.
    before: client::Counts,
    failure: Option<String>,
}

impl Connections {
    /// A server and a client that has made a few connections to it.
    ///
    /// # Errors
    /// As [`Server::start`] and [`Client::run`].
    pub fn start(security: Security) -> Result<Self, Error> {
        let server = Server::start(security)?;
        let mut client = Client::new(ClientConfig {
            address: server.address(),
            tls: server.tls().cloned(),
            window: security.window(),
            ports: LocalPorts::default(),
        });
        client.run(WARM_UP)?;
        let before = client.counts();
        Ok(Self { server, client, security, before, failure: None })
    }

    /// The server.
    pub const fn server(&self) -> &Server {
        &self.server
    }

    /// Makes so many connections.
    ///
    /// # Errors
    /// As [`Client::run`]; [`Error::NotResumed`] where a handshake was a full one and should not be.
    pub fn make(&mut self, connections: u64) -> Result<(), Error> {
        let before = self.client.counts();
        self.client.run(connections)?;
        let (done, resumed) = self.client.counts().since(before);
        if self.security == Security::TlsResumed && resumed != done {
            return Err(Error::NotResumed { done, resumed });
        }
        Ok(())
    }
}

impl client::Counts {
    /// Done and resumed since then.
    const fn since(self, before: Self) -> (u64, u64) {
        (self.done - before.done, self.resumed - before.resumed)
    }
}

impl Workload for Connections {
    const NAME: &'static str = "network/tcp/connections";
    type Parameter = Security;

    fn set_up(security: &Security) -> Result<Self, Failure> {
        Ok(Self::start(*security)?)
    }

    fn prepare(&mut self) -> Result<(), Failure> {
        // Without this the connections of earlier operations would do.
        self.before = self.client.counts();
        Ok(self.server.assert_pinned()?)
    }

    fn run(&mut self) {
        if self.failure.is_none() {
            self.failure = self.make(OPERATION).err().map(|error| error.to_string());
        }
    }

    fn check(&mut self) -> Result<(), Failure> {
        if let Some(failure) = &self.failure {
            return Err(failure.as_str().into());
        }
        let connected = self.client.counts().done;
        if connected == self.before.done {
            return Err(Error::NotConnected.into());
        }
        let accepted = self.server.accepted();
        if accepted == connected {
            return Ok(());
        }
        Err(Error::Count { connected, accepted }.into())
    }

    fn dimensions(&self) -> Vec<(&'static str, String)> {
        let unknown = |error: Error| vec![("backend", format!("unknown: {error}"))];
        let mut dimensions = self.server.dimensions().unwrap_or_else(unknown);
        dimensions.push(("connections_per_operation", OPERATION.to_string()));
        dimensions.push(("under_way", self.security.window().to_string()));
        dimensions.push(("security", self.security.to_string()));
        if let Some(agreed) = self.client.agreed() {
            dimensions.push(("tls_provider", "rustls-graviola".to_owned()));
            dimensions.push(("cipher", agreed.cipher.clone()));
            dimensions.push(("key_exchange", agreed.key_exchange.clone()));
            dimensions.push(("signature", "ED25519".to_owned()));
        }
        dimensions
    }
}

#[cfg(test)]
mod tests;
