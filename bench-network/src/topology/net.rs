//! A topology that bytes really go over: a link of its own between each two regions, changed while
//! they flow.
//!
//! A region is no network of its own: each link has two ends, and whoever is in a region has an end of
//! every link that leads there. Those backends carry it that can be changed while they work: the
//! emulators over TUN and AF_PACKET, where a cut loses packets and the kernel sends them again, and the
//! in-process proxy, where a cut holds bytes back ([`crate::proxy`] says what that leaves out). One
//! carries all links, so that a matrix has one kind of numbers.

use std::fmt;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::time::Duration;

use super::{Change, Event, Region, Script, Topology, Ways, pairs, turn};
use crate::af_packet::PacketLink;
use crate::backend::{Choice, Kind};
use crate::calibrate::{Calibration, LatenessMax};
use crate::emulated::{Carrier, EmulatedLink};
use crate::error::Error;
use crate::link::LinkProfile;
use crate::proxy::{self, DelayProxy};
use crate::socket;
use crate::tun::TunLink;

/// The links of a topology at work. Dropping it ends them.
#[derive(Debug)]
#[must_use = "the links are gone as soon as this guard is dropped"]
pub struct Net {
    topology: Topology,
    /// In the order of [`pairs`].
    links: Vec<Link>,
    asked: Choice,
    used: Kind,
    reason: String,
    seed: u64,
}

#[derive(Debug)]
struct Link {
    wire: Box<dyn Wire>,
    /// Up and down, which is from the smaller region to the greater and back.
    cut: [bool; 2],
}

/// What carries a link and lets it be changed meanwhile.
trait Wire: fmt::Debug + Send {
    /// A new connection: the client's end and the server's.
    fn connect(&self) -> Result<[TcpStream; 2], Error>;
    fn set(&self, link: &LinkProfile, seed: u64) -> Result<(), Error>;
    fn cut(&self, up_and_down: [bool; 2]) -> Result<(), Error>;
    fn spoiled(&self, most: LatenessMax) -> Result<Option<String>, Error>;
    /// The link as it was when it was started: round trip, and rate and loss where the carrier has them.
    fn calibrate(&self) -> Result<Calibration, Error>;
}

impl Net {
    /// Starts every link. The script is only looked at: whatever it makes of links has to be possible.
    ///
    /// # Errors
    /// Events about no two regions; links that the backend cannot be, now or by the script; what the
    /// system refused. `auto` fails only where no backend can.
    pub fn start(
        choice: Choice,
        topology: &Topology,
        script: &Script,
        seed: u64,
    ) -> Result<Self, Error> {
        script.check(topology.names().len())?;
        let (used, reason) = choose(choice, topology, script)?;
        let links: Result<_, Error> = pairs(topology.names().len())
            .map(|(a, b)| {
                let wire = start(used, topology.link(a, b).0, seed)?;
                Ok(Link { wire, cut: [false; 2] })
            })
            .collect();
        let topology = topology.clone();
        Ok(Self { topology, links: links?, asked: choice, used, reason, seed })
    }

    /// The links as they are now.
    pub fn topology(&self) -> &Topology {
        &self.topology
    }

    /// A new connection between two regions: the end in `a`, which connects, and the end in `b`.
    ///
    /// # Errors
    /// What the system refused.
    ///
    /// # Panics
    /// When the two are one region, or there is no such region.
    pub fn connect(&self, a: Region, b: Region) -> Result<[TcpStream; 2], Error> {
        let (index, turned) = self.topology.index(a, b);
        let mut ends = self.links[index].wire.connect()?;
        for end in &ends {
            socket::set_nodelay(end)?;
        }
        if turned {
            ends.reverse();
        }
        Ok(ends)
    }

    /// Lets a change happen; it is in force when the call returns.
    ///
    /// # Errors
    /// That the backend cannot be such a link.
    ///
    /// # Panics
    /// When the event is about no two regions; [`start`](Self::start) has checked those of its script.
    pub fn apply(&mut self, event: &Event) -> Result<(), Error> {
        let (index, turned) = self.topology.index(event.a, event.b);
        let link = &mut self.links[index];
        let there = usize::from(turned);
        match &event.change {
            Change::Set(profile) => {
                let profile = if turned { turn((**profile).clone()) } else { (**profile).clone() };
                link.wire.set(&profile, self.seed)?;
                return Ok(self.topology.set(
                    event.a.min(event.b),
                    event.a.max(event.b),
                    profile,
                )?);
            }
            Change::Partition(Ways::There) => link.cut[there] = true,
            Change::Partition(Ways::Both) => link.cut = [true; 2],
            Change::Heal => link.cut = [false; 2],
        }
        link.wire.cut(link.cut)
    }

    /// Measures each link, one after the other, before any event: as words, in which every link has its
    /// median round trip. The emulators look at rate and loss, too, and take some seconds a link; the
    /// proxy takes about one.
    ///
    /// # Errors
    /// [`Error::OutOfTolerance`] with both numbers; that the emulator was too late for them to mean
    /// anything ([`Error::Spoiled`]); what the system refused.
    pub fn calibrate(&self) -> Result<String, Error> {
        let names = self.topology.names();
        let one = |((a, b), link): ((Region, Region), &Link)| {
            let found = link.wire.calibrate()?.round_trip_p50;
            Ok(format!("{}-{} {found:?}", names[a], names[b]))
        };
        let all: Result<Vec<String>, Error> =
            pairs(names.len()).zip(&self.links).map(one).collect();
        Ok(all?.join(", "))
    }

    /// Why what was measured so far is not valid; `None` where it is.
    ///
    /// # Errors
    /// That a link cannot tell.
    pub fn spoiled(&self) -> Result<Option<String>, Error> {
        let links = pairs(self.topology.names().len()).zip(&self.links);
        for ((a, b), link) in links {
            let most = LatenessMax::of(self.topology.link(a, b).0.base_round_trip());
            let spoiled = link.wire.spoiled(most)?;
            if let Some(reason) = spoiled {
                let [a, b] = [a, b].map(|region| &self.topology.names()[region]);
                return Ok(Some(format!("between {a} and {b} {reason}")));
            }
        }
        Ok(None)
    }

    /// What carries the links, as rows call it.
    pub fn backend(&self) -> &'static str {
        self.used.title()
    }

    /// What rows record of the links.
    pub fn dimensions(&self) -> Vec<(&'static str, String)> {
        let not_modelled = match self.used {
            Kind::Proxy => proxy::NOT_MODELLED,
            _ => "none",
        };
        vec![
            ("topology", describe(&self.topology)),
            ("link_backend", self.used.title().to_owned()),
            ("link_backend_asked", self.asked.to_string()),
            ("link_backend_reason", self.reason.clone()),
            ("link_not_modelled", not_modelled.to_owned()),
            ("seed", self.seed.to_string()),
        ]
    }
}

/// Every link by its name, as in `eu-us rtt_70ms, eu-asia lte`.
pub fn describe(topology: &Topology) -> String {
    let names = topology.names();
    let link = |(a, b): (Region, Region)| {
        format!("{}-{} {}", names[a], names[b], topology.link(a, b).0.name)
    };
    pairs(names.len()).map(link).collect::<Vec<_>>().join(", ")
}

/// The longest round trip between two regions, of links as they are at the start.
pub fn round_trip_max(topology: &Topology) -> Duration {
    let links = pairs(topology.names().len()).map(|(a, b)| topology.link(a, b).0);
    links.map(LinkProfile::base_round_trip).max().unwrap_or_default()
}

/// Of links that are only calibrated.
const TWIN_SEED: u64 = 42;

/// Those that can be changed while they work, the one closest to a real link first.
const CARRIERS: [Kind; 3] = [Kind::Tun, Kind::Packet, Kind::Proxy];

/// Which backend carries all of these links, and why.
fn choose(choice: Choice, topology: &Topology, script: &Script) -> Result<(Kind, String), Error> {
    let able = |kind: Kind| match kind {
        Kind::Proxy => every_link(topology, script).iter().try_for_each(proxy::can_carry),
        kind if CARRIERS.contains(&kind) => kind.available(),
        other => Err(Error::Unavailable {
            backend: other.title(),
            reason: "links between regions are changed while real bytes go over them".to_owned(),
            instead: "write auto, exact:tun, exact:packet or exact:proxy",
        }),
    };
    if let Choice::Exact(kind) = choice {
        return able(kind).map(|()| (kind, "it was asked for".to_owned()));
    }
    let mut reasons = Vec::new();
    for kind in CARRIERS {
        match able(kind) {
            Ok(()) if reasons.is_empty() => {
                return Ok((kind, "nothing is closer to a real link here".to_owned()));
            }
            Ok(()) => return Ok((kind, reasons.join("; "))),
            Err(error) => reasons.push(error.to_string()),
        }
    }
    Err(Error::NoBackend(reasons.join("; ")))
}

/// The links of the topology and those that the script makes of them.
fn every_link(topology: &Topology, script: &Script) -> Vec<LinkProfile> {
    let now = pairs(topology.names().len()).map(|(a, b)| topology.link(a, b).0.clone());
    let later = script.events().iter().filter_map(|event| match &event.change {
        Change::Set(link) => Some((**link).clone()),
        _ => None,
    });
    now.chain(later).collect()
}

fn start(kind: Kind, link: &LinkProfile, seed: u64) -> Result<Box<dyn Wire>, Error> {
    Ok(match kind {
        Kind::Tun => Box::new(TunLink::start(link, seed)?),
        Kind::Packet => Box::new(PacketLink::start(link, seed)?),
        _ => {
            let listener = TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)));
            let listener = listener.map_err(Error::io("listen on loopback"))?;
            let to = listener.local_addr().map_err(Error::io("read the port"))?;
            Box::new(Proxied { proxy: DelayProxy::start_with_seed(to, link, seed)?, listener })
        }
    })
}

impl<C: Carrier> Wire for EmulatedLink<C> {
    fn connect(&self) -> Result<[TcpStream; 2], Error> {
        let listener = self.listen()?;
        let to = listener.local_addr().map_err(Error::io("read the port"))?;
        let client = EmulatedLink::connect(self, to)?;
        let server = socket::accept(&listener, socket::ACCEPT_LIMIT)?;
        Ok([client, server])
    }

    fn set(&self, link: &LinkProfile, seed: u64) -> Result<(), Error> {
        EmulatedLink::set(self, link, seed)
    }

    fn cut(&self, up_and_down: [bool; 2]) -> Result<(), Error> {
        EmulatedLink::cut(self, up_and_down);
        Ok(())
    }

    fn spoiled(&self, most: LatenessMax) -> Result<Option<String>, Error> {
        Ok(self.report()?.spoiled(most))
    }

    fn calibrate(&self) -> Result<Calibration, Error> {
        // A twin, so that neither the report nor the fates of the first packets are those of the probes.
        let twin = Self::start(self.profile(), TWIN_SEED)?;
        Ok(twin.calibrate_all()?.round_trip)
    }
}

/// A proxy before a listener, which all connections over this link come to.
#[derive(Debug)]
struct Proxied {
    proxy: DelayProxy,
    listener: TcpListener,
}

impl Wire for Proxied {
    fn connect(&self) -> Result<[TcpStream; 2], Error> {
        let client = TcpStream::connect(self.proxy.address());
        let client = client.map_err(Error::io("connect over the link"))?;
        let server = socket::accept(&self.listener, socket::ACCEPT_LIMIT)?;
        Ok([client, server])
    }

    fn set(&self, link: &LinkProfile, seed: u64) -> Result<(), Error> {
        self.proxy.set(link, seed)
    }

    fn cut(&self, up_and_down: [bool; 2]) -> Result<(), Error> {
        self.proxy.cut(up_and_down)
    }

    fn spoiled(&self, most: LatenessMax) -> Result<Option<String>, Error> {
        Ok(self.proxy.report()?.spoiled(most))
    }

    fn calibrate(&self) -> Result<Calibration, Error> {
        self.proxy.calibrate()
    }
}

#[cfg(test)]
#[path = "net_tests.rs"]
mod tests;
