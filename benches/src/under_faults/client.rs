//! A client as services have them: it keeps its connections, gives each up after so many requests, and
//! connects anew where one broke.

use std::io;
use std::net::SocketAddr;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use bench_core::fixture::Payload;
use bench_core::units::ByteSize;
use bytes::Bytes;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

const SEED: u64 = 42;

/// Requests to one address, each a payload that has to come back.
#[derive(Debug)]
pub struct Client {
    address: SocketAddr,
    payload: Payload,
    sent: Bytes,
    /// After so many requests a connection is ended, and its last request waits for the end.
    requests_each: u32,
    /// An answer that takes longer is none.
    patience: Duration,
    idle: Mutex<Vec<Connection>>,
}

#[derive(Debug)]
struct Connection {
    stream: TcpStream,
    requests: u32,
}

/// Why a request failed: kinds, not sentences, because they are counted.
#[derive(Debug, thiserror::Error)]
pub enum RequestError {
    /// By the name that the standard library gives the kind.
    #[error("{0:?}")]
    Io(io::ErrorKind),
    /// No answer for too long.
    #[error("NoAnswer")]
    NoAnswer,
    /// Something else came back.
    #[error("WrongAnswer")]
    WrongAnswer,
}

impl From<io::Error> for RequestError {
    fn from(error: io::Error) -> Self {
        Self::Io(error.kind())
    }
}

impl Client {
    /// Of a service at this address.
    pub fn new(
        address: SocketAddr,
        size: ByteSize,
        requests_each: u32,
        patience: Duration,
    ) -> Self {
        let payload = Payload::seeded(SEED, size);
        let sent = payload.to_bytes();
        Self { address, payload, sent, requests_each, patience, idle: Mutex::default() }
    }

    /// One request: over a connection that is idle, or a new one. One that failed is given up.
    ///
    /// # Errors
    /// What broke, or that there was no answer.
    pub async fn request(&self) -> Result<(), RequestError> {
        timeout(self.patience, self.attempt()).await.map_err(|_| RequestError::NoAnswer)?
    }

    /// Gives up the connections that are idle.
    pub fn forget(&self) {
        self.idle().clear();
    }

    async fn attempt(&self) -> Result<(), RequestError> {
        let idle = self.idle().pop();
        let mut connection = match idle {
            Some(connection) => connection,
            None => self.connect().await?,
        };
        connection.requests += 1;
        let mut received = vec![0; self.sent.len()];
        let (mut from, mut to) = connection.stream.split();
        // At once, because an echo of more than both sockets hold would wait for its reader.
        let write = async {
            to.write_all(&self.sent).await?;
            if connection.requests == self.requests_each {
                to.shutdown().await?;
            }
            Ok::<_, io::Error>(())
        };
        let read = async { from.read_exact(&mut received).await.map(drop) };
        tokio::try_join!(write, read)?;
        self.payload.verify_all(&received).map_err(|_| RequestError::WrongAnswer)?;
        if connection.requests < self.requests_each {
            self.idle().push(connection);
        } else if connection.stream.read(&mut [0]).await? != 0 {
            return Err(RequestError::WrongAnswer);
        }
        Ok(())
    }

    async fn connect(&self) -> Result<Connection, RequestError> {
        let stream = TcpStream::connect(self.address).await?;
        stream.set_nodelay(true)?;
        Ok(Connection { stream, requests: 0 })
    }

    fn idle(&self) -> std::sync::MutexGuard<'_, Vec<Connection>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use bench_network::echo::service::EchoService;
    use tokio::runtime::{Builder, Runtime};

    use super::*;

    fn runtime() -> Runtime {
        Builder::new_current_thread().enable_all().build().expect("a runtime")
    }

    #[test]
    fn connections_are_used_again_and_given_up_after_so_many_requests() {
        let service = EchoService::start().expect("it starts");
        let size = ByteSize::kib(300);
        runtime().block_on(async {
            let client = Client::new(service.address(), size, 2, Duration::from_secs(60));
            for (request, idle) in [(1, 1), (2, 0), (3, 1)] {
                client.request().await.expect("an answer");
                assert_eq!(client.idle().len(), idle, "after request {request}");
            }
            client.forget();
            assert!(client.idle().is_empty());
        });
    }

    #[test]
    fn failures_are_told_by_kind_and_their_connections_given_up() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("listen");
        let address = listener.local_addr().expect("port");
        runtime().block_on(async {
            // The kernel connects, and nobody answers.
            let client = Client::new(address, ByteSize::new(10), 8, Duration::from_millis(20));
            let error = client.request().await.expect_err("no answer");
            assert_eq!(error.to_string(), "NoAnswer");
            drop(listener);
            let error = client.request().await.expect_err("nobody listens");
            assert_eq!(error.to_string(), "ConnectionRefused");
            assert!(client.idle().is_empty());
        });
    }
}
