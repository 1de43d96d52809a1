//! Both ends of the calls, or ours: a server of our own beside the client, or one that somebody else
//! runs; directly, or over a link, which is looked at before and after.

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
    Bind, ConnectConfig, Connections, Layout, Loopback, LoopbackConfig, Operation, SERVER_THREADS,
    Server, ServerConfig, Sink, SocketFacts, Target, TransportProfile,
};
use bench_network::proxy::THREAD;
use bytes::Bytes;
use tokio::runtime::{Builder, Runtime};

use super::arm::{BOTH, CLIENT, COVERS, EACH};
use super::caller::{Caller, Protocol};
use super::link::{Between, Link, NOT_THE_LINKS};
use super::setup::{Place, Setup};
use super::watch::{STOPPED, Watch, unless_stopped};

/// How long to look for a server that is not there yet.
const RETRY: Duration = Duration::from_secs(5);

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
    /// What the link's round trip was before anything went over it, where that was judged.
    calibrated: Option<Duration>,
    profile: TransportProfile,
    payload: Payload,
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
    /// What the machine or the other end refused; that whoever watches wants to stop.
    pub fn open(
        setup: &Setup,
        profile: TransportProfile,
        (payload, content): (Payload, Bytes),
        watch: &dyn Watch,
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
                There::open(setup, (target, Some(link)), profile, (payload, content), (ours, watch))
            }
            (Place::Elsewhere(target), between) => {
                let before = |between: &Between| -> Result<Link, Failure> {
                    between.carrier(false)?;
                    between.before(target)
                };
                let link = between.as_ref().map(before).transpose()?;
                let ends = (target.clone(), link);
                There::open(setup, ends, profile, (payload, content), (None, watch))
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

    /// Bytes of one call of this operation that may be under way when it begins, by what the end
    /// that receives announced.
    pub fn window(&self, operation: Operation) -> ByteSize {
        let effective = match self {
            Self::Here(loopback, _) => loopback.effective(),
            Self::There(there) => there.connections.effective(),
        };
        effective.window(operation)
    }

    /// How the names of those threads begin that are neither end's.
    pub fn aside(&self) -> &'static str {
        match self {
            Self::There(there) => there.link.as_ref().map_or(THREAD, Link::threads),
            Self::Here(..) => THREAD,
        }
    }

    /// Why times are not those of the link; `None` where they are, or there is none.
    ///
    /// # Errors
    /// That the link cannot tell.
    pub fn spoiled(&self) -> Result<Option<String>, Failure> {
        match self {
            Self::There(there) => Ok(there.link.as_ref().map_or(Ok(None), Link::spoiled)?),
            Self::Here(..) => Ok(None),
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
                let (connections, server) = (&there.connections, there.server.as_ref());
                let sockets =
                    SocketFacts::dimensions(connections.socket(), server.and_then(Server::socket));
                let settings = [there.profile.dimensions(), connections.effective().dimensions()];
                let link = there.link.as_ref().map(Link::dimensions).unwrap_or_default();
                let all = settings.into_iter().flatten().chain(there.payload.dimensions());
                let mut dimensions: Dimensions =
                    all.chain(sockets).chain(link).map(owned).collect();
                let backend = match (&there.server, &there.cache) {
                    (Some(_), _) => match &there.link {
                        Some(link) => link.carries().to_owned(),
                        None => "kernel loopback".to_owned(),
                    },
                    (None, Some(_)) => format!("blob cache at {}", there.connections.target()),
                    (None, None) => format!("server at {}", there.connections.target()),
                };
                dimensions.insert("backend".to_owned(), backend);
                if there.link.is_some() {
                    let found = there.calibrated.map(|found| format!("{found:?}"));
                    let found = found.unwrap_or_else(|| "no".to_owned());
                    dimensions.insert("link_calibrated".to_owned(), found);
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
        (ours, watch): (Option<(Server, Placement, Pinned)>, &dyn Watch),
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
        // Before anything else goes over it, so that a link that is none costs no measurement.
        let judged = link.as_ref().filter(|_| setup.judges_link());
        let calibrated = judged.map(Link::calibrate).transpose();
        let calibrated = calibrated.map_err(|error| format!("{NOT_THE_LINKS}: {error}"))?;
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
                let window = connections.effective().window(Operation::Write);
                let limit = setup.time_limit(payload.size, window, Operation::Write);
                let store = Caller::Cache(cache.client(0)).with(Sink::Discard, limit);
                let stored = unless_stopped(watch, store.call(Operation::Write, None));
                runtime.block_on(stored).ok_or(STOPPED)??;
                Some(cache)
            }
        };
        let there =
            Self { connections, runtime, link, calibrated, profile, payload, server, cache, pins };
        Ok(End::There(Box::new(there)))
    }
}

#[cfg(test)]
#[path = "end_tests.rs"]
mod tests;
