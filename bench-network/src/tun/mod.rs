//! A link that kernel TCP really goes over: two network namespaces without a name, a TUN interface
//! in each, and two threads between them that do to every packet what the link's model says.
//!
//! Handshake, loss, retransmission and congestion control are the kernel's own. Packets stay as
//! large as TCP makes them (up to 64 KiB, GSO) until a single segment has a fate of its own; loss is
//! of segments as they would go over the wire, and exact.
//!
//! What it does not model: hosts other than this one. Both ends and the emulator share its
//! processors; [`Report`] says how late the emulator was and how much processor time it took. A rate
//! counts from the time at which the emulator fetched a packet.
//!
//! It needs the right to make network namespaces and a `/dev/net/tun` that can be opened: root, or
//! `unshare --user --map-root-user` before the command. [`TunLink::available`] says why not.
//! Nothing of the host's network is touched, and nothing is left when the process ends, however.

mod kernel;
mod namespace;
mod packet;
mod pump;

use std::fs::File;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use rustix::event::{EventfdFlags, eventfd};

use self::namespace::Namespace;
use self::pump::{Control, Pump, Tally};
use crate::calibrate::{Calibration, calibrate};
use crate::error::Error;
use crate::link::LinkProfile;
use crate::link::model::{Counts, LinkModel};

/// How ids and rows call this backend.
pub const BACKEND: &str = "TUN emulator";

const CLIENT: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 1);
const SERVER: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 2);

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
pub struct TunLink {
    profile: LinkProfile,
    client: Namespace,
    server: Namespace,
    bell: OwnedFd,
    tallies: [Arc<Mutex<Tally>>; 2],
    controls: [Arc<Control>; 2],
    pumps: Vec<JoinHandle<()>>,
}

/// What one direction did since the link was started.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WayReport {
    /// What the link did to the segments.
    pub segments: Counts,
    /// Segments that came while this way was cut, and are gone; the link did not see them.
    pub cut: u64,
    /// Packets that the emulator did not fetch in time, so that the kernel dropped them: a loss that
    /// nobody asked for.
    pub overflowed: u64,
    /// Packets that were no IPv4, or that the receiving interface did not take.
    pub refused: u64,
    /// How much later than due packets were handed on, the median.
    pub lateness_p50: Duration,
    /// The 99th percentile of it, to two digits.
    pub lateness_p99: Duration,
    /// The longest.
    pub lateness_max: Duration,
    /// Processor time of the thread.
    pub cpu: Duration,
}

/// What a link did since it was started, up and down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Report {
    /// From the client to the server.
    pub up: WayReport,
    /// From the server to the client.
    pub down: WayReport,
}

impl TunLink {
    /// Whether this process can make such a link.
    ///
    /// # Errors
    /// [`Error::Unavailable`] with what is missing and how to get it.
    pub fn available() -> Result<(), Error> {
        // By doing it: rights, seccomp filters and the device's mode all have a say.
        match Namespace::new(CLIENT) {
            Ok(_) => Ok(()),
            Err(error) => Err(Error::Unavailable {
                backend: BACKEND,
                reason: error.to_string(),
                instead: "run as root or after `unshare --user --map-root-user`, and see that \
                          /dev/net/tun can be read and written",
            }),
        }
    }

    /// Makes both networks and the link between them.
    ///
    /// # Errors
    /// That the profile makes no sense; what the system refused.
    pub fn start(profile: &LinkProfile, seed: u64) -> Result<Self, Error> {
        let [up, down] = LinkModel::both(profile, seed)?;
        let (client, client_device) = Namespace::new(CLIENT)?;
        let (server, server_device) = Namespace::new(SERVER)?;
        let bell = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK);
        let bell = bell.map_err(Error::io("make an eventfd"))?;
        let tallies = [(); 2].map(|()| Arc::new(Mutex::new(Tally::new())));
        let controls = [(); 2].map(|()| Arc::new(Control::default()));
        let (profile, pumps) = (profile.clone(), Vec::new());
        // From here on dropping ends whichever threads there are.
        let mut this = Self { profile, client, server, bell, tallies, controls, pumps };
        this.pump(0, up, &client_device, &server_device)?;
        this.pump(1, down, &server_device, &client_device)?;
        Ok(this)
    }

    fn pump(&mut self, way: usize, model: LinkModel, from: &File, to: &File) -> Result<(), Error> {
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
        self.client.enter(work)
    }

    /// As [`in_client`](Self::in_client), in the server's network.
    ///
    /// # Errors
    /// As [`in_client`](Self::in_client).
    pub fn in_server<T: Send>(
        &self,
        work: impl FnOnce() -> Result<T, Error> + Send,
    ) -> Result<T, Error> {
        self.server.enter(work)
    }

    /// A listener in the server's network, at a port that the kernel chooses.
    ///
    /// # Errors
    /// What the system refused.
    pub fn listen(&self) -> Result<TcpListener, Error> {
        self.in_server(|| TcpListener::bind((SERVER, 0)).map_err(Error::io("listen")))
    }

    /// A connection from the client's network.
    ///
    /// # Errors
    /// What the system refused, among it that nobody listens there.
    pub fn connect(&self, to: SocketAddr) -> Result<TcpStream, Error> {
        self.in_client(|| TcpStream::connect(to).map_err(Error::io("connect over the link")))
    }

    /// Measures the round trip of one byte over this link, for about a second.
    ///
    /// # Errors
    /// [`Error::OutOfTolerance`] with both numbers; what the system refused.
    pub fn calibrate(&self) -> Result<Calibration, Error> {
        let listener = self.listen()?;
        let to = listener.local_addr().map_err(Error::io("read the port"))?;
        let client = self.connect(to)?;
        let (server, _) = listener.accept().map_err(Error::io("accept over the link"))?;
        calibrate(&self.profile, client, server)
    }

    /// What it did since it was started.
    ///
    /// # Errors
    /// What the system refused to tell.
    pub fn report(&self) -> Result<Report, Error> {
        let overflowed = [self.client.overflowed()?, self.server.overflowed()?];
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
            }
        };
        Ok(Report { up: way(0), down: way(1) })
    }

    /// What rows record about the link and who makes it.
    pub fn dimensions(&self) -> Vec<(&'static str, String)> {
        let mut dimensions = self.profile.dimensions();
        dimensions.push(("link_backend", BACKEND.to_owned()));
        dimensions
    }
}

impl Drop for TunLink {
    fn drop(&mut self) {
        // Both threads see it, because neither reads it.
        let _ = rustix::io::write(&self.bell, &1_u64.to_ne_bytes());
        for pump in self.pumps.drain(..) {
            // Bounded: a pump waits for nothing but what the bell ends.
            let _ = pump.join();
        }
    }
}

impl Report {
    /// Why what was measured over this link is not valid; `None` where it is. `tolerance` is what a
    /// one-way delay may be wrong by.
    pub fn spoiled(&self, tolerance: Duration) -> Option<String> {
        [("up", &self.up), ("down", &self.down)].into_iter().find_map(|(name, way)| {
            if way.overflowed > 0 {
                return Some(format!(
                    "{} packets {name} were dropped before the emulator fetched them",
                    way.overflowed
                ));
            }
            (way.lateness_p99 > tolerance).then(|| {
                format!(
                    "the emulator was {:?} late {name} at the 99th percentile, and {tolerance:?} is \
                     tolerated",
                    way.lateness_p99
                )
            })
        })
    }
}

#[cfg(test)]
mod tests;
