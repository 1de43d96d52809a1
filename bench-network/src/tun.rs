//! A link between two TUN interfaces: what [`emulated`](crate::emulated) needs of them.
//!
//! It needs the right to make network namespaces and a `/dev/net/tun` that can be opened: root, or
//! `unshare --user --map-root-user` before the command. [`TunLink::available`] says why not.

use std::fs::File;
use std::net::Ipv4Addr;

use crate::emulated::{Carrier, EmulatedLink, Plugged, Port};
use crate::error::Error;
use crate::link::MTU;
use crate::network::{INTERFACE, Namespace, QUEUE_PACKETS, kernel};

/// How ids and rows call this backend.
pub const BACKEND: &str = "TUN emulator";

/// The device that TUN interfaces are made by.
const DEVICE: &str = "/dev/net/tun";

/// A link over TUN interfaces.
pub type TunLink = EmulatedLink<Tun>;

/// TUN interfaces as carriers.
#[derive(Debug)]
pub struct Tun;

impl Carrier for Tun {
    const BACKEND: &'static str = BACKEND;
    const INSTEAD: &'static str = "run as root or after `unshare --user --map-root-user`, and see \
                                   that /dev/net/tun can be read and written";

    fn plug(address: Ipv4Addr) -> Result<Plugged, Error> {
        let (namespace, port) = Namespace::new(|| {
            let device = interface(DEVICE)?;
            kernel::take_up(INTERFACE, address, MTU, QUEUE_PACKETS)
                .map_err(Error::io("take a TUN interface up"))?;
            Ok(Port::tun(device))
        })?;
        Ok(Plugged { namespace, port })
    }
}

/// A TUN interface in the calling thread's network.
fn interface(device: &str) -> Result<File, Error> {
    let device = kernel::open(device).map_err(Error::io("open /dev/net/tun"))?;
    kernel::tun(device, INTERFACE).map_err(Error::io("make a TUN interface"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_device_that_cannot_be_opened_or_makes_no_interfaces_is_told_apart() {
        let text = interface("/dev/net/carrier-pigeon").expect_err("no such device").to_string();
        assert!(text.starts_with("failed to open /dev/net/tun: No such file"), "{text}");
        let text = interface("/dev/null").expect_err("no interfaces").to_string();
        assert!(text.starts_with("failed to make a TUN interface: "), "{text}");
    }
}
