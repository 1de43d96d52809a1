//! The echo with both ends in one tokio `current_thread` runtime. Nothing runs between two
//! exchanges: the runtime moves only while one is under way.

use std::io;
use std::net::Ipv4Addr;

use bench_core::units::ByteSize;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::{Builder, Runtime};

use super::Answer;
use crate::error::Error;
use crate::socket;

/// An open connection and the runtime that holds both ends; dropping it closes both.
#[derive(Debug)]
pub struct Connection {
    client: TcpStream,
    runtime: Runtime,
}

impl Connection {
    /// Connects on an ephemeral port. Messages have `size` bytes.
    ///
    /// # Errors
    /// What the system refused.
    pub fn open(size: ByteSize) -> Result<Self, Error> {
        Self::answering(size, |_: &mut [u8]| ())
    }

    /// As [`open`](Self::open), with an answer made of each message.
    pub(super) fn answering(size: ByteSize, answer: impl Answer) -> Result<Self, Error> {
        let runtime = Builder::new_current_thread().enable_io().build();
        let runtime = runtime.map_err(Error::io("start a runtime"))?;
        let (client, server) = runtime.block_on(connected_pair())?;
        // Outside the task, whose first poll is inside the first exchange.
        let message = vec![0; size.len()];
        // The client meets the same failure at its own end and reports it.
        runtime.spawn(serve(server, message, answer));
        Ok(Self { client, runtime })
    }

    /// Sends a message and receives as many bytes back.
    ///
    /// # Errors
    /// What either socket call failed with, or that the server went away.
    pub fn exchange(&mut self, sent: &[u8], received: &mut [u8]) -> io::Result<()> {
        let client = &mut self.client;
        self.runtime.block_on(async {
            client.write_all(sent).await?;
            client.read_exact(received).await.map(|_| ())
        })
    }

    /// What made the number.
    ///
    /// # Errors
    /// What the system refused to tell.
    pub fn dimensions(&self) -> Result<Vec<(&'static str, String)>, Error> {
        let mut dimensions = socket::dimensions(&self.client, "one thread".to_owned())?;
        dimensions.push(("nodelay", socket::nodelay(&self.client)?));
        Ok(dimensions)
    }
}

async fn connected_pair() -> Result<(TcpStream, TcpStream), Error> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await;
    let listener = listener.map_err(Error::io("listen on loopback"))?;
    let address = listener.local_addr().map_err(Error::io("read the port"))?;
    let client = TcpStream::connect(address).await.map_err(Error::io("connect on loopback"))?;
    let (server, _) = listener.accept().await.map_err(Error::io("accept on loopback"))?;
    socket::set_nodelay(&client)?;
    socket::set_nodelay(&server)?;
    Ok((client, server))
}

async fn serve(mut stream: TcpStream, mut message: Vec<u8>, answer: impl Answer) -> io::Result<()> {
    loop {
        stream.read_exact(&mut message).await?;
        stream.write_all(answer.answer(&mut message)).await?;
    }
}
