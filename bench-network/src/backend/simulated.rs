//! The backend without bytes: times are those of the simulation.

use std::time::Duration;

use bench_core::units::ByteSize;

use super::Backend;
use crate::error::Error;
use crate::link::LinkProfile;
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
    pub(super) fn new(link: &LinkProfile, seed: u64) -> Result<Self, Error> {
        link.check()?;
        // Linux's default, because nothing else was asked for.
        let congestion_control = CongestionControl::Cubic;
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

    fn spoiled(&self) -> Result<Option<String>, Error> {
        Ok(None) // Nothing is late where there is no clock.
    }

    fn dimensions(&self) -> Vec<(&'static str, String)> {
        let mut dimensions = self.link.dimensions();
        dimensions.push(("link_backend", sim::BACKEND.to_owned()));
        dimensions.push(("congestion_control", self.tcp.congestion_control.to_string()));
        dimensions.push(("seed", self.tcp.seed.to_string()));
        dimensions
    }
}
