//! Links that the kernel alone makes: two networks with a veth pair between them, and before each
//! interface netem, tbf or nothing.
//!
//! [`NetemLink`] is netem (tc-netem(8)) where the kernel has it. Packets leave one by one
//! (`gso_max_segs 1`), so that each has a fate of its own. What it does *not* model, and what a profile
//! is refused for: jitter that keeps the order, reordering as a delay, traces, scripts, and loss behind
//! a rate. Its queue counts packets and not bytes, those on their way among them; the same seed gives
//! the same losses since Linux 6.6 only, and others than the emulators'.
//!
//! [`VethLink`] is what other links are held against: a pair without anything, or with the kernel's
//! token bucket.

mod options;
mod tbf;

use std::io::ErrorKind;
use std::net::TcpListener;

use crate::calibrate::{self, Arrivals, Bulk, Goodput, Train};
use crate::error::Error;
use crate::link::{LinkProfile, Way};
use crate::network::veth::{self, Segments};
use crate::network::{Ends, INTERFACE};

/// How ids and rows call netem.
pub const BACKEND: &str = "kernel netem";

/// A veth pair between two networks of its own, and what shapes it. Dropping it leaves nothing once the
/// last socket in them is closed.
#[derive(Debug)]
#[must_use = "the networks are gone as soon as this guard is dropped"]
pub struct VethLink {
    ends: Ends,
}

/// A profile by netem.
#[derive(Debug)]
#[must_use = "the link is gone as soon as this guard is dropped"]
pub struct NetemLink {
    link: VethLink,
    profile: LinkProfile,
}

impl VethLink {
    /// A pair without anything.
    ///
    /// # Errors
    /// What the system refused.
    pub fn direct() -> Result<Self, Error> {
        Ok(Self { ends: veth::ends(Segments::Together)? })
    }

    /// A pair with the kernel's token bucket on the way up: this rate, as Ethernet counts, and room for
    /// this many bytes.
    ///
    /// # Errors
    /// What the system refused, among it that the kernel has no tbf.
    pub fn tbf(bits_per_second: u64, queue_bytes: u32) -> Result<Self, Error> {
        let this = Self::direct()?;
        let options = tbf::options(bits_per_second, queue_bytes);
        this.ends.client.enter(|| {
            veth::shape("tbf", &options).map_err(Error::io("put a token bucket (tbf) up"))
        })?;
        Ok(this)
    }

    /// A connection between the two, with this congestion control; what it gets through that way.
    ///
    /// # Errors
    /// What the system refused; what the connection failed with.
    pub fn goodput(&self, way: Way, control: &str, plan: Bulk) -> Result<Goodput, Error> {
        self.ends.goodput(way, control, plan)
    }
}

impl NetemLink {
    /// Whether this process can have one, and this kernel has netem.
    ///
    /// # Errors
    /// [`Error::Unavailable`] with what is missing and how to get it.
    pub fn available() -> Result<(), Error> {
        // By doing it: nothing else says what the kernel has.
        let plain = LinkProfile::round_trip(std::time::Duration::ZERO);
        match Self::start(&plain, 1) {
            Ok(_) => Ok(()),
            Err(error) => Err(unavailable(&error)),
        }
    }

    /// Makes both networks and the link between them.
    ///
    /// # Errors
    /// That the profile makes no sense, or asks for what netem does otherwise
    /// ([`Error::NotModelled`]); what the system refused.
    pub fn start(profile: &LinkProfile, seed: u64) -> Result<Self, Error> {
        profile.check()?;
        let [up, down] = [
            options::options(profile, Way::Up, seed)?,
            options::options(profile, Way::Down, seed)?,
        ];
        let link = VethLink { ends: veth::ends(Segments::Single)? };
        let shape = |options: Vec<u8>| {
            move || veth::shape("netem", &options).map_err(Error::io("put netem up"))
        };
        link.ends.client.enter(shape(up))?;
        link.ends.server.enter(shape(down))?;
        Ok(Self { link, profile: profile.clone() })
    }

    /// A listener in the server's network.
    ///
    /// # Errors
    /// What the system refused.
    pub fn listen(&self) -> Result<TcpListener, Error> {
        self.link.ends.listen()
    }

    /// Does `work` in the client's network, on a thread of its own.
    ///
    /// # Errors
    /// What the system refused, or what `work` failed with.
    pub fn in_client<T: Send>(
        &self,
        work: impl FnOnce() -> Result<T, Error> + Send,
    ) -> Result<T, Error> {
        self.link.ends.client.enter(work)
    }

    pub(crate) fn train(&self, way: Way, train: Train) -> Result<Arrivals, Error> {
        self.link.ends.train(way, train, calibrate::patience(&self.profile, way))
    }

    /// Why what was measured over this link is not valid; `None` where it is. Netem does not say how
    /// late it was.
    ///
    /// # Errors
    /// What the system refused to tell.
    pub fn spoiled(&self) -> Result<Option<String>, Error> {
        let dropped = self.link.ends.client.overflowed(&[INTERFACE])?
            + self.link.ends.server.overflowed(&[INTERFACE])?;
        Ok((dropped > 0).then(|| format!("{dropped} packets were dropped between the interfaces")))
    }

    /// What rows record about the link and who makes it.
    pub fn dimensions(&self) -> Vec<(&'static str, String)> {
        let mut dimensions = self.profile.dimensions();
        dimensions.push(("link_backend", BACKEND.to_owned()));
        dimensions
    }
}

/// What an error of making a link says of this machine.
fn unavailable(error: &Error) -> Error {
    let none = "this kernel has no netem".to_owned();
    let reason = match error {
        // What the kernel says of a discipline that it does not know.
        Error::Io { source, .. } if source.kind() == ErrorKind::NotFound => none,
        error => error.to_string(),
    };
    let instead = "load it (`modprobe sch_netem`) and run as root or after `unshare --user \
                   --map-root-user`, or take exact:tun or exact:packet";
    Error::Unavailable { backend: BACKEND, reason, instead }
}

#[cfg(test)]
mod tests;
