//! The backend without bytes: times are those of the simulation.

use std::time::Duration;

use bench_core::units::ByteSize;

use super::{Backend, Config};
use crate::calibrate::train::HEADER_BYTES;
use crate::calibrate::{Arrivals, Bulk, Goodput, Train};
use crate::error::Error;
use crate::link::model::{Fate, LinkModel};
use crate::link::{LinkProfile, Way};
use crate::sim::{self, CongestionControl, End, Simulation, TcpConfig};

/// More than any link here carries in a round trip, so that the link bounds and not the receiver.
const RECEIVE_WINDOW: ByteSize = ByteSize::mib(64);

/// A simulated connection, begun anew with each [`connect`](Backend::connect).
pub(super) struct Simulated {
    link: LinkProfile,
    tcp: TcpConfig,
    connection: Option<Connection>,
    /// How many connections there were: each has random decisions of its own.
    connected: u64,
}

struct Connection {
    simulation: Simulation,
    /// Bytes that the server and the client have received.
    received: [u64; 2],
}

impl Simulated {
    pub(super) fn new(link: &LinkProfile, config: &Config) -> Result<Self, Error> {
        link.check()?;
        // Linux's default where nothing else was asked for.
        let asked = config.congestion_control.as_deref().map(str::parse).transpose()?;
        let (congestion_control, seed) = (asked.unwrap_or(CongestionControl::Cubic), config.seed);
        let tcp = TcpConfig { congestion_control, receive_window: RECEIVE_WINDOW, seed };
        Ok(Self { link: link.clone(), tcp, connection: None, connected: 0 })
    }

    fn connection(&mut self) -> Result<&mut Connection, Error> {
        self.connection.as_mut().ok_or(Error::NotConnected)
    }
}

impl Connection {
    fn send(&mut self, from: End, to: End, size: ByteSize) -> Result<(), Error> {
        let received = &mut self.received[usize::from(to == End::Client)];
        *received += size.bytes();
        self.simulation.write(from, size.bytes());
        self.simulation.run_until_received(to, *received)
    }
}

impl Backend for Simulated {
    fn connect(&mut self) -> Result<Duration, Error> {
        let seed = self.tcp.seed.wrapping_add(self.connected);
        let mut simulation = Simulation::new(&self.link, TcpConfig { seed, ..self.tcp })?;
        let took = simulation.connect()?;
        self.connected += 1;
        self.connection = Some(Connection { simulation, received: [0; 2] });
        Ok(took)
    }

    fn round_trip(&mut self, size: ByteSize) -> Result<Duration, Error> {
        let connection = self.connection()?;
        let start = connection.simulation.now();
        connection.send(End::Client, End::Server, size)?;
        connection.send(End::Server, End::Client, size)?;
        Ok(connection.simulation.now() - start)
    }

    fn transfer(&mut self, size: ByteSize) -> Result<Duration, Error> {
        let connection = self.connection()?;
        let start = connection.simulation.now();
        connection.send(End::Client, End::Server, size)?;
        Ok(connection.simulation.now() - start)
    }

    fn echoes(&mut self, count: u32) -> Result<Vec<Duration>, Error> {
        self.connect()?;
        (0..count).map(|_| self.round_trip(ByteSize::new(1))).collect()
    }

    /// In place of a time, of which a simulation has as much as it likes, the bytes that fit: those of
    /// the rate, or 16 MiB where there is none.
    fn goodput(&mut self, way: Way, plan: Bulk) -> Result<Goodput, Error> {
        let rate = self.link.way(way).capacity.bits_per_second();
        let bytes = |time: Duration| {
            let fit = rate.map(|rate| (rate as f64 * time.as_secs_f64() / 8.0) as u64);
            fit.unwrap_or(ByteSize::mib(16).bytes()).max(1)
        };
        let [from, to] = match way {
            Way::Up => [End::Client, End::Server],
            Way::Down => [End::Server, End::Client],
        };
        let mut simulation = Simulation::new(&self.link, self.tcp)?;
        simulation.connect()?;
        let (before, counted) = (bytes(plan.warm_up), bytes(plan.duration));
        simulation.write(from, before + counted);
        simulation.run_until_received(to, before)?;
        let begin = simulation.now();
        simulation.run_until_received(to, before + counted)?;
        Ok(Goodput { bytes: counted, time: simulation.now() - begin })
    }

    fn train(&mut self, way: Way, train: Train) -> Result<Arrivals, Error> {
        let [up, down] = LinkModel::both(&self.link, self.tcp.seed)?;
        let mut model = if way == Way::Up { up } else { down };
        let ip_bytes = train.payload_bytes + HEADER_BYTES;
        let mut arrived: Vec<(u64, u64)> = (0..train.count)
            .filter_map(|number| {
                match model.offer(number * train.interval.as_nanos() as u64, ip_bytes) {
                    Fate::Delivered(delivery) => Some((number, delivery.at_ns)),
                    Fate::Dropped(_) => None,
                }
            })
            .collect();
        arrived.sort_by_key(|(number, at_ns)| (*at_ns, *number));
        Ok(Arrivals { sent: train.count, arrived })
    }

    fn spoiled(&self) -> Result<Option<String>, Error> {
        Ok(None) // Nothing is late where there is no clock.
    }

    fn lossy(&self) -> Result<Option<String>, Error> {
        Ok(None) // Nor lost where there is no socket.
    }

    fn dimensions(&self) -> Result<Vec<(&'static str, String)>, Error> {
        let mut dimensions = self.link.dimensions();
        dimensions.push(("link_backend", sim::BACKEND.to_owned()));
        dimensions.push(("congestion_control", self.tcp.congestion_control.to_string()));
        dimensions.push(("seed", self.tcp.seed.to_string()));
        Ok(dimensions)
    }
}
