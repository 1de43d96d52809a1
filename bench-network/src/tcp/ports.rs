//! Connecting from the ports that there are, and what to say when there are none.
//!
//! A connection needs a local port of its own for its destination. A machine gives 28,232 of them by
//! default; open connections hold theirs, and whoever closes first and in the ordinary way keeps its
//! port in TIME_WAIT for a minute (over loopback for a second: `tcp_tw_reuse` is 2). A benchmark that
//! makes more than that measures the search for a free port, and then nothing.

use std::fs;
use std::net::{SocketAddr, TcpStream};
use std::ops::RangeInclusive;

use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketFlags, SocketType, connect, ipproto, socket_with};

use super::kernel;
use crate::error::Error;

/// What the system takes ports from.
const RANGE: &str = "/proc/sys/net/ipv4/ip_local_port_range";

/// From where connections may come.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LocalPorts(Option<RangeInclusive<u16>>);

impl LocalPorts {
    /// These alone, of those that the system gives; since Linux 6.3.
    ///
    /// # Errors
    /// [`Error::PortRange`] where they are none or the system does not give all of them: the kernel would
    /// take no notice.
    pub fn only(ports: RangeInclusive<u16>) -> Result<Self, Error> {
        match of_system() {
            Some(system) if !ports.is_empty() => {
                if system.contains(ports.start()) && system.contains(ports.end()) {
                    return Ok(Self(Some(ports)));
                }
                Err(Error::PortRange { asked: both(&ports), system: both(&system) })
            }
            _ => Err(Error::PortRange { asked: both(&ports), system: "unknown".to_owned() }),
        }
    }

    /// Connects, and waits until that is done. `made` is how many there were before, for the sentence
    /// that is told when there is no port for another.
    ///
    /// # Errors
    /// [`Error::PortsExhausted`]; what else the system refused.
    pub fn connect(&self, address: SocketAddr, made: u64) -> Result<TcpStream, Error> {
        let family = if address.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
        let kind = (SocketType::STREAM, SocketFlags::CLOEXEC, Some(ipproto::TCP));
        let socket = socket_with(family, kind.0, kind.1, kind.2);
        let socket = socket.map_err(Error::io("make a socket"))?;
        if let Self(Some(ports)) = self {
            let set = kernel::set_local_ports(&socket, ports);
            set.map_err(Error::io("choose the ports to connect from (since Linux 6.3)"))?;
        }
        match connect(&socket, &address) {
            Ok(()) => Ok(socket.into()),
            Err(Errno::ADDRNOTAVAIL) => {
                Err(Error::PortsExhausted { address, made, ports: self.describe() })
            }
            Err(error) => Err(Error::io("connect")(error)),
        }
    }

    /// As in `28232 ports from 32768 to 60999`.
    fn describe(&self) -> String {
        let ports = self.0.clone().or_else(of_system);
        ports.map_or_else(
            || "local ports".to_owned(),
            |ports| format!("{} ports from {}", ports.len(), both(&ports)),
        )
    }
}

/// As in `32768 to 60999`.
fn both(ports: &RangeInclusive<u16>) -> String {
    format!("{} to {}", ports.start(), ports.end())
}

/// The last ports that the system gives, so many of them and behind the first `skip` of these.
#[cfg(test)]
pub(super) fn last(count: u16, skip: u16) -> LocalPorts {
    let end = of_system().expect("a range").end() - skip;
    LocalPorts::only(end - count + 1..=end).expect("of the system's")
}

fn of_system() -> Option<RangeInclusive<u16>> {
    parse(&fs::read_to_string(RANGE).ok()?)
}

/// Two numbers, as the kernel prints them.
fn parse(text: &str) -> Option<RangeInclusive<u16>> {
    let (first, last) = text.trim().split_once(char::is_whitespace)?;
    Some(first.parse().ok()?..=last.trim_start().parse().ok()?)
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, TcpListener};

    use super::*;

    #[test]
    fn the_range_is_read_as_the_kernel_prints_it() {
        assert_eq!(parse("32768\t60999\n"), Some(32_768..=60_999));
        assert_eq!(of_system().is_some(), fs::exists(RANGE).expect("stat"));
        for bad in ["", "1", "1 2 3", "1 70000", "x y"] {
            assert_eq!(parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn ports_that_the_system_does_not_give_are_refused_and_not_ignored() {
        let system = both(&of_system().expect("a range"));
        let sentence = format!(
            "connections cannot come from ports 1 to 4: the system gives {system} \
             (net.ipv4.ip_local_port_range); choose among these"
        );
        assert_eq!(LocalPorts::only(1..=4).expect_err("outside").to_string(), sentence);
        #[expect(clippy::reversed_empty_ranges, reason = "it is refused")]
        let none = LocalPorts::only(40_001..=40_000);
        assert!(none.is_err());
    }

    #[test]
    fn no_port_left_is_one_sentence_that_says_what_to_do() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("listen");
        let address = listener.local_addr().expect("port");
        // Somebody may have bound one of the four; a fifth connection cannot be made in any case.
        let ports = last(4, 0);
        let mut open = Vec::new();
        let error = loop {
            match ports.connect(address, open.len() as u64) {
                Ok(stream) => open.push(stream),
                Err(error) => break error,
            }
            assert!(open.len() <= 4, "more connections than ports");
        };
        if let Error::Io { source, .. } = &error {
            // Before Linux 6.3 a socket has no range of its own.
            assert_eq!(source.raw_os_error(), Some(libc::ENOPROTOOPT), "{error}");
            crate::tcp::skipped(&error);
            return;
        }
        let said = format!(
            "no local port is left for a connection to {address} after {} of them: all of the {} \
             are taken, by connections that are open or closed less than a minute \
             ago (TIME_WAIT); make fewer at once, close with a reset, or connect from more addresses",
            open.len(),
            ports.describe(),
        );
        assert_eq!(error.to_string(), said);
        // A port that is free again serves again.
        let closed = open.pop().expect("one of four ports is free");
        crate::socket::set_reset_on_close(&closed).expect("linger");
        drop(closed);
        ports.connect(address, 0).expect("the port of the one that was reset");
    }
}
