//! Backends that bytes really go over: both ends are blocking sockets of this process.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use bench_core::fixture::Payload;
use bench_core::units::ByteSize;
use rustix::net::sockopt;

use super::{Backend, Config};
use crate::calibrate::{Arrivals, Bulk, Goodput, LatenessMax, Train, bulk::bulk, round_trip};
use crate::emulated::{Carrier, EmulatedLink};
use crate::error::Error;
use crate::link::{LinkProfile, Way};
use crate::netem::NetemLink;
use crate::proxy::{self, DelayProxy};
use crate::socket;

/// Of the content of transfers.
const SEED: u64 = 42;
/// Nothing comes for so long over and above the link's own round trip: an error and no hang.
const GIVE_UP: Duration = Duration::from_secs(60);

/// A server that listens and a link to it.
pub(super) struct Real {
    wire: Box<dyn Wire>,
    listener: TcpListener,
    address: SocketAddr,
    /// The client's and the server's end of the last connection.
    ends: Option<[TcpStream; 2]>,
    profile: LinkProfile,
    congestion_control: Option<String>,
}

/// What is between the two ends.
pub(super) trait Wire: Send {
    /// Connects from where the client is; how long that took, thread and all not counted.
    fn connect(&self, to: SocketAddr) -> Result<(TcpStream, Duration), Error>;

    /// Sends datagrams that way.
    fn train(&self, way: Way, train: Train) -> Result<Arrivals, Error>;

    /// Why nothing is valid, as far as each way may be so late.
    fn spoiled(&self, most: LatenessMax) -> Result<Option<String>, Error>;

    /// Of the link, and of what it did so far.
    fn dimensions(&self) -> Result<Vec<(&'static str, String)>, Error>;
}

impl Real {
    /// Over a link with networks of its own; `listen` listens in its server's.
    pub(super) fn over<W: Wire + 'static>(
        link: W,
        listen: fn(&W) -> Result<TcpListener, Error>,
        profile: &LinkProfile,
        config: &Config,
    ) -> Result<Self, Error> {
        let listener = listen(&link)?;
        let address = listener.local_addr().map_err(Error::io("read the port"))?;
        Self::new(Box::new(link), listener, address, profile, config)
    }

    /// `start` puts a proxy before a server.
    pub(super) fn over_proxy(
        start: impl FnOnce(SocketAddr) -> Result<DelayProxy, Error>,
        profile: &LinkProfile,
        config: &Config,
    ) -> Result<Self, Error> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0));
        let listener = listener.map_err(Error::io("listen on loopback"))?;
        let proxy = start(listener.local_addr().map_err(Error::io("read the port"))?)?;
        let address = proxy.address();
        Self::new(Box::new((proxy, profile.clone())), listener, address, profile, config)
    }

    fn new(
        wire: Box<dyn Wire>,
        listener: TcpListener,
        address: SocketAddr,
        profile: &LinkProfile,
        config: &Config,
    ) -> Result<Self, Error> {
        let congestion_control = config.congestion_control.clone();
        // Connections that it accepts have it from there.
        if let Some(control) = &congestion_control {
            socket::pin_congestion_control(&listener, control)?;
        }
        let profile = profile.clone();
        Ok(Self { wire, listener, address, ends: None, profile, congestion_control })
    }

    fn ends(&self) -> Result<&[TcpStream; 2], Error> {
        self.ends.as_ref().ok_or(Error::NotConnected)
    }

    fn connected(&self) -> Result<([TcpStream; 2], Duration), Error> {
        let (client, took) = self.wire.connect(self.address)?;
        let server = socket::accept(&self.listener, socket::ACCEPT_LIMIT)?;
        if let Some(control) = &self.congestion_control {
            socket::pin_congestion_control(&client, control)?;
        }
        let limit = Some(GIVE_UP + self.profile.base_round_trip());
        for end in [&client, &server] {
            socket::set_nodelay(end)?;
            end.set_read_timeout(limit).map_err(Error::io("set a time limit"))?;
            end.set_write_timeout(limit).map_err(Error::io("set a time limit"))?;
        }
        Ok(([client, server], took))
    }
}

impl Backend for Real {
    fn connect(&mut self) -> Result<Duration, Error> {
        let (ends, took) = self.connected()?;
        self.ends = Some(ends);
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
            // There, so that starting the thread is no part of it.
            let sending = scope.spawn(move || {
                let start = Instant::now();
                client.write_all(&sent).map(|()| start)
            });
            let arrived = server.read_exact(&mut received).map(|()| Instant::now());
            let sent = sending.join().map_err(|_| Error::Gone("sender"))?;
            let (end, start) = (arrived.map_err(Error::Measured)?, sent.map_err(Error::Measured)?);
            Ok::<_, Error>(end - start)
        })?;
        payload.verify_all(&received)?;
        Ok(took)
    }

    fn echoes(&mut self, count: u32) -> Result<Vec<Duration>, Error> {
        let ([client, server], _) = self.connected()?;
        round_trip::sample(&self.profile, client, server, count)
    }

    fn goodput(&mut self, way: Way, plan: Bulk) -> Result<Goodput, Error> {
        let ([client, server], _) = self.connected()?;
        match way {
            Way::Up => bulk(&client, &server, plan),
            Way::Down => bulk(&server, &client, plan),
        }
    }

    fn train(&mut self, way: Way, train: Train) -> Result<Arrivals, Error> {
        self.wire.train(way, train)
    }

    fn spoiled(&self) -> Result<Option<String>, Error> {
        self.wire.spoiled(LatenessMax::of(self.profile.base_round_trip()))
    }

    fn lossy(&self) -> Result<Option<String>, Error> {
        self.wire.spoiled(LatenessMax::ANY)
    }

    fn dimensions(&self) -> Result<Vec<(&'static str, String)>, Error> {
        let mut dimensions = self.wire.dimensions()?;
        let control = sockopt::tcp_congestion(&self.listener);
        let control = control.map_err(Error::io("read TCP_CONGESTION"))?;
        dimensions.push(("congestion_control", control));
        Ok(dimensions)
    }
}

fn timed(to: SocketAddr) -> Result<(TcpStream, Duration), Error> {
    let start = Instant::now();
    let client = TcpStream::connect(to);
    Ok((client.map_err(Error::io("connect over the link"))?, start.elapsed()))
}

impl<C: Carrier> Wire for EmulatedLink<C> {
    fn connect(&self, to: SocketAddr) -> Result<(TcpStream, Duration), Error> {
        self.in_client(|| timed(to))
    }

    fn train(&self, way: Way, train: Train) -> Result<Arrivals, Error> {
        self.train(way, train)
    }

    fn spoiled(&self, most: LatenessMax) -> Result<Option<String>, Error> {
        Ok(self.report()?.spoiled(most))
    }

    fn dimensions(&self) -> Result<Vec<(&'static str, String)>, Error> {
        let mut dimensions = self.dimensions();
        dimensions.extend(self.report()?.dimensions());
        Ok(dimensions)
    }
}

impl Wire for NetemLink {
    fn connect(&self, to: SocketAddr) -> Result<(TcpStream, Duration), Error> {
        self.in_client(|| timed(to))
    }

    fn train(&self, way: Way, train: Train) -> Result<Arrivals, Error> {
        self.train(way, train)
    }

    fn spoiled(&self, _: LatenessMax) -> Result<Option<String>, Error> {
        self.spoiled()
    }

    fn dimensions(&self) -> Result<Vec<(&'static str, String)>, Error> {
        Ok(self.dimensions())
    }
}

/// A proxy and what it does.
impl Wire for (DelayProxy, LinkProfile) {
    fn connect(&self, to: SocketAddr) -> Result<(TcpStream, Duration), Error> {
        timed(to)
    }

    fn train(&self, _: Way, _: Train) -> Result<Arrivals, Error> {
        let link = self.1.name.to_string();
        let (backend, reason) = (proxy::BACKEND, proxy::BYTE_STREAM);
        Err(Error::NotModelled { backend, what: "datagrams", link, reason })
    }

    fn spoiled(&self, most: LatenessMax) -> Result<Option<String>, Error> {
        Ok(self.0.report()?.spoiled(most))
    }

    fn dimensions(&self) -> Result<Vec<(&'static str, String)>, Error> {
        let mut dimensions = self.0.dimensions();
        dimensions.extend(self.0.report()?.dimensions());
        Ok(dimensions)
    }
}
