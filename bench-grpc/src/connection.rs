//! The client's end: connections to any server of the blob service, here or elsewhere.
//!
//! Not modelled: TLS, and reconnecting. A connection that is lost fails the calls on it, because
//! a number that contains an unseen reconnection is a number about something else.

use std::time::Duration;

use bench_core::fixture::Payload;
use bench_core::units::ByteSize;
use bytes::Bytes;

use crate::client::Client;
use crate::effective::Effective;
use crate::error::Error;
use crate::limits;
use crate::memory;
use crate::path::DataPath;
use crate::profile::TransportProfile;
use crate::transport::SocketFacts;
use crate::transport::dial::{Connection, Dial, dial};
use crate::wire::Target;

/// What to connect to, and how.
#[derive(Clone, Debug)]
pub struct ConnectConfig {
    /// The server, or a link emulator before it.
    pub target: Target,
    /// Settings of the client's end. The server's are its own; see [`Effective::expect`].
    pub profile: TransportProfile,
    /// How bytes go between the application and HTTP/2 at the client's end.
    pub path: DataPath,
    /// What every operation moves, whole. The server must have the same content.
    pub payload: Payload,
    /// Bytes of one message of Write and Stream; clipped to the payload. Read is one message.
    pub chunk: ByteSize,
    /// How many connections, at least one.
    pub connections: usize,
    /// `SO_SNDBUF` and `SO_RCVBUF` of the client's end; `None` lets the kernel resize them.
    pub socket_buffer: Option<ByteSize>,
    /// How long to wait for a server that is not there yet. Each connection is tried at least
    /// once, and a server that accepted it has at least a second to answer.
    pub retry: Duration,
}

/// Open connections. On each of them a call was answered.
///
/// They live on the runtime that opened them and make progress only while it is driven.
#[derive(Clone, Debug)]
pub struct Connections {
    target: Target,
    clients: Vec<Client>,
    /// Of the first connection; the others were opened in the same way.
    facts: SocketFacts,
    /// The same on all of them.
    effective: Effective,
}

impl Connections {
    /// Connects and waits for an answer on each connection. Content is not looked at.
    ///
    /// # Errors
    /// A profile or size that HTTP/2 or gRPC does not allow; [`Error::Unreachable`] when no server
    /// answered in time; [`Error::Foreign`] when something else did; [`Error::Settings`] when the
    /// profile is not what the client announced; [`Error::Mixed`] when not all connections have the
    /// same settings, as where several servers share an address.
    pub async fn open(config: ConnectConfig) -> Result<Self, Error> {
        limits::check("a payload", config.payload.size)?;
        let content = config.payload.to_bytes();
        Self::open_with(config, content).await
    }

    /// The same with content that the caller has already, so that it is in memory only once. It
    /// must be the payload's.
    ///
    /// # Errors
    /// Those of [`open`](Self::open).
    pub async fn open_with(config: ConnectConfig, content: Bytes) -> Result<Self, Error> {
        let ConnectConfig { target, profile, path, .. } = config;
        profile.validate()?;
        memory::keep_freed();
        if config.connections == 0 {
            return Err(Error::NoConnections);
        }
        let plan = limits::plan(content, config.chunk)?;
        let (buffer, within) = (config.socket_buffer, config.retry);
        let line = Dial { target: &target, profile: &profile, buffer, within };
        let first = dial(&line).await?;
        first.effective.expect_client(&profile)?;
        let Connection { facts, effective, channel } = first;
        let mut clients = vec![Client::over(channel, path, plan.clone())];
        while clients.len() < config.connections {
            let next = dial(&line).await?;
            next.effective.expect_client(&profile)?;
            if let Some(setting) = effective.differs_in(&next.effective) {
                let number = clients.len() + 1;
                return Err(Error::Mixed { target, number, setting });
            }
            clients.push(Client::over(next.channel, path, plan.clone()));
        }
        Ok(Self { target, clients, facts, effective })
    }

    /// A client; numbers beyond the connections begin again with the first.
    pub fn client(&self, number: usize) -> Client {
        self.clients[number % self.clients.len()].clone()
    }

    /// How many connections there are.
    pub fn count(&self) -> usize {
        self.clients.len()
    }

    /// What is connected to.
    pub fn target(&self) -> &Target {
        &self.target
    }

    /// What both ends announced, as read from the wire; the same on every connection.
    pub fn effective(&self) -> Effective {
        self.effective
    }

    /// The options of the first connection's socket, as the kernel has them.
    pub fn socket(&self) -> &SocketFacts {
        &self.facts
    }
}
