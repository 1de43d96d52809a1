//! What no safe crate wraps: a network namespace for one thread, the requests that make a TUN device
//! in it and give it an address, and sockets for packets.

#![expect(unsafe_code, reason = "unshare, ioctls on sockets and on /dev/net/tun, packet sockets")]

use std::fs::{File, OpenOptions};
use std::io;
use std::net::{Ipv4Addr, UdpSocket};
use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::fs::OpenOptionsExt;

use rustix::thread::{UnshareFlags, unshare_unsafe};

/// Up, and asking nobody for the hardware address of the other end: there is one other end.
const UP: i16 = (libc::IFF_UP | libc::IFF_RUNNING | libc::IFF_NOARP) as i16;

/// `struct ifreq`: a name and a union of 24 bytes, of which requests read what they need.
#[repr(C)]
struct InterfaceRequest {
    name: [u8; 16],
    union: [u8; 24],
}

const _: () = assert!(size_of::<InterfaceRequest>() == size_of::<libc::ifreq>());

/// Gives the calling thread a network namespace of its own: no interface but a `lo` that is down.
pub(crate) fn leave_network() -> io::Result<()> {
    // SAFETY: what makes it unsafe is a table of descriptors of one's own, which is not asked for.
    unsafe { unshare_unsafe(UnshareFlags::NEWNET) }.map_err(Into::into)
}

/// Opens a device whose packets are waited for elsewhere.
pub(crate) fn open(device: &str) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).custom_flags(libc::O_NONBLOCK | libc::O_CLOEXEC);
    options.open(device)
}

/// A TUN interface in the calling thread's namespace: packets with a virtio header before each,
/// TCP segments up to 64 KiB that nobody has cut yet, checksums that nobody has computed yet. It is
/// gone when the file is closed.
pub(crate) fn tun(device: File, name: &str) -> io::Result<File> {
    let flags = (libc::IFF_TUN | libc::IFF_NO_PI | libc::IFF_VNET_HDR) as i16;
    interface(device.as_raw_fd(), libc::TUNSETIFF, name, &flags.to_ne_bytes())?;
    let offloads = libc::TUN_F_CSUM | libc::TUN_F_TSO4;
    // SAFETY: this request takes a number and no pointer.
    let done =
        unsafe { libc::ioctl(device.as_raw_fd(), libc::TUNSETOFFLOAD, offloads as libc::c_ulong) };
    if done < 0 { Err(io::Error::last_os_error()) } else { Ok(device) }
}

/// Gives the interface an address in a net of 256, an MTU and a queue, and takes it up.
pub(crate) fn take_up(
    name: &str,
    address: Ipv4Addr,
    mtu: u32,
    queue_packets: u32,
) -> io::Result<()> {
    // Any socket of this namespace will do.
    let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0))?;
    let ask = |request: libc::c_ulong, union: &[u8]| {
        interface(socket.as_raw_fd(), request as libc::Ioctl, name, union).map(drop)
    };
    ask(libc::SIOCSIFADDR, &socket_address(address))?;
    ask(libc::SIOCSIFNETMASK, &socket_address(Ipv4Addr::new(255, 255, 255, 0)))?;
    ask(libc::SIOCSIFMTU, &mtu.to_ne_bytes())?;
    match ask(libc::SIOCSIFTXQLEN, &queue_packets.to_ne_bytes()) {
        // Only the host's root may. The queue of 500 packets then stays, and what it drops is told.
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => (),
        set => set?,
    }
    ask(libc::SIOCSIFFLAGS, &UP.to_ne_bytes())
}

/// Takes the interface up, without an address.
pub(crate) fn switch_on(name: &str) -> io::Result<()> {
    let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0))?;
    let request = libc::SIOCSIFFLAGS as libc::Ioctl;
    interface(socket.as_raw_fd(), request, name, &UP.to_ne_bytes()).map(drop)
}

/// Whether the interface is up and so is its other end. Kernels since 6.8 see to it while they are asked
/// that packets can leave from then on; older ones do so a moment later.
pub(crate) fn is_running(name: &str) -> io::Result<bool> {
    let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0))?;
    // struct ethtool_value: the command (ETHTOOL_GLINK), and what it answers.
    let mut value = [0xa_u32, 0];
    let address = (&raw mut value).expose_provenance().to_ne_bytes();
    interface(socket.as_raw_fd(), libc::SIOCETHTOOL as libc::Ioctl, name, &address)?;
    let flags = interface(socket.as_raw_fd(), libc::SIOCGIFFLAGS as libc::Ioctl, name, &[])?;
    let flags = i32::from(i16::from_ne_bytes([flags[0], flags[1]]));
    // The kernel wrote there, which the compiler did not see.
    let link = std::hint::black_box(value)[1] != 0;
    Ok(link && flags & libc::IFF_RUNNING != 0)
}

/// A socket for IPv4 packets, with their Ethernet header, that come in at the interface of this index
/// and go out of it: with a virtio header before each, segments uncut and checksums uncomputed, as a
/// TUN device has them.
pub(crate) fn packet_socket(index: u32) -> io::Result<OwnedFd> {
    let kind = libc::SOCK_RAW | libc::SOCK_NONBLOCK | libc::SOCK_CLOEXEC;
    // SAFETY: this call takes numbers and no pointer.
    let fd = unsafe { libc::socket(libc::AF_PACKET, kind, 0) };
    if fd < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: it was just opened, and nobody else knows of it.
    let socket = unsafe { OwnedFd::from_raw_fd(fd) };
    let on: libc::c_int = 1;
    // SAFETY: the kernel reads an int, which lives until the call returns.
    let done = unsafe {
        let (level, name) = (libc::SOL_PACKET, libc::PACKET_VNET_HDR);
        let size = size_of_val(&on) as libc::socklen_t;
        libc::setsockopt(socket.as_raw_fd(), level, name, (&raw const on).cast(), size)
    };
    if done < 0 {
        return Err(io::Error::last_os_error());
    }
    let address = libc::sockaddr_ll {
        sll_family: libc::AF_PACKET as u16,
        // What we send goes by without us: only sockets for all protocols see that.
        sll_protocol: (libc::ETH_P_IP as u16).to_be(),
        sll_ifindex: index as i32,
        sll_hatype: 0,
        sll_pkttype: 0,
        sll_halen: 0,
        sll_addr: [0; 8],
    };
    // SAFETY: the kernel reads a `struct sockaddr_ll` of this size, which lives until the call returns.
    let done = unsafe {
        let size = size_of_val(&address) as libc::socklen_t;
        libc::bind(socket.as_raw_fd(), (&raw const address).cast(), size)
    };
    if done < 0 { Err(io::Error::last_os_error()) } else { Ok(socket) }
}

/// How many packets found the socket's buffer full since this was asked last.
pub(crate) fn packets_dropped(socket: impl AsFd) -> io::Result<u64> {
    let mut found = libc::tpacket_stats { tp_packets: 0, tp_drops: 0 };
    let mut size = size_of_val(&found) as libc::socklen_t;
    let (level, name) = (libc::SOL_PACKET, libc::PACKET_STATISTICS);
    // SAFETY: the kernel writes at most `size` bytes, which `found` has, and the length to `size`; both
    // live until the call returns.
    let done = unsafe {
        let fd = socket.as_fd().as_raw_fd();
        libc::getsockopt(fd, level, name, (&raw mut found).cast(), &raw mut size)
    };
    if done < 0 { Err(io::Error::last_os_error()) } else { Ok(found.tp_drops.into()) }
}

/// `struct sockaddr_in` without a port.
fn socket_address(address: Ipv4Addr) -> [u8; 16] {
    let mut bytes = [0; 16];
    bytes[..2].copy_from_slice(&(libc::AF_INET as u16).to_ne_bytes());
    bytes[4..8].copy_from_slice(&address.octets());
    bytes
}

/// A request that is about an interface, and what it says to that.
///
/// # Panics
/// When the name or what is asked does not fit the request, which those of this file do.
fn interface(fd: RawFd, request: libc::Ioctl, name: &str, union: &[u8]) -> io::Result<[u8; 24]> {
    let mut asked = InterfaceRequest { name: [0; 16], union: [0; 24] };
    assert!(name.len() < asked.name.len(), "an interface's name has up to 15 bytes");
    asked.name[..name.len()].copy_from_slice(name.as_bytes());
    asked.union[..union.len()].copy_from_slice(union);
    // SAFETY: every request of this file reads or writes a `struct ifreq`, which this is by size and
    // layout; it lives until the call returns, and the kernel keeps no pointer to it. The one that has
    // an address in it (SIOCETHTOOL) has that of two numbers that the caller owns as long.
    let done = unsafe { libc::ioctl(fd, request, &raw mut asked) };
    if done < 0 { Err(io::Error::last_os_error()) } else { Ok(asked.union) }
}
