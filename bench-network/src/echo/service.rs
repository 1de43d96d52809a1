//! An echo for any number of connections: what is under a fault or behind a link while somebody
//! measures how its clients fare.
//!
//! One thread serves all connections with tokio. Whatever arrives goes back as it arrives, and the
//! end of a stream is answered by the end of the other. A connection that breaks is forgotten.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::thread::{self, JoinHandle};

use tokio::io::copy;
use tokio::runtime::Builder;
use tokio::sync::oneshot;
use tokio::task::spawn_local;

use crate::error::Error;
use crate::socket;

/// What its thread is called, so that its processor time can be told from that of clients.
pub const THREAD: &str = "echo-service";

/// An echo at an address of loopback. Dropping it closes everything and waits for its thread.
#[derive(Debug)]
#[must_use = "the service is gone as soon as this guard is dropped"]
pub struct EchoService {
    address: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl EchoService {
    /// Listens at a free port.
    ///
    /// # Errors
    /// What the system refused.
    pub fn start() -> Result<Self, Error> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0));
        let listener = listener.map_err(Error::io("listen on loopback"))?;
        let address = listener.local_addr().map_err(Error::io("read the port"))?;
        listener.set_nonblocking(true).map_err(Error::io("make a listener non-blocking"))?;
        let runtime = Builder::new_current_thread().enable_io().build();
        let runtime = runtime.map_err(Error::io("start a runtime"))?;
        let (stop, stopped) = oneshot::channel::<()>();
        let body = move || {
            let tasks = tokio::task::LocalSet::new();
            tasks.spawn_local(accept(listener));
            // Ends with the guard, and the set drops every connection.
            let _ = tasks.block_on(&runtime, stopped);
        };
        let thread = thread::Builder::new().name(THREAD.to_owned()).spawn(body);
        let thread = Some(thread.map_err(Error::io("start a thread"))?);
        Ok(Self { address, stop: Some(stop), thread })
    }

    /// Where clients connect.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for EchoService {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // Bounded: it waits for nothing but the guard.
            let _ = thread.join();
        }
    }
}

async fn accept(listener: TcpListener) {
    let Ok(listener) = tokio::net::TcpListener::from_std(listener) else { return };
    loop {
        // A failure is no end: the client has gone, or no descriptor is free now.
        let Ok((stream, _)) = listener.accept().await else {
            tokio::task::yield_now().await;
            continue;
        };
        let _without = socket::set_nodelay(&stream);
        spawn_local(async move {
            let (mut from, mut to) = tokio::io::split(stream);
            // A client that broke off is not this service's failure.
            if copy(&mut from, &mut to).await.is_ok() {
                let _ = tokio::io::AsyncWriteExt::shutdown(&mut to).await;
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::{Shutdown, TcpStream};

    use super::*;

    #[test]
    fn connections_are_echoed_at_once_and_to_their_end() {
        let service = EchoService::start().expect("it starts");
        let connect = |_| TcpStream::connect(service.address()).expect("connect");
        let mut clients = [0, 1, 2].map(connect);
        for (number, client) in clients.iter_mut().enumerate() {
            client.write_all(&[number as u8; 100]).expect("send");
        }
        for (number, client) in clients.iter_mut().enumerate().rev() {
            let mut received = Vec::new();
            client.shutdown(Shutdown::Write).expect("end");
            client.read_to_end(&mut received).expect("receive");
            assert_eq!(received, [number as u8; 100]);
        }
    }

    #[test]
    fn dropping_it_closes_its_connections_and_its_port() {
        let service = EchoService::start().expect("it starts");
        let address = service.address();
        let mut client = TcpStream::connect(address).expect("connect");
        client.write_all(b"?").expect("send");
        client.read_exact(&mut [0]).expect("receive");
        drop(service);
        assert!(matches!(client.read(&mut [0]), Ok(0) | Err(_)));
        assert!(TcpStream::connect(address).is_err(), "nobody listens");
    }
}
