//! Who carries the packets of a link, behind one interface.
//!
//! | | handshake | loss and retransmission | congestion control | time | needs |
//! |---|---|---|---|---|---|
//! | TUN emulator | kernel's | kernel's, each segment for itself | kernel's | real | namespaces, `/dev/net/tun` |
//! | AF_PACKET emulator | kernel's | kernel's, each segment for itself | kernel's | real | namespaces, veth |
//! | kernel netem | kernel's | kernel's, each segment for itself; not behind a rate | kernel's | real | namespaces, veth, `sch_netem` |
//! | in-process proxy | none | refused | none | real | nothing |
//! | simulation | modelled | modelled | NewReno, CUBIC | simulated, exact | nothing |
//!
//! [`start`] takes the one that was asked for, or the first of these that this machine can do and the
//! profile does not ask too much of, and says which and why: a row without that is no result. The
//! emulators come before netem because they do all that a profile can say, and lose the same packets by
//! the same seed on every machine.

mod real;
mod simulated;

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use bench_core::units::ByteSize;

use self::real::Real;
use self::simulated::Simulated;
use crate::af_packet::PacketLink;
use crate::calibrate::{Arrivals, Bulk, Ceiling, Goodput, Train, ceiling};
use crate::error::Error;
use crate::link::{LinkProfile, Way};
use crate::netem::{self, NetemLink};
use crate::proxy::{self, DelayProxy};
use crate::tun::TunLink;
use crate::{af_packet, sim, tun};

/// A link with a client and a server of its own.
pub trait Backend: Send {
    /// Makes a new connection; how long that took the client.
    ///
    /// # Errors
    /// What the system refused; that nobody answers.
    fn connect(&mut self) -> Result<Duration, Error>;

    /// Sends so many bytes from the client to the server and as many back, over the last connection;
    /// from the first byte written to the last received.
    ///
    /// # Errors
    /// What the connection failed with; that there is none.
    fn round_trip(&mut self, size: ByteSize) -> Result<Duration, Error>;

    /// Sends so many bytes from the client to the server, over the last connection; from the first
    /// byte written to the last received. Where there is content it is checked.
    ///
    /// # Errors
    /// What the connection failed with; that there is none; content that differs.
    fn transfer(&mut self, size: ByteSize) -> Result<Duration, Error>;

    /// So many round trips of one byte, one after the other over a connection of their own; the first
    /// ones, which find everything cold, are thrown away.
    ///
    /// # Errors
    /// What the connection failed with.
    fn echoes(&mut self, count: u32) -> Result<Vec<Duration>, Error>;

    /// What TCP gets through that way, over a connection of its own.
    ///
    /// # Errors
    /// What the connection failed with.
    fn goodput(&mut self, way: Way, plan: Bulk) -> Result<Goodput, Error>;

    /// Sends numbered datagrams that way; which arrived, and when.
    ///
    /// # Errors
    /// [`Error::NotModelled`] where there are only byte streams; [`Error::Spoiled`] where datagrams
    /// were lost beside the link; what the system refused.
    fn train(&mut self, way: Way, train: Train) -> Result<Arrivals, Error>;

    /// Why what was measured so far is not valid; `None` where it is.
    ///
    /// # Errors
    /// That the backend cannot tell.
    fn spoiled(&self) -> Result<Option<String>, Error>;

    /// As [`spoiled`](Self::spoiled), however late it was: why not even what arrived, and how much, is
    /// that of the link.
    ///
    /// # Errors
    /// That the backend cannot tell.
    fn lossy(&self) -> Result<Option<String>, Error>;

    /// What rows record of it, and of what it did so far: how late it was, what it dropped, what
    /// processor time it took. Asked for after what was measured.
    ///
    /// # Errors
    /// That the backend cannot tell.
    fn dimensions(&self) -> Result<Vec<(&'static str, String)>, Error>;
}

/// Which backend.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// [`TunLink`].
    Tun,
    /// [`PacketLink`].
    Packet,
    /// [`NetemLink`].
    Netem,
    /// [`DelayProxy`].
    Proxy,
    /// [`sim::Simulation`].
    Simulation,
}

/// What a backend models.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fidelity {
    /// Connecting takes a round trip.
    pub handshake: bool,
    /// Packets may be lost, and are sent again.
    pub loss: bool,
    /// The window grows and falls as TCP's does.
    pub congestion_control: bool,
    /// Times are measured with a clock, of bytes that really went.
    pub real: bool,
}

/// Which backend a user wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Choice {
    /// The best that this machine can do for the profile.
    Auto,
    /// This one, or an error.
    Exact(Kind),
}

/// How a backend is set up, beside its link.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// Of loss, jitter and whatever else happens by chance.
    pub seed: u64,
    /// Of both ends of every connection, by the kernel's name for it; `None` leaves the default, which
    /// differs from machine to machine.
    pub congestion_control: Option<String>,
}

/// A backend at work, and how it came to be the one.
pub struct Started {
    /// The backend.
    pub backend: Box<dyn Backend>,
    /// What was asked for.
    pub asked: Choice,
    /// What was taken.
    pub used: Kind,
    /// Why, as one sentence.
    pub reason: String,
}

/// Puts a link between a client and a server.
///
/// # Errors
/// That the profile makes no sense; that the backend that has to be taken is not available or cannot
/// do what the profile asks for. `auto` fails only where no backend can.
pub fn start(choice: Choice, link: &LinkProfile, seed: u64) -> Result<Started, Error> {
    start_with_config(choice, link, &Config { seed, congestion_control: None })
}

/// As [`start`], with a congestion control.
///
/// # Errors
/// As [`start`]; a congestion control that this process may not have or that nobody knows.
pub fn start_with_config(
    choice: Choice,
    link: &LinkProfile,
    config: &Config,
) -> Result<Started, Error> {
    link.check()?;
    if let Choice::Exact(used) = choice {
        let backend = used.start(link, config)?;
        return Ok(Started { backend, asked: choice, used, reason: "it was asked for".to_owned() });
    }
    let mut reasons = Vec::new();
    for used in Kind::ALL {
        match used.start(link, config) {
            Ok(backend) => {
                let reason = match &reasons[..] {
                    [] => "nothing is closer to a real link here".to_owned(),
                    reasons => reasons.join("; "),
                };
                return Ok(Started { backend, asked: choice, used, reason });
            }
            // Others are broken here, or by this profile, in the same way.
            Err(error @ (Error::Unavailable { .. } | Error::NotModelled { .. })) => {
                reasons.push(error.to_string());
            }
            Err(error) => return Err(error),
        }
    }
    Err(Error::NoBackend(reasons.join("; ")))
}

/// What this machine can carry by this backend at all, measured for about half a second; `None` of
/// one that carries nothing.
///
/// # Errors
/// As [`start_with_config`], or what the connection failed with.
pub fn ceiling(kind: Kind, config: &Config) -> Result<Option<Ceiling>, Error> {
    if !kind.fidelity().real {
        return Ok(None);
    }
    let mut started = start_with_config(Choice::Exact(kind), &ceiling::link(), config)?;
    let found = started.backend.goodput(Way::Up, ceiling::PLAN)?;
    Ok(Some(Ceiling { bits: found.bits_per_second() }))
}

impl Kind {
    /// All backends, the one closest to a real link first.
    pub const ALL: [Self; 5] =
        [Self::Tun, Self::Packet, Self::Netem, Self::Proxy, Self::Simulation];

    /// As ids and the command line call it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Tun => "tun",
            Self::Packet => "packet",
            Self::Netem => "netem",
            Self::Proxy => "proxy",
            Self::Simulation => "simulation",
        }
    }

    /// As rows and people call it.
    pub const fn title(self) -> &'static str {
        match self {
            Self::Tun => tun::BACKEND,
            Self::Packet => af_packet::BACKEND,
            Self::Netem => netem::BACKEND,
            Self::Proxy => proxy::BACKEND,
            Self::Simulation => sim::BACKEND,
        }
    }

    /// What it models.
    pub const fn fidelity(self) -> Fidelity {
        let (tcp, real) = match self {
            Self::Tun | Self::Packet | Self::Netem => (true, true),
            Self::Proxy => (false, true),
            Self::Simulation => (true, false),
        };
        Fidelity { handshake: tcp, loss: tcp, congestion_control: tcp, real }
    }

    /// Whether this machine, and this process on it, can have it.
    ///
    /// # Errors
    /// [`Error::Unavailable`] with what is missing and how to get it.
    pub fn available(self) -> Result<(), Error> {
        match self {
            Self::Tun => TunLink::available(),
            Self::Packet => PacketLink::available(),
            Self::Netem => NetemLink::available(),
            Self::Proxy | Self::Simulation => Ok(()),
        }
    }

    fn start(self, link: &LinkProfile, config: &Config) -> Result<Box<dyn Backend>, Error> {
        self.available()?;
        let seed = config.seed;
        let real = match self {
            Self::Tun => Real::over(TunLink::start(link, seed)?, TunLink::listen, link, config),
            Self::Packet => {
                Real::over(PacketLink::start(link, seed)?, PacketLink::listen, link, config)
            }
            Self::Netem => {
                Real::over(NetemLink::start(link, seed)?, NetemLink::listen, link, config)
            }
            Self::Proxy => {
                let start = |server| DelayProxy::start_with_seed(server, link, seed);
                Real::over_proxy(start, link, config)
            }
            Self::Simulation => return Ok(Box::new(Simulated::new(link, config)?)),
        };
        Ok(Box::new(real?))
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl fmt::Display for Choice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Auto => f.pad("auto"),
            Self::Exact(kind) => f.pad(&format!("exact:{kind}")),
        }
    }
}

impl FromStr for Choice {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let all = Kind::ALL.into_iter().map(Self::Exact);
        let known =
            std::iter::once(Self::Auto).chain(all).find(|choice| choice.to_string() == text);
        known.ok_or_else(|| Error::UnknownBackend(text.to_owned()))
    }
}

impl Started {
    /// What rows record: the backend's own, how it came to be the one, and whether what was measured
    /// so far is valid. Asked for after what was measured.
    ///
    /// # Errors
    /// That the backend cannot tell.
    pub fn dimensions(&self) -> Result<Vec<(&'static str, String)>, Error> {
        let mut dimensions = self.backend.dimensions()?;
        dimensions.push(("link_backend_asked", self.asked.to_string()));
        dimensions.push(("link_backend_reason", self.reason.clone()));
        let valid = self.backend.spoiled()?.map_or("yes".to_owned(), |why| format!("no: {why}"));
        dimensions.push(("link_valid", valid));
        Ok(dimensions)
    }

    /// That what was measured so far is valid.
    ///
    /// # Errors
    /// [`Error::Spoiled`] with what the backend says of itself.
    pub fn refuse_spoiled(&self) -> Result<(), Error> {
        self.refuse(self.backend.spoiled()?)
    }

    /// That what arrived so far, and how much, is valid, however late it was.
    ///
    /// # Errors
    /// [`Error::Spoiled`] with what the backend says of itself.
    pub fn refuse_lossy(&self) -> Result<(), Error> {
        self.refuse(self.backend.lossy()?)
    }

    fn refuse(&self, spoiled: Option<String>) -> Result<(), Error> {
        let backend = self.used.title();
        spoiled.map_or(Ok(()), |reason| Err(Error::Spoiled { backend, reason }))
    }
}

impl fmt::Debug for Started {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Started({}, because {})", self.used, self.reason)
    }
}

#[cfg(test)]
mod tests;
