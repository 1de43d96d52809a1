//! A link between two packet sockets: what [`emulated`](crate::emulated) needs of them. It is for who
//! cannot open `/dev/net/tun`, as users without privileges mostly cannot.
//!
//! Each network has a pair of veth interfaces: connections use the one that has an address, and
//! whatever leaves by it arrives at the other, where a packet socket (packet(7)) takes it. Packets stay
//! as large as TCP makes them, as with TUN; datagrams that a program sends several at a time (UDP GSO)
//! are one packet here, whose fate all share.
//!
//! A packet socket drops what its buffer has no room for. Root gets a buffer of 64 MiB, others get the
//! system's limit (`net.core.rmem_max`), which holds some three packets of 64 KiB: the report counts
//! what was dropped, and such a run is not valid.

use std::net::Ipv4Addr;

use rustix::net::{AddressFamily, SocketType, netdevice::name_to_index, socket};

use crate::emulated::{Carrier, EmulatedLink, Plugged, Port};
use crate::error::Error;
use crate::network::{Namespace, kernel, veth};
use crate::socket::{set_receive_buffer, set_send_buffer};

/// How ids and rows call this backend.
pub const BACKEND: &str = "AF_PACKET emulator";

const BUFFER_BYTES: usize = 64 << 20;

/// A link over packet sockets.
pub type PacketLink = EmulatedLink<AfPacket>;

/// Packet sockets as carriers.
#[derive(Debug)]
pub struct AfPacket;

impl Carrier for AfPacket {
    const BACKEND: &'static str = BACKEND;
    const INSTEAD: &'static str = "run as root or after `unshare --user --map-root-user`, and see \
                                   that the kernel has veth and packet sockets";

    fn plug(address: Ipv4Addr) -> Result<Plugged, Error> {
        let (namespace, port) = Namespace::new(|| {
            veth::plug(address)?;
            let any = socket(AddressFamily::INET, SocketType::DGRAM, None);
            let any = any.map_err(Error::io("make a socket"))?;
            let index = name_to_index(&any, veth::WIRE);
            let index = index.map_err(Error::io("find a veth interface"))?;
            let socket = kernel::packet_socket(index);
            let socket = socket.map_err(Error::io("make a packet socket"))?;
            // Where neither is granted it has the system's default, and drops are told.
            let _refused = set_receive_buffer(&socket, BUFFER_BYTES);
            let _refused = set_send_buffer(&socket, BUFFER_BYTES);
            Ok(Port::packets(socket))
        })?;
        Ok(Plugged { namespace, port })
    }
}
