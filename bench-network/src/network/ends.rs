//! A client's network and a server's, whatever connects the two: sockets in both.

use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::time::Duration;

use super::Namespace;
use crate::calibrate::bulk::{Bulk, Goodput, bulk};
use crate::error::Error;
use crate::link::Way;
use crate::socket;

/// Of a socket that datagrams arrive at, so that no burst is lost there. Where the system refuses it,
/// what is lost is counted: see [`Ends::datagrams_refused`].
const RECEIVE_BYTES: usize = 16 << 20;

/// Both networks.
#[derive(Debug)]
pub(crate) struct Ends {
    pub(crate) client: Namespace,
    pub(crate) server: Namespace,
    /// The client's address and the server's.
    at: [Ipv4Addr; 2],
}

impl Ends {
    pub(crate) const CLIENT: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 1);
    pub(crate) const SERVER: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 2);

    /// Networks of our own, with the addresses above.
    pub(crate) fn own(client: Namespace, server: Namespace) -> Self {
        Self::at(client, server, [Self::CLIENT, Self::SERVER])
    }

    /// Networks with these addresses.
    pub(crate) fn at(client: Namespace, server: Namespace, at: [Ipv4Addr; 2]) -> Self {
        Self { client, server, at }
    }

    /// A listener in the server's network, at a port that the kernel chooses.
    pub(crate) fn listen(&self) -> Result<TcpListener, Error> {
        self.server.enter(|| TcpListener::bind((self.at[1], 0)).map_err(Error::io("listen")))
    }

    /// A connection from the client's network.
    pub(crate) fn connect(&self, to: SocketAddr) -> Result<TcpStream, Error> {
        self.client.enter(|| TcpStream::connect(to).map_err(Error::io("connect over the link")))
    }

    /// The client's and the server's end of a new connection.
    pub(crate) fn pair(&self) -> Result<[TcpStream; 2], Error> {
        let listener = self.listen()?;
        let client = self.connect(listener.local_addr().map_err(Error::io("read the port"))?)?;
        let server = socket::accept(&listener, socket::ACCEPT_LIMIT)?;
        Ok([client, server])
    }

    /// What a new connection with this congestion control at both ends gets through that way.
    pub(crate) fn goodput(&self, way: Way, control: &str, plan: Bulk) -> Result<Goodput, Error> {
        let [client, server] = self.pair()?;
        for end in [&client, &server] {
            socket::pin_congestion_control(end, control)?;
        }
        match way {
            Way::Up => bulk(&client, &server, plan),
            Way::Down => bulk(&server, &client, plan),
        }
    }

    /// Two sockets for datagrams that know each other: whoever sends that way, and who receives.
    pub(crate) fn datagrams(&self, way: Way) -> Result<[UdpSocket; 2], Error> {
        let bind = |at: Ipv4Addr| {
            move || UdpSocket::bind((at, 0)).map_err(Error::io("make a socket for datagrams"))
        };
        let client = self.client.enter(bind(self.at[0]))?;
        let server = self.server.enter(bind(self.at[1]))?;
        let address = |end: &UdpSocket| end.local_addr().map_err(Error::io("read the port"));
        client.connect(address(&server)?).map_err(Error::io("connect over the link"))?;
        server.connect(address(&client)?).map_err(Error::io("connect over the link"))?;
        let [from, to] = match way {
            Way::Up => [client, server],
            Way::Down => [server, client],
        };
        // Not fatal, see above; only the host's root may have more than the system's limit.
        let _refused = socket::set_receive_buffer(&to, RECEIVE_BYTES);
        to.set_read_timeout(Some(Duration::from_millis(50)))
            .map_err(Error::io("set a time limit"))?;
        Ok([from, to])
    }

    /// How many datagrams arrived that way and found the socket's buffer full, since the networks
    /// were made.
    pub(crate) fn datagrams_refused(&self, way: Way) -> Result<u64, Error> {
        let namespace = match way {
            Way::Up => &self.server,
            Way::Down => &self.client,
        };
        let read = || {
            std::fs::read_to_string("/proc/thread-self/net/snmp")
                .map_err(Error::io("read net/snmp"))
        };
        receive_buffer_errors(&namespace.enter(read)?).ok_or_else(|| {
            Error::io("read net/snmp")(std::io::Error::other("it does not count datagrams"))
        })
    }
}

/// The column of that name, of the line that begins `Udp:` and has numbers.
fn receive_buffer_errors(table: &str) -> Option<u64> {
    let mut lines = table.lines().filter(|line| line.starts_with("Udp:"));
    let (names, values) = (lines.next()?, lines.next()?);
    let column = names.split_whitespace().position(|name| name == "RcvbufErrors")?;
    values.split_whitespace().nth(column)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernels_table_is_read_by_the_names_of_its_columns() {
        let table = "Tcp: A B\nTcp: 1 2\nUdp: InDatagrams NoPorts RcvbufErrors X\nUdp: 5 6 7 8\n";
        assert_eq!(receive_buffer_errors(table), Some(7));
        assert_eq!(receive_buffer_errors("Udp: A B\nUdp: 1 2\n"), None);
        assert_eq!(receive_buffer_errors(""), None);
    }
}
