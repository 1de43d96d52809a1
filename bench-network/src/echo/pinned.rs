//! The echo with blocking sockets: the calling thread is one end, a thread of this fixture the
//! other, each pinned to a CPU.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::thread::JoinHandle;

use bench_core::units::ByteSize;

use super::Answer;
use crate::error::Error;
use crate::socket::{self, ClosedOnExit};
use bench_core::fixture::cpus::{Pinned, Placement, spawn_pinned};

/// An open connection and the thread that answers on it. Dropping it closes both ends, waits for
/// the thread and frees the calling thread from its CPU.
#[derive(Debug)]
pub struct Connection {
    client: TcpStream,
    /// The server's socket once more, to end the server's wait whatever it waits for.
    server: TcpStream,
    thread: Option<JoinHandle<()>>,
    placement: Placement,
    pinned: Pinned,
}

impl Connection {
    /// Connects on an ephemeral port and pins the calling thread. Messages have `size` bytes.
    ///
    /// # Errors
    /// What the system refused.
    pub fn open(size: ByteSize) -> Result<Self, Error> {
        Self::answering(size, |_: &mut [u8]| ())
    }

    /// As [`open`](Self::open), with an answer made of each message.
    pub(super) fn answering(size: ByteSize, answer: impl Answer) -> Result<Self, Error> {
        let placement = Placement::choose()?;
        let (client, server) = socket::connected_pair(|_| Ok(()))?;
        // Before there is a thread: where this fails, nothing is left to be ended.
        let pinned = Pinned::to(placement.client)?;
        let answering = server.try_clone().map_err(Error::io("share a socket"))?;
        let answering = ClosedOnExit(answering);
        let work = move || {
            // The client meets the same failure at its own end and reports it.
            let _ = serve(&answering.0, &mut vec![0; size.len()], &answer);
        };
        let thread = spawn_pinned("echo-server", placement.server, work)?;
        Ok(Self { client, server, thread: Some(thread), placement, pinned })
    }

    /// Sends a message and receives as many bytes back.
    ///
    /// # Errors
    /// What either socket call failed with, or that the server went away.
    pub fn exchange(&mut self, sent: &[u8], received: &mut [u8]) -> io::Result<()> {
        self.client.write_all(sent)?;
        self.client.read_exact(received)
    }

    /// Asserts that the calling thread is still on its CPU.
    ///
    /// # Errors
    /// [`Error::Cpu`].
    pub fn assert_pinned(&self) -> Result<(), Error> {
        Ok(self.pinned.assert()?)
    }

    /// What made the number.
    ///
    /// # Errors
    /// What the system refused to tell.
    pub fn dimensions(&self) -> Result<Vec<(&'static str, String)>, Error> {
        let mut dimensions = socket::dimensions(&self.client, self.placement.describe())?;
        dimensions.push(("nodelay", socket::nodelay(&self.client)?));
        Ok(dimensions)
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        // Either fails only where the connection is closed already.
        let _ = self.client.shutdown(Shutdown::Both);
        let _ = self.server.shutdown(Shutdown::Both);
        if let Some(thread) = self.thread.take() {
            // Bounded: with both ends shut down, no read or write of the thread waits any more.
            let _ = thread.join();
        }
    }
}

fn serve(mut stream: &TcpStream, message: &mut [u8], answer: &impl Answer) -> io::Result<()> {
    loop {
        stream.read_exact(message)?;
        stream.write_all(answer.answer(message))?;
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;
    use bench_core::fixture::cpus;

    #[test]
    fn both_threads_are_pinned_while_the_connection_lives() {
        let before = cpus::allowed().expect("mask");
        let (tell, told) = mpsc::channel();
        let answer = move |_: &mut [u8]| tell.send(cpus::allowed()).expect("the test listens");
        let mut connection = Connection::answering(ByteSize::new(1), answer).expect("open");
        connection.exchange(&[1], &mut [0]).expect("echo");

        let Placement { client, server, .. } = Placement::choose().expect("cpus");
        let served_on = told.recv().expect("one message").expect("mask");
        assert_eq!(served_on, [server]);
        assert_eq!(cpus::allowed().expect("mask"), [client]);
        if cpus::available().expect("cpus").len() > 1 {
            assert_ne!(client, server);
        }
        drop(connection);
        assert_eq!(cpus::allowed().expect("mask"), before);
    }

    #[test]
    fn dropping_waits_for_the_thread_while_it_waits_for_a_message() {
        let connection = Connection::open(ByteSize::mib(1)).expect("open");
        let mut half = &connection.client;
        half.write_all(&[0; 1000]).expect("half a message");
        drop(connection); // Would hang if the server's read did not end.
    }
}
