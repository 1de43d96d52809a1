//! Backends that bytes really go over: both ends are blocking sockets of this process.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use bench_core::fixture::Payload;
use bench_core::units::ByteSize;

use super::Backend;
use crate::calibrate::tolerance;
use crate::error::Error;
use crate::link::LinkProfile;
use crate::proxy::DelayProxy;
use crate::socket;
use crate::tun::TunLink;

/// Of the content of transfers.
const SEED: u64 = 42;
/// Nothing comes for so long over and above the link's own round trip: an error and no hang.
const GIVE_UP: Duration = Duration::from_secs(60);

/// A server that listens and a link to it.
pub(super) struct Real {
    wire: Wire,
    listener: TcpListener,
    address: SocketAddr,
    /// The client's and the server's end of the last connection.
    ends: Option<[TcpStream; 2]>,
    round_trip: Duration,
}

enum Wire {
    Tun(TunLink),
    Proxy(DelayProxy),
}

impl Real {
    pub(super) fn over_tun(link: TunLink, profile: &LinkProfile) -> Result<Self, Error> {
        let listener = link.listen()?;
        let address = listener.local_addr().map_err(Error::io("read the port"))?;
        let (wire, round_trip) = (Wire::Tun(link), profile.base_round_trip());
        Ok(Self { wire, listener, address, ends: None, round_trip })
    }

    /// `start` puts a proxy before a server.
    pub(super) fn over_proxy(
        start: impl FnOnce(SocketAddr) -> Result<DelayProxy, Error>,
        profile: &LinkProfile,
    ) -> Result<Self, Error> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0));
        let listener = listener.map_err(Error::io("listen on loopback"))?;
        let proxy = start(listener.local_addr().map_err(Error::io("read the port"))?)?;
        let (address, round_trip) = (proxy.address(), profile.base_round_trip());
        Ok(Self { wire: Wire::Proxy(proxy), listener, address, ends: None, round_trip })
    }

    fn ends(&self) -> Result<&[TcpStream; 2], Error> {
        self.ends.as_ref().ok_or(Error::NotConnected)
    }
}

impl Backend for Real {
    fn connect(&mut self) -> Result<Duration, Error> {
        let connect = || {
            let start = Instant::now();
            let client = TcpStream::connect(self.address);
            Ok((client.map_err(Error::io("connect over the link"))?, start.elapsed()))
        };
        let (client, took) = match &self.wire {
            Wire::Tun(link) => link.in_client(connect)?,
            Wire::Proxy(_) => connect()?,
        };
        let (server, _) = self.listener.accept().map_err(Error::io("accept over the link"))?;
        let limit = Some(GIVE_UP + self.round_trip);
        for end in [&client, &server] {
            socket::set_nodelay(end)?;
            end.set_read_timeout(limit).map_err(Error::io("set a time limit"))?;
            end.set_write_timeout(limit).map_err(Error::io("set a time limit"))?;
        }
        self.ends = Some([client, server]);
        Ok(took)
    }

    fn round_trip(&mut self, size: ByteSize) -> Result<Duration, Error> {
        let [mut client, mut server] = self.ends()?.each_ref();
        let (sent, mut received) = (vec![0x57; size.len()], vec![0; size.len()]);
        thread::scope(|scope| {
            let answering = scope.spawn(move || {
                let mut message = vec![0; size.len()];
                server.read_exact(&mut message)?;
                server.write_all(&message)
            });
            let start = Instant::now();
            let exchanged = client.write_all(&sent).and_then(|()| client.read_exact(&mut received));
            let took = start.elapsed();
            let answered = answering.join().map_err(|_| Error::Gone("echo server"))?;
            exchanged.and(answered).map_err(Error::Measured)?;
            Ok(took)
        })
    }

    fn transfer(&mut self, size: ByteSize) -> Result<Duration, Error> {
        let [mut client, mut server] = self.ends()?.each_ref();
        let payload = Payload::seeded(SEED, size);
        let (sent, mut received) = (payload.to_bytes(), vec![0; size.len()]);
        let took = thread::scope(|scope| {
            let start = Instant::now();
            let sending = scope.spawn(move || client.write_all(&sent));
            let arrived = server.read_exact(&mut received);
            let took = start.elapsed();
            let sent = sending.join().map_err(|_| Error::Gone("sender"))?;
            arrived.and(sent).map_err(Error::Measured)?;
            Ok::<_, Error>(took)
        })?;
        payload.verify_all(&received)?;
        Ok(took)
    }

    fn spoiled(&self) -> Result<Option<String>, Error> {
        let tolerance = tolerance(self.round_trip);
        Ok(match &self.wire {
            Wire::Tun(link) => link.report()?.spoiled(tolerance),
            Wire::Proxy(proxy) => proxy.report()?.spoiled(tolerance),
        })
    }

    fn dimensions(&self) -> Vec<(&'static str, String)> {
        match &self.wire {
            Wire::Tun(link) => link.dimensions(),
            Wire::Proxy(proxy) => proxy.dimensions(),
        }
    }
}
