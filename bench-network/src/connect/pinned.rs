//! The connect workload with blocking sockets: the calling thread connects, a thread of this
//! fixture accepts, each pinned to a CPU.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::JoinHandle;

use super::{GREETING, greeted};
use crate::error::Error;
use crate::socket;
use bench_core::fixture::cpus::{Pinned, Placement, spawn_pinned};

/// A listener and the thread that accepts. Dropping it ends the thread and frees the
/// calling thread from its CPU.
#[derive(Debug)]
pub struct Server {
    address: SocketAddr,
    listener: Arc<TcpListener>,
    thread: Option<JoinHandle<()>>,
    placement: Placement,
    pinned: Pinned,
}

impl Server {
    /// Listens on an ephemeral port, counts what it accepts, and pins the calling thread.
    ///
    /// # Errors
    /// What the system refused.
    pub fn start(accepted: Arc<AtomicU64>) -> Result<Self, Error> {
        Self::placed(Placement::choose()?, accepted, |_| Ok(()), greet)
    }

    /// As [`start`](Self::start), with a listener that is first given to `configure` (what is set on
    /// it, accepted connections inherit) and with connections that are given to `serve`, one after
    /// the other.
    pub(crate) fn serving(
        accepted: Arc<AtomicU64>,
        configure: impl FnOnce(&TcpListener) -> Result<(), Error>,
        serve: impl FnMut(TcpStream) + Send + 'static,
    ) -> Result<Self, Error> {
        Self::placed(Placement::choose()?, accepted, configure, serve)
    }

    fn placed(
        placement: Placement,
        accepted: Arc<AtomicU64>,
        configure: impl FnOnce(&TcpListener) -> Result<(), Error>,
        serve: impl FnMut(TcpStream) + Send + 'static,
    ) -> Result<Self, Error> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0));
        let listener = Arc::new(listener.map_err(Error::io("listen on loopback"))?);
        configure(&listener)?;
        let address = listener.local_addr().map_err(Error::io("read the port"))?;
        // Before there is a thread: where this fails, nothing is left to be ended.
        let pinned = Pinned::to(placement.client)?;
        let accepting = StoppedOnExit(Arc::clone(&listener));
        let work = move || accept_all(&accepting.0, &accepted, serve);
        let thread = spawn_pinned("connect-server", placement.server, work)?;
        Ok(Self { address, listener, thread: Some(thread), placement, pinned })
    }

    /// Connects, waits until the server has accepted, and closes with RST.
    ///
    /// Needs no time limit: when the accepting thread ends, the listener refuses and resets, and
    /// what it had accepted is closed.
    ///
    /// # Errors
    /// What a socket call failed with.
    pub fn connect(&self) -> io::Result<()> {
        let mut client = TcpStream::connect(self.address)?;
        socket::set_reset_on_close(&client)?;
        let mut byte = [0];
        client.read_exact(&mut byte)?;
        greeted(byte)
    }

    /// Where it listens.
    pub const fn address(&self) -> SocketAddr {
        self.address
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
        socket::dimensions(&*self.listener, self.placement.describe())
    }

    /// Makes the accepting thread end, now and for good.
    pub(super) fn stop(&self) {
        stop(&self.listener);
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop();
        if let Some(thread) = self.thread.take() {
            // Bounded: every client is closed by now, so that no read waits, and on a listener that
            // is shut down accept returns at once.
            let _ = thread.join();
        }
    }
}

/// Ends the client's wait when the accepting thread ends, also by a panic.
struct StoppedOnExit(Arc<TcpListener>);

impl Drop for StoppedOnExit {
    fn drop(&mut self) {
        stop(&self.0);
    }
}

/// On Linux, shutting a listener down makes accept fail, refuses new connections and resets those
/// that wait to be accepted.
fn stop(listener: &TcpListener) {
    // Fails only where it has been done already.
    let _ = rustix::net::shutdown(listener, rustix::net::Shutdown::Both);
}

fn greet(mut stream: TcpStream) {
    // Waits for the client's RST, so that this end never closes first. An error of the greeting is
    // the same RST come early; the client's own end says why.
    let _ = stream.write_all(&GREETING).and_then(|()| stream.read(&mut [0]));
}

fn accept_all(listener: &TcpListener, accepted: &AtomicU64, mut serve: impl FnMut(TcpStream)) {
    loop {
        match listener.accept() {
            Ok((stream, _)) => {
                // Before it is served, after which the client may ask for the count.
                accepted.fetch_add(1, Ordering::Release);
                serve(stream);
            }
            // The client gave up between connecting and being accepted; its own end says so.
            Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => {}
            Err(_) => return,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bench_core::fixture::cpus;

    #[test]
    fn a_caller_that_cannot_be_pinned_leaves_no_thread_behind() {
        let none = rustix::thread::CpuSet::MAX_CPU - 1;
        let chosen = Placement::choose().expect("cpus");
        if cpus::available().expect("cpus").contains(&none) {
            return;
        }
        let accepted = Arc::new(AtomicU64::new(0));
        let placement = Placement { client: none, ..chosen };
        let error = Server::placed(placement, Arc::clone(&accepted), |_| Ok(()), greet)
            .expect_err("no such CPU");
        assert!(error.to_string().starts_with("failed to pin a thread: "), "{error}");
        // An accepting thread would hold the other end of the count.
        assert_eq!(Arc::strong_count(&accepted), 1);
    }
}
