//! The kernel's own view of TCP sockets, asked by netlink (`sock_diag(7)`): their queues, and of each
//! its `TCP_INFO`. Unlike the table in `/proc/net/tcp` it can leave out those in TIME_WAIT, of which
//! there may be tens of thousands.
//!
//! All sockets of the network namespace of the process are seen, whosever they are.

use std::os::fd::OwnedFd;
use std::time::Duration;

use rustix::net::netlink::SOCK_DIAG;
use rustix::net::sockopt::{Timeout, set_socket_timeout};
use rustix::net::{
    AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, recv, send, socket_with,
};

/// `SOCK_DIAG_BY_FAMILY`, as a message and in its answers.
const BY_FAMILY: u16 = 20;
/// `NLM_F_REQUEST | NLM_F_DUMP`.
const DUMP: u16 = 0x301;
/// `NLMSG_ERROR` and `NLMSG_DONE`.
const ERROR: u16 = 2;
const DONE: u16 = 3;
/// Of a netlink message, and of what answers have before their attributes.
const HEADER_BYTES: usize = 16;
const SOCKET_BYTES: usize = 72;
/// `INET_DIAG_INFO`.
const INFO: u16 = 2;
const LISTEN: u8 = 10;
/// All states but TIME_WAIT, which is 6.
const STATES: u32 = 0xfff & !(1 << 6);
const TCP: u8 = 6;
/// A part of a dump is no larger.
const PART_BYTES: usize = 64 << 10;
/// More parts than that are not waited for: ten thousand sockets and more.
const PARTS_MAX: usize = 128;
/// The kernel answers at once. Should it ever not, whoever stops a watch waits so long.
const ANSWER_LIMIT: Duration = Duration::from_millis(500);

/// A TCP socket.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Socket {
    /// Its number, which no other has until the machine starts anew.
    pub cookie: u64,
    /// Whether it waits for connections.
    pub listens: bool,
    /// Bytes received and not read; of one that listens, connections that wait to be accepted.
    pub receive: u32,
    /// Bytes written and not acknowledged.
    pub send: u32,
    /// Of one that is connected; `None` on kernels before 4.9.
    pub info: Option<TcpInfo>,
}

/// What `TCP_INFO` says of the time and the segments of a connection since its start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TcpInfo {
    /// Segments sent again.
    pub retransmitted: u64,
    /// Microseconds in which it had something to send.
    pub busy_us: u64,
    /// Those of them in which the receiver's window was full.
    pub receiver_limited_us: u64,
    /// Those in which its own send buffer held no more.
    pub buffer_limited_us: u64,
}

/// Every TCP socket now; `None` where the kernel refuses, or where there are more than can be looked at.
pub fn read() -> Option<Vec<Socket>> {
    read_parts(PARTS_MAX)
}

fn read_parts(most: usize) -> Option<Vec<Socket>> {
    let mut all = Vec::new();
    // For this look alone: what is left of an answer that is not read to its end goes with it.
    let kernel = open()?;
    for family in [AddressFamily::INET, AddressFamily::INET6] {
        send(&kernel, &request(family.as_raw() as u8), SendFlags::empty()).ok()?;
        let mut part = vec![0; PART_BYTES];
        let mut parts = 0;
        loop {
            let (bytes, _) = recv(&kernel, &mut part, RecvFlags::empty()).ok()?;
            parts += 1;
            match parse(&part[..bytes], &mut all)? {
                true => break,
                // A part of the sockets is not told as all of them.
                false if parts == most => return None,
                false => (),
            }
        }
    }
    Some(all)
}

/// Where the kernel is asked; `None` where it has no such socket.
fn open() -> Option<OwnedFd> {
    let (family, kind) = (AddressFamily::NETLINK, SocketType::RAW);
    let kernel = socket_with(family, kind, SocketFlags::CLOEXEC, Some(SOCK_DIAG)).ok()?;
    set_socket_timeout(&kernel, Timeout::Recv, Some(ANSWER_LIMIT)).ok()?;
    Some(kernel)
}

/// A dump of the TCP sockets of a family, with their `TCP_INFO`.
fn request(family: u8) -> Vec<u8> {
    const ID_BYTES: usize = 48;
    let mut message = Vec::new();
    let bytes = (HEADER_BYTES + 8 + ID_BYTES) as u32;
    message.extend(bytes.to_ne_bytes());
    message.extend(BY_FAMILY.to_ne_bytes());
    message.extend(DUMP.to_ne_bytes());
    // Its number, and ours, which the kernel knows.
    message.extend([0; 8]);
    message.extend([family, TCP, 1 << (INFO - 1), 0]);
    message.extend(STATES.to_ne_bytes());
    message.extend([0; ID_BYTES]);
    message
}

/// The sockets in a part of an answer; whether it was the last. `None` where it is an error or makes no sense.
fn parse(mut part: &[u8], all: &mut Vec<Socket>) -> Option<bool> {
    while !part.is_empty() {
        let length = u32_at(part, 0)? as usize;
        let message = part.get(..length).filter(|message| message.len() >= HEADER_BYTES)?;
        match u16_at(message, 4)? {
            DONE => return Some(true),
            ERROR => return None,
            BY_FAMILY => all.push(socket(&message[HEADER_BYTES..])?),
            _ => (),
        }
        part = part.get(length.next_multiple_of(4)..).unwrap_or_default();
    }
    Some(false)
}

/// `struct inet_diag_msg` and its attributes.
fn socket(message: &[u8]) -> Option<Socket> {
    let mut attributes = message.get(SOCKET_BYTES..)?;
    let mut info = None;
    while let (Some(length), Some(kind)) = (u16_at(attributes, 0), u16_at(attributes, 2)) {
        let length = usize::from(length);
        let value = attributes.get(4..length)?;
        if kind == INFO {
            info = tcp_info(value);
        }
        attributes = attributes.get(length.next_multiple_of(4)..).unwrap_or_default();
    }
    let listens = message[1] == LISTEN;
    Some(Socket {
        cookie: u64_at(message, 44)?,
        listens,
        receive: u32_at(message, 56)?,
        send: if listens { 0 } else { u32_at(message, 60)? },
        info: info.filter(|_| !listens),
    })
}

/// Fields of `struct tcp_info`, which grows at its end with every kernel.
fn tcp_info(value: &[u8]) -> Option<TcpInfo> {
    Some(TcpInfo {
        retransmitted: u64::from(u32_at(value, 100)?),
        busy_us: u64_at(value, 168)?,
        receiver_limited_us: u64_at(value, 176)?,
        buffer_limited_us: u64_at(value, 184)?,
    })
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_ne_bytes(bytes.get(at..at + 2)?.try_into().ok()?))
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_ne_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}

fn u64_at(bytes: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_ne_bytes(bytes.get(at..at + 8)?.try_into().ok()?))
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::net::{TcpListener, TcpStream};

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_is_not_read_and_not_accepted_is_in_a_queue() {
        let Some(before) = read() else { return };
        let listener = TcpListener::bind("127.0.0.1:0").expect("listen");
        let address = listener.local_addr().expect("port");
        let mut client = TcpStream::connect(address).expect("connect");
        let (_server, _) = listener.accept().expect("accept");
        client.write_all(&[7; 12_345]).expect("send");
        let _waiting = TcpStream::connect(address).expect("connect");
        let now = read().expect("as before");
        let old = |socket: &&Socket| !before.iter().any(|other| other.cookie == socket.cookie);
        let new: Vec<_> = now.iter().filter(old).collect();
        // Those of other tests are among them.
        assert!(new.iter().any(|socket| !socket.listens && socket.receive == 12_345), "{new:?}");
        assert!(new.iter().any(|socket| socket.listens && socket.receive == 1), "{new:?}");
        assert!(new.iter().any(|socket| socket.info.is_some()), "{new:?}");
    }

    #[test]
    fn a_look_that_is_cut_short_tells_nothing_and_spoils_no_other() {
        if read().is_none() {
            return;
        }
        let listener = TcpListener::bind("127.0.0.1:0").expect("listen");
        let address = listener.local_addr().expect("port");
        // 200 sockets of some 300 bytes: more than the kernel gives at once.
        let pair = |_| {
            let client = TcpStream::connect(address).expect("connect");
            [client, listener.accept().expect("accept").0]
        };
        let pairs: Vec<_> = (0..100).map(pair).collect();
        assert_eq!(read_parts(1), None, "one part is not all");
        assert!(read().expect("as before").len() >= 2 * pairs.len());
    }

    #[test]
    fn an_answer_that_never_comes_is_not_waited_for() {
        let Some(kernel) = open() else { return };
        recv(&kernel, &mut [0; 64], RecvFlags::empty()).expect_err("nothing was asked");
    }

    /// An answer with one socket and the end.
    fn answer(info: &[u8]) -> Vec<u8> {
        let mut socket = vec![0; SOCKET_BYTES];
        socket[1] = 1;
        socket[44..52].copy_from_slice(&77_u64.to_ne_bytes());
        socket[56..60].copy_from_slice(&5_u32.to_ne_bytes());
        socket[60..64].copy_from_slice(&6_u32.to_ne_bytes());
        socket.extend((4 + info.len() as u16).to_ne_bytes());
        socket.extend(INFO.to_ne_bytes());
        socket.extend(info);
        let mut bytes = Vec::new();
        for (kind, body) in [(BY_FAMILY, socket.as_slice()), (DONE, &[0; 4])] {
            bytes.extend(((HEADER_BYTES + body.len()) as u32).to_ne_bytes());
            bytes.extend(kind.to_ne_bytes());
            bytes.extend([0; 10]);
            bytes.extend(body);
        }
        bytes
    }

    #[test]
    fn an_answer_is_read_field_by_field() {
        let mut info = vec![0; 192];
        info[100..104].copy_from_slice(&9_u32.to_ne_bytes());
        info[168..176].copy_from_slice(&1_000_u64.to_ne_bytes());
        info[176..184].copy_from_slice(&600_u64.to_ne_bytes());
        info[184..192].copy_from_slice(&300_u64.to_ne_bytes());
        let mut all = Vec::new();
        assert_eq!(parse(&answer(&info), &mut all), Some(true));
        let info = TcpInfo {
            retransmitted: 9,
            busy_us: 1_000,
            receiver_limited_us: 600,
            buffer_limited_us: 300,
        };
        let socket = Socket { cookie: 77, listens: false, receive: 5, send: 6, info: Some(info) };
        assert_eq!(all, [socket]);
        all.clear();
        assert_eq!(parse(&answer(&[0; 104]), &mut all), Some(true));
        assert_eq!(all[0].info, None, "an old kernel");
    }

    proptest! {
        #[test]
        fn no_bytes_are_a_panic(cut in 0..400_usize, at in 0..300_usize, byte: u8) {
            let mut bytes = answer(&[0; 192]);
            let place = at % bytes.len();
            bytes[place] = byte;
            bytes.truncate(cut);
            let _parsed = parse(&bytes, &mut Vec::new());
        }
    }
}
