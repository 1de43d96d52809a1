//! Socket options that no safe crate wraps: what the kernel knows of a connection, the ports that a
//! socket may take, and an end that goes without a word.

#![expect(unsafe_code, reason = "getsockopt and setsockopt with options that no crate knows")]

use std::io;
use std::ops::RangeInclusive;
use std::os::fd::{AsFd, AsRawFd};

/// More than any kernel's `struct tcp_info` has.
const INFO_BYTES_MAX: usize = 512;

/// `IP_LOCAL_PORT_RANGE` of `linux/in.h`, since Linux 6.3; libc does not have it everywhere.
const IP_LOCAL_PORT_RANGE: libc::c_int = 51;
/// `TCP_REPAIR` of `linux/tcp.h`.
const TCP_REPAIR: libc::c_int = 19;

/// The bytes of `struct tcp_info`, as many as this kernel has.
pub(super) fn info(socket: impl AsFd) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0_u8; INFO_BYTES_MAX];
    let mut length = INFO_BYTES_MAX as libc::socklen_t;
    let fd = socket.as_fd().as_raw_fd();
    let (buffer, capacity) = (bytes.as_mut_ptr().cast(), &raw mut length);
    // SAFETY: the kernel writes at most `length` bytes into the buffer, which has as many and is
    // initialised, and how many it wrote into `length`; both live until the call returns.
    let done = unsafe { libc::getsockopt(fd, libc::IPPROTO_TCP, libc::TCP_INFO, buffer, capacity) };
    if done < 0 {
        return Err(io::Error::last_os_error());
    }
    bytes.truncate(length as usize);
    Ok(bytes)
}

/// From which ports the socket's own is taken when it connects without being bound.
pub(super) fn set_local_ports(socket: impl AsFd, ports: &RangeInclusive<u16>) -> io::Result<()> {
    let both = u32::from(*ports.end()) << 16 | u32::from(*ports.start());
    set(socket, libc::IPPROTO_IP, IP_LOCAL_PORT_RANGE, both)
}

/// Makes closing the socket forget the connection: neither FIN nor RST is sent, as if the host had
/// lost its power. Needs CAP_NET_ADMIN.
pub(super) fn set_silent_on_close(socket: impl AsFd) -> io::Result<()> {
    set(socket, libc::IPPROTO_TCP, TCP_REPAIR, 1)
}

fn set(socket: impl AsFd, level: libc::c_int, option: libc::c_int, value: u32) -> io::Result<()> {
    let fd = socket.as_fd().as_raw_fd();
    let length = size_of::<u32>() as libc::socklen_t;
    // SAFETY: every option that this file sets reads one integer of 32 bits, which lives until the call
    // returns; the kernel keeps no pointer to it.
    let done = unsafe { libc::setsockopt(fd, level, option, (&raw const value).cast(), length) };
    if done < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}
