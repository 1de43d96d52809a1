//! How the ends of an echo wait for their byte.

use std::hint;
use std::io::{self, ErrorKind, Read};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use bench_core::fixture::cpus;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::net::{RecvFlags, recv};

use crate::link::{Capacity, Direction, Jitter, LinkProfile};

/// For so long before and after a byte is due it is looked for without a sleep.
const SPUN: Duration = Duration::from_millis(1);

/// How the ends of an echo wait for it, which is a part of what they find.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ends {
    /// They look for their byte without a sleep for a millisecond before and after it is due.
    Awake,
    /// They sleep until it comes.
    Asleep,
}

impl Ends {
    /// As a dimension has it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Awake => "awake",
            Self::Asleep => "asleep",
        }
    }

    /// How they wait on this link and this machine.
    pub fn of(link: &LinkProfile) -> Self {
        Self::with(link, cpus::available().map_or(1, |cpus| cpus.len()))
    }

    /// Awake where each way takes so long, and always as long, that they never look at the same time: the
    /// emulator has to keep a processor.
    fn with(link: &LinkProfile, processors: usize) -> Self {
        let steady = |way: &Direction| {
            matches!(way.jitter, Jitter::None) && !matches!(way.capacity, Capacity::Trace(_))
        };
        let apart = |way: &Direction| steady(way) && way.delay >= 4 * SPUN;
        if processors > 1 && apart(&link.up) && apart(&link.down) {
            Self::Awake
        } else {
            Self::Asleep
        }
    }
}

/// Waits for one byte, about the time when it is due without a sleep.
pub(super) fn receive(mut stream: &TcpStream, due: Option<Instant>) -> io::Result<()> {
    if let Some(due) = due {
        sleep_until(stream, due)?;
        while Instant::now() < due + SPUN {
            match recv(stream, &mut [0], RecvFlags::DONTWAIT) {
                Ok((0, _)) => return Err(ErrorKind::UnexpectedEof.into()),
                Ok(_) => return Ok(()),
                Err(Errno::AGAIN | Errno::INTR) => hint::spin_loop(),
                Err(error) => return Err(error.into()),
            }
        }
    }
    stream.read_exact(&mut [0])
}

/// Until there is something to receive, or soon due.
fn sleep_until(stream: &TcpStream, due: Instant) -> io::Result<()> {
    loop {
        let left = due.saturating_duration_since(Instant::now()).saturating_sub(SPUN);
        let timeout = Timespec::try_from(left).map_err(io::Error::other)?;
        match poll(&mut [PollFd::new(stream, PollFlags::IN)], Some(&timeout)) {
            Err(Errno::INTR) => {}
            woken => return Ok(woken.map(drop)?),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::net::{Ipv4Addr, TcpListener};
    use std::thread;

    use rustix::time::{ClockId, clock_gettime};

    use super::*;
    use crate::link::DeliveryTrace;

    const MS: Duration = Duration::from_millis(1);

    #[test]
    fn only_ends_that_never_look_at_the_same_time_are_awake() {
        let link = LinkProfile::round_trip;
        assert_eq!(Ends::with(&link(8 * MS), 2), Ends::Awake);
        assert_eq!(Ends::with(&link(70 * MS), 1), Ends::Asleep, "the emulator would have none");
        let mut aslant = link(70 * MS);
        aslant.up.delay = MS;
        let mut shaky = link(70 * MS);
        shaky.down.jitter = Jitter::uniform(MS);
        for near in [link(7 * MS), aslant, shaky] {
            assert_eq!(Ends::with(&near, 2), Ends::Asleep, "both would look at once");
        }
        let mut waits = link(70 * MS);
        let trace = DeliveryTrace::parse("gaps", "0\n40\n").expect("a trace");
        waits.up.capacity = Capacity::Trace(trace.into());
        assert_eq!(Ends::with(&waits, 2), Ends::Asleep, "it comes when the trace lets it");
    }

    #[test]
    fn a_byte_that_is_due_is_looked_for_without_a_sleep() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("listen");
        let _from = TcpStream::connect(listener.local_addr().expect("port")).expect("connect");
        let (to, _) = listener.accept().expect("accept");
        to.set_read_timeout(Some(MS)).expect("a limit");
        let worked = |due: Option<Duration>| {
            let now = || Duration::try_from(clock_gettime(ClockId::ThreadCPUTime)).expect("a time");
            let before = now();
            receive(&to, due.map(|due| Instant::now() + due)).expect_err("nothing comes");
            now() - before
        };
        // Others may have the processor meanwhile: what is never seen is not done.
        let due = Some(10 * MS);
        assert!((0..100).any(|_| worked(due) > 3 * SPUN / 2), "before it is due, and after");
        assert!((0..100).any(|_| worked(due) < 5 * SPUN), "no longer than that");
        assert!((0..100).any(|_| worked(None) < SPUN / 2));
    }

    #[test]
    fn a_byte_is_received_whenever_it_comes() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("listen");
        let mut from = TcpStream::connect(listener.local_addr().expect("port")).expect("connect");
        let (to, _) = listener.accept().expect("accept");
        for due in [None, Some(Duration::ZERO), Some(3 * MS), Some(Duration::from_secs(60))] {
            from.write_all(&[1]).expect("send");
            receive(&to, due.map(|due| Instant::now() + due)).expect("it is there");
        }
        let sending = thread::spawn(move || {
            thread::sleep(20 * MS);
            from.write_all(&[1]).expect("send");
        });
        receive(&to, Some(Instant::now() + 5 * MS)).expect("late");
        sending.join().expect("sent, and closed");
        let error = receive(&to, Some(Instant::now() + 5 * MS)).expect_err("closed");
        assert_eq!(error.kind(), ErrorKind::UnexpectedEof);
    }
}
