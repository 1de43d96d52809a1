//! What the kernel says of a connection (`TCP_INFO`), and what kept a transfer from being faster.
//!
//! A sender is idle where the application gives it nothing, and else busy; of its busy time the
//! kernel counts that in which the receiver's window was full and that in which its own send buffer
//! was. What is left goes to the congestion window, the path, and the processors (RFC 4898; the
//! counters are those of `tcp_chrono_start` in Linux, since 4.9). A number of a transfer that was
//! limited by a buffer is that of the buffer: the bandwidth of such a run falls with the delay of the
//! link although the link has not changed.
//!
//! The counters advance in ticks of the kernel's clock, 1 to 10 ms: nothing is said of a transfer
//! that was busy for less than [`BUSY_MIN`].

use std::fmt;
use std::io;
use std::os::fd::AsFd;
use std::time::Duration;

use super::kernel;
use crate::error::Error;

/// A transfer that was busy for less is not judged.
pub const BUSY_MIN: Duration = Duration::from_millis(100);

/// From this share of the busy time on, a transfer was limited by what took it.
pub const SHARE: f64 = 0.5;

/// What we read of `struct tcp_info` (`linux/tcp.h`), by its names.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TcpInfo {
    /// Smoothed round trip.
    pub rtt: Duration,
    /// Congestion window, in segments.
    pub congestion_window_segments: u32,
    /// Bytes of one segment.
    pub segment_bytes: u32,
    /// Segments sent once more, since the connection was made.
    pub retransmits: u32,
    /// Time in which there was something to send.
    pub busy: Duration,
    /// Of it, in which the receiver's window was full.
    pub receive_window_limited: Duration,
    /// Of it, in which the own send buffer was full, and acknowledgements were not what was waited for.
    pub send_buffer_limited: Duration,
}

/// Where the fields lie, in bytes from the beginning of `struct tcp_info`.
mod offset {
    pub(super) const SND_MSS: usize = 16;
    pub(super) const RTT: usize = 68;
    pub(super) const SND_CWND: usize = 80;
    pub(super) const TOTAL_RETRANS: usize = 100;
    pub(super) const BUSY_TIME: usize = 168;
    pub(super) const RWND_LIMITED: usize = 176;
    pub(super) const SNDBUF_LIMITED: usize = 184;
}

impl TcpInfo {
    /// Asks the kernel.
    ///
    /// # Errors
    /// What the system refused; that the kernel is older than 4.10 and does not count.
    pub fn of(socket: impl AsFd) -> Result<Self, Error> {
        let bytes = kernel::info(socket).map_err(Error::io("read TCP_INFO"))?;
        Self::parse(&bytes).ok_or_else(|| {
            let text = format!("the kernel gives {} bytes of it, 192 are needed", bytes.len());
            Error::Io { action: "read TCP_INFO", source: io::Error::other(text) }
        })
    }

    /// The fields of a `struct tcp_info` as the kernel of this machine lays it out; nothing where it
    /// is cut before the last of them.
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        let four = |at: usize| Some(u32::from_ne_bytes(bytes.get(at..at + 4)?.try_into().ok()?));
        let eight = |at: usize| Some(u64::from_ne_bytes(bytes.get(at..at + 8)?.try_into().ok()?));
        Some(Self {
            rtt: Duration::from_micros(four(offset::RTT)?.into()),
            congestion_window_segments: four(offset::SND_CWND)?,
            segment_bytes: four(offset::SND_MSS)?,
            retransmits: four(offset::TOTAL_RETRANS)?,
            busy: Duration::from_micros(eight(offset::BUSY_TIME)?),
            receive_window_limited: Duration::from_micros(eight(offset::RWND_LIMITED)?),
            send_buffer_limited: Duration::from_micros(eight(offset::SNDBUF_LIMITED)?),
        })
    }
}

/// What kept a transfer from being faster.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Limit {
    /// The receiver's window, for this share of the busy time: its buffer is too small for the
    /// link, or it does not read.
    ReceiveWindow(f64),
    /// The own send buffer, for this share of the busy time.
    SendBuffer(f64),
    /// No buffer: the path, its congestion control, or the processors.
    Path,
    /// The connection was busy for so short a time that the kernel's ticks say nothing.
    Unknown(Duration),
}

impl Limit {
    /// What limited a connection between two looks at its sender.
    pub fn between(before: &TcpInfo, after: &TcpInfo) -> Self {
        let busy = after.busy.saturating_sub(before.busy);
        if busy < BUSY_MIN {
            return Self::Unknown(busy);
        }
        // Both counters are read a moment after the other, so that a share may come out above one.
        let share = |before: Duration, after: Duration| {
            (after.saturating_sub(before).as_secs_f64() / busy.as_secs_f64()).min(1.0)
        };
        let receiver = share(before.receive_window_limited, after.receive_window_limited);
        let sender = share(before.send_buffer_limited, after.send_buffer_limited);
        if receiver >= SHARE && receiver >= sender {
            Self::ReceiveWindow(receiver)
        } else if sender >= SHARE {
            Self::SendBuffer(sender)
        } else {
            Self::Path
        }
    }

    /// Whether the number is that of a buffer.
    pub const fn is_a_buffer(self) -> bool {
        matches!(self, Self::ReceiveWindow(_) | Self::SendBuffer(_))
    }
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let percent = |share: &f64| share * 100.0;
        match self {
            Self::ReceiveWindow(share) => {
                write!(f, "receive window ({:.0} % of the time)", percent(share))
            }
            Self::SendBuffer(share) => {
                write!(f, "send buffer ({:.0} % of the time)", percent(share))
            }
            Self::Path => f.write_str("no buffer"),
            Self::Unknown(busy) => write!(f, "unknown: busy for {} ms only", busy.as_millis()),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, TcpListener, TcpStream};

    use proptest::prelude::*;

    use super::*;

    fn info(busy_ms: u64, receiver_ms: u64, sender_ms: u64) -> TcpInfo {
        TcpInfo {
            busy: Duration::from_millis(busy_ms),
            receive_window_limited: Duration::from_millis(receiver_ms),
            send_buffer_limited: Duration::from_millis(sender_ms),
            ..TcpInfo::default()
        }
    }

    #[test]
    fn a_transfer_is_judged_by_what_changed_between_two_looks() {
        let between = |before, after| Limit::between(&before, &after).to_string();
        // What was before does not count: of 1 s, 0.9 s.
        let limited = between(info(5_000, 0, 0), info(6_000, 900, 0));
        assert_eq!(limited, "receive window (90 % of the time)");
        assert_eq!(between(info(0, 900, 0), info(1_000, 900, 40)), "no buffer");
        assert_eq!(between(info(0, 0, 0), info(200, 20, 100)), "send buffer (50 % of the time)");
        assert_eq!(between(info(0, 0, 0), info(99, 99, 0)), "unknown: busy for 99 ms only");
        let both = Limit::between(&info(0, 0, 0), &info(1_000, 500, 500));
        assert_eq!(both, Limit::ReceiveWindow(0.5));
        assert!(both.is_a_buffer() && !Limit::Path.is_a_buffer());
    }

    proptest! {
        #[test]
        fn no_bytes_and_no_counters_make_it_panic(
            bytes in proptest::collection::vec(any::<u8>(), 0..300),
            more in proptest::collection::vec(any::<u8>(), 192..193),
        ) {
            prop_assert_eq!(TcpInfo::parse(&bytes).is_some(), bytes.len() >= 192);
            if let (Some(one), Some(other)) = (TcpInfo::parse(&bytes), TcpInfo::parse(&more)) {
                match Limit::between(&one, &other) {
                    Limit::ReceiveWindow(share) | Limit::SendBuffer(share) => {
                        prop_assert!((SHARE..=1.0).contains(&share));
                    }
                    Limit::Path | Limit::Unknown(_) => {}
                }
            }
        }
    }

    #[test]
    fn the_kernel_tells_of_a_connection_what_we_can_check() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("listen");
        let client = TcpStream::connect(listener.local_addr().expect("port")).expect("connect");
        let info = TcpInfo::of(&client).expect("info");
        // Loopback's MTU of 65,536 less the headers of IP and TCP, options left out or not, halved
        // where the window of the peer is smaller than that.
        assert!((16_000..=65_496).contains(&info.segment_bytes), "{info:?}");
        assert_eq!(info.congestion_window_segments, 10, "RFC 6928's initial window: {info:?}");
        assert_eq!(info.retransmits, 0);
        assert!(info.rtt < Duration::from_secs(1) && info.busy < Duration::from_secs(1));
    }
}
