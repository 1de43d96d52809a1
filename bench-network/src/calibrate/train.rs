//! Numbered datagrams that go over one way of a link at a pace.

use std::io::ErrorKind;
use std::net::UdpSocket;
use std::num::NonZeroU64;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crate::error::Error;
use crate::link::Way;
use crate::network::Ends;

/// IP's and UDP's.
pub const HEADER_BYTES: u32 = 28;
/// A number.
pub const PAYLOAD_BYTES_MIN: u32 = 8;
/// The largest datagram of any link here.
const BUFFER_BYTES: usize = 2048;
/// What a sender may be ahead of its pace by, so that it sleeps and does not spin.
const SLEPT_MIN: Duration = Duration::from_micros(60);

/// How many datagrams of which size, how often.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Train {
    /// One at least.
    pub count: u64,
    /// Of each, [`PAYLOAD_BYTES_MIN`] at least; IP and UDP add [`HEADER_BYTES`].
    pub payload_bytes: u32,
    /// From one to the next.
    pub interval: Duration,
    /// So many are sent in a row at most where the sender was held up; the rest of what it missed is
    /// sent later instead.
    pub burst: u32,
}

/// What arrived of a train.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Arrivals {
    /// How many were sent.
    pub sent: u64,
    /// The number of each that arrived, by when it did so for the first time, and that time in
    /// nanoseconds, in this order.
    pub arrived: Vec<(u64, u64)>,
}

impl Ends {
    /// Sends a train that way and waits until the last has arrived or cannot any more.
    pub(crate) fn train(&self, way: Way, train: Train, wait: Duration) -> Result<Arrivals, Error> {
        let [from, to] = self.datagrams(way)?;
        let before = self.datagrams_refused(way)?;
        let arrivals = send(train, &from, &to, wait)?;
        let refused = self.datagrams_refused(way)? - before;
        if refused > 0 {
            let reason =
                format!("{refused} datagrams {} found no room at their socket", way.name());
            return Err(Error::Spoiled { backend: "receiver", reason });
        }
        Ok(arrivals)
    }
}

/// Sends a train between two sockets that are connected to each other; `to` has a time limit, and
/// `wait` is how long after the last was sent or arrived another may.
pub(crate) fn send(
    train: Train,
    from: &UdpSocket,
    to: &UdpSocket,
    wait: Duration,
) -> Result<Arrivals, Error> {
    let (sent_all, start) = (AtomicBool::new(false), Instant::now());
    thread::scope(|scope| {
        let receiving = scope.spawn(|| receive(train.count, to, &sent_all, wait, start));
        let sent = pace(train, from);
        sent_all.store(true, Ordering::Release);
        let arrived = receiving.join().map_err(|_| Error::Gone("receiver of datagrams"))?;
        sent?;
        Ok(Arrivals { sent: train.count, arrived: arrived? })
    })
}

fn pace(train: Train, from: &UdpSocket) -> Result<(), Error> {
    // Not fatal: bursts are then as long as the ordinary slack.
    let _ = rustix::thread::set_current_timer_slack(NonZeroU64::new(1));
    let mut datagram = vec![0x57; train.payload_bytes.max(PAYLOAD_BYTES_MIN) as usize];
    let interval_ns = train.interval.as_nanos() as u64;
    let missed_ns_max = interval_ns * u64::from(train.burst);
    let (start, mut held_up_ns) = (Instant::now(), 0);
    for number in 0..train.count {
        let due_ns = number * interval_ns + held_up_ns;
        let now_ns = start.elapsed().as_nanos() as u64;
        held_up_ns += now_ns.saturating_sub(due_ns).saturating_sub(missed_ns_max);
        let early = Duration::from_nanos(due_ns.saturating_sub(now_ns));
        if early >= SLEPT_MIN {
            thread::sleep(early);
        }
        datagram[..8].copy_from_slice(&number.to_be_bytes());
        from.send(&datagram).map_err(Error::io("send a datagram over the link"))?;
    }
    Ok(())
}

fn receive(
    count: u64,
    to: &UdpSocket,
    sent_all: &AtomicBool,
    wait: Duration,
    start: Instant,
) -> Result<Vec<(u64, u64)>, Error> {
    let (mut seen, mut arrived) = (vec![false; count as usize], Vec::with_capacity(count as usize));
    let (mut buffer, mut quiet_since) = ([0; BUFFER_BYTES], Instant::now());
    while arrived.len() < seen.len() {
        let was_last = sent_all.load(Ordering::Acquire);
        match to.recv(&mut buffer) {
            Ok(_) => {
                let at_ns = start.elapsed().as_nanos() as u64;
                quiet_since = Instant::now();
                let number = u64::from_be_bytes(buffer[..8].try_into().expect("eight bytes"));
                // A bit that was flipped on the way and found its way past the checksum is nobody's.
                let Some(seen) = seen.get_mut(number as usize).filter(|seen| !**seen) else {
                    continue;
                };
                *seen = true;
                arrived.push((number, at_ns));
            }
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                if was_last && quiet_since.elapsed() > wait {
                    break;
                }
                if !was_last {
                    quiet_since = Instant::now();
                }
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => (),
            Err(error) => return Err(Error::io("receive a datagram over the link")(error)),
        }
    }
    Ok(arrived)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pair() -> [UdpSocket; 2] {
        let ends = [(); 2].map(|()| UdpSocket::bind("127.0.0.1:0").expect("bind"));
        for (end, other) in [(0, 1), (1, 0)] {
            ends[end].connect(ends[other].local_addr().expect("port")).expect("connect");
        }
        ends[1].set_read_timeout(Some(Duration::from_millis(20))).expect("time limit");
        ends
    }

    #[test]
    fn a_train_arrives_whole_in_order_and_no_faster_than_its_pace() {
        let [from, to] = pair();
        let interval = Duration::from_millis(1);
        let train = Train { count: 20, payload_bytes: 100, interval, burst: 4 };
        let found = send(train, &from, &to, Duration::from_secs(10)).expect("sent");
        let numbers: Vec<u64> = found.arrived.iter().map(|(number, _)| *number).collect();
        assert_eq!(numbers, (0..20).collect::<Vec<_>>());
        // The sender may have missed four times its interval, and no more.
        let took_ns = found.arrived[19].1 - found.arrived[0].1;
        assert!(took_ns >= 15 * 1_000_000 / 2, "{took_ns}");
        assert_eq!(found.sent, 20);
    }

    #[test]
    fn what_does_not_arrive_ends_the_wait_and_is_not_made_up() {
        let [from, to] = pair();
        let elsewhere = UdpSocket::bind("127.0.0.1:0").expect("bind");
        from.connect(elsewhere.local_addr().expect("port")).expect("connect");
        let train = Train { count: 3, payload_bytes: 8, interval: Duration::ZERO, burst: 1 };
        let found = send(train, &from, &to, Duration::from_millis(1)).expect("sent");
        assert_eq!(found, Arrivals { sent: 3, arrived: Vec::new() });
    }
}
