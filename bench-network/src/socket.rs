//! Socket settings that every workload of this room shares, read back as they took effect.

use std::os::fd::AsFd;
use std::time::Duration;

use rustix::net::sockopt;

use crate::error::Error;

/// What really carries the bytes.
pub const BACKEND: &str = "kernel loopback";

/// Sends small messages at once instead of waiting for the acknowledgement of earlier ones.
///
/// # Errors
/// What the system refused.
pub fn set_nodelay(socket: impl AsFd) -> Result<(), Error> {
    sockopt::set_tcp_nodelay(socket, true).map_err(Error::io("switch TCP_NODELAY on"))
}

/// Makes closing the socket send RST and keep nothing of the connection.
///
/// # Errors
/// What the system refused.
pub fn set_reset_on_close(socket: impl AsFd) -> rustix::io::Result<()> {
    sockopt::set_socket_linger(socket, Some(Duration::ZERO))
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

/// `on` or `off`, as the kernel says.
///
/// # Errors
/// What the system refused.
pub fn nodelay(socket: impl AsFd) -> Result<String, Error> {
    let on = sockopt::tcp_nodelay(socket).map_err(Error::io("read TCP_NODELAY"))?;
    Ok((if on { "on" } else { "off" }).to_owned())
}
