//! A raw socket as an arm: the same bytes between the same kind of threads, without gRPC.

use std::io;
use std::time::{Duration, Instant};

use bench_core::measure::drive::Stop;
use bench_core::measure::recorder::Dimensions;
use bench_core::measure::usage::{Meter, Other};
use bench_core::workload::Failure;
use bench_grpc::ceiling::{Ceiling, CeilingConfig, PEER_THREAD};
use bench_grpc::{Layout, Operation, Wire};
use bench_network::proxy::{DelayProxy, THREAD};

use super::arm::{Arm, BOTH, COVERS, Turn};
use super::link::{Between, Link};
use super::setup::rtt_added;
use super::tally;
use super::watch::{STOPPED, Watch};

/// Where the other end runs, in the layouts in which it has a thread.
const PEER: Other = Other::Threads(PEER_THREAD);

/// Transfers in the direction of one operation, one at a time.
pub struct Raw {
    name: String,
    operation: Operation,
    config: CeilingConfig,
    // Dropped in this order: the sockets, the link.
    ceiling: Ceiling,
    link: Option<Link>,
    /// Whether times over a link that was too late are refused.
    judged: bool,
    rtt: Option<Duration>,
}

impl Raw {
    /// Connects two sockets.
    ///
    /// # Errors
    /// What the machine refused.
    pub fn start(
        name: &str,
        operation: Operation,
        config: CeilingConfig,
        content: bytes::Bytes,
    ) -> Result<Self, Failure> {
        let ceiling = Ceiling::start_with(config, content)?;
        let (name, link, judged, rtt) = (name.to_owned(), None, false, None);
        Ok(Self { name, operation, config, ceiling, link, judged, rtt })
    }

    /// Connects two sockets over a link, by the proxy.
    ///
    /// # Errors
    /// What the machine or the link refused.
    pub fn through(
        name: &str,
        operation: Operation,
        config: CeilingConfig,
        content: bytes::Bytes,
        between: &Between,
    ) -> Result<Self, Failure> {
        let mut link = None;
        let before = |far| {
            let proxy = DelayProxy::start(far, &between.profile);
            let proxy = link.insert(proxy.map_err(io::Error::other)?);
            Ok(proxy.address())
        };
        let ceiling = Ceiling::start_through(config, content, before)?;
        let (name, link, judged) = (name.to_owned(), link.map(Link::Proxy), between.judged);
        let rtt = Some(between.profile.base_round_trip());
        Ok(Self { name, operation, config, ceiling, link, judged, rtt })
    }

    fn peer(&self) -> Other {
        if self.config.layout == Layout::OneThread { Other::Unknown } else { PEER }
    }
}

impl Arm for Raw {
    fn name(&self) -> &str {
        &self.name
    }

    fn turn(&mut self, stop: Stop, watch: &dyn Watch) -> Result<Turn, String> {
        let mut turn = Turn::empty();
        let (meter, start) = (Meter::start(self.peer(), Some(THREAD)), Instant::now());
        while match stop {
            Stop::Operations(all) => turn.operations < all,
            Stop::After(time) => turn.operations == 0 || start.elapsed() < time,
        } {
            if watch.stopped() {
                return Err(STOPPED.to_owned());
            }
            turn.operations += 1;
            let began = Instant::now();
            match self.ceiling.transfer(self.operation) {
                Ok(()) => turn.latency.saturating_record(tally::ns(began.elapsed())),
                Err(error) => turn.failed(error.to_string()),
            }
        }
        turn.elapsed = start.elapsed();
        turn.usage = Some(meter.stop());
        Ok(turn)
    }

    fn verify(&mut self, _watch: &dyn Watch) -> Result<(), Failure> {
        Ok(self.ceiling.transfer_verified(self.operation)?)
    }

    fn spoiled(&self) -> Result<Option<String>, Failure> {
        let spoiled = self.link.as_ref().map_or(Ok(None), Link::spoiled)?;
        Ok(spoiled.filter(|_| self.judged))
    }

    fn dimensions(&self) -> Dimensions {
        let CeilingConfig { layout, wire, .. } = self.config;
        // One socket has no use for more threads, nor for a process.
        let layout = match layout {
            Layout::OneThread => layout,
            Layout::TwoThreads | Layout::MultiThread { .. } | Layout::Processes => {
                Layout::TwoThreads
            }
        };
        let address = if wire == Wire::Unix { "socket file" } else { "IP address" };
        let link = self.link.as_ref().map(Link::dimensions).unwrap_or_default();
        let own = [
            ("backend", "raw socket".to_owned()),
            ("server", "ours".to_owned()),
            ("server_address", address.to_owned()),
            ("layout", layout.to_string()),
            ("wire", wire.to_string()),
            ("path", "raw".to_owned()),
            // There are no messages: all content is one.
            ("chunk", self.config.payload.size.to_string()),
            ("connections", "1".to_owned()),
            ("concurrency", "1".to_owned()),
            ("rtt_added", rtt_added(self.rtt)),
            (COVERS, BOTH.to_owned()),
        ];
        link.into_iter().chain(own).map(|(name, value)| (name.to_owned(), value)).collect()
    }
}
