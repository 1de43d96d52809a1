//! What can happen to the streams of a proxy, and what shows that it did. The kinds are toxiproxy's
//! (Shopify, MIT; its README names them), each at the layer where this proxy can make it true: the
//! bytes of a stream, the ends of a connection, the call that accepts one.
//!
//! Not here, because a proxy ends both connections: a slow or failing handshake, lost or reordered
//! packets, a full link. Those are of a link that carries packets ([`tun`](crate::tun)).

use std::fmt;
use std::time::Duration;

use bench_core::units::{ByteSize, print_rate};

use super::{FaultError, Proof, absurd, not_shown};

/// No fault holds anything up for longer.
pub const TIME_MAX: Duration = Duration::from_secs(3600);

/// Which ways of a connection a fault is on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Ways {
    /// From the client to the server.
    Up,
    /// From the server to the client.
    Down,
    /// Either.
    Both,
}

/// What happens to every connection of a proxy while the fault is injected, those that are open
/// already included.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum StreamFault {
    /// Bytes arrive later than the link makes them, by a delay that differs evenly by up to the
    /// jitter either way. Their order stays.
    Latency {
        /// On which ways.
        ways: Ways,
        /// How much later.
        delay: Duration,
        /// The most by which it differs, no more than the delay.
        jitter: Duration,
    },
    /// Each connection gets so many bytes a second; its sender is held up by its own full socket.
    Bandwidth {
        /// On which ways.
        ways: Ways,
        /// Payload bytes.
        bytes_per_second: u64,
    },
    /// The end of a stream arrives so much later than its last byte.
    SlowClose {
        /// On which ways.
        ways: Ways,
        /// How much later.
        delay: Duration,
    },
    /// Both ends of a connection get a RST, so long after the injection or after it was accepted,
    /// whichever is later. What was on its way is lost.
    Reset {
        /// How long after.
        after: Duration,
    },
    /// No byte gets through, and after so long, counted as for a reset, both ends are closed. A fault
    /// that ends before that lets everything through that it held.
    TimeOut {
        /// On which ways nothing gets through.
        ways: Ways,
        /// How long after.
        after: Duration,
    },
    /// Bytes are handed on in slices no larger than this, each one system call, with a pause after
    /// each. The receiver's kernel may join slices that its program has not read.
    Slicer {
        /// On which ways.
        ways: Ways,
        /// The most bytes of a slice.
        bytes: usize,
        /// Between two slices.
        pause: Duration,
    },
    /// After so many bytes more of a connection both its ends are closed, however much follows. By
    /// the rules of TCP a sender gets a RST for what nobody reads.
    LimitData {
        /// Whose bytes count, each way for itself.
        ways: Ways,
        /// The most bytes.
        bytes: u64,
    },
    /// Connections are accepted one after another, each so long after the one before or after it
    /// came: those that wait do so in the kernel's queue, which is full at some time. The kernel
    /// still completes the handshake at once.
    SlowAccept {
        /// How long after.
        delay: Duration,
    },
}

impl StreamFault {
    /// What ids and rows call the kind.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Latency { .. } => "latency",
            Self::Bandwidth { .. } => "bandwidth",
            Self::SlowClose { .. } => "slow_close",
            Self::Reset { .. } => "reset",
            Self::TimeOut { .. } => "time_out",
            Self::Slicer { .. } => "slicer",
            Self::LimitData { .. } => "limit_data",
            Self::SlowAccept { .. } => "slow_accept",
        }
    }

    /// The ways it is on.
    pub const fn ways(&self) -> Ways {
        match *self {
            Self::Latency { ways, .. }
            | Self::Bandwidth { ways, .. }
            | Self::SlowClose { ways, .. }
            | Self::TimeOut { ways, .. }
            | Self::Slicer { ways, .. }
            | Self::LimitData { ways, .. } => ways,
            Self::Reset { .. } | Self::SlowAccept { .. } => Ways::Both,
        }
    }

    /// Whether the two would strike the same bytes in the same way.
    pub(crate) fn collides(&self, other: &Self) -> bool {
        let shared =
            self.ways() == other.ways() || [self.ways(), other.ways()].contains(&Ways::Both);
        self.name() == other.name() && shared
    }

    /// Whether its numbers make sense.
    ///
    /// # Errors
    /// [`FaultError::Absurd`] with the number and what it may be.
    pub fn check(&self) -> Result<(), FaultError> {
        let some = |what, time: Duration| {
            let sound = !time.is_zero() && time <= TIME_MAX;
            let bounds = || format!("more than nothing and at most {TIME_MAX:?}");
            if sound {
                Ok(())
            } else {
                Err(absurd(self.name(), what, format!("{time:?}"), bounds()))
            }
        };
        let any = |what, time: Duration, most: Duration| {
            let bounds = || format!("at most {most:?}");
            if time <= most {
                Ok(())
            } else {
                Err(absurd(self.name(), what, format!("{time:?}"), bounds()))
            }
        };
        match *self {
            Self::Latency { delay, jitter, .. } => {
                some("delay", delay)?;
                any("jitter", jitter, delay)
            }
            Self::Bandwidth { bytes_per_second: 0, .. } => Err(absurd(
                self.name(),
                "rate",
                "0 B/s",
                "at least 1 B/s; a time_out stops all bytes",
            )),
            Self::Bandwidth { .. } => Ok(()),
            Self::SlowClose { delay, .. } | Self::SlowAccept { delay } => some("delay", delay),
            Self::Reset { after } | Self::TimeOut { after, .. } => any("wait", after, TIME_MAX),
            Self::Slicer { bytes: 0, .. } => Err(absurd(self.name(), "slice", "0B", "at least 1B")),
            Self::Slicer { pause, .. } => any("pause", pause, TIME_MAX),
            Self::LimitData { .. } => Ok(()),
        }
    }
}

impl fmt::Display for StreamFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())?;
        match *self {
            Self::Latency { delay, jitter, .. } if jitter.is_zero() => write!(f, " {delay:?}")?,
            Self::Latency { delay, jitter, .. } => write!(f, " {delay:?} ± {jitter:?}")?,
            Self::Bandwidth { bytes_per_second, .. } => {
                write!(f, " {}", print_rate(bytes_per_second as f64))?;
            }
            Self::SlowClose { delay, .. } | Self::SlowAccept { delay } => write!(f, " {delay:?}")?,
            Self::Reset { after } | Self::TimeOut { after, .. } => write!(f, " after {after:?}")?,
            Self::Slicer { bytes, pause, .. } => {
                write!(f, " {} every {pause:?}", ByteSize::new(bytes as u64))?;
            }
            Self::LimitData { bytes, .. } => write!(f, " {}", ByteSize::new(bytes))?,
        }
        match (self, self.ways()) {
            (Self::Reset { .. } | Self::SlowAccept { .. }, _) | (_, Ways::Both) => Ok(()),
            (_, Ways::Up) => f.write_str(" up"),
            (_, Ways::Down) => f.write_str(" down"),
        }
    }
}

/// What the proxy saw of one fault.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Observed {
    /// How often it struck.
    pub(crate) times: u64,
    /// Bytes that it struck; of a bandwidth those whose sender was held up.
    pub(crate) bytes: u64,
    /// How long all that it held was held, and the shortest of it.
    pub(crate) held_ns: u64,
    pub(crate) least_ns: Option<u64>,
    /// The largest slice.
    pub(crate) slice_bytes: u64,
    /// By how much the kernel's count of RSTs sent rose while they were: that of all the namespace.
    pub(crate) resets: Option<u64>,
}

impl Observed {
    /// It struck, and held something for so long.
    pub(crate) fn held(&mut self, ns: u64) {
        self.times += 1;
        self.held_ns = self.held_ns.saturating_add(ns);
        self.least_ns = Some(self.least_ns.map_or(ns, |least| least.min(ns)));
    }

    fn mean(&self) -> Duration {
        Duration::from_nanos(self.held_ns / self.times.max(1))
    }

    fn least(&self) -> Duration {
        Duration::from_nanos(self.least_ns.unwrap_or(0))
    }
}

/// Whether that shows the fault.
///
/// # Errors
/// [`FaultError::NotShown`] with what is missing.
pub(crate) fn judge(fault: &StreamFault, seen: &Observed) -> Result<Proof, FaultError> {
    let missing = |what: &str| not_shown(fault, what);
    let at_least = |asked: Duration, what: &str| match seen.least() < asked {
        true => Err(not_shown(fault, format!("{what} after {:?}", seen.least()))),
        false => Ok(()),
    };
    if seen.times == 0 {
        return Err(missing(match fault {
            StreamFault::Latency { .. } => "no byte came through while it was injected",
            StreamFault::Bandwidth { .. } => {
                "no sender had more to send than the rate lets through; send more, or lower the rate"
            }
            StreamFault::SlowClose { .. } => "no end closed its stream while it was injected",
            StreamFault::Reset { .. } => "no connection was open when its time had come",
            StreamFault::TimeOut { .. } => {
                "no connection had anything to say or was open long enough"
            }
            StreamFault::Slicer { .. } => {
                "nothing larger than one slice came through; send more, or make the slices smaller"
            }
            StreamFault::LimitData { .. } => "no connection got as far as the limit",
            StreamFault::SlowAccept { .. } => "no connection came while it was injected",
        }));
    }
    let (unit, measured) = match *fault {
        StreamFault::Latency { delay, jitter, .. } => {
            at_least(delay - jitter, "something was handed on")?;
            ("chunks", format!("held {:?} at least, {:?} on average", seen.least(), seen.mean()))
        }
        StreamFault::Bandwidth { bytes_per_second, .. } => {
            let rate = seen.bytes as f64 * 1e9 / seen.held_ns.max(1) as f64;
            // What one turn may let in before the time is taken again is less than that.
            if rate > bytes_per_second as f64 * 1.05 {
                return Err(missing(&format!("{} came through", print_rate(rate))));
            }
            ("holds", format!("{} while senders were held up", print_rate(rate)))
        }
        StreamFault::SlowClose { delay, .. } => {
            at_least(delay, "an end was handed on")?;
            ("closes", format!("held {:?} at least", seen.least()))
        }
        StreamFault::Reset { .. } => {
            let Some(resets) = seen.resets else {
                return Err(missing("this kernel does not tell how many RST it sent"));
            };
            if resets < seen.times {
                return Err(missing(&format!(
                    "{} connections were to be reset and the kernel sent {resets} RST",
                    seen.times
                )));
            }
            ("connections", format!("the kernel sent {resets} RST meanwhile"))
        }
        StreamFault::TimeOut { after, .. } => {
            let held = ByteSize::new(seen.bytes);
            match seen.least_ns {
                Some(_) => at_least(after, "a connection was closed")?,
                // Ended before its time: then it is bytes that show it.
                None if seen.bytes == 0 => return Err(missing("it held no byte back")),
                None => (),
            }
            ("connections", format!("{held} held back"))
        }
        StreamFault::Slicer { bytes, pause, .. } => {
            at_least(pause, "the next slice was handed on")?;
            if seen.slice_bytes > bytes as u64 {
                return Err(missing(&format!("a slice had {} bytes", seen.slice_bytes)));
            }
            let largest = ByteSize::new(seen.slice_bytes);
            ("cuts", format!("slices of {largest} at most, {:?} apart at least", seen.least()))
        }
        StreamFault::LimitData { bytes, .. } => {
            let most = ByteSize::new(seen.slice_bytes);
            if seen.slice_bytes > bytes {
                return Err(missing(&format!("a connection got {most} through")));
            }
            ("connections", format!("{most} came through at most"))
        }
        StreamFault::SlowAccept { delay } => {
            at_least(delay, "a connection was accepted")?;
            (
                "connections",
                format!("held {:?} at least, {:?} on average", seen.least(), seen.mean()),
            )
        }
    };
    Ok(Proof { fault: fault.to_string(), times: seen.times, unit, measured })
}

#[cfg(test)]
mod tests;
