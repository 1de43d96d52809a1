//! Where the calls go: a server of our own beside the client, or one that somebody else runs;
//! directly, or through a link that delays.

use std::future::Future;
use std::net::Ipv4Addr;
use std::time::Duration;

use bench_core::fixture::Payload;
use bench_core::fixture::cpus::{Pinned, Placement};
use bench_core::measure::recorder::Dimensions;
use bench_core::measure::usage::Other;
use bench_core::units::ByteSize;
use bench_core::workload::Failure;
use bench_grpc::compat::CacheClients;
use bench_grpc::{
    Bind, ConnectConfig, Connections, DataPath, Layout, Loopback, LoopbackConfig, Operation,
    SERVER_THREADS, Server, ServerConfig, Sink, Target, TransportProfile, Wire,
};
use bench_network::backend::Kind;
use bench_network::proxy::THREAD;
use bytes::Bytes;
use tokio::runtime::{Builder, Runtime};

use super::arm::{BOTH, CLIENT, COVERS, EACH};
use super::caller::{Caller, Protocol};
use super::limit::{ELSEWHERE, time_limit};
use super::link::{Between, Link};

/// How long to look for a server that is not there yet.
const RETRY: Duration = Duration::from_secs(5);

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

    /// How long a call of this size may take.
    pub fn time_limit(
        &self,
        size: ByteSize,
        profile: &TransportProfile,
        operation: Operation,
    ) -> Duration {
        let unnamed = match self.place {
            Place::Here { .. } => Duration::ZERO,
            Place::Elsewhere(_) => ELSEWHERE,
        };
        let link = self.link.as_ref();
        let carried = link.map_or(f64::INFINITY, |link| link.rate(operation));
        let way = (self.round_trip().unwrap_or_default() + unnamed, carried);
        time_limit(size, profile.window(operation), way, self.concurrency)
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
    pub fn dimensions(&self, size: ByteSize) -> Dimensions {
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
        [
            ("server", server.to_owned()),
            ("server_address", address.to_owned()),
            ("wire", wire.to_string()),
            ("layout", layout),
            ("path", self.path.to_string()),
            ("chunk", self.chunk.min(size).to_string()),
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

/// Both ends of a connection, or ours of it.
pub enum End {
    /// Client and server of our own, and further connections beside the first.
    Here(Box<Loopback>, Option<Connections>),
    /// Our end, and what else of the connection is ours.
    There(Box<There>),
}

/// Connections to an address, with what they lead through.
pub struct There {
    // Dropped in this order: the client, the link, the server.
    connections: Connections,
    runtime: Runtime,
    link: Option<Link>,
    server: Option<Server>,
    /// Where the other end is a cache.
    cache: Option<CacheClients>,
    /// Where the other end is ours: each on a CPU of its own, the link on whichever is free.
    pins: Option<(Placement, Pinned)>,
}

impl End {
    /// Starts or connects what this arm needs to move this content.
    ///
    /// # Errors
    /// What the machine or the other end refused.
    pub fn open(
        setup: &Setup,
        profile: TransportProfile,
        (payload, content): (Payload, Bytes),
    ) -> Result<Self, Failure> {
        match (&setup.place, &setup.link) {
            (Place::Here { layout, wire }, None) => {
                let (layout, wire, socket_buffer) = (*layout, *wire, None);
                let (path, chunk) = (setup.path, setup.chunk.min(payload.size));
                let pinned = true;
                let config = LoopbackConfig {
                    profile,
                    layout,
                    pinned,
                    wire,
                    path,
                    payload,
                    chunk,
                    socket_buffer,
                };
                let loopback = Loopback::start_with(config, content)?;
                let more = setup.connections.checked_sub(1).filter(|more| *more > 0);
                let more = more.map(|more| loopback.open(more)).transpose()?;
                Ok(Self::Here(Box::new(loopback), more))
            }
            (Place::Here { .. }, Some(between)) => {
                let networks = between.networks()?;
                let ip = networks.as_ref().map(Link::server_address).transpose()?;
                let address = Bind::Tcp((ip.unwrap_or(Ipv4Addr::LOCALHOST.into()), 0).into());
                let placement = Placement::choose()?;
                let (path, workers, cpu) = (setup.path, 1, Some(placement.server));
                let socket_buffer = None;
                let config =
                    ServerConfig { profile, address, path, payload, workers, cpu, socket_buffer };
                let start = || Server::start_with(config, content.clone());
                let server = match &networks {
                    Some(networks) => networks.in_server(start)?,
                    None => start()?,
                };
                let target = server.address().clone();
                let pinned = Pinned::to(placement.client)?;
                let link = match networks {
                    Some(networks) => networks,
                    None => between.before(&target)?,
                };
                let ours = Some((server, placement, pinned));
                There::open(setup, (target, Some(link)), profile, (payload, content), ours)
            }
            (Place::Elsewhere(target), between) => {
                let before = |between: &Between| -> Result<Link, Failure> {
                    between.carrier(false)?;
                    between.before(target)
                };
                let link = between.as_ref().map(before).transpose()?;
                There::open(setup, (target.clone(), link), profile, (payload, content), None)
            }
        }
    }

    /// One client for each connection.
    pub fn clients(&self) -> Vec<Caller> {
        let all = |connections: &Connections| -> Vec<Caller> {
            (0..connections.count()).map(|n| Caller::Ours(connections.client(n))).collect()
        };
        match self {
            Self::Here(loopback, more) => {
                let more = more.as_ref().map(all).unwrap_or_default();
                std::iter::once(Caller::Ours(loopback.client())).chain(more).collect()
            }
            Self::There(there) => match &there.cache {
                Some(cache) => {
                    let clients = 0..there.connections.count();
                    clients.map(|number| Caller::Cache(cache.client(number))).collect()
                }
                None => all(&there.connections),
            },
        }
    }

    /// Where the server runs.
    pub fn server(&mut self) -> Other {
        const THREADS: Other = Other::Threads(SERVER_THREADS);
        match self {
            Self::Here(loopback, _) => match loopback.config().layout {
                Layout::OneThread => Other::Unknown,
                Layout::Processes => {
                    loopback.server().process_id().map_or(Other::Unknown, Other::Process)
                }
                Layout::TwoThreads | Layout::MultiThread { .. } => THREADS,
            },
            Self::There(there) if there.server.is_some() => THREADS,
            Self::There(_) => Other::Unknown,
        }
    }

    /// Drives the client, and whatever of the server runs on this thread.
    pub fn block_on<F: Future>(&self, future: F) -> F::Output {
        match self {
            Self::Here(loopback, _) => loopback.block_on(future),
            Self::There(there) => there.runtime.block_on(future),
        }
    }

    /// How the names of those threads begin that are neither end's.
    pub fn aside(&self) -> &'static str {
        match self {
            Self::There(there) => there.link.as_ref().map_or(THREAD, Link::threads),
            Self::Here(..) => THREAD,
        }
    }

    /// What made the number.
    pub fn dimensions(&self) -> Dimensions {
        let owned = |(name, value): (&str, String)| (name.to_owned(), value);
        match self {
            Self::Here(loopback, _) => {
                let processes = loopback.config().layout == Layout::Processes;
                let covers = (COVERS, if processes { EACH } else { BOTH }.to_owned());
                loopback.dimensions().into_iter().chain([covers]).map(owned).collect()
            }
            Self::There(there) => {
                let effective = there.connections.effective().dimensions();
                let link = there.link.as_ref().map(Link::dimensions).unwrap_or_default();
                let mut dimensions: Dimensions =
                    effective.into_iter().chain(link).map(owned).collect();
                let backend = match (&there.server, &there.cache) {
                    (Some(_), _) => match &there.link {
                        Some(link) => link.carries().to_owned(),
                        None => "kernel loopback".to_owned(),
                    },
                    (None, Some(_)) => format!("blob cache at {}", there.connections.target()),
                    (None, None) => format!("server at {}", there.connections.target()),
                };
                dimensions.insert("backend".to_owned(), backend);
                if let Some(control) = &there.connections.socket().congestion_control {
                    dimensions.insert("congestion_control".to_owned(), control.clone());
                }
                if let Some((placement, _)) = &there.pins {
                    dimensions.insert("cpus".to_owned(), placement.describe());
                }
                let covers = if there.server.is_some() { BOTH } else { CLIENT };
                dimensions.insert(COVERS.to_owned(), covers.to_owned());
                dimensions
            }
        }
    }
}

impl There {
    /// Connects to the server, over the link where there is one.
    fn open(
        setup: &Setup,
        (target, link): (Target, Option<Link>),
        profile: TransportProfile,
        (payload, content): (Payload, Bytes),
        ours: Option<(Server, Placement, Pinned)>,
    ) -> Result<End, Failure> {
        let (server, pins) = match ours {
            Some((server, placement, pinned)) => (Some(server), Some((placement, pinned))),
            None => (None, None),
        };
        let config = ConnectConfig {
            target: match &link {
                Some(link) => link.toward(target),
                None => target,
            },
            profile,
            path: setup.path,
            payload,
            chunk: setup.chunk.min(payload.size),
            connections: setup.connections,
            socket_buffer: None,
            retry: RETRY,
        };
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let connecting = Connections::open_with(config, content);
        let connections = match &link {
            Some(link) => link.in_client(&runtime, connecting)?,
            None => runtime.block_on(connecting)?,
        };
        if server.is_some() {
            // Connecting looked at the client's end; the other one is ours, too.
            connections.effective().expect(&profile)?;
        }
        let cache = match setup.protocol {
            Protocol::Ours => None,
            Protocol::BlobCache => {
                let cache = CacheClients::over(&connections);
                // What is to be read has to be there.
                let limit = setup.time_limit(payload.size, &profile, Operation::Write);
                let store = Caller::Cache(cache.client(0)).with(Sink::Discard, limit);
                runtime.block_on(store.call(Operation::Write))?;
                Some(cache)
            }
        };
        Ok(End::There(Box::new(Self { connections, runtime, link, server, cache, pins })))
    }
}

/// The round trip of a link between the two ends, as rows say it.
pub(super) fn rtt_added(rtt: Option<Duration>) -> String {
    rtt.map_or("none".to_owned(), |rtt| format!("{} ms", rtt.as_secs_f64() * 1e3))
}

#[cfg(test)]
#[path = "end_tests.rs"]
mod tests;
