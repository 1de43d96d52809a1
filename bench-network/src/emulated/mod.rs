//! A link that kernel TCP really goes over: two network namespaces without a name, an interface in
//! each, and two threads between them that do to every packet what the link's model says.
//!
//! Handshake, loss, retransmission and congestion control are the kernel's own. Packets stay as
//! large as TCP makes them (up to 64 KiB, GSO) until a single segment has a fate of its own; loss is
//! of segments as they would go over the wire, and exact.
//!
//! What it does not model: hosts other than this one. Both ends and the emulator share its
//! processors; [`Report`] says how late the emulator was and how much processor time it took. A rate
//! counts from the time at which the emulator fetched a packet.
//!
//! Nothing of the host's network is touched, and nothing is left when the process ends, however. How
//! packets get from the kernel and back is the [`Carrier`]'s: [`tun`](crate::tun) or
//! [`af_packet`](crate::af_packet).

mod packet;
mod port;
mod pump;
mod report;

use std::marker::PhantomData;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use rustix::event::{EventfdFlags, eventfd};

pub(crate) use self::port::Port;
use self::pump::{Control, Pump, Tally};
pub use self::report::{Report, WayReport};
use crate::calibrate::{
    self, Arrivals, Bulk, Calibration, Goodput, LatenessMax, LinkCalibration, Train,
};
use crate::error::Error;
use crate::link::model::LinkModel;
use crate::link::{LinkProfile, Way};
use crate::network::{Ends, Namespace};
use crate::schedstat::{Account, account};

/// What packets go through between the kernel and the emulator. Only this crate has carriers, because
/// nobody else can make a [`Plugged`].
pub trait Carrier: std::fmt::Debug + Send + 'static {
    /// How ids and rows call it.
    const BACKEND: &'static str;
    /// What to do where this machine refuses it.
    const INSTEAD: &'static str;

    /// Makes one end of a link: a network with an interface of this address.
    ///
    /// # Errors
    /// What the system refused.
    fn plug(address: Ipv4Addr) -> Result<Plugged, Error>;
}

/// How the names of its threads begin, so that their processor time can be told from that of the ends.
pub const THREADS: &str = "link-";

/// One end of a link: a network, and where its packets are.
#[derive(Debug)]
pub struct Plugged {
    pub(crate) namespace: Namespace,
    pub(crate) port: Port,
}

/// A link between two networks of its own. Dropping it ends its threads; its networks are gone when
/// the last socket in them is closed.
///
/// ```no_run
/// use std::net::{TcpListener, TcpStream};
/// use bench_network::link::named;
/// use bench_network::tun::TunLink;
///
/// let link = TunLink::start(&named::find("lossy_mobile")?, 42)?;
/// let server = link.listen()?;
/// let client = link.connect(server.local_addr()?)?; // takes a round trip
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
#[must_use = "the link is gone as soon as this guard is dropped"]
pub struct EmulatedLink<C> {
    profile: LinkProfile,
    ends: Ends,
    /// The client's and the server's.
    ports: [Port; 2],
    bell: OwnedFd,
    tallies: [Arc<Mutex<Tally>>; 2],
    controls: [Arc<Control>; 2],
    pumps: Vec<JoinHandle<()>>,
    since: Instant,
    carrier: PhantomData<C>,
}

impl<C: Carrier> EmulatedLink<C> {
    /// Whether this process can make such a link.
    ///
    /// # Errors
    /// [`Error::Unavailable`] with what is missing and how to get it.
    pub fn available() -> Result<(), Error> {
        // By doing it: rights, seccomp filters and the device's mode all have a say.
        match C::plug(Ends::CLIENT) {
            Ok(_) => Ok(()),
            Err(error) => Err(Error::Unavailable {
                backend: C::BACKEND,
                reason: error.to_string(),
                instead: C::INSTEAD,
            }),
        }
    }

    /// Makes both networks and the link between them.
    ///
    /// # Errors
    /// That the profile makes no sense; what the system refused.
    pub fn start(profile: &LinkProfile, seed: u64) -> Result<Self, Error> {
        let [up, down] = LinkModel::both(profile, seed)?;
        let [near, far] = [C::plug(Ends::CLIENT)?, C::plug(Ends::SERVER)?];
        let bell = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK);
        let bell = bell.map_err(Error::io("make an eventfd"))?;
        let tallies = [(); 2].map(|()| Arc::new(Mutex::new(Tally::new())));
        let ends = Ends::own(near.namespace, far.namespace);
        let (profile, ports) = (profile.clone(), [near.port, far.port]);
        let controls = [(); 2].map(|()| Arc::new(Control::default()));
        let (pumps, since, carrier) = (Vec::new(), Instant::now(), PhantomData);
        // From here on dropping ends whichever threads there are.
        let mut this =
            Self { profile, ends, ports, bell, tallies, controls, pumps, since, carrier };
        this.pump(0, up)?;
        this.pump(1, down)?;
        Ok(this)
    }

    fn pump(&mut self, way: usize, model: LinkModel) -> Result<(), Error> {
        let (from, to) = (&self.ports[way], &self.ports[1 - way]);
        let shared = (Arc::clone(&self.tallies[way]), Arc::clone(&self.controls[way]));
        let pump = Pump::new(&self.bell, from, to, model, shared)?;
        let thread = thread::Builder::new().name(["link-up", "link-down"][way].to_owned());
        let thread = thread.spawn(move || pump.run()).map_err(Error::io("start a thread"))?;
        self.pumps.push(thread);
        Ok(())
    }

    /// Makes this another link: packets that are fetched after the call meet it. What is on its way
    /// arrives when it was to arrive, and a quicker link overtakes it; the new link's queue is empty.
    /// What is cut stays so.
    ///
    /// # Errors
    /// That the profile makes no sense.
    pub fn set(&self, profile: &LinkProfile, seed: u64) -> Result<(), Error> {
        let models = LinkModel::both(profile, seed)?;
        for (control, model) in self.controls.iter().zip(models) {
            control.set(model);
        }
        Ok(())
    }

    /// Drops every packet up, down or both that is fetched after the call, or none any more. What is on
    /// its way arrives.
    pub fn cut(&self, up_and_down: [bool; 2]) {
        for (control, cut) in self.controls.iter().zip(up_and_down) {
            control.cut(cut);
        }
    }

    /// Does `work` in the client's network, on a thread of its own; sockets that it makes may be used
    /// from anywhere.
    ///
    /// # Errors
    /// What the system refused, or what `work` failed with.
    pub fn in_client<T: Send>(
        &self,
        work: impl FnOnce() -> Result<T, Error> + Send,
    ) -> Result<T, Error> {
        self.ends.client.enter(work)
    }

    /// As [`in_client`](Self::in_client), in the server's network.
    ///
    /// # Errors
    /// As [`in_client`](Self::in_client).
    pub fn in_server<T: Send>(
        &self,
        work: impl FnOnce() -> Result<T, Error> + Send,
    ) -> Result<T, Error> {
        self.ends.server.enter(work)
    }

    /// A listener in the server's network, at a port that the kernel chooses.
    ///
    /// # Errors
    /// What the system refused.
    pub fn listen(&self) -> Result<TcpListener, Error> {
        self.ends.listen()
    }

    /// A connection from the client's network.
    ///
    /// # Errors
    /// What the system refused, among it that nobody listens there.
    pub fn connect(&self, to: SocketAddr) -> Result<TcpStream, Error> {
        self.ends.connect(to)
    }

    /// Measures the round trip of one byte over this link, for about a second, and up to twice again
    /// where it is not the link's.
    ///
    /// # Errors
    /// [`Error::OutOfTolerance`] with both numbers; what the system refused.
    pub fn calibrate(&self) -> Result<Calibration, Error> {
        calibrate::at_last(|| {
            let [client, server] = self.ends.pair()?;
            calibrate::calibrate(&self.profile, client, server)
        })
    }

    /// Measures round trip, rate and loss over this link, for some seconds.
    ///
    /// # Errors
    /// [`Error::OutOfTolerance`] with both numbers; that the emulator was too late or too slow for
    /// them to mean anything ([`Error::Spoiled`]); what the system refused.
    pub fn calibrate_all(&self) -> Result<LinkCalibration, Error> {
        let round_trip = self.calibrate()?;
        let ways = calibrate::ways(&self.profile, |way, train| self.train(way, train))?;
        let most = LatenessMax::of(self.profile.base_round_trip());
        match self.report()?.spoiled(most) {
            None => Ok(LinkCalibration { round_trip, ways }),
            Some(reason) => Err(Error::Spoiled { backend: C::BACKEND, reason }),
        }
    }

    /// So many round trips of one byte over a connection of their own, without an opinion.
    ///
    /// # Errors
    /// What the system refused; what the connection failed with.
    pub fn echoes(&self, count: u32) -> Result<Vec<Duration>, Error> {
        let [client, server] = self.ends.pair()?;
        calibrate::round_trip::sample(&self.profile, client, server, count)
    }

    /// What a new connection with this congestion control at both ends gets through that way.
    ///
    /// # Errors
    /// What the system refused; what the connection failed with.
    pub fn goodput(&self, way: Way, control: &str, plan: Bulk) -> Result<Goodput, Error> {
        self.ends.goodput(way, control, plan)
    }

    /// Sends numbered datagrams that way; which arrived, and when.
    ///
    /// # Errors
    /// [`Error::Spoiled`] where datagrams were lost at their socket; what the system refused.
    pub fn train(&self, way: Way, train: Train) -> Result<Arrivals, Error> {
        self.ends.train(way, train, calibrate::patience(&self.profile, way))
    }

    /// What it did since it was started.
    ///
    /// # Errors
    /// What the system refused to tell.
    pub fn report(&self) -> Result<Report, Error> {
        let [near, far] = &self.ports;
        let overflowed = [near.overflowed(&self.ends.client)?, far.overflowed(&self.ends.server)?];
        let way = |way: usize| {
            let tally = self.tallies[way].lock().unwrap_or_else(PoisonError::into_inner);
            let quantile =
                |quantile| Duration::from_nanos(tally.lateness.value_at_quantile(quantile));
            WayReport {
                segments: tally.segments,
                cut: tally.cut,
                overflowed: overflowed[way],
                refused: tally.refused,
                lateness_p50: quantile(0.5),
                lateness_p99: quantile(0.99),
                lateness_max: Duration::from_nanos(tally.lateness.max()),
                cpu: tally.cpu,
                waited: tally.thread.and_then(account).map(waited),
                alive: self.since.elapsed(),
            }
        };
        Ok(Report { up: way(0), down: way(1) })
    }

    /// What it does.
    pub fn profile(&self) -> &LinkProfile {
        &self.profile
    }

    /// What rows record about the link and who makes it.
    pub fn dimensions(&self) -> Vec<(&'static str, String)> {
        let mut dimensions = self.profile.dimensions();
        dimensions.push(("link_backend", C::BACKEND.to_owned()));
        dimensions
    }
}

fn waited(account: Account) -> Duration {
    Duration::from_nanos(account.waited_ns)
}

impl<C> Drop for EmulatedLink<C> {
    fn drop(&mut self) {
        // Both threads see it, because neither reads it.
        let _ = rustix::io::write(&self.bell, &1_u64.to_ne_bytes());
        for pump in self.pumps.drain(..) {
            // Bounded: a pump waits for nothing but what the bell ends.
            let _ = pump.join();
        }
    }
}

#[cfg(test)]
mod tests;
