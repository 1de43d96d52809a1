//! What every arm of a run has in common: where the server is, what lies between, how much at a time.

use std::time::Duration;

use bench_core::measure::recorder::Dimensions;
use bench_core::units::ByteSize;
use bench_grpc::{DataPath, Layout, Operation, Target, Wire};
use bench_network::backend::Kind;

use super::caller::Protocol;
use super::limit::{ELSEWHERE, time_limit};
use super::link::Between;

/// How a server of ours behind a link runs: on one thread beside the client's.
const BESIDE: Layout = Layout::TwoThreads;

/// Where the server is.
#[derive(Clone, Debug)]
pub enum Place {
    /// Beside the client, on a port of its own.
    Here {
        /// Who runs where.
        layout: Layout,
        /// What connects the two.
        wire: Wire,
    },
    /// Where somebody else runs it.
    Elsewhere(Target),
}

/// What every arm of a run has in common.
#[derive(Clone, Debug)]
pub struct Setup {
    /// Where the server is.
    pub place: Place,
    /// What lies between the two ends.
    pub link: Option<Between>,
    /// How bytes go between the application and HTTP/2.
    pub path: DataPath,
    /// The largest message of Write and Stream.
    pub chunk: ByteSize,
    /// Calls at a time.
    pub concurrency: usize,
    /// Connections that they are spread over.
    pub connections: usize,
    /// What is spoken.
    pub protocol: Protocol,
}

impl Setup {
    /// The layout that a raw socket is measured in beside it.
    ///
    /// # Errors
    /// Why there is none that would be a bound.
    pub fn ceiling(&self) -> Result<(Layout, Wire), &'static str> {
        match self.place {
            Place::Elsewhere(_) => Err("no ceiling: the other end is somebody else's"),
            Place::Here { .. } if self.concurrency > 1 || self.connections > 1 => {
                Err("no ceiling: it has one connection")
            }
            Place::Here { .. } if self.link.is_some() => match self.proxied() {
                true => Ok((BESIDE, Wire::Tcp)),
                false => Err("no ceiling: a raw socket passes the proxy only"),
            },
            Place::Here { layout, wire } => Ok((layout, wire)),
        }
    }

    /// How long a call of this size may take, of which so much may be under way.
    pub fn time_limit(&self, size: ByteSize, window: ByteSize, operation: Operation) -> Duration {
        let unnamed = match self.place {
            Place::Here { .. } => Duration::ZERO,
            Place::Elsewhere(_) => ELSEWHERE,
        };
        let link = self.link.as_ref();
        let carried = link.map_or(f64::INFINITY, |link| link.rate(operation));
        let way = (self.round_trip().unwrap_or_default() + unnamed, carried);
        time_limit(size, window, way, self.concurrency)
    }

    /// Whether a link that is not what it should be, or was not while it was measured, is refused.
    pub fn judges_link(&self) -> bool {
        self.link.as_ref().is_some_and(|link| link.judged)
    }

    /// What the link adds to every round trip.
    fn round_trip(&self) -> Option<Duration> {
        self.link.as_ref().map(|link| link.profile.base_round_trip())
    }

    /// Whether what lies between two ends of ours is the proxy.
    pub fn proxied(&self) -> bool {
        self.link.as_ref().is_some_and(|link| link.carrier(true).is_ok_and(|it| it == Kind::Proxy))
    }

    /// What made the number, as it really runs, whoever serves.
    pub fn dimensions(&self, size: ByteSize, operation: Operation) -> Dimensions {
        let (server, address, wire, layout) = match &self.place {
            Place::Here { layout, wire } if self.link.is_none() => {
                let address = if *wire == Wire::Unix { "socket file" } else { "IP address" };
                ("ours", address, *wire, layout.to_string())
            }
            Place::Here { .. } => ("ours", "IP address", Wire::Tcp, BESIDE.to_string()),
            Place::Elsewhere(target) => {
                let (address, wire) = match target {
                    Target::Tcp(_) => ("IP address", Wire::Tcp),
                    Target::Host(_) => ("host name", Wire::Tcp),
                    Target::Unix(_) => ("socket file", Wire::Unix),
                };
                ("somebody else's", address, wire, "client alone".to_owned())
            }
        };
        let chunk = match (self.protocol, operation) {
            (Protocol::BlobCache, Operation::Stream) => "the server's choice".to_owned(),
            _ => self.chunk.min(size).to_string(),
        };
        [
            ("server", server.to_owned()),
            ("server_address", address.to_owned()),
            ("wire", wire.to_string()),
            ("layout", layout),
            ("path", self.path.to_string()),
            ("chunk", chunk),
            ("connections", self.connections.to_string()),
            ("concurrency", self.concurrency.to_string()),
            ("rtt_added", rtt_added(self.round_trip())),
        ]
        .map(|(name, value)| (name.to_owned(), value))
        .into()
    }

    /// The link in words: what a recommendation holds for.
    pub fn link(&self) -> String {
        let to = match &self.place {
            Place::Here { wire, .. } => format!("{wire} on this machine"),
            Place::Elsewhere(target) => format!("the way to {target}"),
        };
        match &self.link {
            Some(link) => format!("{to} {}", link.words()),
            None => to,
        }
    }
}

/// The round trip of a link between the two ends, as rows say it.
pub(super) fn rtt_added(rtt: Option<Duration>) -> String {
    rtt.map_or("none".to_owned(), |rtt| format!("{} ms", rtt.as_secs_f64() * 1e3))
}

/// What [`rtt_added`] said, where there is one.
pub(super) fn rtt_of(dimensions: &Dimensions) -> Option<Duration> {
    let ms = dimensions.get("rtt_added")?.strip_suffix(" ms")?.parse().ok()?;
    Duration::try_from_secs_f64(f64::max(ms, 0.0) / 1e3).ok().filter(|rtt| !rtt.is_zero())
}

#[cfg(test)]
#[path = "setup_tests.rs"]
mod tests;
