//! The connect workload with both ends in one tokio `current_thread` runtime.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::Notify;

use super::{GREETING, greeted};
use crate::error::Error;
use crate::socket;

/// A listener and the runtime that holds both ends; dropping it closes both.
#[derive(Debug)]
pub struct Server {
    address: SocketAddr,
    dimensions: Vec<(&'static str, String)>,
    /// The server has closed its end of the last connection.
    closed: Arc<Notify>,
    runtime: Runtime,
}

impl Server {
    /// Listens on an ephemeral port and counts what it accepts.
    ///
    /// # Errors
    /// What the system refused.
    pub fn start(accepted: Arc<AtomicU64>) -> Result<Self, Error> {
        let runtime = Builder::new_current_thread().enable_io().build();
        let runtime = runtime.map_err(Error::io("start a runtime"))?;
        let listener = runtime.block_on(TcpListener::bind((Ipv4Addr::LOCALHOST, 0)));
        let listener = listener.map_err(Error::io("listen on loopback"))?;
        let address = listener.local_addr().map_err(Error::io("read the port"))?;
        let dimensions = socket::dimensions(&listener, "one thread".to_owned())?;
        // When it ends, the listener is closed and the client refused.
        let closed = Arc::new(Notify::new());
        let close = Arc::clone(&closed);
        runtime.spawn(async move { accept_all(listener, &accepted, &close).await });
        Ok(Self { address, dimensions, closed, runtime })
    }

    /// Connects, waits until the server has accepted, closes with RST, and waits until the server
    /// has closed too: nothing of one operation is left to the next.
    ///
    /// # Errors
    /// What a socket call failed with.
    pub fn connect(&self) -> io::Result<()> {
        self.runtime.block_on(async {
            let mut client = TcpStream::connect(self.address).await?;
            socket::set_reset_on_close(&client)?;
            let mut byte = [0];
            client.read_exact(&mut byte).await?;
            drop(client);
            self.closed.notified().await;
            greeted(byte)
        })
    }

    /// Where it listens.
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// What made the number.
    ///
    /// # Errors
    /// What the system refused to tell.
    pub fn dimensions(&self) -> Result<Vec<(&'static str, String)>, Error> {
        Ok(self.dimensions.clone())
    }
}

async fn accept_all(listener: TcpListener, accepted: &AtomicU64, closed: &Notify) {
    loop {
        match listener.accept().await {
            Ok((mut stream, _)) => {
                accepted.fetch_add(1, Ordering::Release);
                // Waits for the client's RST, so that this end never closes first. An error of
                // the greeting is the same RST come early; the client's own end says why.
                if stream.write_all(&GREETING).await.is_ok() {
                    let _ = stream.read(&mut [0]).await;
                }
                drop(stream);
                closed.notify_one();
            }
            // The client gave up between connecting and being accepted; its own end says so.
            Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => {}
            Err(_) => return,
        }
    }
}
