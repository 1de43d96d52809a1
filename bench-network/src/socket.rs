//! Socket settings that every workload of this room shares, read back as they took effect.

use std::io;
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::net::sockopt;

use crate::error::Error;

/// What a process without privileges may choose from.
const ALLOWED: &str = "/proc/sys/net/ipv4/tcp_allowed_congestion_control";

/// What really carries the bytes.
pub const BACKEND: &str = "kernel loopback";

/// Sends small messages at once instead of waiting for the acknowledgement of earlier ones.
///
/// # Errors
/// What the system refused.
pub fn set_nodelay(socket: impl AsFd) -> Result<(), Error> {
    sockopt::set_tcp_nodelay(socket, true).map_err(Error::io("switch TCP_NODELAY on"))
}

/// Gives this socket room for so much that was not read yet: above the system's limit where this process
/// may, else up to it.
///
/// # Errors
/// What the system refused.
pub(crate) fn set_receive_buffer(socket: impl AsFd, bytes: usize) -> rustix::io::Result<()> {
    sockopt::set_socket_recv_buffer_size_force(&socket, bytes)
        .or_else(|_| sockopt::set_socket_recv_buffer_size(&socket, bytes))
}

/// As [`set_receive_buffer`], of what was not sent yet.
///
/// # Errors
/// What the system refused.
pub(crate) fn set_send_buffer(socket: impl AsFd, bytes: usize) -> rustix::io::Result<()> {
    sockopt::set_socket_send_buffer_size_force(&socket, bytes)
        .or_else(|_| sockopt::set_socket_send_buffer_size(&socket, bytes))
}

/// Makes closing the socket send RST and keep nothing of the connection.
///
/// # Errors
/// What the system refused.
pub fn set_reset_on_close(socket: impl AsFd) -> rustix::io::Result<()> {
    sockopt::set_socket_linger(socket, Some(Duration::ZERO))
}

/// Makes this socket use a congestion control, by the kernel's name for it. The default differs from
/// machine to machine, and over a link that loses one packet in a hundred the result by a factor of
/// ninety.
///
/// # Errors
/// [`Error::CongestionControlRefused`] with those that the kernel allows.
pub fn pin_congestion_control(socket: impl AsFd, control: &str) -> Result<(), Error> {
    sockopt::set_tcp_congestion(socket, control).map_err(|refusal| {
        let allowed = std::fs::read_to_string(ALLOWED);
        let allowed = allowed.map_or_else(|_| "unknown".to_owned(), |list| list.trim().to_owned());
        let source = refusal.into();
        Error::CongestionControlRefused { control: control.to_owned(), allowed, source }
    })
}

/// What every result of this room names: backend, congestion control as the kernel gives it to
/// this socket (or to connections that this listener accepts), and where the ends ran.
///
/// # Errors
/// What the system refused.
pub fn dimensions(socket: impl AsFd, cpus: String) -> Result<Vec<(&'static str, String)>, Error> {
    let control = sockopt::tcp_congestion(socket).map_err(Error::io("read TCP_CONGESTION"))?;
    let backend = BACKEND.to_owned();
    Ok(vec![("backend", backend), ("congestion_control", control), ("cpus", cpus)])
}

/// No operation on loopback takes this long; a lost peer then is an error and no hang.
const GIVE_UP: Duration = Duration::from_secs(10);

/// Client and server of a new connection with TCP_NODELAY. The kernel completes the handshake before
/// anybody accepts, so that one thread can do it all. The listener is first given to `configure`:
/// what is set on it, the server's end inherits.
pub(crate) fn connected_pair(
    configure: impl FnOnce(&TcpListener) -> Result<(), Error>,
) -> Result<(TcpStream, TcpStream), Error> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0));
    let listener = listener.map_err(Error::io("listen on loopback"))?;
    configure(&listener)?;
    let address = listener.local_addr().map_err(Error::io("read the port"))?;
    let client = TcpStream::connect(address).map_err(Error::io("connect on loopback"))?;
    let server = accept(&listener, ACCEPT_LIMIT)?;
    for end in [&client, &server] {
        set_nodelay(end)?;
        end.set_read_timeout(Some(GIVE_UP)).map_err(Error::io("set a time limit"))?;
        end.set_write_timeout(Some(GIVE_UP)).map_err(Error::io("set a time limit"))?;
    }
    // Between two runs the server may wait as long as the harness likes; its owner ends it.
    server.set_read_timeout(None).map_err(Error::io("lift a time limit"))?;
    Ok((client, server))
}

/// How long a connection that was made may take to come to its listener; a way that loses packets and a
/// busy machine are both within it.
pub(crate) const ACCEPT_LIMIT: Duration = Duration::from_secs(60);

/// The server's end of a connection that was made to this listener: an error where none comes, and no
/// hang.
///
/// # Errors
/// [`Error::NoAnswer`] where nothing came within the limit; what the system refused.
pub(crate) fn accept(listener: &TcpListener, limit: Duration) -> Result<TcpStream, Error> {
    let (start, action) = (Instant::now(), "accept a connection");
    loop {
        let left = limit.saturating_sub(start.elapsed());
        let wait = Timespec::try_from(left)
            .map_err(|_| Error::Io { action, source: io::ErrorKind::InvalidInput.into() })?;
        match poll(&mut [PollFd::new(listener, PollFlags::IN)], Some(&wait)) {
            Ok(0) => {
                let peer = listener.local_addr().map_err(Error::io("read the port"))?;
                return Err(Error::NoAnswer { peer, what: "get the connection", limit });
            }
            Err(Errno::INTR) => (),
            Err(error) => return Err(Error::io(action)(error)),
            Ok(_) => return Ok(listener.accept().map_err(Error::io(action))?.0),
        }
    }
}

/// Ends the client's wait when the server's thread ends, also by a panic.
pub(crate) struct ClosedOnExit(pub(crate) TcpStream);

impl Drop for ClosedOnExit {
    fn drop(&mut self) {
        let _ = self.0.shutdown(Shutdown::Both);
    }
}

/// `on` or `off`, as the kernel says.
///
/// # Errors
/// What the system refused.
pub fn nodelay(socket: impl AsFd) -> Result<String, Error> {
    let on = sockopt::tcp_nodelay(socket).map_err(Error::io("read TCP_NODELAY"))?;
    Ok((if on { "on" } else { "off" }).to_owned())
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    #[test]
    fn a_connection_that_does_not_come_is_an_error_and_one_that_comes_is_accepted() {
        let listener = TcpListener::bind("127.0.0.1:0").expect("listen");
        let error = accept(&listener, Duration::from_millis(20)).expect_err("nobody connects");
        assert!(matches!(error, Error::NoAnswer { .. }), "{error:?}");
        let text = error.to_string();
        assert!(text.contains("did not get the connection within 20ms"), "{text}");
        let address = listener.local_addr().expect("port");
        let client = TcpStream::connect(address).expect("connect");
        let server = accept(&listener, ACCEPT_LIMIT).expect("it came");
        assert_eq!(server.peer_addr().expect("peer"), client.local_addr().expect("port"));
    }

    #[test]
    fn a_congestion_control_is_pinned_or_refused_with_those_that_are_allowed() {
        let socket = TcpListener::bind("127.0.0.1:0").expect("listen");
        // Every kernel has it, and allows it to everybody.
        pin_congestion_control(&socket, "reno").expect("allowed");
        let pinned = dimensions(&socket, String::new()).expect("dimensions");
        assert!(pinned.contains(&("congestion_control", "reno".to_owned())), "{pinned:?}");
        let error = pin_congestion_control(&socket, "carrier-pigeon").expect_err("unknown");
        let text = error.to_string();
        assert!(text.starts_with("failed to use congestion control 'carrier-pigeon': "), "{text}");
        assert!(text.contains("allowed here: ") && text.contains("reno"), "{text}");
    }
}
