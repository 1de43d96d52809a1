//! A link between the two ends: which, who carries it, and it at work.
//!
//! Before an address, as of a server that somebody else runs, only the in-process proxy can be put.
//! With both ends ours they may as well be in networks of their own, between which an emulator carries
//! packets: the client connects from one and the server listens in the other.

use std::future::Future;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, ToSocketAddrs};
use std::time::Duration;

use bench_core::workload::Failure;
use bench_grpc::{Operation, Target};
use bench_network::backend::{Choice, Kind};
use bench_network::calibrate::LatenessMax;
use bench_network::emulated::THREADS;
use bench_network::link::{Direction, LinkProfile};
use bench_network::proxy::{self, DelayProxy};
use bench_network::tun::TunLink;
use bench_network::{Error, af_packet::PacketLink};
use tokio::runtime::Runtime;

const SEED: u64 = 42;

/// The dimension of why times are not those of the link, or `no`.
const SPOILED: &str = "link_spoiled";
/// How the error of an arm begins whose link was not what was asked for, by which nothing broke.
pub(super) const NOT_THE_LINKS: &str = "times are not those of the link";

/// A link that is asked for.
#[derive(Clone, Debug)]
pub struct Between {
    /// What it does.
    pub profile: LinkProfile,
    /// What carries it.
    pub backend: Choice,
    /// Whether it is refused where it is not what was asked for, before or while it is measured.
    pub judged: bool,
}

/// A link at work.
#[derive(Debug)]
pub enum Link {
    /// Before an address.
    Proxy(DelayProxy),
    /// Between two networks.
    Tun(TunLink),
    /// Likewise.
    Packet(PacketLink),
}

impl Between {
    /// A round trip and nothing else, from the proxy, wherever the server is; not judged.
    pub fn round_trip(round_trip: Duration) -> Self {
        let profile = LinkProfile::round_trip(round_trip);
        Self { profile, backend: Choice::Exact(Kind::Proxy), judged: false }
    }

    /// Bytes in a second at the most, in the direction in which the content goes.
    pub fn rate(&self, operation: Operation) -> f64 {
        let way: &Direction = match operation {
            Operation::Write => &self.profile.up,
            Operation::Read | Operation::Stream => &self.profile.down,
        };
        way.capacity.bits_per_second().map_or(f64::INFINITY, |bits| bits as f64 / 8.0)
    }

    /// In words: a round trip, or the link's name.
    pub fn words(&self) -> String {
        let round_trip = self.profile.base_round_trip();
        if self.profile.name == LinkProfile::round_trip(round_trip).name {
            return format!("with a round trip of {} ms more", round_trip.as_secs_f64() * 1e3);
        }
        format!("over a link like {}", self.profile.name)
    }

    /// Which backend carries it: before an address, or between two ends of ours.
    ///
    /// # Errors
    /// That the one that was asked for cannot; with `auto`, that none can.
    pub fn carrier(&self, both_ours: bool) -> Result<Kind, Error> {
        let able = |kind: Kind| match kind {
            Kind::Proxy => proxy::can_carry(&self.profile),
            Kind::Tun | Kind::Packet if both_ours => kind.available(),
            Kind::Tun | Kind::Packet => Err(Error::Unavailable {
                backend: kind.title(),
                reason: "the server is elsewhere, and no network of its own leads there".to_owned(),
                instead: "leave out --server, or write --backend exact:proxy",
            }),
            Kind::Netem | Kind::Simulation => Err(Error::Unavailable {
                backend: kind.title(),
                reason: "gRPC goes over emulators and the proxy here".to_owned(),
                instead: "write --backend auto, exact:tun, exact:packet or exact:proxy",
            }),
        };
        if let Choice::Exact(kind) = self.backend {
            return able(kind).map(|()| kind);
        }
        let mut reasons = Vec::new();
        for kind in [Kind::Tun, Kind::Packet, Kind::Proxy] {
            match able(kind) {
                Ok(()) => return Ok(kind),
                Err(error) => reasons.push(error.to_string()),
            }
        }
        Err(Error::NoBackend(reasons.join("; ")))
    }

    /// The proxy before a server.
    ///
    /// # Errors
    /// That it has no address, or what the proxy refused.
    pub fn before(&self, target: &Target) -> Result<Link, Failure> {
        let resolved = || -> io::Result<Option<SocketAddr>> {
            match target {
                Target::Tcp(address) => Ok(Some(*address)),
                Target::Host(host) => Ok(host.to_socket_addrs()?.next()),
                Target::Unix(_) => Ok(None),
            }
        };
        let address = resolved()?.ok_or_else(|| format!("{target} has no address for a link"))?;
        Ok(Link::Proxy(DelayProxy::start_with_seed(address, &self.profile, SEED)?))
    }

    /// Measures round trip, rate and loss of such a link, for some seconds. The proxy's is left to
    /// [`Link::calibrate`].
    ///
    /// # Errors
    /// That it cannot be had; [`Error::OutOfTolerance`] with both numbers, and [`Error::Spoiled`].
    pub fn calibrate_all(&self) -> Result<(), Error> {
        match self.networks()? {
            Some(Link::Tun(link)) => link.calibrate_all().map(drop),
            Some(Link::Packet(link)) => link.calibrate_all().map(drop),
            Some(Link::Proxy(_)) | None => Ok(()),
        }
    }

    /// Two networks with the link between them; `None` where the proxy carries it, which is put before
    /// the server.
    ///
    /// # Errors
    /// What this machine refused.
    pub fn networks(&self) -> Result<Option<Link>, Error> {
        Ok(match self.carrier(true)? {
            Kind::Tun => Some(Link::Tun(TunLink::start(&self.profile, SEED)?)),
            Kind::Packet => Some(Link::Packet(PacketLink::start(&self.profile, SEED)?)),
            _ => None,
        })
    }
}

impl Link {
    /// What its threads are called.
    pub fn threads(&self) -> &'static str {
        match self {
            Self::Proxy(_) => proxy::THREAD,
            Self::Tun(_) | Self::Packet(_) => THREADS,
        }
    }

    /// Where the server listens.
    ///
    /// # Errors
    /// What the system refused.
    pub fn server_address(&self) -> Result<IpAddr, Failure> {
        let listener = match self {
            Self::Proxy(_) => return Ok(Ipv4Addr::LOCALHOST.into()),
            Self::Tun(link) => link.listen()?,
            Self::Packet(link) => link.listen()?,
        };
        Ok(listener.local_addr()?.ip())
    }

    /// Where the client connects to get to this server.
    pub fn toward(&self, server: Target) -> Target {
        match self {
            Self::Proxy(proxy) => proxy.address().into(),
            Self::Tun(_) | Self::Packet(_) => server,
        }
    }

    /// Does this where the server is. Threads that it starts are there, too.
    ///
    /// # Errors
    /// What the system refused, or what `work` did.
    pub fn in_server<T, E>(&self, work: impl FnOnce() -> Result<T, E> + Send) -> Result<T, Failure>
    where
        T: Send,
        E: Into<Failure> + Send,
    {
        let done = match self {
            Self::Proxy(_) => work(),
            Self::Tun(link) => link.in_server(|| Ok(work()))?,
            Self::Packet(link) => link.in_server(|| Ok(work()))?,
        };
        done.map_err(Into::into)
    }

    /// Drives this on the runtime, from where the client is: sockets that are made meanwhile are
    /// there.
    ///
    /// # Errors
    /// What the system refused, or what the future did.
    pub fn in_client<T, E>(
        &self,
        runtime: &Runtime,
        work: impl Future<Output = Result<T, E>> + Send,
    ) -> Result<T, Failure>
    where
        T: Send,
        E: Into<Failure> + Send,
    {
        let done = match self {
            Self::Proxy(_) => runtime.block_on(work),
            Self::Tun(link) => link.in_client(|| Ok(runtime.block_on(work)))?,
            Self::Packet(link) => link.in_client(|| Ok(runtime.block_on(work)))?,
        };
        done.map_err(Into::into)
    }

    /// What the bytes of two ends of ours really go over.
    pub fn carries(&self) -> &'static str {
        match self {
            // On both sides of it.
            Self::Proxy(_) => "kernel loopback",
            Self::Tun(_) => Kind::Tun.title(),
            Self::Packet(_) => Kind::Packet.title(),
        }
    }

    /// Measures its round trip of one byte, for about a second. Rate and loss are left alone: what
    /// probes them would go into the report of what is measured later, and
    /// [`Between::calibrate_all`] has another link for that.
    ///
    /// # Errors
    /// [`Error::OutOfTolerance`] with both numbers; what the system refused.
    pub fn calibrate(&self) -> Result<Duration, Error> {
        let found = match self {
            Self::Proxy(link) => link.calibrate()?,
            Self::Tun(link) => link.calibrate()?,
            Self::Packet(link) => link.calibrate()?,
        };
        Ok(found.round_trip_p50)
    }

    /// Why what was measured over it is not valid; `None` where it is.
    ///
    /// # Errors
    /// That it cannot tell.
    pub fn spoiled(&self) -> Result<Option<String>, Error> {
        let of = |profile: &LinkProfile| LatenessMax::of(profile.base_round_trip());
        Ok(match self {
            Self::Proxy(link) => link.report()?.spoiled(of(link.profile())),
            Self::Tun(link) => link.report()?.spoiled(of(link.profile())),
            Self::Packet(link) => link.report()?.spoiled(of(link.profile())),
        })
    }

    /// What rows record of it, and of what it did until now.
    pub fn dimensions(&self) -> Vec<(&'static str, String)> {
        let (mut dimensions, report) = match self {
            Self::Proxy(link) => (link.dimensions(), link.report().map(|it| it.dimensions())),
            Self::Tun(link) => (link.dimensions(), link.report().map(|it| it.dimensions())),
            Self::Packet(link) => (link.dimensions(), link.report().map(|it| it.dimensions())),
        };
        match report.and_then(|report| Ok((report, self.spoiled()?))) {
            Ok((report, spoiled)) => {
                dimensions.extend(report);
                dimensions.push((SPOILED, spoiled.unwrap_or_else(|| "no".to_owned())));
            }
            Err(error) => dimensions.push((SPOILED, error.to_string())),
        }
        dimensions
    }
}

#[cfg(test)]
mod tests {
    use bench_network::link::named;

    use super::*;

    fn between(link: &str, backend: &str) -> Between {
        let profile = named::find(link).expect("known");
        Between { profile, backend: backend.parse().expect("a choice"), judged: false }
    }

    #[test]
    fn before_somebody_elses_server_only_the_proxy_can_be() {
        assert_eq!(between("lte", "auto").carrier(false).expect("fine"), Kind::Proxy);
        let error = between("lte", "exact:tun").carrier(false).expect_err("elsewhere").to_string();
        assert!(error.contains("leave out --server"), "{error}");
        let error = between("wifi", "auto").carrier(false).expect_err("it loses").to_string();
        assert!(error.starts_with("no backend can carry this link here: "), "{error}");
        assert!(error.contains("cannot do the loss of link 'wifi'"), "{error}");
        let error = between("lte", "exact:simulation").carrier(true).expect_err("none").to_string();
        assert!(error.contains("exact:packet or exact:proxy"), "{error}");
    }

    #[test]
    fn a_link_is_named_unless_it_is_a_round_trip() {
        assert_eq!(between("lte", "auto").words(), "over a link like lte");
        assert_eq!(between("rtt_2.5ms", "auto").words(), "with a round trip of 2.5 ms more");
        assert_eq!(
            between("rtt_20ms", "auto").words(),
            Between::round_trip(Duration::from_millis(20)).words()
        );
    }

    #[test]
    fn content_goes_one_way_by_the_operation() {
        let dsl = between("dsl", "auto");
        assert_eq!(
            [Operation::Write, Operation::Read].map(|op| dsl.rate(op)),
            [48_000.0, 187_500.0]
        );
        assert!(between("rtt_1ms", "auto").rate(Operation::Stream).is_infinite());
    }
}
