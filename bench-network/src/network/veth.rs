//! Pairs of virtual Ethernet interfaces (veth(4)): what is sent into one comes out of the other.
//!
//! All interfaces with an address have the same hardware address and ask nobody for one (`NOARP`):
//! whatever is sent is for whoever is at the other end, and no packet but those of the connections
//! goes over the link.

use std::fs::File;
use std::io;
use std::net::Ipv4Addr;
use std::os::fd::AsRawFd;
use std::thread;
use std::time::{Duration, Instant};

use rustix::net::netdevice::name_to_index;

use super::netlink::{NEW_LINK, NEW_QDISC, Request, attribute, nested, text};
use super::{Ends, INTERFACE, Namespace, QUEUE_PACKETS, kernel};
use crate::error::Error;
use crate::link::MTU;

/// Locally administered, and the same for every end.
pub(crate) const HARDWARE_ADDRESS: [u8; 6] = [2, 0, 0, 0, 0, 1];
/// The other end of a pair that stays in its namespace.
pub(crate) const WIRE: &str = "wire";

const ADDRESS: u16 = 1;
const NAME: u16 = 3;
const LINK_INFO: u16 = 18;
const NAMESPACE_FD: u16 = 28;
const GSO_SEGMENTS_MAX: u16 = 40;
const INFO_KIND: u16 = 1;
const INFO_DATA: u16 = 2;
const PEER: u16 = 1;
/// `struct ifinfomsg` of a new interface: nothing is known of it.
const NEW: [u8; 16] = [0; 16];
const QDISC_KIND: u16 = 1;
const QDISC_OPTIONS: u16 = 2;
const ROOT: u32 = 0xffff_ffff;

/// How packets may leave an interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Segments {
    /// As large as TCP makes them.
    Together,
    /// One at a time, so that a queueing discipline sees each.
    Single,
}

/// The request to make a pair: `link` here, and its peer of this name, here or in that namespace.
fn pair(peer_name: &str, peer_namespace: Option<&File>, segments: Segments) -> Request {
    let mut peer = NEW.to_vec();
    attribute(&mut peer, NAME, &text(peer_name));
    if let Some(namespace) = peer_namespace {
        attribute(&mut peer, NAMESPACE_FD, &namespace.as_raw_fd().to_ne_bytes());
        attribute(&mut peer, ADDRESS, &HARDWARE_ADDRESS);
        if segments == Segments::Single {
            attribute(&mut peer, GSO_SEGMENTS_MAX, &1_u32.to_ne_bytes());
        }
    }
    let info = nested(&[(INFO_KIND, text("veth")), (INFO_DATA, nested(&[(PEER, peer)]))]);
    let request = Request::make(NEW_LINK, &NEW)
        .with(NAME, &text(INTERFACE))
        .with(ADDRESS, &HARDWARE_ADDRESS)
        .with(LINK_INFO, &info);
    match segments {
        Segments::Together => request,
        Segments::Single => request.with(GSO_SEGMENTS_MAX, &1_u32.to_ne_bytes()),
    }
}

/// Makes a pair in the calling thread's namespace: `link` with this address, and [`WIRE`].
pub(crate) fn plug(address: Ipv4Addr) -> Result<(), Error> {
    pair(WIRE, None, Segments::Together).ask().map_err(Error::io("make a veth pair"))?;
    kernel::switch_on(WIRE).map_err(Error::io("take a veth interface up"))?;
    take_up(address)?;
    wait_until_running(&[WIRE, INTERFACE])
}

/// Two networks with a pair between them.
pub(crate) fn ends(segments: Segments) -> Result<Ends, Error> {
    let (client, ()) = Namespace::new(|| Ok(()))?;
    let (server, ()) = Namespace::new(|| Ok(()))?;
    client.enter(|| {
        let made = pair(INTERFACE, Some(server.as_file()), segments).ask();
        made.map_err(Error::io("make a veth pair"))?;
        take_up(Ends::CLIENT)
    })?;
    server.enter(|| take_up(Ends::SERVER).and_then(|()| wait_until_running(&[INTERFACE])))?;
    client.enter(|| wait_until_running(&[INTERFACE]))?;
    Ok(Ends::own(client, server))
}

fn take_up(address: Ipv4Addr) -> Result<(), Error> {
    kernel::take_up(INTERFACE, address, MTU, QUEUE_PACKETS)
        .map_err(Error::io("take a veth interface up"))
}

/// An interface whose other end came up after it lets packets out only when a thread of the kernel has
/// seen to that, and drops them until then.
fn wait_until_running(interfaces: &[&str]) -> Result<(), Error> {
    const GIVE_UP: Duration = Duration::from_secs(10);
    let start = Instant::now();
    for name in interfaces {
        while !kernel::is_running(name).map_err(Error::io("look at a veth interface"))? {
            if start.elapsed() > GIVE_UP {
                let late = io::Error::from(io::ErrorKind::TimedOut);
                return Err(Error::io("see a veth interface run")(late));
            }
            thread::sleep(Duration::from_micros(200));
        }
        kernel::switch_on(name).map_err(Error::io("take a veth interface up"))?;
    }
    Ok(())
}

/// Puts a queueing discipline before the interface of the calling thread's namespace.
pub(crate) fn shape(kind: &str, options: &[u8]) -> io::Result<()> {
    let any = rustix::net::socket(
        rustix::net::AddressFamily::INET,
        rustix::net::SocketType::DGRAM,
        None,
    )?;
    let index = name_to_index(&any, INTERFACE)?;
    qdisc(kind, options, index).ask()
}

fn qdisc(kind: &str, options: &[u8], index: u32) -> Request {
    // struct tcmsg: family and padding, interface, handle (the kernel's choice), parent, info.
    let fixed = [0, index, 0, ROOT, 0].map(u32::to_ne_bytes).concat();
    Request::make(NEW_QDISC, &fixed).with(QDISC_KIND, &text(kind)).with(QDISC_OPTIONS, options)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn holds(bytes: &[u8], part: &[u8]) -> bool {
        bytes.windows(part.len()).any(|window| window == part)
    }

    #[test]
    fn a_pair_names_both_ends_and_the_namespace_of_the_far_one() {
        let here = pair(WIRE, None, Segments::Together).into_bytes();
        assert!(holds(&here, b"link\0") && holds(&here, b"wire\0") && holds(&here, b"veth\0"));
        let segments = [8_u16.to_ne_bytes(), GSO_SEGMENTS_MAX.to_ne_bytes()].concat();
        assert!(!holds(&here, &segments));
        let file = File::open("/dev/null").expect("open");
        let far = pair(INTERFACE, Some(&file), Segments::Single).into_bytes();
        let namespace = [8_u16.to_ne_bytes(), NAMESPACE_FD.to_ne_bytes()].concat();
        assert!(holds(&far, &namespace) && holds(&far, &segments));
        assert_eq!(far.len() as u32, u32::from_ne_bytes(far[..4].try_into().expect("four")));
    }

    #[test]
    fn a_discipline_is_asked_for_at_the_root_of_its_interface() {
        let bytes = qdisc("netem", &[1, 2, 3, 4], 7).into_bytes();
        assert_eq!(bytes[20..24], 7_u32.to_ne_bytes());
        assert_eq!(bytes[28..32], [0xff; 4]);
        assert!(holds(&bytes, b"netem\0\0\0") && bytes.ends_with(&[1, 2, 3, 4]));
    }
}
